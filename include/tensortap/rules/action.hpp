// What happens when a rule has found something: any callable that takes a finding.
//
//   tensortap::StopSignal stop;
//   tensortap::Actions actions = {tensortap::StopTraining{stop}, tensortap::TouchFile{"runs/42.stop"}};
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/capture_requests.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Called once with each finding, but not with failures: a broken rule must not end a training.
using Action = std::function<void(const Finding&)>;

/// One action or a list of them, as an option.
class Actions {
 public:
  Actions() = default;
  template <class T>
  requires(!std::same_as<T, Actions> && std::convertible_to<T, Action>) Actions(T action)
      : list_{Action(std::move(action))} {}  // NOLINT(google-explicit-constructor)
  Actions(std::initializer_list<Action> list) : list_(list) {}

  /// Calls all of them. Throws: the first exception of an action, after the last call.
  void take(const Finding& finding) const;

 private:
  std::vector<Action> list_;
};

/// Asks the training loop to stop. `stop` is a copy of the one in the hook's options.
struct StopTraining {
  StopSignal stop;
  void operator()(const Finding&) { stop.request(StopReason::rule); }
};

/// Creates the file `path`, which another process may watch for. The file holds the first finding and appears
/// atomically. Throws: it cannot be written.
struct TouchFile {
  std::string path;
  void operator()(const Finding& finding) const;
};

/// Prints one line and flushes.
struct Print {
  std::ostream& out;
  void operator()(const Finding& finding) const;
};

/// Appends one line of JSON to the file `path`, in one piece, so that several processes may share a file. Throws: it
/// cannot be written.
struct JsonLines {
  std::string path;
  void operator()(const Finding& finding) const;
};

/// A request of a rule to the loop: to save a checkpoint now, or to skip an update. Copies share it; the loop asks:
/// `if (checkpoint.take()) save_and_commit();`. Threads: any.
class LoopRequest {
 public:
  LoopRequest() : raised_(std::make_shared<std::atomic<bool>>(false)) {}
  /// Makes the request, as an action.
  void operator()(const Finding&) const noexcept { raised_->store(true); }
  /// Returns whether there is a request, and answers it.
  [[nodiscard]] bool take() const noexcept { return raised_->exchange(false); }

 private:
  std::shared_ptr<std::atomic<bool>> raised_;
};

/// Asks a hook to write a snapshot: what its flight recorder holds of the steps up to the finding. `requests` is a copy
/// of the one in the hook's options. Findings in one step share a snapshot.
struct Snapshot {
  CaptureRequests requests;
  void operator()(const Finding& finding) const;
};

/// Asks a hook to save `collections` in each of the next `steps` steps. `requests` is a copy of the one in the hook's
/// options. The writer's thread runs the rules: how many steps training is ahead then depends on the time.
struct CaptureMore {
  CaptureRequests requests;
  std::vector<std::string> collections;
  std::int64_t steps = 10;
  void operator()(const Finding& finding) const;
};

/// Takes an action on errors alone.
struct OnErrors {
  Action action;
  void operator()(const Finding& finding) const {
    if (finding.severity == Severity::error) action(finding);
  }
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/action_impl.hpp>
#endif
