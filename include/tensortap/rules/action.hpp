// What to do about a finding: anything that is called with one.
//
//   tensortap::StopSignal stop;
//   tensortap::Actions actions = {tensortap::StopTraining{stop}, tensortap::CreateFile{"runs/42.stop"}};
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <initializer_list>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Called with each finding, once. Not with failures: a rule that is broken must not end a training.
using Action = std::function<void(const Finding&)>;

/// Actions as an option: one, or a list of them.
class Actions {
 public:
  Actions() = default;
  template <class T>
  requires(!std::same_as<T, Actions> && std::convertible_to<T, Action>) Actions(T action)
      : list_{Action(std::move(action))} {}  // NOLINT(google-explicit-constructor)
  Actions(std::initializer_list<Action> list) : list_(list) {}

  /// Calls all of them. Throws: what the first of those that failed threw.
  void take(const Finding& finding) const {
    std::exception_ptr failure;
    for (const Action& action : list_) {
      try {
        action(finding);
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
  }

 private:
  std::vector<Action> list_;
};

/// Asks the loop to stop: give it the `stop` of the hook's options.
struct StopTraining {
  StopSignal stop;
  void operator()(const Finding&) { stop.request(StopReason::rule); }
};

/// Creates the file `path`, for which a process that trains, or whoever watches it, may look. It holds the first
/// finding, and is there whole or not at all. Throws: it cannot be written.
struct CreateFile {
  std::string path;
  void operator()(const Finding& finding) const {
    std::ostringstream text;
    text << finding << '\n';
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    open_store(directory)->put(path.substr(slash + 1), text.str(), Sync::no, IfExists::keep);
  }
};

/// Prints a line.
struct Print {
  std::ostream& out;
  void operator()(const Finding& finding) const { out << finding << '\n' << std::flush; }
};

TENSORTAP_END_NAMESPACE
