// The variable that holds the instruction set in use. Kernels read it directly: a call of isa() costs 1 to 2 ns where
// the library is compiled.
#pragma once

#include <atomic>
#include <cstdint>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

enum class Isa : std::uint8_t;

namespace detail {

/// Returns the widest instruction set of the processor, or the one that the environment names. Ignores a name that is
/// unknown or not available.
Isa chosen_isa() noexcept;

inline std::atomic<Isa>& isa_in_use() noexcept {
  static std::atomic<Isa> isa = chosen_isa();
  return isa;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
