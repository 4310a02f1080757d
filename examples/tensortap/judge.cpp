#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <optional>
#include <string>
#include <tensortap/tensortap.hpp>
#include <vector>

#include "commands.hpp"

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
    return tt::Trial(run, options);
  } catch (const tt::Error&) {
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

}  // namespace

int judge(const std::string& run, const Judge& how, std::ostream& out) {
  static tt::StopSignal stop;  // outlives this call: a signal may arrive until the program ends
  stop_on_signals(stop);
  const auto begin = Clock::now();
  const auto trial = open(run, how, stop);
  if (!trial) {
    out << "0 findings in 0 steps: stopped by a signal\n";
    return 0;
  }

  std::vector<tt::Action> actions = {tt::Print{out}};
  if (!how.stop_file.empty()) actions.emplace_back(tt::CreateFile{how.stop_file});
  const auto act = [&](const tt::Finding& finding) {
    for (const tt::Action& action : actions) action(finding);
  };
  const auto findings =
      tt::evaluate(*trial, {tt::VanishingGradient{.threshold = how.threshold}},
                   {.follow = how.follow,
                    .timeout = time_of(how) - (Clock::now() - begin),
                    .stop = stop,
                    .on_finding = act,
                    .on_rewind = [&](const tt::Rewind& r) { print_rewind(r, trial->num_workers() == 1, out); }});

  std::size_t failed = 0;
  for (const tt::Finding& finding : findings) {
    if (!finding.failed) continue;
    out << finding << '\n';
    ++failed;
  }
  for (const tt::Damage& damage : trial->damage())
    out << "damaged: " << tt::escaped(damage.where + ": " + damage.cause) << '\n';
  const std::size_t fired = findings.size() - failed;
  out << plural(fired, "finding") << " in " << plural(trial->steps().size(), "step") << ": "
      << state_of(*trial, how, stop) << '\n';
  if (failed > 0) return 2;
  return fired > 0 ? 1 : 0;
}

}  // namespace tensortap_command
