// The processor's floating-point mode during a reduction. Programs built with -ffast-math flush subnormals to zero;
// others change the rounding or trap on NaN. The results of a reduction must not depend on the mode. Reading the mode
// costs 1 ns, changing and restoring it 4 ns.
//
//   const IeeeMode ieee;   // until the end of the scope
#pragma once

#include <cstdint>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Sets the mode of IEEE 754 for this thread, and restores the caller's mode with its sticky flags. Arithmetic must be
/// in a function that is not inlined here: the compiler may move operations on registers across the change.
class IeeeMode {
 public:
#if defined(__x86_64__)
  IeeeMode() noexcept {
    asm volatile("stmxcsr %0" : "=m"(saved_)::"memory");
    changed_ = (saved_ & 0xffc0u) != usual;  // without the six sticky flags
    if (changed_) load(usual);
  }
  ~IeeeMode() {
    if (changed_) load(saved_);
  }
#elif defined(__aarch64__)
  IeeeMode() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(saved_)::"memory");
    changed_ = saved_ != 0;
    if (changed_) load(0);
  }
  ~IeeeMode() {
    if (changed_) load(saved_);
  }
#else
  IeeeMode() noexcept {}
  ~IeeeMode() {}
#endif
  IeeeMode(const IeeeMode&) = delete;
  IeeeMode& operator=(const IeeeMode&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr std::uint32_t usual = 0x1f80;  // all exceptions masked
  static void load(std::uint32_t mode) noexcept { asm volatile("ldmxcsr %0" ::"m"(mode) : "memory"); }

  std::uint32_t saved_ = usual;
  bool changed_ = false;
#elif defined(__aarch64__)
  static void load(std::uint64_t mode) noexcept { asm volatile("msr fpcr, %0" ::"r"(mode) : "memory"); }

  std::uint64_t saved_ = 0;
  bool changed_ = false;
#endif
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
