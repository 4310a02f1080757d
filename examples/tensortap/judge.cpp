#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

#include "chosen_rules.hpp"
#include "commands.hpp"
#include "reading_progress.hpp"
#include "runs.hpp"
#include "shard.hpp"
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

/// Prints findings as they come.
class LivePrinter {
 public:
  LivePrinter(std::ostream& out, tt::StopSignal& stop) : out_(out), stop_(stop) {}

  void print(const tt::Finding& finding) {
    if (failure_) return;
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
  std::ostream& out_;
  tt::StopSignal& stop_;
  std::exception_ptr failure_;
};

/// Prints which rules could judge nothing, and what each needs.
void print_gaps(const tt::Verdict& verdict, std::ostream& out) {
  for (const tt::RuleResult& rule : verdict.rules)
    if (rule.tensors == 0)
      out << "not judged: " << rule.rule << (rule.reason.empty() ? "" : ": ") << rule.reason << '\n';
}

/// Returns the largest number of tensors that a rule could judge, and of steps.
std::pair<std::int64_t, std::int64_t> extent_of(const tt::Verdict& verdict) {
  std::pair<std::int64_t, std::int64_t> out{0, 0};
  for (const tt::RuleResult& rule : verdict.rules) {
    out.first = std::max(out.first, rule.tensors);
    out.second = std::max(out.second, rule.steps);
  }
  return out;
}

std::string checksum_of(const std::string& text) { return tt::hex_of(tt::crc32c(tt::bytes_of(text))); }

/// Returns what tells the run from others: its id, or what it consists of.
std::string identity_of(const tt::Trial& trial) {
  for (const tt::Attempt& attempt : trial.attempts())
    if (!attempt.run_id.empty()) return attempt.run_id;
  std::string text;
  for (const std::string& worker : trial.workers()) text.append(worker).append(1, '\n');
  for (const tt::TensorHistory& tensor : trial.tensors()) text.append(tensor.name()).append(1, '\n');
  return checksum_of(text);
}

/// Returns what tells a judgement from one that might find or print something else in the same run.
std::string settings_of(const Judge& how, const std::vector<tt::Rule>& rules) {
  std::string text(tt::version);
  text.append(to_string(how.severity)).append(std::to_string(how.since)).append(how.each_step ? " each" : "");
  for (const tt::Rule& rule : rules) {
    text.append(1, '\n').append(rule.name());
    for (const tt::RuleParameter& one : rule.parameters())
      text.append(1, '\n').append(one.name).append(1, '=').append(one.value);
  }
  return checksum_of(text);
}

std::optional<std::string> variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

int judge(const std::string& run, const Judge& how, std::ostream& out) {
  static tt::StopSignal stop;  // outlives this call: a signal may arrive until the program ends
  std::vector<tt::Rule> rules = chosen_rules("judge", how.rules, how.settings, how.smdebug);
  const std::string settings = settings_of(how, rules);
  const std::optional<FoundShard> found_shard = find_shard(how.shard, variable);
  const tt::Shard shard = found_shard ? found_shard->shard : tt::Shard();
  const std::string share = "shard " + std::to_string(shard.index) + " of " + std::to_string(shard.count);
  if (found_shard && found_shard->from != "--shard")
    std::cerr << "judging " << share << ", by " << found_shard->from << '\n';
  stop_on_signals(stop);
  const auto begin = Clock::now();
  const auto trial = open(run, how, stop);
  std::ostream& text = how.json ? std::cerr : out;
  if (!trial) {
    text << "nothing was judged: there is no run yet\n0 findings: stopped by a signal\n";
    return 2;
  }

  const auto is_wanted = [&](const tt::Finding& finding) {
    return finding.severity <= how.severity && finding.last_step >= how.since;
  };
  LivePrinter printer(text, stop);
  std::vector<tt::Action> actions;
  if (how.follow) actions.emplace_back([&](const tt::Finding& finding) { printer.print(finding); });
  if (!how.stop_file.empty()) actions.emplace_back(tt::TouchFile{how.stop_file});
  const auto act = [&](const tt::Finding& finding) {
    if (is_wanted(finding))
      for (const tt::Action& action : actions) action(finding);
  };
  const tt::Verdict verdict = tt::evaluate(
      *trial, std::move(rules),
      {.follow = how.follow,
       .each_step = how.each_step,
       .shard = shard,
       .timeout = time_of(how) - (Clock::now() - begin),
       .stop = stop,
       .on_finding = act,
       .on_rewind = [&](const tt::Rewind& rewind) { print_rewind(rewind, trial->num_workers() == 1, text); }});
  printer.require_success();
  ProgressLine::clear();

  std::size_t failed = 0;
  std::size_t found = 0;
  for (const tt::Finding& finding : verdict.findings) {
    if (!finding.failed && !is_wanted(finding)) continue;
    ++(finding.failed ? failed : found);
    if (how.json)
      out << tt::to_json(finding) << '\n';
    else
      out << finding << '\n';
  }
  const auto [tensors, steps] = extent_of(verdict);
  if (!how.json) print_gaps(verdict, out);
  const bool damaged = report_damage(*trial, text) != 0;
  const char* const why = trial->steps().empty() ? "no step is complete" : "no rule has what it needs";
  if (tensors == 0 && !(how.json && found_shard))
    text << "nothing was judged: " << (verdict.rules.empty() ? "the share is empty" : why) << '\n';
  if (!how.json)
    out << plural(found, "finding") << " in " << plural(static_cast<std::size_t>(tensors), "tensor") << " and "
        << plural(static_cast<std::size_t>(steps), "step") << " that were judged: " << state_of(*trial, how, stop)
        << (found_shard ? ", " + share : "") << '\n';
  if (how.json && found_shard) {
    const std::vector<std::int64_t> all = trial->steps();
    out << to_json(PartEnd{.shard = shard,
                           .run = identity_of(*trial),
                           .settings = settings,
                           .steps = static_cast<std::int64_t>(all.size()),
                           .last_step = all.empty() ? -1 : all.back(),
                           .findings = failed + found,
                           .complete = how.follow ? trial->finished() : !stop.requested(),
                           .damaged = damaged,
                           .rules = verdict.rules})
        << '\n';
  }
  if (found_shard) return 0;
  if (failed > 0 || tensors == 0) return 2;
  return found > 0 || damaged ? 1 : 0;
}

int rules(const std::string& name, bool smdebug, bool json, std::ostream& out) {
  const std::vector<tt::Rule> known = smdebug ? tt::smdebug_rules() : tt::all_rules();
  const std::vector<tt::Rule> list = name.empty() ? known : std::vector<tt::Rule>{tt::rule_named(name, known)};
  for (const tt::Rule& rule : list) {
    const tt::RuleText text = rule.text();
    if (json) {
      nlohmann::ordered_json object = {
          {"rule", rule.name()}, {"condition", text.condition}, {"needs", text.needs}, {"source", text.source}};
      object["parameters"] = nlohmann::ordered_json::array();
      for (const tt::RuleParameter& one : rule.parameters())
        object["parameters"].push_back({{"name", one.name}, {"default", one.value}, {"meaning", one.meaning}});
      out << object.dump() << '\n';
      continue;
    }
    out << rule.name() << ": " << text.condition << "\n  needs " << text.needs << "; from " << text.source << '\n';
    for (const tt::RuleParameter& one : rule.parameters())
      out << "  " << one.name << " = " << (one.value.empty() ? "(off)" : one.value) << ": " << one.meaning << '\n';
  }
  return 0;
}

}  // namespace tensortap_command
