// What kernels must know of the processor beyond its instruction set. The choice changes the speed, not the bits.
#pragma once

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Families of processors, by measured speed of the l2 norm in GB/s, L2 cache / memory:
///
///                              Zen 4                       Sapphire Rapids, with 16 lanes
///   AVX-512                    58 / 28                     0.35 / 0.62 of a plain read
///   AVX2                       94 / 28                     -
///   prefetch to the L2 cache   58 and 87 / 21              0.35 / 0.89 of a plain read
///   and four places by turns   64 / 20                     - / 0.96 of a plain read
///   a plain read               110 / 28
///
/// AMD's processors find the next lines themselves, and are disturbed by prefetches. Zen 4 splits instructions of 512
/// bits, and widens float32 to float64 at half the speed in them. On Zen 5 a plain loop of another library without
/// prefetches was 1.2 to 1.3 times as fast from memory as loops with them.
enum class Processor { other, amd, zen4 };

/// Returns the family of this processor.
inline Processor this_processor() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_is("amdfam19h")) return Processor::zen4;  // Zen 3 too, which has no AVX-512
  return __builtin_cpu_is("amd") ? Processor::amd : Processor::other;
#else
  return Processor::other;
#endif
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
