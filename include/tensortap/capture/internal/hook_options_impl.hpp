// Defines the default clock and the default wait of the options.
#pragma once

#include <chrono>
#include <thread>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE double system_wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

namespace detail {

TENSORTAP_INLINE void system_sleep(std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); }

}  // namespace detail
TENSORTAP_END_NAMESPACE
