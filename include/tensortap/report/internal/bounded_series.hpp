// A number over steps in bounded memory: when there is no room left, each two neighbours become one, which keeps the
// least and the largest number of both.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/run_report.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Numbers in the order of their steps.
class BoundedSeries {
 public:
  /// One number, or several of consecutive points.
  struct Entry {
    std::int64_t first = 0;  // global steps
    std::int64_t last = 0;
    double min = 0;  // of the finite numbers; if there is none, an infinity or NaN
    double max = 0;
    std::int64_t points = 1;
    std::int64_t bad = 0;  // numbers that are not finite
  };

  /// `most`: the number of entries, 2 or more.
  explicit BoundedSeries(std::size_t most) : most_(most) {}

  void add(std::int64_t step, double number) {
    const Entry one{step, step, number, number, 1, std::isfinite(number) ? 0 : 1};
    ++points_;
    if (!entries_.empty() && entries_.back().points < per_entry_) {
      unite(entries_.back(), one);
      return;
    }
    if (entries_.size() == most_) {
      halve(entries_);
      per_entry_ *= 2;
    }
    entries_.push_back(one);
  }

  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] std::uint64_t points() const noexcept { return points_; }

  /// Puts the numbers into `out`, in at most `most` entries.
  void write_to(ReportCurve& out, std::size_t most) const {
    std::vector<Entry> entries = entries_;
    out.points = points_;
    out.points_per_entry = static_cast<std::uint64_t>(per_entry_);
    for (; entries.size() > most && entries.size() > 1; out.points_per_entry *= 2) halve(entries);
    const bool is_bad = std::any_of(entries.begin(), entries.end(), [](const Entry& one) { return one.bad > 0; });
    for (const Entry& one : entries) {
      out.steps.push_back(one.first);
      out.min.push_back(one.min);
      out.max.push_back(one.max);
      if (is_bad) out.bad.push_back(one.bad);
    }
  }

 private:
  static void unite(Entry& to, const Entry& next) {
    to.last = next.last;
    to.points += next.points;
    to.bad += next.bad;
    const bool has_number = std::isfinite(to.min);
    if (has_number && std::isfinite(next.min)) {
      to.min = std::min(to.min, next.min);
      to.max = std::max(to.max, next.max);
    } else if (!has_number && (std::isfinite(next.min) || std::isnan(next.min))) {
      to.min = next.min;
      to.max = next.max;
    }
  }

  static void halve(std::vector<Entry>& entries) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < entries.size(); i += 2) {
      Entry one = entries[i];
      if (i + 1 < entries.size()) unite(one, entries[i + 1]);
      entries[kept++] = one;
    }
    entries.resize(kept);
  }

  std::size_t most_;
  std::int64_t per_entry_ = 1;
  std::uint64_t points_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
