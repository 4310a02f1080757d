// The exchange of words between the managers of a job: a thread writes that of this process, again and again, and reads
// those of the others. A manager lives as long as its word changes; no clock of another machine is believed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/job_words.hpp>
#include <tensortap/job/internal/periodic_work.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one calls the functions; another one reads and writes.
template <class Mine, class Theirs>
class JobExchange {
 public:
  using Clock = std::chrono::steady_clock;

  /// What was heard of another manager.
  struct Heard {
    std::optional<Theirs> word = {};             ///< nullopt: nothing yet
    std::optional<Clock::time_point> when = {};  ///< it has changed; nullopt: not since this process began
  };

  /// `may_write`: whether this process may still write its word.
  JobExchange(std::shared_ptr<Store> store, std::string key, const std::vector<std::string>& others,
              Seconds max_silence, std::function<bool()> may_write)
      : store_(std::move(store)), key_(std::move(key)), may_write_(std::move(may_write)) {
    for (const std::string& other : others) others_.push_back({.key = other});
    const bool is_remote = JobNames::is_remote(store_->location());
    constexpr double part = 8;  // so many beats get lost before silence is one
    const Seconds longest = std::chrono::seconds(5);
    beat_interval_ = std::chrono::duration_cast<Clock::duration>(std::min(max_silence / part, longest));
    const Seconds look = std::min<Seconds>(max_silence / part, is_remote ? Seconds(1) : Seconds(0.1));
    work_ = std::make_unique<PeriodicWork>(std::chrono::duration_cast<std::chrono::nanoseconds>(look),
                                           [this] { exchange(); });
  }

  /// Changes the word of this process; it is written soon.
  void change(const std::function<void(Mine&)>& how) {
    const std::lock_guard lock(mutex_);
    how(mine_);
    ++changes_;
  }
  [[nodiscard]] Mine mine() const {
    const std::lock_guard lock(mutex_);
    return mine_;
  }

  /// Waits until the last change is written. Returns false if `longest` is over before.
  bool flush(Seconds longest) const {
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(longest);
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (written_ == changes_) return true;
      }
      if (Clock::now() >= until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  [[nodiscard]] Heard heard(std::size_t other) const {
    const std::lock_guard lock(mutex_);
    return others_[other].heard;
  }

  /// Returns for how long another one was not heard of, at most since `begin`.
  [[nodiscard]] Seconds silence(std::size_t other, Clock::time_point begin) const {
    const std::lock_guard lock(mutex_);
    return Clock::now() - std::max(begin, others_[other].heard.when.value_or(begin));
  }

 private:
  struct Other {
    std::string key = {};
    std::string text = {};
    bool is_read = false;
    Heard heard = {};
  };

  void exchange() {
    try {
      write();
    } catch (const std::exception&) {  // the next round tries again; until then this process is silent
    }
    for (Other& other : others_) try {
        read(other);
      } catch (const std::exception&) {
      }
  }

  void write() {
    std::string text;
    std::uint64_t now = 0;
    {
      const std::lock_guard lock(mutex_);
      const bool is_due = changes_ != written_ || Clock::now() - wrote_ >= beat_interval_;
      if (changes_ == 0 || !is_due || !may_write_()) return;
      ++mine_.beat;
      text = to_text(mine_);
      now = changes_;
    }
    store_->put(key_, text);
    const std::lock_guard lock(mutex_);
    written_ = now;
    wrote_ = Clock::now();
  }

  void read(Other& other) {
    constexpr std::uint64_t longest = std::uint64_t{1} << 20;
    const auto bytes = store_->get(other.key, {0, longest});
    std::string text = bytes ? std::string(text_of(*bytes)) : std::string();
    const bool is_first = !std::exchange(other.is_read, true);
    if (text == other.text) return;
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    other.text = std::move(text);
    if (!json.is_object()) return;
    Theirs word;
    take_word(word, json);
    const std::lock_guard lock(mutex_);
    other.heard.word = std::move(word);
    if (!is_first) other.heard.when = Clock::now();  // a dead process may have left the first one
  }

  const std::shared_ptr<Store> store_;
  const std::string key_;
  const std::function<bool()> may_write_;
  Clock::duration beat_interval_{};
  mutable std::mutex mutex_;  // guards the members below, and what was heard
  Mine mine_;
  std::uint64_t changes_ = 0, written_ = 0;
  Clock::time_point wrote_{};
  std::vector<Other> others_;
  std::unique_ptr<PeriodicWork> work_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
