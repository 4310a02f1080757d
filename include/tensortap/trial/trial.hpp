// A run, read: ours or smdebug's; finished, interrupted, or followed while it is written.
//
//   tensortap::Trial trial("runs/42");
//   for (const auto& tensor : trial.tensors({.collection = "gradients", .mode = tensortap::Mode::train}))
//     for (const auto step : tensor.steps())
//       if (const auto l2 = tensor.reduction(step, R::l2)) std::cout << tensor.name() << ' ' << *l2 << '\n';
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/trial_options.hpp>
#include <tensortap/trial/stored_step.hpp>
#include <tensortap/trial/tensor_history.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Which tensors are asked for; what is left out does not restrict.
struct TensorQuery {
  std::string collection = {};     ///< those of this collection
  std::string include_regex = {};  ///< those whose name this finds
  std::optional<Mode> mode = {};   ///< those saved in this mode; their histories then count its steps
};

/// Which steps are asked for: those all workers have written, or every one. As in smdebug, a step counts as complete if
/// a later one is, and where more than 1000 wait for workers that do not write, the older half is given up.
enum class Completeness : std::uint8_t { complete, any };

/// While it lives, the queries of its trial read nothing new: what they say belongs together.
class [[nodiscard]] NoRefresh {
 public:
  explicit NoRefresh(std::shared_ptr<detail::LiveRun> run) : run_(std::move(run)) { run_->pause(); }
  NoRefresh(const NoRefresh&) = delete;
  NoRefresh& operator=(const NoRefresh&) = delete;
  ~NoRefresh() { run_->resume(); }

 private:
  std::shared_ptr<detail::LiveRun> run_;
};

/// What a run holds: as it was when the trial was made, or, if it is followed, as it is. Of a run that was interrupted
/// and resumed it shows every step once: those that an attempt has set aside are not there, wherever their files are.
/// While a run without a collections file is followed, no step is complete: how many write it is not known.
/// Threads: any.
class Trial {
 public:
  /// The run in `address`, a directory. Throws: there is none. Damage inside it is no error: see `damage()`.
  explicit Trial(std::string_view address, TrialOptions options = {})
      : Trial(std::shared_ptr<const Store>(open_store(address)), std::move(options)) {}

  /// The run in a store of your own.
  explicit Trial(std::shared_ptr<const Store> store, TrialOptions options = {})
      : run_(std::make_shared<detail::LiveRun>(std::move(store), std::move(options))) {}

  [[nodiscard]] const TrialOptions& options() const noexcept { return run_->options(); }

  // ---- What is new

  /// Reads what is new, whether the run is followed or not. Costs about what it finds.
  Changes refresh() const { return run_->refresh(); }

  /// Keeps queries from reading what is new; `refresh` and waits still do.
  [[nodiscard]] NoRefresh no_refresh() const { return NoRefresh(run_); }

  /// The attempts that have begun since the trial was made, each with the steps that went.
  [[nodiscard]] std::vector<Rewind> rewinds() const {
    run_->query([](const detail::Run&) {});
    return run_->rewinds();
  }

  /// Whether the run was closed; else it goes on, or was interrupted.
  [[nodiscard]] bool ended() const {
    return run_->query([](const detail::Run& run) { return run.ended; });
  }

  /// Whether no more steps are to come: the run has ended, or gone beyond `options().range_steps`.
  [[nodiscard]] bool finished() const {
    return run_->query([&](const detail::Run& run) { return run.is_finished(options().range_steps); });
  }

  /// Whether step `step` of `mode` can be read, or may be later.
  [[nodiscard]] StepState has_passed_step(std::int64_t step, Mode mode = Mode::global) const {
    return run_->query([&](const detail::Run& run) { return run.state_of(step, mode, options().range_steps); });
  }

  /// Refreshes until `done()`, which is asked after each; false if that takes longer than `timeout`, or
  /// `options().stop` asks to stop. An interrupted run is waited for: it may be resumed.
  template <class Done>
  bool wait_until(Done&& done, std::chrono::nanoseconds timeout) const {
    return run_->wait_until(done, timeout);
  }

  /// Waits until all `steps` of `mode` are available, or one of them is and remains unavailable. `not_yet_available` if
  /// that takes longer than `timeout`, or `options().stop` asks to stop.
  StepState wait_for_steps(const std::vector<std::int64_t>& steps, Mode mode, std::chrono::nanoseconds timeout) const {
    StepState state = StepState::available;
    const auto known = [&] {
      state = run_->look([&](const detail::Run& run) {
        StepState worst = StepState::available;
        for (const std::int64_t step : steps) {
          const StepState one = run.state_of(step, mode, options().range_steps);
          if (one == StepState::unavailable) return one;
          if (one == StepState::not_yet_available) worst = one;
        }
        return worst;
      });
      return state != StepState::not_yet_available;
    };
    wait_until(known, timeout);
    return state;
  }

  /// Waits until the run has ended; false if that takes longer than `timeout`, or `options().stop` asks to stop.
  bool wait_for_end(std::chrono::nanoseconds timeout) const {
    return wait_until([this] { return run_->look([](const detail::Run& run) { return run.ended; }); }, timeout);
  }

  // ---- Who writes, and what

  /// Who has written, sorted.
  [[nodiscard]] std::vector<std::string> workers() const {
    return run_->query(
        [](const detail::Run& run) { return std::vector<std::string>(run.workers.begin(), run.workers.end()); });
  }
  /// How many were to write.
  [[nodiscard]] std::int64_t num_workers() const {
    return run_->query([](const detail::Run& run) { return run.num_workers.value_or(1); });
  }
  /// The attempts there were at the run, of all workers; none if smdebug wrote it.
  [[nodiscard]] std::vector<Attempt> attempts() const {
    return run_->query([](const detail::Run& run) {
      std::vector<Attempt> out;
      for (const auto& [key, object] : run.attempt_objects) out.push_back(object.second);
      return out;
    });
  }

  [[nodiscard]] std::vector<Collection> collections() const { return membership()->collections(); }
  [[nodiscard]] std::optional<Collection> collection(std::string_view name) const {
    const auto known = membership();
    const Collection* found = known->find(name);
    if (found == nullptr) return std::nullopt;
    return *found;
  }

  // ---- Steps

  /// The modes that have steps; GLOBAL is not one of them.
  [[nodiscard]] std::vector<Mode> modes() const {
    return run_->query([](const detail::Run& run) {
      std::vector<Mode> out;
      for (const Mode mode : all_modes)
        if (!run.numbers().of(mode).empty()) out.push_back(mode);
      return out;
    });
  }

  /// The steps of `mode` in its own numbers, ascending; global steps of all modes for GLOBAL.
  [[nodiscard]] std::vector<std::int64_t> steps(Mode mode = Mode::global,
                                                Completeness wanted = Completeness::complete) const {
    return run_->query([&](const detail::Run& run) {
      std::vector<std::int64_t> out;
      const auto add = [&](std::int64_t step, std::int64_t global_step) {
        if (wanted == Completeness::any || run.is_complete(global_step)) out.push_back(step);
      };
      if (mode == Mode::global) {
        for (const auto& [global_step, step] : run.numbers().all()) add(global_step, global_step);
      } else {
        for (const auto& [mode_step, global_step] : run.numbers().of(mode)) add(mode_step, global_step);
      }
      return out;
    });
  }

  /// What global step `global_step` was, if it was saved.
  [[nodiscard]] std::optional<Step> step(std::int64_t global_step) const {
    return run_->query([&](const detail::Run& run) {
      const Step* found = run.numbers().find(global_step);
      return found == nullptr ? std::nullopt : std::optional(*found);
    });
  }

  /// The global step of `mode`'s step `mode_step`, if it was saved.
  [[nodiscard]] std::optional<std::int64_t> global_step(Mode mode, std::int64_t mode_step) const {
    return run_->query([&](const detail::Run& run) { return run.numbers().global_step(mode, mode_step); });
  }

  /// Global step `global_step` as a rule sees it, if it was saved.
  [[nodiscard]] std::optional<StoredStep> view(std::int64_t global_step) const {
    const auto found = step(global_step);
    if (!found) return std::nullopt;
    return std::optional<StoredStep>(std::in_place, run_, *found);
  }

  // ---- Tensors

  /// The tensors of `query`, sorted by name. Throws: no such collection, a refused pattern of yours.
  [[nodiscard]] std::vector<TensorHistory> tensors(const TensorQuery& query = {}) const {
    const auto known = membership();
    if (!query.collection.empty() && known->find(query.collection) == nullptr)
      throw Error::collection_not_found(query.collection);
    std::optional<Pattern> pattern;
    if (!query.include_regex.empty()) pattern.emplace(query.include_regex);
    const auto entries = run_->look([&](const detail::Run& run) {
      std::vector<const detail::TensorEntry*> out;
      for (const detail::TensorEntry& tensor : run.tensors())
        if (run.has_steps(tensor, query.mode)) out.push_back(&tensor);
      return out;
    });
    std::vector<TensorHistory> out;
    for (const detail::TensorEntry* tensor : entries)
      if ((query.collection.empty() || known->contains(query.collection, tensor->first, run_->damage())) &&
          (!pattern || pattern->finds(tensor->first)))
        out.emplace_back(run_, tensor, query.mode.value_or(Mode::global));
    return out;
  }

  /// The tensor called `name`. Throws: there is none.
  [[nodiscard]] TensorHistory tensor(std::string_view name, Mode mode = Mode::global) const {
    const auto* found = run_->query([&](const detail::Run& run) { return run.find(name); });
    if (found == nullptr) throw Error::tensor_not_found(name);
    return {run_, found, mode};
  }

  [[nodiscard]] bool has_tensor(std::string_view name) const {
    return run_->query([&](const detail::Run& run) { return run.find(name) != nullptr; });
  }

  /// What could not be read: index and collections files, records when they were asked for. It is tried again: files at
  /// each refresh, records when they are asked for again.
  [[nodiscard]] std::vector<Damage> damage() const { return run_->damage().list(); }

 private:
  [[nodiscard]] std::shared_ptr<const detail::Membership> membership() const {
    return run_->query([](const detail::Run& run) { return run.membership; });
  }

  std::shared_ptr<detail::LiveRun> run_;
};

TENSORTAP_END_NAMESPACE
