// How requests to S3 are repeated.
//
//   tensortap::S3Options options{.retry = {.attempts = 3}};
#pragma once

#include <chrono>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How failing requests are repeated.
struct S3Retry {
  int attempts = 10;  ///< of one request, the first among them
  std::chrono::nanoseconds first_delay = std::chrono::milliseconds(50);
  std::chrono::nanoseconds longest_delay = std::chrono::seconds(20);
  /// Retries that may go wrong in a row, over all requests, before only first attempts are made: 5 a retry, 10 after a
  /// time-out; what succeeds gives them back. Source: the budget that botocore calls its retry quota.
  int budget = 500;
};

TENSORTAP_END_NAMESPACE
