#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "coverage.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;
using Clock = tt::TrialOptions::Clock;

tt::StopSignal* to_stop = nullptr;

/// Makes SIGTERM and SIGINT end the evaluation with a verdict. A second signal ends the program.
void stop_on_signals(tt::StopSignal& stop) {
  to_stop = &stop;
  struct sigaction action {};
  action.sa_handler = [](int) { to_stop->request(tt::StopReason::signal); };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT}) ::sigaction(signal, &action, nullptr);
}

std::chrono::nanoseconds time_of(const Judge& how) {
  constexpr double years = 1e9;
  if (!how.follow) return std::chrono::nanoseconds::zero();
  if (!how.timeout) return std::chrono::nanoseconds::max();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(std::min(*how.timeout, years)));
}

/// Opens the run; nullopt if a signal ends the wait for it.
std::optional<tt::Trial> open(const std::string& run, const Judge& how, const tt::StopSignal& stop) {
  tt::TrialOptions options;
  options.wait_for_run = time_of(how);
  options.stop = stop;
  try {
    return open_run("judge", run, options);
  } catch (const std::exception&) {
    if (!stop.requested()) throw;
    return std::nullopt;
  }
}

void print_rewind(const tt::Rewind& rewind, bool one_worker, std::ostream& out) {
  out << "attempt " << rewind.attempt;
  if (!one_worker) out << " of " << tt::escaped(rewind.worker);
  if (rewind.resumed_at < 0)
    out << " starts over";
  else
    out << " continues after step " << rewind.resumed_at;
  out << "; " << plural(rewind.steps.size(), "step") << " set aside" << std::endl;
}

/// Returns why the evaluation ended.
std::string state_of(const tt::Trial& trial, const Judge& how, const tt::StopSignal& stop) {
  if (trial.ended()) return "the run has ended";
  if (stop.requested()) return "stopped by a signal";
  return how.follow ? "the time is up" : "the run is running or interrupted";
}

/// Returns the rule, which notes in `coverage` what it asks for.
tt::Rule watched(const tt::VanishingGradient& rule, Coverage& coverage) {
  return {std::string(rule.name), [rule, &coverage](const tt::StepView& step) {
            coverage.begin_step(step.step().global_step);
            return rule(WatchedStep(step, coverage));
          }};
}

/// Prints findings as they come: all of them, or the first of each tensor.
class LivePrinter {
 public:
  LivePrinter(const Judge& how, std::ostream& out, tt::StopSignal& stop) : how_(how), out_(out), stop_(stop) {}

  void print(const tt::Finding& finding) {
    if (failure_ || (!how_.all && (!how_.follow || printed_[finding.tensor]++ > 0))) return;
    try {
      out_ << finding << std::endl;
    } catch (...) {  // ends the evaluation: nothing more can be said
      failure_ = std::current_exception();
      stop_.request(tt::StopReason::signal);
    }
  }

  /// Throws: a finding could not be printed.
  void require_success() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const Judge& how_;
  std::ostream& out_;
  tt::StopSignal& stop_;
  std::map<std::string, std::size_t> printed_;
  std::exception_ptr failure_;
};

/// Prints a line for each tensor with findings: the first one, and how many more there are.
void print_summary(const std::vector<tt::Finding>& findings, std::ostream& out) {
  std::map<std::pair<std::string, std::string>, std::vector<const tt::Finding*>> by_tensor;
  for (const tt::Finding& finding : findings)
    if (!finding.failed) by_tensor[{finding.rule, finding.tensor}].push_back(&finding);
  for (const auto& [_, of_one] : by_tensor) {
    out << *of_one.front();
    if (of_one.size() > 1)
      out << "; and in " << plural(of_one.size() - 1, "later step") << ", the last is step "
          << of_one.back()->step.global_step;
    out << '\n';
  }
}

/// Prints what the rule was asked to judge but could not.
void print_gaps(const Coverage& coverage, std::ostream& out) {
  constexpr const char* missing = "there is neither abs_mean nor statistics nor elements that are real numbers";
  std::vector<std::string> absent;
  for (const auto& [name, counts] : coverage.tensors()) {
    if (counts.judged == 0 && counts.not_finite == 0)
      absent.push_back(name);
    else if (counts.absent > 0)
      out << "not judged: " << tt::in_quotes(name) << " in " << plural(counts.absent, "step") << ": " << missing
          << '\n';
    if (counts.not_finite > 0)
      out << "not judged: " << tt::in_quotes(name) << " in " << plural(counts.not_finite, "step")
          << ": it holds NaN or infinities\n";
  }
  if (!absent.empty())
    out << "not judged: " << plural(absent.size(), "tensor") << ": " << missing << ": " << listed(absent) << '\n';
}

/// Returns why nothing was judged.
std::string absence_of(const tt::Trial& trial, const Judge& how, const Coverage& coverage) {
  std::vector<std::string> names;
  for (const tt::Collection& collection : trial.collections()) names.push_back(collection.name);
  if (std::find(names.begin(), names.end(), how.collection) == names.end())
    return "the run has no collection " + tt::in_quotes(how.collection) +
           (names.empty() ? "" : " (it has " + listed(names) + ")") + "; name one with --collection";
  if (trial.tensors({.collection = how.collection}).empty())
    return "no tensor is in collection " + tt::in_quotes(how.collection) + "; name another one with --collection";
  if (trial.steps().empty()) return "no step is complete";
  if (coverage.tensors().empty()) return "no complete step has a tensor of collection " + tt::in_quotes(how.collection);
  for (const auto& [name, counts] : coverage.tensors())
    if (counts.not_finite > 0) return "the tensors hold NaN or infinities";
  return "no tensor has what the rule needs; save abs_mean or statistics";
}

}  // namespace

int judge(const std::string& run, const Judge& how, std::ostream& out) {
  static tt::StopSignal stop;  // outlives this call: a signal may arrive until the program ends
  stop_on_signals(stop);
  const auto begin = Clock::now();
  const auto trial = open(run, how, stop);
  if (!trial) {
    out << "nothing was judged: there is no run yet\n0 findings: stopped by a signal\n";
    return 2;
  }

  Coverage coverage;
  LivePrinter printer(how, out, stop);
  std::vector<tt::Action> actions = {[&](const tt::Finding& finding) { printer.print(finding); }};
  if (!how.stop_file.empty()) actions.emplace_back(tt::TouchFile{how.stop_file});
  const auto act = [&](const tt::Finding& finding) {
    for (const tt::Action& action : actions) action(finding);
  };
  const auto findings =
      tt::evaluate(*trial, {watched({.threshold = how.threshold, .collection = how.collection}, coverage)},
                   {.follow = how.follow,
                    .timeout = time_of(how) - (Clock::now() - begin),
                    .stop = stop,
                    .on_finding = act,
                    .on_rewind = [&](const tt::Rewind& rewind) {
                      if (!rewind.steps.empty()) coverage.rewind(rewind.steps.front());
                      print_rewind(rewind, trial->num_workers() == 1, out);
                    }});
  printer.require_success();

  if (!how.all) print_summary(findings, out);
  std::size_t failed = 0;
  for (const tt::Finding& finding : findings) {
    if (!finding.failed) continue;
    out << finding << '\n';
    ++failed;
  }
  print_gaps(coverage, out);
  const bool damaged = report_damage(*trial, out) != 0;
  const std::size_t fired = findings.size() - failed;
  if (coverage.judged() == 0) out << "nothing was judged: " << absence_of(*trial, how, coverage) << '\n';
  out << plural(fired, "finding") << " in " << plural(coverage.judged(), "tensor") << " and "
      << plural(coverage.steps(), "step") << " that were judged: " << state_of(*trial, how, stop) << '\n';
  if (failed > 0 || coverage.judged() == 0) return 2;
  return fired > 0 || damaged ? 1 : 0;
}

}  // namespace tensortap_command
