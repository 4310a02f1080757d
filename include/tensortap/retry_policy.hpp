// How the library repeats a failing call. Every option named `retry` is of this type.
//
//   tensortap::HookOptions options{.retry = {.for_at_most = std::chrono::minutes(2)}};
#pragma once

#include <chrono>
#include <limits>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The number of attempts and the delays between them. The delay doubles from attempt to attempt, up to
/// `longest_delay`. By default the time limits the repetition, not the number of attempts.
struct RetryPolicy {
  int attempts = std::numeric_limits<int>::max();                        ///< calls, the first one included
  std::chrono::nanoseconds for_at_most = std::chrono::seconds(30);       ///< sum of all delays
  std::chrono::nanoseconds first_delay = std::chrono::milliseconds(10);  ///< before the second call
  std::chrono::nanoseconds longest_delay = std::chrono::seconds(1);      ///< also if a server asks for a longer one
};

TENSORTAP_END_NAMESPACE
