// What a caught exception says.
#pragma once

#include <exception>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Calls `use` with the message of `failure`, which is valid during the call. Needs no memory.
template <class Use>
void use_message(const std::exception_ptr& failure, const Use& use) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    use(std::string_view(e.what()));
  } catch (...) {
    use(std::string_view("unknown"));
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
