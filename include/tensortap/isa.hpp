// The instruction sets that kernels are written for, and which of them is in use: the widest that this processor has,
// or a narrower one that TENSORTAP_ISA names. None changes a bit of a result; for comparing speeds, and for tests.
//
//   std::cout << to_string(tensortap::isa()) << '\n';
//   const tensortap::ScopedIsa narrow(tensortap::Isa::portable);   // until the end of the scope, in all threads
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Ascending: each is faster than those before. `portable` is what the compiler makes of plain loops.
enum class Isa : std::uint8_t { portable, neon, sse2, avx2, avx512 };

inline constexpr std::array<Isa, 5> all_isas = {Isa::portable, Isa::neon, Isa::sse2, Isa::avx2, Isa::avx512};

/// "portable", "avx2" …
constexpr std::string_view to_string(Isa isa) noexcept {
  constexpr std::array<std::string_view, all_isas.size()> names = {"portable", "neon", "sse2", "avx2", "avx512"};
  return names[static_cast<std::size_t>(isa)];
}

/// The instruction set spelled `text`, if there is one.
constexpr std::optional<Isa> parse_isa(std::string_view text) noexcept {
  for (const Isa isa : all_isas)
    if (to_string(isa) == text) return isa;
  return std::nullopt;
}

/// Whether this processor has it. `avx512` means F, BW, DQ and VL; `avx2` means FMA and F16C too, of which each
/// processor with AVX2 has the latter.
inline bool is_available(Isa isa) noexcept {
  switch (isa) {
    case Isa::portable: return true;
#if defined(__aarch64__)
    case Isa::neon: return true;
#elif defined(__x86_64__)
    case Isa::sse2: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::avx512:
      return is_available(Isa::avx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0;
#endif
    default: return false;
  }
}

namespace detail {

/// The widest, or a narrower one that the environment names; what it names in vain is passed over.
inline Isa chosen_isa() noexcept {
  Isa widest = Isa::portable;
  for (const Isa isa : all_isas)
    if (is_available(isa)) widest = isa;
  const char* const text = std::getenv("TENSORTAP_ISA");
  const auto named = text == nullptr ? std::nullopt : parse_isa(text);
  return named && is_available(*named) ? *named : widest;
}

inline std::atomic<Isa>& isa_in_use() noexcept {
  static std::atomic<Isa> isa = chosen_isa();
  return isa;
}

}  // namespace detail

/// The instruction set in use.
inline Isa isa() noexcept { return detail::isa_in_use().load(std::memory_order_relaxed); }

/// Uses another one while it lives. Threads: all of them are affected; one object at a time.
class ScopedIsa {
 public:
  /// Throws: the processor does not have it.
  explicit ScopedIsa(Isa isa) : before_(tensortap::isa()) {
    if (!is_available(isa)) throw Error::isa_not_available(to_string(isa));
    detail::isa_in_use() = isa;
  }
  ScopedIsa(const ScopedIsa&) = delete;
  ScopedIsa& operator=(const ScopedIsa&) = delete;
  ~ScopedIsa() { detail::isa_in_use() = before_; }

 private:
  Isa before_;
};

TENSORTAP_END_NAMESPACE
