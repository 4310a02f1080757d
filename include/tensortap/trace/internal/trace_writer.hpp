// The queue of a tracer, and the thread that writes its files.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/host_name.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trace/internal/profiler_configuration.hpp>
#include <tensortap/trace/internal/status_board.hpp>
#include <tensortap/trace/internal/trace_file.hpp>
#include <tensortap/trace/internal/trace_keys.hpp>
#include <tensortap/trace/tracer.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: `add` and `status` any; `close` and destruction one.
class TraceWriter {
 public:
  TraceWriter(std::shared_ptr<Store> store, TracerOptions options)
      : store_(std::move(store)),
        options_(checked(std::move(options))),
        node_(options_.node.empty() ? default_node() : options_.node),
        start_(trace_keys::now(options_.wall_time)),
        steady_start_(Phase::Clock::now()) {
    waiting_.reserve(std::min<std::size_t>(options_.queue_phases, 1024));
    read_configuration();
    thread_ = start_thread([this] { run(); });
  }
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;
  ~TraceWriter() { close(); }

  [[nodiscard]] bool is_child() const noexcept { return fork_guard_.is_child(); }

  void add(const Phase& phase) noexcept {
    if (!is_enabled_.load(std::memory_order_relaxed) || fork_guard_.is_child()) return;
    static const thread_local std::int64_t thread = ::gettid();
    try {
      std::unique_lock lock(mutex_);
      if (is_closed_ || waiting_.size() >= options_.queue_phases) {
        drop();
        return;
      }
      std::size_t name = names_.size();
      if (!phase.is_step) {
        const std::string_view text = phase.name.substr(0, name_size_limit);
        auto known = numbers_.find(text);
        if (known == numbers_.end()) {
          if (names_.size() == name_limit) {
            drop();
            return;
          }
          names_.push_back(escaped(text));
          known = numbers_.emplace(text, name).first;
        }
        name = known->second;
      }
      waiting_.push_back({phase.begin,
                          phase.end,
                          thread,
                          phase.step,
                          name,
                          phase.mode,
                          phase.is_step,
                          {phase.numbers.begin(), phase.numbers.end()}});
      const bool is_half_full = waiting_.size() == options_.queue_phases / 2;
      lock.unlock();
      if (is_half_full) changed_.notify_one();
    } catch (const std::exception&) {  // no memory
      drop();
    }
  }

  [[nodiscard]] TracerStatus status() const {
    if (fork_guard_.is_child()) return {};
    TracerStatus out = board_.get();
    out.dropped += dropped_.load(std::memory_order_relaxed);
    return out;
  }

  void close() noexcept {
    if (fork_guard_.is_child() || !thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  static constexpr std::size_t name_limit = 1000, name_size_limit = 256;
  static constexpr std::chrono::seconds round{1};  // of the thread

  struct Waiting {
    Phase::Clock::time_point begin, end;
    std::int64_t thread, step;
    std::size_t name;
    Mode mode;
    bool is_step;
    std::vector<PhaseNumber> numbers;
  };

  static TracerOptions checked(TracerOptions options) {
    const auto require = [](bool is_valid, std::string_view option, std::string_view cause) {
      if (!is_valid) throw Error::bad_option(option, cause);
    };
    require(options.node.find_first_of("_/") == std::string::npos, "node", "it must not hold '_' or '/'");
    require(options.max_file_bytes > 0, "max_file_bytes", "it must be at least 1");
    require(options.close_interval.count() > 0, "close_interval", "it must be positive");
    require(options.queue_phases > 0, "queue_phases", "it must be at least 1");
    return options;
  }

  /// Returns "PID-HOST".
  static std::string default_node() {
    const std::string host = host_name();
    std::string node = std::to_string(::getpid()) + "-" + (host.empty() ? "host" : escaped(host));
    std::replace_if(
        node.begin(), node.end(), [](char c) { return c == '_' || c == '/' || c == '\\'; }, '-');
    return node;
  }

  /// Returns `time` in microseconds since 1970, by a clock that is never set back.
  [[nodiscard]] std::int64_t wall(Phase::Clock::time_point time) const {
    return start_ + std::chrono::floor<std::chrono::microseconds>(time - steady_start_).count();
  }

  void drop() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }

  void run() noexcept {
    for (bool is_last = false; !is_last;) {
      std::vector<Waiting> taken;
      {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, round,
                          [this] { return is_closed_ || waiting_.size() >= (options_.queue_phases + 1) / 2; });
        is_last = is_closed_;
        taken.swap(waiting_);
      }
      board_.attempt([&] {
        read_configuration();
        for (const Waiting& phase : taken) write(phase);
        if (file_ && (is_last || Phase::Clock::now() - file_begun_ >= close_interval_)) end_file();
      });
    }
  }

  void write(const Waiting& phase) {
    const std::int64_t end = wall(phase.end);
    constexpr std::int64_t hour = 3'600'000'000;  // microseconds
    if (file_ && file_->end() / hour != end / hour) end_file();
    if (!file_) {
      file_.emplace(start_);
      file_begun_ = Phase::Clock::now();
    }
    const std::string name =
        phase.is_step ? "Step:ModeKeys." + std::string(to_string(phase.mode)) : name_of(phase.name);
    file_->add({.name = name,
                .begin = wall(phase.begin),
                .end = std::max(end, wall(phase.begin)),
                .thread = phase.thread,
                .step = phase.step,
                .process = phase.is_step ? ::getpid() : 0,
                .numbers = phase.numbers});
    if (file_->size() >= max_file_bytes_) end_file();
  }

  [[nodiscard]] const std::string& name_of(std::size_t number) const {
    const std::lock_guard lock(mutex_);
    return names_[number];
  }

  void end_file() {
    const TraceFile file = std::move(*file_);
    file_.reset();
    const bool is_written = board_.attempt([&] {
      const std::string text = file.text();
      // Two files whose last events end in the same microsecond are told apart.
      for (std::int64_t end = file.end();; ++end) {
        const std::string key = std::string(trace_keys::events) + trace_keys::hour_of(end) + "/" + std::to_string(end) +
                                "_" + node_ + "_pythontimeline.json";
        if (store_->put(key, text, Sync::no, IfExists::keep)) return;
      }
    });
    board_.change([&](TracerStatus& status) {
      ++(is_written ? status.files : status.files_failed);
      (is_written ? status.phases : status.dropped) += file.phases();
    });
  }

  void read_configuration() {
    if (options_.configuration.empty()) return;
    board_.attempt([&] {
      const auto found = profiler_configuration_in(options_.configuration);
      if (!found) return;
      max_file_bytes_ = found->max_file_bytes.value_or(options_.max_file_bytes);
      close_interval_ = found->close_interval.value_or(options_.close_interval);
      is_enabled_.store(found->is_enabled, std::memory_order_relaxed);
    });
  }

  const std::shared_ptr<Store> store_;
  const TracerOptions options_;
  const std::string node_;
  const ForkGuard fork_guard_;
  const std::int64_t start_;  // microseconds since 1970
  const Phase::Clock::time_point steady_start_;
  std::atomic<bool> is_enabled_ = true;
  std::atomic<std::uint64_t> dropped_ = 0;  // without having been written
  StatusBoard<TracerStatus> board_;

  // Of the thread
  std::optional<TraceFile> file_;
  Phase::Clock::time_point file_begun_;
  std::uint64_t max_file_bytes_ = options_.max_file_bytes;
  std::chrono::nanoseconds close_interval_ = options_.close_interval;

  mutable std::mutex mutex_;  // guards the fields below
  std::condition_variable changed_;
  std::vector<Waiting> waiting_;
  std::map<std::string, std::size_t, std::less<>> numbers_;  // of names
  std::deque<std::string> names_;                            // by number, as they are written; they stay in place
  bool is_closed_ = false;
  std::thread thread_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
