// The elements of a tensor in its last steps, for rules that compare them.
//
//   tensortap::ValueHistory history;
//   history.add(*step.value(weight), step.step().mode_step, 3);  // keeps three
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Tensor;

/// Some values of one tensor, the oldest first. Of a tensor with more than 65536 elements, it keeps as many evenly
/// spaced ones.
class ValueHistory {
 public:
  static constexpr std::size_t most_elements = 65536;

  struct Value {
    std::int64_t mode_step = 0;
    std::uint64_t size = 0;  ///< of the tensor
    std::vector<double> elements = {};
    void exchange(RuleState& state) { state(mode_step)(size)(elements); }
  };

  /// Adds a value, and forgets all but the last `most` ones.
  void add(const Tensor& value, std::int64_t mode_step, std::size_t most);

  [[nodiscard]] const std::vector<Value>& values() const noexcept { return values_; }
  /// Forgets the first `count` values.
  void forget(std::size_t count);

  void exchange(RuleState& state) { state(values_); }

 private:
  std::vector<Value> values_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/value_history_impl.hpp>
#endif
