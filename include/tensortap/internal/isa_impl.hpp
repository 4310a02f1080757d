// Asks the processor for its instruction sets, and changes the one in use.
#pragma once

#include <atomic>
#include <cstdlib>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/isa_in_use.hpp>
#include <tensortap/isa.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE bool is_available(Isa isa) noexcept {
  switch (isa) {
#if defined(__aarch64__)
    case Isa::neon:
#elif defined(__x86_64__)
    case Isa::avx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::avx512:
      return is_available(Isa::avx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0;
    case Isa::sse2:
#endif
    case Isa::portable: return true;
    default: return false;
  }
}

namespace detail {

TENSORTAP_INLINE Isa chosen_isa() noexcept {
  Isa widest = Isa::portable;
  for (const Isa isa : all_isas)
    if (is_available(isa)) widest = isa;
  const char* const text = std::getenv("TENSORTAP_ISA");
  const auto named = text == nullptr ? std::nullopt : parse_isa(text);
  return named && is_available(*named) ? *named : widest;
}

}  // namespace detail

TENSORTAP_INLINE Isa isa() noexcept { return detail::isa_in_use().load(std::memory_order_relaxed); }

TENSORTAP_INLINE ScopedIsa::ScopedIsa(Isa isa) : before_(tensortap::isa()) {
  if (!is_available(isa)) throw Error::isa_not_available(to_string(isa));
  detail::isa_in_use() = isa;
}

TENSORTAP_INLINE ScopedIsa::~ScopedIsa() { detail::isa_in_use() = before_; }

TENSORTAP_END_NAMESPACE
