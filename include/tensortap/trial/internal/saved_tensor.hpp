// The saved data of one tensor in one step: elements, reductions, statistics or a shape.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/event.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/reduce/classes.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduce/units.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/worker_step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Reads `record` of the events file `key`. Throws: it is damaged or missing.
inline Event read_record(const Store& store, const std::string& key, const StoredRecord& record) {
  const auto bytes = store.get(key, {record.start, record.length});
  if (!bytes) throw Error::damaged("record", key, "the events file is missing");
  if (bytes->size() < record.length)
    throw Error::damaged("record", key,
                         "it ends before the record at " + std::to_string(record.start) + " (" +
                             std::to_string(bytes->size()) + " of " + std::to_string(record.length) + " bytes)");
  const Bytes payload = tfrecord::payload(*bytes, key);
  const std::string at = " (at " + std::to_string(record.start) + ")";
  if (payload.size() + tfrecord::header_size + tfrecord::footer_size != record.length)
    throw Error::damaged("record", key, "its length differs from the index" + at);
  if (record.crc32c && crc32c(payload) != *record.crc32c)
    throw Error::damaged("record", key, "the payload's checksum does not match" + at);
  Event event = parse_event(payload);
  if (event.info.tag != record.name->first)
    throw Error::damaged("record", key, "it holds another tensor (" + in_quotes(event.info.tag) + ")");
  return event;
}

/// Reads `record` of `step`, whose number is `number`. Returns nullopt if that fails, which is damage unless the step
/// was superseded meanwhile.
inline std::optional<Event> read_or_note(const LiveRun& run, const WorkerStepPtr& step, const StoredRecord& record,
                                         std::int64_t number) {
  DamageList& damage = run.damage();
  const std::string object = step->event_file + "@" + std::to_string(record.start);
  try {
    Event event = read_record(run.store(), step->event_file, record);
    if (!damage.empty()) damage.repaired(object);
    return event;
  } catch (const std::exception& e) {  // not only Error: a damaged length may exceed the memory
    if (!run.is_superseded(step))
      damage.add(object, "tensor " + in_quotes(record.name->first) + ", step " + std::to_string(number), e.what());
    return std::nullopt;
  }
}

/// The saved data of one tensor in one step. Without a worker, functions return the value of the alphabetically first
/// worker that has it.
/// Threads: any.
class SavedTensor {
 public:
  /// `worker_steps` hold `tensor`, sorted by worker; `step` is for messages.
  SavedTensor(std::shared_ptr<const LiveRun> run, const StoredTensor* tensor, std::vector<WorkerStepPtr> worker_steps,
              std::int64_t step)
      : run_(std::move(run)), tensor_(tensor), worker_steps_(std::move(worker_steps)), step_(step) {}

  [[nodiscard]] std::vector<std::string> workers() const {
    std::vector<std::string> out;
    for (const WorkerStepPtr& step : worker_steps_)
      if (out.empty() || out.back() != step->worker) out.push_back(step->worker);
    return out;
  }

  [[nodiscard]] std::optional<Tensor> value(std::string_view worker) const { return find(std::nullopt, worker); }

  [[nodiscard]] std::optional<Tensor::Shape> shape(std::string_view worker) const {
    for (const WorkerStepPtr& step : worker_steps_)
      if (const auto* shape = step->shape_of(tensor_); shape != nullptr && matches(*step, worker)) return *shape;
    if (auto tensor = value(worker)) return tensor->shape();
    return std::nullopt;
  }

  [[nodiscard]] std::optional<double> reduction(Reduction r, std::string_view worker) const {
    if (const auto saved = find(to_string(r), worker);
        saved && saved->size() == 1 && saved->dtype() != DType::string && !is_record(r))
      return saved->number(0);
    if (const auto saved = saved_statistics(worker); saved && plain(r) != Reduction::prod && !is_record(r))
      return reduction_of(*saved, r);
    if (const auto tensor = value(worker); tensor && is_real(tensor->dtype())) return reduce(as_view(*tensor), r);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Statistics> statistics(std::string_view worker) const {
    if (auto saved = saved_statistics(worker)) return saved;
    if (const auto tensor = value(worker); tensor && is_real(tensor->dtype())) return tensortap::statistics(*tensor);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<UnitStatistics> units(std::string_view worker) const {
    if (const auto saved = find(to_string(Reduction::units), worker);
        saved && saved->dtype() == DType::f64 && saved->rank() == 2)
      if (auto units = UnitStatistics::from_record(saved->as<double>(), static_cast<std::size_t>(saved->shape()[1])))
        return units;
    if (const auto tensor = value(worker); tensor && is_real(tensor->dtype())) return unit_statistics(*tensor);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::vector<std::int64_t>> classes(std::string_view worker) const {
    if (const auto saved = find(to_string(Reduction::classes), worker); saved && saved->dtype() == DType::i64) {
      const auto counts = saved->as<std::int64_t>();
      if (counts.size() <= most_classes && std::none_of(counts.begin(), counts.end(), [](auto n) { return n < 0; }))
        return std::vector<std::int64_t>(counts.begin(), counts.end());
    }
    if (const auto tensor = value(worker)) return class_counts(as_view(*tensor));
    return std::nullopt;
  }

  /// Returns the saved reductions by their stored spelling.
  [[nodiscard]] std::map<std::string, Tensor> reductions(std::string_view worker) const {
    std::map<std::string, Tensor> out;
    std::set<std::string_view> seen;      // of several with one spelling the last counts
    const std::string* chosen = nullptr;  // the worker that answers
    for (const WorkerStepPtr& step : worker_steps_) {
      if (!matches(*step, worker) || (chosen != nullptr && *chosen != step->worker)) continue;
      const auto [begin, end] = step->records_of(tensor_);
      for (auto record = end; record != begin;) {
        --record;
        if (!record->reduction()) continue;
        chosen = &step->worker;
        if (!seen.insert(*record->reduction()).second) continue;
        if (auto tensor = read(step, *record)) out.emplace(*record->reduction(), std::move(*tensor));
      }
    }
    return out;
  }

  /// Returns when the first of the records that can be read was made.
  [[nodiscard]] std::optional<double> wall_time(std::string_view worker) const {
    for (const WorkerStepPtr& step : worker_steps_) {
      if (!matches(*step, worker)) continue;
      const auto [begin, end] = step->records_of(tensor_);
      for (auto record = begin; record != end; ++record)
        if (const auto event = read_or_note(*run_, step, *record, step_)) return event->info.wall_time;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] static bool matches(const WorkerStep& step, std::string_view worker) {
    return worker.empty() || worker == step.worker;
  }

  [[nodiscard]] std::optional<Tensor> find(std::optional<std::string_view> reduction, std::string_view worker) const {
    for (const WorkerStepPtr& step : worker_steps_)
      if (const StoredRecord* record = step->find(tensor_, reduction); record != nullptr && matches(*step, worker))
        return read(step, *record);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Tensor> read(const WorkerStepPtr& step, const StoredRecord& record) const {
    auto event = read_or_note(*run_, step, record, step_);
    if (!event) return std::nullopt;
    return std::move(event->tensor);
  }

  [[nodiscard]] std::optional<Statistics> saved_statistics(std::string_view worker) const {
    const auto saved = find(to_string(Reduction::statistics), worker);
    if (!saved || saved->dtype() != DType::f64) return std::nullopt;
    return Statistics::from_record(saved->as<double>());
  }

  std::shared_ptr<const LiveRun> run_;
  const StoredTensor* tensor_;
  std::vector<WorkerStepPtr> worker_steps_;  // by worker; of several of one worker the last comes first
  std::int64_t step_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
