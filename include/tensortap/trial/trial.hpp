// Reads a run of tensortap or smdebug: finished, interrupted, or still being written.
//
//   tensortap::Trial trial("runs/42");
//   for (const auto& tensor : trial.tensors({.collection = "gradients", .mode = tensortap::Mode::train}))
//     for (const auto step : tensor.steps())
//       if (const auto l2 = tensor.reduction(step, R::l2)) std::cout << tensor.name() << ' ' << *l2 << '\n';
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/hook_cost.hpp>
#include <tensortap/record/thinning.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/losses.hpp>
#include <tensortap/trial/stored_step.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class LiveRun;
}

class Store;

/// Which tensors a caller wants; a field that is left out does not restrict.
struct TensorQuery {
  std::string collection = {};     ///< the members of this collection
  std::string include_regex = {};  ///< tensors whose names this pattern finds
  std::optional<Mode> mode = {};   ///< tensors saved in this mode; their histories then count its steps
};

/// Which steps a caller wants: those that all workers have written, or every one. As in smdebug, a step counts as
/// complete if a later one is, and if more than 1000 steps wait for workers that do not write, the older half counts as
/// complete, too.
enum class Completeness : std::uint8_t { complete, any };

/// What `verify` has read.
struct VerifiedRecords {
  std::size_t steps = 0;    ///< global steps
  std::size_t tensors = 0;  ///< names
  std::size_t records = 0;  ///< elements and reductions that are sound
};

/// A mode step that several global steps have.
struct RepeatedStep {
  Mode mode = Mode::train;
  std::int64_t mode_step = 0;
  std::vector<std::int64_t> global_steps;  ///< ascending

  friend bool operator==(const RepeatedStep&, const RepeatedStep&) = default;
};

/// A pause of refreshes. While this object exists, queries do not refresh the trial, so their results are consistent.
class [[nodiscard]] NoRefresh {
 public:
  NoRefresh(const NoRefresh&) = delete;
  NoRefresh& operator=(const NoRefresh&) = delete;
  ~NoRefresh();

 private:
  friend class Trial;
  explicit NoRefresh(std::shared_ptr<detail::LiveRun> run);

  std::shared_ptr<detail::LiveRun> run_;
};

/// A reader of one run. It shows the run as of its construction or, with `options.follow`, as of now. In a run that was
/// interrupted and resumed it shows every step once: the steps that an attempt has superseded do not appear, wherever
/// their files are. While a trial follows a run without a collections file, no step is complete, because the number of
/// workers is unknown.
/// Threads: any.
class Trial {
 public:
  /// Opens the run at `address`: a directory, or "s3://BUCKET/PREFIX" in programs that include <tensortap/net.hpp>.
  /// Throws: there is no run. Damage in a run is not an error: see `damage()`.
  explicit Trial(std::string_view address, TrialOptions options = {});

  /// Opens the run in `store`.
  explicit Trial(std::shared_ptr<const Store> store, TrialOptions options = {});

  /// Returns the options, with an empty clock and sleep replaced by the system's.
  [[nodiscard]] const TrialOptions& options() const noexcept;

  // ---- Refreshing

  /// Reads the new objects of the run, with or without `options().follow`. The cost is proportional to their number.
  Changes refresh() const;  // NOLINT(modernize-use-nodiscard): callers may ignore the result

  /// Prevents refreshes by queries until the result is destroyed; `refresh` and waits still read.
  [[nodiscard]] NoRefresh no_refresh() const;

  /// Returns the attempts that have begun since the trial was made, each with the steps that it superseded.
  [[nodiscard]] std::vector<Rewind> rewinds() const;

  /// Returns whether the run was closed; else it continues, or was interrupted.
  [[nodiscard]] bool ended() const;

  /// Returns whether no more steps can appear: the run has ended or has passed `options().range_steps`.
  [[nodiscard]] bool finished() const;

  /// Returns whether step `step` of `mode` can be read, now or later.
  [[nodiscard]] StepState has_passed_step(std::int64_t step, Mode mode = Mode::global) const;

  /// Refreshes, then calls `done`, until it returns true; returns false after `timeout`, or when `options().stop` is
  /// raised. An interrupted run does not end the wait, because it may be resumed. Throws, as all waits do: the run was
  /// removed or renamed, or another one has its place.
  bool wait_until(const std::function<bool()>& done, std::chrono::nanoseconds timeout) const;

  /// Waits until all `steps` of `mode` are available, or one of them is unavailable. Returns `not_yet_available` after
  /// `timeout`, or when `options().stop` is raised.
  [[nodiscard]] StepState wait_for_steps(const std::vector<std::int64_t>& steps, Mode mode,
                                         std::chrono::nanoseconds timeout) const;

  /// Waits until the run has ended; returns false after `timeout`, or when `options().stop` is raised.
  // NOLINTNEXTLINE(modernize-use-nodiscard): the wait itself may be all that a caller needs
  bool wait_for_end(std::chrono::nanoseconds timeout) const;

  // ---- Workers, attempts, collections

  /// Returns the workers that have written, sorted.
  [[nodiscard]] std::vector<std::string> workers() const;
  /// Returns the number of workers that the run is configured for.
  [[nodiscard]] std::int64_t num_workers() const;
  /// Returns the attempts of all workers; none if smdebug wrote the run.
  [[nodiscard]] std::vector<Attempt> attempts() const;
  /// Returns the facts about the run that its attempts have saved, see `HookOptions::facts`: for each name the value of
  /// the last attempt, and of several workers that of the alphabetically first one.
  [[nodiscard]] std::map<std::string, std::string> facts() const;

  [[nodiscard]] std::vector<Collection> collections() const;
  [[nodiscard]] std::optional<Collection> collection(std::string_view name) const;

  // ---- Steps

  /// Returns the modes that have steps; Mode::global is not among them.
  [[nodiscard]] std::vector<Mode> modes() const;

  /// Returns the steps of `mode` in its own numbers, ascending; the global steps of all modes for Mode::global.
  [[nodiscard]] std::vector<std::int64_t> steps(Mode mode = Mode::global,
                                                Completeness wanted = Completeness::complete) const;

  /// Returns the mode and mode step of `global_step`; nullopt if it was not saved.
  [[nodiscard]] std::optional<Step> step(std::int64_t global_step) const;

  /// Returns the global step of step `mode_step` of `mode`; nullopt if it was not saved.
  [[nodiscard]] std::optional<std::int64_t> global_step(Mode mode, std::int64_t mode_step) const;

  /// Returns `global_step` as a rule sees it; nullopt if it was not saved.
  [[nodiscard]] std::optional<StoredStep> view(std::int64_t global_step) const;
  /// Returns what `worker` has saved in `global_step`; nullopt if it has not saved the step.
  [[nodiscard]] std::optional<StoredStep> view(std::int64_t global_step, std::string_view worker) const;

  // ---- Tensors

  /// Returns the tensors of `query`, sorted by name. Throws: no such collection, a refused pattern in `query`.
  [[nodiscard]] std::vector<TensorHistory> tensors(const TensorQuery& query = {}) const;

  /// Returns the tensor called `name`. Throws: there is none.
  [[nodiscard]] TensorHistory tensor(std::string_view name, Mode mode = Mode::global) const;

  [[nodiscard]] bool has_tensor(std::string_view name) const;

  /// Returns the tensors of the collection "inputs" that were saved in `step`, sorted by name; none if there is no such
  /// collection.
  [[nodiscard]] std::vector<TensorHistory> inputs(std::int64_t step, Mode mode = Mode::global) const;
  /// Returns the tensors whose names begin with "labels" that were saved in `step`, sorted by the numbers after that.
  [[nodiscard]] std::vector<TensorHistory> labels(std::int64_t step, Mode mode = Mode::global) const;
  /// Returns the tensors whose names begin with "predictions" that were saved in `step`, sorted likewise.
  [[nodiscard]] std::vector<TensorHistory> predictions(std::int64_t step, Mode mode = Mode::global) const;

  // ---- Damage

  /// Returns what could not be read: index and collections files, and the records that were requested. Each refresh
  /// tries the files again, each request its record; an entry disappears when that succeeds.
  [[nodiscard]] std::vector<Damage> damage() const;

  /// Reads every record of every step of every worker, once. What cannot be read is in `damage()`. Threads: any; takes
  /// as long as reading the whole run.
  [[nodiscard]] VerifiedRecords verify() const;

  /// Returns what the writers could not save, by their own account, without what a later attempt has saved again.
  [[nodiscard]] RunLosses losses() const;
  /// Returns what the writers left out to keep to a budget, of all workers, by their own account.
  [[nodiscard]] std::vector<Thinning> thinned() const;
  /// Returns what the hooks of all attempts and workers have cost, as far as they have told: of each at most once in 30
  /// s.
  [[nodiscard]] HookCost hook_cost() const;

  /// Returns the mode steps that several global steps have, as in a loop that was repeated. A TensorHistory reads them
  /// under the number of the first, with the values of the last; `view` shows each.
  [[nodiscard]] std::vector<RepeatedStep> repeated_steps() const;

 private:
  [[nodiscard]] std::vector<TensorHistory> saved_in(std::int64_t step, Mode mode, std::string_view beginning) const;

  std::shared_ptr<detail::LiveRun> run_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/trial_impl.hpp>
#endif
