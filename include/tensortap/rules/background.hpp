// Actions that take time: they run on a thread of their own, so that a program that hangs, or a server that does not
// answer, never holds the training.
//
//   tensortap::Actions actions = {tensortap::Background(tensortap::RunCommand{{"/usr/local/bin/page-me"}})};
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The limits of an action in the background.
struct BackgroundLimits {
  std::size_t queue = 64;                                       ///< findings that wait; further ones are dropped
  std::int64_t at_most = 20;                                    ///< findings in each period; further ones are dropped
  std::chrono::nanoseconds period = std::chrono::minutes(1);    ///< of `at_most`
  std::chrono::nanoseconds patience = std::chrono::seconds(5);  ///< how long the destructor waits for the queue
};

/// What became of the findings.
struct BackgroundCounts {
  std::uint64_t taken = 0;    ///< actions that ended without an exception
  std::uint64_t failed = 0;   ///< actions that threw
  std::uint64_t dropped = 0;  ///< findings beyond the limits, or left in the queue at the end

  friend bool operator==(const BackgroundCounts&, const BackgroundCounts&) = default;
};

/// An action that hands findings to another thread and returns at once. Copies share the thread, which starts with the
/// first finding. The last destructor waits for `patience`; an action that hangs longer is left behind.
/// Threads: any; a forked child drops its findings.
class Background {
 public:
  explicit Background(Action action, BackgroundLimits limits = {});

  void operator()(const Finding& finding) const;

  [[nodiscard]] BackgroundCounts counts() const;

 private:
  struct Shared;
  struct Owner;
  std::shared_ptr<Owner> owner_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/background_impl.hpp>
#endif
