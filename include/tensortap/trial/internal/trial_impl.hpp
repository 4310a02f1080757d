// The bodies of trial.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/loss.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/membership.hpp>
#include <tensortap/trial/internal/run_model.hpp>
#include <tensortap/trial/internal/saved_tensor.hpp>
#include <tensortap/trial/internal/worker_step.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

inline std::shared_ptr<const Membership> membership_of(LiveRun& run) {
  return run.query([](const RunModel& model) { return model.membership; });
}

}  // namespace detail

TENSORTAP_INLINE NoRefresh::NoRefresh(std::shared_ptr<detail::LiveRun> run) : run_(std::move(run)) { run_->pause(); }

TENSORTAP_INLINE NoRefresh::~NoRefresh() { run_->resume(); }

TENSORTAP_INLINE Trial::Trial(std::string_view address, TrialOptions options)
    : Trial(std::shared_ptr<const Store>(open_store(address)), std::move(options)) {}

TENSORTAP_INLINE Trial::Trial(std::shared_ptr<const Store> store, TrialOptions options)
    : run_(std::make_shared<detail::LiveRun>(std::move(store), std::move(options))) {}

TENSORTAP_INLINE const TrialOptions& Trial::options() const noexcept { return run_->options(); }

// ---- Refreshing

TENSORTAP_INLINE Changes Trial::refresh() const { return run_->refresh(); }

TENSORTAP_INLINE NoRefresh Trial::no_refresh() const { return NoRefresh(run_); }

TENSORTAP_INLINE std::vector<Rewind> Trial::rewinds() const {
  run_->query([](const detail::RunModel&) {});
  return run_->rewinds();
}

TENSORTAP_INLINE bool Trial::ended() const {
  return run_->query([](const detail::RunModel& model) { return model.ended; });
}

TENSORTAP_INLINE bool Trial::finished() const {
  return run_->query([&](const detail::RunModel& model) { return model.is_finished(options().range_steps); });
}

TENSORTAP_INLINE StepState Trial::has_passed_step(std::int64_t step, Mode mode) const {
  return run_->query([&](const detail::RunModel& model) { return model.state_of(step, mode, options().range_steps); });
}

TENSORTAP_INLINE bool Trial::wait_until(const std::function<bool()>& done, std::chrono::nanoseconds timeout) const {
  return run_->wait_until(done, timeout);
}

TENSORTAP_INLINE StepState Trial::wait_for_steps(const std::vector<std::int64_t>& steps, Mode mode,
                                                 std::chrono::nanoseconds timeout) const {
  StepState state = StepState::available;
  const auto is_known = [&] {
    state = run_->visit([&](const detail::RunModel& model) {
      StepState worst = StepState::available;
      for (const std::int64_t step : steps) {
        const StepState one = model.state_of(step, mode, options().range_steps);
        if (one == StepState::unavailable) return one;
        if (one == StepState::not_yet_available) worst = one;
      }
      return worst;
    });
    return state != StepState::not_yet_available;
  };
  run_->wait_until(is_known, timeout);
  return state;
}

TENSORTAP_INLINE bool Trial::wait_for_end(std::chrono::nanoseconds timeout) const {
  const auto has_ended = [this] { return run_->visit([](const detail::RunModel& model) { return model.ended; }); };
  return run_->wait_until(has_ended, timeout);
}

// ---- Workers, attempts, collections

TENSORTAP_INLINE std::vector<std::string> Trial::workers() const {
  return run_->query([](const detail::RunModel& model) {
    return std::vector<std::string>(model.workers.begin(), model.workers.end());
  });
}

TENSORTAP_INLINE std::int64_t Trial::num_workers() const {
  return run_->query([](const detail::RunModel& model) { return model.num_workers.value_or(1); });
}

TENSORTAP_INLINE std::vector<Attempt> Trial::attempts() const {
  return run_->query([](const detail::RunModel& model) {
    std::vector<Attempt> out;
    for (const auto& [key, object] : model.attempt_objects) out.push_back(object.second);
    return out;
  });
}

TENSORTAP_INLINE std::map<std::string, std::string> Trial::facts() const {
  std::vector<Attempt> all = attempts();
  std::sort(all.begin(), all.end(), [](const Attempt& a, const Attempt& b) {
    return std::tie(a.worker, b.number) < std::tie(b.worker, a.number);  // the last attempt of a worker comes first
  });
  std::map<std::string, std::string> out;
  for (Attempt& attempt : all) out.merge(attempt.facts);
  return out;
}

TENSORTAP_INLINE std::vector<Collection> Trial::collections() const {
  return detail::membership_of(*run_)->collections();
}

TENSORTAP_INLINE std::optional<Collection> Trial::collection(std::string_view name) const {
  const auto membership = detail::membership_of(*run_);
  const Collection* found = membership->find(name);
  if (found == nullptr) return std::nullopt;
  return *found;
}

// ---- Steps

TENSORTAP_INLINE std::vector<Mode> Trial::modes() const {
  return run_->query([](const detail::RunModel& model) {
    std::vector<Mode> out;
    for (const Mode mode : all_modes)
      if (!model.numbers().of(mode).empty()) out.push_back(mode);
    return out;
  });
}

TENSORTAP_INLINE std::vector<std::int64_t> Trial::steps(Mode mode, Completeness wanted) const {
  return run_->query([&](const detail::RunModel& model) {
    std::vector<std::int64_t> out;
    const auto add = [&](std::int64_t step, std::int64_t global_step) {
      if (wanted == Completeness::any || model.is_complete(global_step)) out.push_back(step);
    };
    if (mode == Mode::global) {
      for (const auto& [global_step, step] : model.numbers().all()) add(global_step, global_step);
    } else {
      for (const auto& [mode_step, global_step] : model.numbers().of(mode)) add(mode_step, global_step);
    }
    return out;
  });
}

TENSORTAP_INLINE std::optional<Step> Trial::step(std::int64_t global_step) const {
  return run_->query([&](const detail::RunModel& model) {
    const Step* found = model.numbers().find(global_step);
    return found == nullptr ? std::nullopt : std::optional(*found);
  });
}

TENSORTAP_INLINE std::optional<std::int64_t> Trial::global_step(Mode mode, std::int64_t mode_step) const {
  return run_->query([&](const detail::RunModel& model) { return model.numbers().global_step(mode, mode_step); });
}

TENSORTAP_INLINE std::optional<StoredStep> Trial::view(std::int64_t global_step) const {
  const auto found = step(global_step);
  if (!found) return std::nullopt;
  return StoredStep(run_, *found);
}

TENSORTAP_INLINE std::optional<StoredStep> Trial::view(std::int64_t global_step, std::string_view worker) const {
  const auto found = run_->visit([&](const detail::RunModel& model) -> std::optional<Step> {
    if (const auto* by_worker = model.worker_steps(global_step))
      for (const auto& [name, worker_step] : *by_worker)
        if (name == worker) return worker_step->step;
    return std::nullopt;
  });
  if (!found) return std::nullopt;
  return StoredStep(run_, *found, std::string(worker));
}

// ---- Tensors

TENSORTAP_INLINE std::vector<TensorHistory> Trial::tensors(const TensorQuery& query) const {
  const auto membership = detail::membership_of(*run_);
  if (!query.collection.empty() && membership->find(query.collection) == nullptr) {
    std::vector<std::string> names;
    for (const Collection& collection : collections()) names.push_back(collection.name);
    throw Error::collection_not_found(query.collection, detail::nearest(query.collection, names));
  }
  std::optional<Pattern> pattern;
  if (!query.include_regex.empty()) pattern.emplace(query.include_regex);
  const auto in_mode = run_->visit([&](const detail::RunModel& model) {
    std::vector<const detail::StoredTensor*> out;
    for (const auto& [name, tensor] : model.tensors())
      if (model.has_steps(tensor, query.mode)) out.push_back(&tensor);
    return out;
  });
  std::vector<TensorHistory> out;
  for (const detail::StoredTensor* tensor : in_mode)
    if ((query.collection.empty() || membership->contains(query.collection, *tensor->name, run_->damage())) &&
        (!pattern || pattern->finds(*tensor->name)))
      out.push_back(TensorHistory(run_, tensor, query.mode.value_or(Mode::global)));
  return out;
}

TENSORTAP_INLINE TensorHistory Trial::tensor(std::string_view name, Mode mode) const {
  const auto* found = run_->query([&](const detail::RunModel& model) { return model.find(name); });
  if (found == nullptr) {
    const auto names = run_->visit([](const detail::RunModel& model) {
      std::vector<std::string> out;
      for (const auto& [other, tensor] : model.tensors()) out.emplace_back(other);
      return out;
    });
    throw Error::tensor_not_found(name, detail::nearest(name, names));
  }
  return {run_, found, mode};
}

TENSORTAP_INLINE bool Trial::has_tensor(std::string_view name) const {
  return run_->query([&](const detail::RunModel& model) { return model.find(name) != nullptr; });
}

TENSORTAP_INLINE std::vector<TensorHistory> Trial::inputs(std::int64_t step, Mode mode) const {
  if (!collection("inputs")) return {};
  std::vector<TensorHistory> out = tensors({.collection = "inputs", .mode = mode});
  std::erase_if(out, [step](const TensorHistory& tensor) { return tensor.workers(step).empty(); });
  return out;
}

TENSORTAP_INLINE std::vector<TensorHistory> Trial::labels(std::int64_t step, Mode mode) const {
  return saved_in(step, mode, "labels");
}

TENSORTAP_INLINE std::vector<TensorHistory> Trial::predictions(std::int64_t step, Mode mode) const {
  return saved_in(step, mode, "predictions");
}

TENSORTAP_INLINE std::vector<TensorHistory> Trial::saved_in(std::int64_t step, Mode mode,
                                                            std::string_view beginning) const {
  std::vector<TensorHistory> out = tensors({.mode = mode});
  std::erase_if(out, [&](const TensorHistory& tensor) {
    return !tensor.name().starts_with(beginning) || tensor.workers(step).empty();
  });
  const auto number = [](const TensorHistory& tensor) {  // "labels" is before "labels_2", which is before "labels_10"
    const std::string& name = tensor.name();
    const std::size_t digits = name.find_last_not_of("0123456789") + 1;
    return std::pair(name.size() - digits, std::string_view(name).substr(digits));
  };
  std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return number(a) < number(b); });
  return out;
}

// ---- Damage

TENSORTAP_INLINE std::vector<Damage> Trial::damage() const { return run_->damage().list(); }

TENSORTAP_INLINE VerifiedRecords Trial::verify() const {
  VerifiedRecords out;
  out.tensors = tensors().size();
  for (const std::int64_t global_step : steps(Mode::global, Completeness::any)) {
    ++out.steps;
    const auto by_worker = run_->visit([&](const detail::RunModel& model) {
      const auto* found = model.worker_steps(global_step);
      return found == nullptr ? detail::RunModel::ByWorker() : *found;
    });
    for (const auto& [worker, step] : by_worker)
      for (const detail::StoredRecord& record : step->records)
        if (detail::read_or_note(*run_, step, record, global_step)) ++out.records;
  }
  return out;
}

TENSORTAP_INLINE RunLosses Trial::losses() const {
  return run_->query([](const detail::RunModel& model) {
    RunLosses out;
    for (const auto& [key, object] : model.attempt_objects) {
      const Attempt& attempt = object.second;
      bool counts = false;
      for (const Loss& loss : attempt.losses) {
        if (!model.attempts.counts(attempt.worker, attempt.number, loss.first_step)) continue;
        out.first_step = out.empty() ? loss.first_step : std::min(out.first_step, loss.first_step);
        out.last_step = std::max(out.last_step, loss.last_step);
        out.steps += loss.steps;
        out.tensors += loss.tensors;
        out.bytes += loss.bytes;
        counts = true;
      }
      if (counts && out.error.empty()) out.error = escaped(attempt.error);
    }
    return out;
  });
}

TENSORTAP_INLINE std::vector<Thinning> Trial::thinned() const {
  return run_->query([](const detail::RunModel& model) {
    std::vector<Thinning> out;
    for (const auto& [key, object] : model.attempt_objects)
      for (const Thinning& thinning : object.second.thinned)
        if (model.attempts.counts(object.second.worker, object.second.number, thinning.first_step))
          out.push_back(thinning);
    return out;
  });
}

TENSORTAP_INLINE HookCost Trial::hook_cost() const {
  return run_->query([](const detail::RunModel& model) {
    HookCost out;
    for (const auto& [key, object] : model.attempt_objects) {
      const HookCost& cost = object.second.cost;
      out.elapsed += cost.elapsed;
      out.in_training += cost.in_training;
      out.writing += cost.writing;
    }
    return out;
  });
}

TENSORTAP_INLINE std::vector<RepeatedStep> Trial::repeated_steps() const {
  return run_->query([](const detail::RunModel& model) {
    std::vector<RepeatedStep> out;
    for (const auto& [first, group] : model.numbers().groups()) {
      const Step& step = *model.numbers().find(first);
      out.push_back({step.mode, step.mode_step, {group.begin(), group.end()}});
    }
    return out;
  });
}

TENSORTAP_END_NAMESPACE
