// Finds the store of an address.
#pragma once

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constinit std::atomic<StoreOpener> s3_opener = nullptr;

TENSORTAP_INLINE void set_s3_opener(StoreOpener opener) noexcept { s3_opener = opener; }

}  // namespace detail

TENSORTAP_INLINE std::shared_ptr<Store> open_store(std::string_view address) {
  if (address.starts_with("s3://")) {
    const detail::StoreOpener open = detail::s3_opener.load();
    if (open == nullptr) throw Error::no_network(address);
    return open(address);
  }
  if (address.empty() || address.find("://") != std::string_view::npos || address.find('\0') != std::string_view::npos)
    throw Error::no_such_store(address);
  std::string directory(address);
  if (address == "~" || address.starts_with("~/"))
    if (const char* home = std::getenv("HOME")) directory.replace(0, 1, home);
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return std::make_shared<FileStore>(std::move(directory));
}

TENSORTAP_END_NAMESPACE
