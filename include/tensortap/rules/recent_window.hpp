// The last values of a series, and their median.
//
//   tensortap::RecentWindow window;
//   for (const double x : {3.0, 1.0, 2.0}) window.add(x, 128);
//   double middle = window.median();  // 2
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The last finite values of a series: a ring. NaN and infinities never enter it.
class RecentWindow {
 public:
  static constexpr std::size_t limit = 128;

  /// Adds a value, and forgets all but the last `most` ones. `most` is the same in each call, at most `limit`.
  void add(double value, std::size_t most);

  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  void clear() noexcept { values_.clear(), next_ = 0; }

  /// Returns the median; of an even number, the mean of the two in the middle. Empty: NaN.
  [[nodiscard]] double median() const;

  /// Returns the median distance from `center`. Empty: NaN.
  [[nodiscard]] double median_distance(double center) const;

  void exchange(RuleState& state);

 private:
  std::vector<double> values_;
  std::size_t next_ = 0;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/recent_window_impl.hpp>
#endif
