// From an address to the store it names.
//
//   std::shared_ptr<tensortap::Store> store = tensortap::open_store("runs/42");
#pragma once

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Opens an s3:// address. Set by <tensortap/net/s3/s3_store.hpp>, in programs that include it.
inline std::atomic<std::shared_ptr<Store> (*)(std::string_view address)> open_s3 = nullptr;

}  // namespace detail

/// The store at `address`: a directory, in which a leading "~/" is the home directory; or "s3://BUCKET/PREFIX", in
/// programs that include <tensortap/net.hpp>. Throws: another kind of address.
inline std::shared_ptr<Store> open_store(std::string_view address) {
  if (address.starts_with("s3://")) {
    const auto open = detail::open_s3.load();
    if (open == nullptr) throw Error::no_network(address);
    return open(address);
  }
  if (address.empty() || address.find("://") != std::string_view::npos) throw Error::no_such_store(address);
  std::string directory(address);
  if (address == "~" || address.starts_with("~/"))
    if (const char* home = std::getenv("HOME")) directory.replace(0, 1, home);
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return std::make_shared<FileStore>(std::move(directory));
}

TENSORTAP_END_NAMESPACE
