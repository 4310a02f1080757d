// From an address to the store it names.
//
//   std::shared_ptr<tensortap::Store> store = tensortap::open_store("runs/42");
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

/// The store at `address`: a directory, in which a leading "~/" is the home directory. Throws: another kind of address.
inline std::shared_ptr<Store> open_store(std::string_view address) {
  if (address.empty() || address.find("://") != std::string_view::npos) throw Error::no_such_store(address);
  std::string directory(address);
  if (address == "~" || address.starts_with("~/"))
    if (const char* home = std::getenv("HOME")) directory.replace(0, 1, home);
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return std::make_shared<FileStore>(std::move(directory));
}

}  // namespace tensortap::inline v0
