// The fence of an attempt: notices that a later attempt of the same worker continues the run, and then ends all writes.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's.
class AttemptFence {
 public:
  AttemptFence(const Store& store, std::string worker, std::int64_t attempt)
      : store_(store), worker_(std::move(worker)), attempt_(attempt) {}

  /// Throws if a later attempt of this worker exists. Asks the store unless it did so within `max_age`. Believes in an
  /// attempt only when it has read it: a gateway may say that any object exists.
  void require_no_successor(std::chrono::nanoseconds max_age = {}) {
    if (error_) throw *error_;
    const auto now = since_boot();
    if (last_asked_ && now - *last_asked_ < max_age) return;
    const std::string key = layout::attempt_key(attempt_ + 1, worker_);
    if (store_.size(key) && is_successor(key)) raise_by(attempt_ + 1);
    last_asked_ = now;
  }

  /// Throws if a later attempt wrote the index `key`. A damaged index counts as older.
  void require_older(const std::string& key) {
    const auto text = store_.get(key);
    if (!text) return;
    std::optional<std::int64_t> writer;
    try {
      writer = parse_index(text_of(*text), key).attempt;
    } catch (const Error&) {
      return;
    }
    if (writer && *writer > attempt_) raise_by(*writer);
  }

  /// Ends all writes: from now on they throw `error`.
  void raise(Error error) { error_.emplace(std::move(error)); }

  /// True once a later attempt was seen.
  [[nodiscard]] bool is_raised() const noexcept { return error_.has_value(); }

 private:
  /// Returns whether the object `key` is the attempt after this one. A damaged one is not.
  [[nodiscard]] bool is_successor(const std::string& key) const {
    const auto text = store_.get(key);
    try {
      if (!text) return false;
      const Attempt found = parse_attempt(text_of(*text), key);
      return found.number == attempt_ + 1 && found.worker == worker_;
    } catch (const Error&) {
      return false;
    }
  }

  /// CLOCK_BOOTTIME counts the time in suspend: after a suspend the writer must look for a later attempt again.
  static std::chrono::nanoseconds since_boot() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }

  [[noreturn]] void raise_by(std::int64_t successor) {
    raise(Error::fenced(store_.location(), attempt_, successor));
    throw *error_;
  }

  const Store& store_;
  std::string worker_;
  std::int64_t attempt_;
  std::optional<std::chrono::nanoseconds> last_asked_;
  std::optional<Error> error_;  // set once a later attempt was seen
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
