// The thread of a sampler, and its files: one for each minute, named by the minute's end.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trace/internal/gpu_metrics.hpp>
#include <tensortap/trace/internal/machine_metrics.hpp>
#include <tensortap/trace/internal/status_board.hpp>
#include <tensortap/trace/internal/trace_keys.hpp>
#include <tensortap/trace/system_sampler.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: `status` any; the rest one.
class MetricsWriter {
 public:
  MetricsWriter(std::shared_ptr<Store> store, SystemSamplerOptions options)
      : store_(std::move(store)), options_(checked(std::move(options))), machine_(options_.proc), gpus_(options_.nvml) {
    board_.change([this](SystemSamplerStatus& status) { status.gpus = gpus_.count(); });
    thread_ = start_thread([this] { run(); });
  }
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;
  ~MetricsWriter() { close(); }

  [[nodiscard]] bool is_child() const noexcept { return fork_guard_.is_child(); }

  [[nodiscard]] SystemSamplerStatus status() const {
    if (is_child()) return {};
    return board_.get();
  }

  void close() noexcept {
    if (is_child() || !thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    closed_.notify_one();
    thread_.join();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::int64_t minute = 60'000'000;  // microseconds

  static SystemSamplerOptions checked(SystemSamplerOptions options) {
    if (options.interval < std::chrono::milliseconds(1))
      throw Error::bad_option("interval", "it must be at least a millisecond");
    if (options.node.empty() || options.node.find_first_of("./") != std::string::npos)
      throw Error::bad_option("node", "it must be a name without '.' and '/', such as algo-1");
    return options;
  }

  void run() noexcept {
    Clock::time_point next = Clock::now();
    for (bool is_last = false; !is_last;) {
      board_.attempt([&] { sample(); });
      next = std::max(next + options_.interval, Clock::now());  // samples that were missed are left out
      std::unique_lock lock(mutex_);
      is_last = closed_.wait_until(lock, next, [this] { return is_closed_; });
    }
    board_.attempt([&] { sample(); });
    end_file();
  }

  void sample() {
    std::vector<SystemMetric> metrics;
    const std::int64_t time = trace_keys::now(options_.wall_time);
    machine_.sample(time, metrics);
    gpus_.sample(time, metrics);
    const std::int64_t end = (time / minute + 1) * minute;
    if (end != file_end_) end_file();
    file_end_ = end;
    const std::string seconds = nlohmann::json(static_cast<double>(time) / 1e6).dump();
    for (const SystemMetric& metric : metrics)
      text_ += R"({"Type": ")" + metric.type + R"(", "Name": )" + json_text::string(metric.name) +
               R"(, "Dimension": ")" + metric.dimension + R"(", "Value": )" + nlohmann::json(metric.value).dump() +
               R"(, "NodeId": )" + json_text::string(options_.node) + R"(, "Timestamp": )" + seconds + "}\n";
    metrics_ += metrics.size();
    board_.change([](SystemSamplerStatus& status) { ++status.samples; });
  }

  void end_file() noexcept {
    if (text_.empty()) return;
    const bool is_written = board_.attempt([&] {
      // A process that ends and begins again within a minute writes two files.
      for (std::int64_t end = file_end_;; end += 1'000'000) {
        const std::string key = std::string(trace_keys::metrics) + trace_keys::hour_of(end) + "/" +
                                std::to_string(end / 1'000'000) + "." + options_.node + ".json";
        if (store_->put(key, text_, Sync::no, IfExists::keep)) return;
      }
    });
    text_.clear();
    board_.change([&](SystemSamplerStatus& status) {
      ++(is_written ? status.files : status.files_failed);
      if (is_written) status.metrics += metrics_;
    });
    metrics_ = 0;
  }

  const std::shared_ptr<Store> store_;
  const SystemSamplerOptions options_;
  const ForkGuard fork_guard_;

  // Of the thread
  MachineMetrics machine_;
  GpuMetrics gpus_;
  std::string text_;           // of the file
  std::int64_t file_end_ = 0;  // microseconds since 1970
  std::uint64_t metrics_ = 0;  // in the file

  StatusBoard<SystemSamplerStatus> board_;
  std::mutex mutex_;
  std::condition_variable closed_;
  bool is_closed_ = false;  // guarded by the mutex
  std::thread thread_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
