// Opens the store that an address names.
//
//   std::shared_ptr<tensortap::Store> store = tensortap::open_store("runs/42");
#pragma once

#include <memory>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the store at `address`: a directory, in which a leading "~/" is the home directory, and a relative path
/// begins at the working directory of this moment; or "s3://BUCKET/PREFIX", in programs that include
/// <tensortap/net.hpp>. Throws: another kind of address.
std::shared_ptr<Store> open_store(std::string_view address);

namespace detail {

/// Opens an address of one kind.
using StoreOpener = std::shared_ptr<Store> (*)(std::string_view address);

/// Sets the function that opens s3:// addresses. <tensortap/net/s3/s3_store.hpp> calls it before main() begins.
void set_s3_opener(StoreOpener opener) noexcept;

}  // namespace detail

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/store/internal/open_impl.hpp>
#endif
