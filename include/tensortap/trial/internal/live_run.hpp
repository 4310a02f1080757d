// A run that is looked at again and again, and its records: what a Trial and all that it hands out have in common.
//
// Not for users: Trial is the way in.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/event.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/trial_options.hpp>
#include <tensortap/trial/internal/run.hpp>
#include <tensortap/trial/internal/run_reader.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class LiveRun {
 public:
  /// Throws: there is no such run, nor will there be within `wait_for_run`.
  LiveRun(std::shared_ptr<const Store> store, TrialOptions options)
      : options_(std::move(options)), reader_(std::move(store), options_) {
    const auto exists = [this] { return reader_.look([](const Run& run) { return run.exists(); }); };
    if (wait_until(exists, options_.wait_for_run)) return;
    const auto damage = reader_.damage().list();
    if (damage.empty()) throw Error::run_not_found(reader_.store().location());
    throw Error::damaged("trial", reader_.store().location(), "nothing of the run can be read: " + damage[0].cause);
  }

  [[nodiscard]] const TrialOptions& options() const noexcept { return options_; }
  [[nodiscard]] DamageList& damage() const noexcept { return reader_.damage(); }

  Changes refresh() {
    Changes changes = reader_.refresh();
    const std::lock_guard lock(mutex_);
    refreshed_ = options_.clock();
    rewinds_.insert(rewinds_.end(), changes.rewinds.begin(), changes.rewinds.end());
    return changes;
  }

  /// Calls `look` with the run as it is known; before, if it is followed, what is new is read.
  template <class Look>
  decltype(auto) query(const Look& look) {
    if (comes_due()) refresh();
    return reader_.look(look);
  }

  /// The same without reading anything.
  template <class Look>
  decltype(auto) look(const Look& look) const {
    return reader_.look(look);
  }

  void pause() noexcept { ++pauses_; }
  void resume() noexcept { --pauses_; }

  [[nodiscard]] std::vector<Rewind> rewinds() const {
    const std::lock_guard lock(mutex_);
    return rewinds_;
  }

  /// Refreshes until `done()`; false if that takes longer than `timeout`, or a stop is asked for.
  template <class Done>
  bool wait_until(Done&& done, std::chrono::nanoseconds timeout) {
    const auto begin = options_.clock();
    for (;;) {
      refresh();
      if (done()) return true;
      const auto waited = options_.clock() - begin;
      if (waited >= timeout || options_.stop.requested()) return false;
      options_.sleep(std::min<std::chrono::nanoseconds>(options_.poll_interval, timeout - waited));
    }
  }

  /// The tensor of `record`, which is in `answer`. Nothing if it cannot be read: that is damage to `where`, unless it
  /// was set aside meanwhile.
  [[nodiscard]] std::optional<Tensor> read(const Run::Answer& answer, const Record& record,
                                           const std::string& where) const {
    const std::string object = answer.part->event_file + "@" + std::to_string(record.start);
    try {
      Tensor tensor = read_record(answer.part->event_file, record);
      if (!damage().empty()) damage().repaired(object);
      return tensor;
    } catch (const std::exception& e) {  // a record may claim more than there is memory
      if (!reader_.is_superseded(answer))
        damage().add(object, "tensor " + in_quotes(record.name->first) + ", step " + where, e.what());
      return std::nullopt;
    }
  }

 private:
  /// Whether this query is to read what is new; those at the same moment are then not.
  [[nodiscard]] bool comes_due() {
    if (!options_.follow || pauses_.load() > 0) return false;
    const auto now = options_.clock();
    const std::lock_guard lock(mutex_);
    if (now - refreshed_ < options_.refresh_interval) return false;
    refreshed_ = now;
    return true;
  }

  /// Throws: it is damaged or not there.
  [[nodiscard]] Tensor read_record(const std::string& where, const Record& record) const {
    const auto bytes = reader_.store().get(where, {record.start, record.length});
    if (!bytes) throw Error::damaged("record", where, "the events file is missing");
    if (bytes->size() < record.length)
      throw Error::damaged("record", where,
                           "it ends before the record at " + std::to_string(record.start) + " (" +
                               std::to_string(bytes->size()) + " of " + std::to_string(record.length) + " bytes)");
    const Bytes payload = tfrecord::payload(*bytes, where);
    const std::string at = " (at " + std::to_string(record.start) + ")";
    if (payload.size() + tfrecord::header_size + tfrecord::footer_size != record.length)
      throw Error::damaged("record", where, "its length is not the index's" + at);
    if (record.crc32c && crc32c(payload) != *record.crc32c)
      throw Error::damaged("record", where, "the payload's checksum does not match" + at);
    Event event = parse_event(payload);
    if (event.info.tag != record.name->first)
      throw Error::damaged("record", where, "another tensor is in its place (" + in_quotes(event.info.tag) + ")");
    return std::move(event.tensor);
  }

  TrialOptions options_;
  RunReader reader_;
  std::atomic<int> pauses_ = 0;
  mutable std::mutex mutex_;  // guards what is below
  TrialOptions::Clock::time_point refreshed_;
  std::vector<Rewind> rewinds_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
