// The defaults of the options of a checkpoint sync.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <thread>

#include <tensortap/internal/config.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

TENSORTAP_INLINE void sync_sleep(std::chrono::nanoseconds duration) { std::this_thread::sleep_for(duration); }

TENSORTAP_INLINE std::int64_t sync_wall_time() { return std::time(nullptr); }

}  // namespace detail
TENSORTAP_END_NAMESPACE
