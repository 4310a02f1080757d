// Rules over a stored run: finished, or followed while it is written.
//
//   tensortap::Trial live("runs/42", {.follow = true});
//   const auto verdict = tensortap::evaluate(live, {tensortap::VanishingGradient{}},
//                                            {.follow = true, .on_finding = tensortap::Print{std::cerr}});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/verdict.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/trial/trial.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A share of a judgement, for several processes that judge one run together. Each rule of each worker belongs to one
/// shard; so does, for all workers, a rule that compares them. If all processes see the same complete steps, the
/// findings of all shards, in the order of `comes_before`, are those of one process that judges all.
struct Shard {
  std::int64_t index = 0;  ///< from 0 to count - 1
  std::int64_t count = 1;

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// How a run is evaluated.
struct EvaluateOptions {
  /// Continues until the run has ended; an interruption is not the end.
  bool follow = false;
  /// Keeps the finding of each step by itself: a tensor that is bad in ten steps has ten findings.
  bool each_step = false;
  /// Judges this share of the workers and rules; the verdict lists the rules that it has. Throws: no such share.
  Shard shard = {};
  /// Ends the evaluation after this time.
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  /// Ends the evaluation when it is raised.
  StopSignal stop = {};
  /// Taken on each finding as it appears. A finding of a superseded attempt may appear again in the next attempt.
  Actions on_finding = {};
  /// Called when a new attempt has begun, before the findings in its superseded steps are withdrawn.
  std::function<void(const Rewind&)> on_rewind = {};
};

/// Returns the verdict of `rules` on the complete steps of a run, in order. Each worker's tensors are shown to copies
/// of the rules of their own. While it follows a run, it judges each step once, when the step appears. When a new
/// attempt supersedes steps, it withdraws their findings and shows the remaining steps to copies of the original rules,
/// without actions. The result equals that of an evaluation after the end of the run, except in steps that counted as
/// complete before all workers had written them. A rule that throws is not called again, and a finding with `failed`
/// set reports it. An action that throws is reported in the same way, and is called again.
[[nodiscard]] Verdict evaluate(const Trial& trial, std::vector<Rule> rules, const EvaluateOptions& options = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/evaluate_impl.hpp>
#endif
