// A worker that writes the objects of capture/README.md by hand, one operation at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "record/encode_event.hpp"

/// One attempt of one worker. Each step holds the tensor "loss" and, to tell attempts apart, "attempt_R".
class HandWriter {
 public:
  using Operations = std::vector<std::function<void()>>;

  explicit HandWriter(std::shared_ptr<tensortap::Store> store, std::optional<std::int64_t> run = {},
                      std::string worker = "worker_0")
      : store_(std::move(store)), run_(run), worker_(std::move(worker)) {}

  /// Returns the value of "loss" in `step` as attempt `run` writes it.
  static double loss_of(std::int64_t run, std::int64_t step) { return static_cast<double>(1000 * run + step); }
  [[nodiscard]] std::string attempt_tensor() const { return "attempt_" + std::to_string(run_.value_or(0)); }

  void put_collections(std::int64_t num_workers = 1, std::vector<tensortap::Collection> collections = {}) const {
    store_->put(tensortap::layout::collections_key(worker_),
                to_json(tensortap::CollectionsFile{std::move(collections), num_workers}));
  }

  void put_attempt(std::int64_t resumed_at) const {
    store_->put(tensortap::layout::attempt_key(*run_, worker_),
                to_json(tensortap::Attempt{.number = *run_, .worker = worker_, .resumed_at = resumed_at}));
  }

  /// Save `tensors` as `step`: the events file, the index file, or both.
  void put_events(const tensortap::Step& step, const std::vector<std::pair<std::string, tensortap::Tensor>>& tensors,
                  tensortap::IfExists if_exists = tensortap::IfExists::replace) const {
    const auto written = write(step, tensors);
    store_->put(written.index.event_file, written.events, tensortap::Sync::no, if_exists);
  }
  void put_index(const tensortap::Step& step, const std::vector<std::pair<std::string, tensortap::Tensor>>& tensors,
                 tensortap::IfExists if_exists = tensortap::IfExists::replace) const {
    store_->put(index_key(step.global_step), to_json(write(step, tensors).index), tensortap::Sync::no, if_exists);
  }
  void put(const tensortap::Step& step, const std::vector<std::pair<std::string, tensortap::Tensor>>& tensors) const {
    put_events(step, tensors);
    put_index(step, tensors);
  }

  /// The same for TRAIN step `step` with its loss.
  void put_events(std::int64_t step, tensortap::IfExists if_exists = tensortap::IfExists::replace) const {
    put_events({tensortap::Mode::train, step, step}, losses(step), if_exists);
  }
  void put_index(std::int64_t step, tensortap::IfExists if_exists = tensortap::IfExists::replace) const {
    put_index({tensortap::Mode::train, step, step}, losses(step), if_exists);
  }
  void put(std::int64_t step) const {
    put_events(step);
    put_index(step);
  }

  void close() const {
    store_->put(tensortap::layout::end_marker,
                run_ ? to_json(tensortap::Attempt{.number = *run_, .worker = worker_, .resumed_at = -1}) : "");
  }

  [[nodiscard]] std::string index_key(std::int64_t step) const { return tensortap::layout::index_key(step, worker_); }
  [[nodiscard]] std::string event_key(std::int64_t step) const { return tensortap::layout::event_key(step, worker_); }

  // ---- The same as lists of operations

  /// Returns the operations that save the multiples of `stride` among the steps.
  [[nodiscard]] Operations saving(std::int64_t from, std::int64_t to,
                                  tensortap::IfExists if_exists = tensortap::IfExists::replace,
                                  std::int64_t stride = 1) const {
    Operations out;
    for (std::int64_t step = from; step <= to; ++step) {
      if (step % stride != 0) continue;
      out.push_back([writer = *this, step, if_exists] { writer.put_events(step, if_exists); });
      out.push_back([writer = *this, step, if_exists] { writer.put_index(step, if_exists); });
    }
    return out;
  }

  /// Returns the operations of a new attempt before its first step. `last` is the last step of its predecessors.
  [[nodiscard]] Operations resuming(std::int64_t resumed_at, std::int64_t last, tensortap::OnResume how) const {
    Operations out;
    out.push_back([writer = *this, resumed_at] { writer.put_attempt(resumed_at); });
    if (how == tensortap::OnResume::keep) return out;
    for (const bool events : {false, true})
      for (std::int64_t step = last; step > resumed_at; --step)
        out.push_back([writer = *this, step, events, how] {
          const std::string key = events ? writer.event_key(step) : writer.index_key(step);
          if (how == tensortap::OnResume::discard)
            writer.store_->remove(key);
          else
            writer.store_->move(key, tensortap::layout::superseded_key(*writer.run_, key));
        });
    return out;
  }

 private:
  struct Written {
    std::string events;
    tensortap::IndexFile index;
  };

  [[nodiscard]] std::vector<std::pair<std::string, tensortap::Tensor>> losses(std::int64_t step) const {
    tensortap::Tensor loss(tensortap::DType::f64, {1});
    loss.as<double>()[0] = loss_of(run_.value_or(0), step);
    return {{"loss", loss}, {attempt_tensor(), loss}};
  }

  [[nodiscard]] Written write(const tensortap::Step& step,
                              const std::vector<std::pair<std::string, tensortap::Tensor>>& tensors) const {
    Written out;
    out.index.mode = step.mode;
    out.index.mode_step = step.mode_step;
    out.index.attempt = run_;
    out.index.event_file = event_key(step.global_step);
    for (const auto& [name, tensor] : tensors) {
      const auto record = encode_event({.tag = name, .step = step, .wall_time = 0}, as_view(tensor));
      const std::string text = record.head + std::string(tensortap::text_of(tensor.bytes())) + record.tail;
      out.index.tensors.push_back(
          {.name = name,
           .start = out.events.size(),
           .length = text.size(),
           .crc32c = tensortap::crc32c(tensortap::tfrecord::payload(tensortap::bytes_of(text), ""))});
      out.events += text;
    }
    return out;
  }

  std::shared_ptr<tensortap::Store> store_;
  std::optional<std::int64_t> run_;
  std::string worker_;
};

/// A clock that advances only when a thread sleeps.
class FakeTime {
 public:
  using Clock = tensortap::TrialOptions::Clock;

  /// Returns the options of a trial that uses this clock and refreshes at every query.
  [[nodiscard]] tensortap::TrialOptions following() {
    tensortap::TrialOptions options;
    options.follow = true;
    options.refresh_interval = std::chrono::nanoseconds::zero();
    options.clock = [this] { return now_; };
    options.sleep = [this](std::chrono::nanoseconds t) {
      now_ += std::chrono::duration_cast<Clock::duration>(t);
      if (while_asleep) while_asleep();
    };
    return options;
  }
  void pass(std::chrono::nanoseconds t) { now_ += std::chrono::duration_cast<Clock::duration>(t); }
  [[nodiscard]] Clock::time_point now() const { return now_; }

  std::function<void()> while_asleep;

 private:
  Clock::time_point now_{std::chrono::hours(1)};
};

/// Returns a function that executes one of `operations` per call, and returns false when none is left.
inline std::function<bool()> one_by_one(HandWriter::Operations operations) {
  return [operations = std::move(operations), next = std::size_t{0}]() mutable {
    if (next == operations.size()) return false;
    operations[next++]();
    return true;
  };
}

inline HandWriter::Operations operator+(HandWriter::Operations a, const HandWriter::Operations& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
