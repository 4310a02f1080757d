#include <ctime>
#include <iomanip>
#include <stdexcept>
#include <string>
#include <tensortap/net.hpp>
#include <vector>

#include "commands.hpp"
#include "json_text.hpp"
#include "place.hpp"

namespace tensortap_command {

int list_objects(const std::string& address, bool recursive, bool json, std::ostream& out) {
  const Place place = Place::of(address);
  tt::S3Options options;
  options.retry.attempts = 4;  // a user waits
  const tt::S3Store bucket(place.address_of(""), options);
  const std::string parent = recursive ? "" : place.key.substr(0, place.key.rfind('/') + 1);
  std::size_t count = 0;
  bucket.list_raw(place.key, !recursive, [&](const tt::S3Entry& entry) {
    ++count;
    if (json) {
      Json object = {{entry.is_folder ? "prefix" : "key", entry.key}};
      if (!entry.is_folder) {
        object["size"] = entry.size;
        object["modified"] = entry.last_modified.time_since_epoch().count();
      }
      print_json(object, out);
      return;
    }
    const std::string name = tt::escaped(entry.key.substr(parent.size()));
    if (entry.is_folder) {
      out << std::setw(30) << "PRE" << ' ' << name << '\n';
      return;
    }
    const std::time_t when = entry.last_modified.time_since_epoch().count();
    std::tm local{};
    ::localtime_r(&when, &local);
    out << std::put_time(&local, "%Y-%m-%d %H:%M:%S") << ' ' << std::setw(10) << entry.size << ' ' << name << '\n';
  });
  if (count == 0 && !place.key.empty())
    throw std::runtime_error("ls: " + tt::in_quotes(address) + ": no key begins with this; list the folder above it");
  return 0;
}

std::vector<std::string> folders_in(const std::string& address) {
  const Place place = Place::of(address);
  const tt::S3Store bucket(place.address_of(""));
  std::vector<std::string> out;
  bucket.list_raw(place.folder(), true, [&](const tt::S3Entry& entry) {
    if (entry.is_folder && is_plain(entry.key.substr(0, entry.key.size() - 1)))
      out.push_back(place.address_of(entry.key.substr(0, entry.key.size() - 1)));
  });
  return out;
}

}  // namespace tensortap_command
