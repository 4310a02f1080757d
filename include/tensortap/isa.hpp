// Instruction sets for which the library has kernels, and the one in use: the widest that the processor has, or a
// narrower one named by the environment variable TENSORTAP_ISA. All of them give the same bits; the choice is for
// comparing speeds and for tests.
//
//   std::cout << to_string(tensortap::isa()) << '\n';
//   const tensortap::ScopedIsa narrow(tensortap::Isa::portable);   // until the end of the scope, in all threads
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// An instruction set. In ascending order: each is faster than those before. `portable` is plain loops.
enum class Isa : std::uint8_t { portable, neon, sse2, avx2, avx512 };

inline constexpr std::array<Isa, 5> all_isas = {Isa::portable, Isa::neon, Isa::sse2, Isa::avx2, Isa::avx512};

/// Returns the name: "portable", "avx2" …
constexpr std::string_view to_string(Isa isa) noexcept {
  constexpr std::array<std::string_view, all_isas.size()> names = {"portable", "neon", "sse2", "avx2", "avx512"};
  return names[static_cast<std::size_t>(isa)];
}

/// Returns the instruction set named `text`; nullopt if there is none.
constexpr std::optional<Isa> parse_isa(std::string_view text) noexcept {
  for (const Isa isa : all_isas)
    if (to_string(isa) == text) return isa;
  return std::nullopt;
}

/// Returns whether this processor has the instruction set. `avx512` means F, BW, DQ and VL; `avx2` includes FMA and
/// F16C (every processor with AVX2 has F16C).
bool is_available(Isa isa) noexcept;

/// Returns the instruction set in use.
Isa isa() noexcept;

/// Changes the instruction set in use until the end of a scope. Threads: it affects all of them; one object at a time.
class ScopedIsa {
 public:
  /// Throws: the processor does not have `isa`.
  explicit ScopedIsa(Isa isa);
  ScopedIsa(const ScopedIsa&) = delete;
  ScopedIsa& operator=(const ScopedIsa&) = delete;
  ~ScopedIsa();

 private:
  Isa before_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/internal/isa_impl.hpp>
#endif
