// What the kernel tells about the machine: /proc/stat, /proc/meminfo, /proc/net/dev. Source: proc(5).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Reads the machine again and again; what counts up is compared with the call before. Threads: one.
class MachineMetrics {
 public:
  explicit MachineMetrics(std::string proc) : proc_(std::move(proc)) {}

  /// Adds the metrics of now to `out`; those of time and traffic from the second call on.
  void sample(std::int64_t time, std::vector<SystemMetric>& out) {
    for_each_line("/stat", [&](std::string_view line) { take_processor(line, time, out); });
    sample_memory(time, out);
    sample_network(time, out);
  }

 private:
  struct Times {
    std::uint64_t all = 0, idle = 0, waiting = 0;
  };

  template <class Take>
  void for_each_line(const char* file, const Take& take) const {
    std::ifstream in(proc_ + file);
    for (std::string line; std::getline(in, line);) take(line);
  }

  /// Returns the next word of `line`, and removes it.
  static std::string_view next_word(std::string_view& line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return line = {};
    line.remove_prefix(begin);
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    line.remove_prefix(word.size());
    return word;
  }

  /// Returns the number that `word` is; 0 if it is none.
  static std::uint64_t number(std::string_view word) {
    std::uint64_t out = 0;
    (void)std::from_chars(word.data(), word.data() + word.size(), out);
    return out;
  }

  /// Takes a line such as "cpu0 user nice system idle iowait irq softirq steal …".
  void take_processor(std::string_view line, std::int64_t time, std::vector<SystemMetric>& out) {
    const std::string name(next_word(line));
    if (!name.starts_with("cpu") || name == "cpu") return;
    Times now;
    for (int column = 0; column < 8; ++column) {
      const std::uint64_t ticks = number(next_word(line));
      now.all += ticks;
      if (column == 3 || column == 4) now.idle += ticks;
      if (column == 4) now.waiting = ticks;
    }
    const auto before = times_.find(name);
    if (before != times_.end() && now.all > before->second.all) {
      const auto all = static_cast<double>(now.all - before->second.all);
      const auto share = [all](std::uint64_t x, std::uint64_t y) {  // the kernel sometimes counts them down
        return x > y ? std::min(100.0, 100 * static_cast<double>(x - y) / all) : 0.0;
      };
      out.push_back({time, 100 - share(now.idle, before->second.idle), "cpu", name, "CPUUtilization"});
      out.push_back({time, share(now.waiting, before->second.waiting), "cpu", name, "I/OWaitPercentage"});
    }
    times_[name] = now;
  }

  void sample_memory(std::int64_t time, std::vector<SystemMetric>& out) const {
    std::uint64_t all = 0, available = 0;
    for_each_line("/meminfo", [&](std::string_view line) {
      const std::string_view key = next_word(line);
      if (key == "MemTotal:") all = number(next_word(line));
      if (key == "MemAvailable:") available = number(next_word(line));
    });
    if (all > 0 && available <= all)
      out.push_back({time,
                     100 * static_cast<double>(all - available) / static_cast<double>(all),
                     "memory",
                     {},
                     "MemoryUsedPercent"});
  }

  /// Adds the bytes per second of all devices but the loopback together.
  void sample_network(std::int64_t time, std::vector<SystemMetric>& out) {
    std::uint64_t received = 0, sent = 0;
    bool has_device = false;
    for_each_line("/net/dev", [&](std::string_view line) {
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) return;
      std::string_view name = line.substr(0, colon), columns = line.substr(colon + 1);
      if (next_word(name) == "lo") return;
      has_device = true;
      received += number(next_word(columns));
      for (int skipped = 0; skipped < 7; ++skipped) (void)next_word(columns);
      sent += number(next_word(columns));
    });
    if (has_device && network_time_ > 0 && time > network_time_) {
      const double seconds = static_cast<double>(time - network_time_) / 1e6;
      const auto rate = [seconds](std::uint64_t x, std::uint64_t y) {
        return x > y ? static_cast<double>(x - y) / seconds : 0.0;
      };
      out.push_back({time, rate(received, received_), "network", {}, "ReceiveBytesPerSecond"});
      out.push_back({time, rate(sent, sent_), "network", {}, "TransmitBytesPerSecond"});
    }
    network_time_ = time;
    received_ = received;
    sent_ = sent;
  }

  const std::string proc_;
  std::map<std::string, Times> times_;  // by processor
  std::int64_t network_time_ = 0;
  std::uint64_t received_ = 0, sent_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
