// The S3 commands of a tool without tensortap::net: open_store() throws an error that says how to get it.
#include <memory>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"

namespace tensortap_command {

namespace {

int refuse(const std::string& address) {
  (void)tensortap::open_store(address.starts_with("s3://") ? address : "s3://");
  return 2;
}

}  // namespace

int list_objects(const std::string& address, bool, bool, std::ostream&) { return refuse(address); }

std::vector<std::string> folders_in(const std::string& address) {
  refuse(address);
  return {};
}

int uploads(const std::string& address, bool, double, bool, std::ostream&) { return refuse(address); }

int copy(const std::string& from, const std::string& to, const Copy&, std::ostream&) {
  return refuse(from.starts_with("s3://") ? from : to);
}

int sync(const std::string& from, const std::string& to, const Copy& how, std::ostream& out) {
  return copy(from, to, how, out);
}

int serve(const std::string&, const Serve&, std::ostream&) {
  throw std::runtime_error(
      "serve: this tool is built without tensortap::net; install cpp-httplib, OpenSSL and pugixml, and build it again");
}

std::shared_ptr<const void> watch_cloud(const tensortap::StopSignal&) { return nullptr; }

}  // namespace tensortap_command
