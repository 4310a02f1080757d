// Random expressions over save configurations, each with its meaning: a predicate composed beside it.
#pragma once

#include <tensortap/select/save_config.hpp>

#include <cstdint>
#include <functional>
#include <random>

/// A configuration, and what it is equal to by definition.
struct RandomSaveConfig {
  tensortap::SaveConfig config;
  std::function<bool(const tensortap::Step&)> expected;
};

/// Makes expressions of at most `depth` operators on each path. With `with_custom` some leaves are predicates.
class RandomSaveConfigs {
 public:
  RandomSaveConfigs(std::uint32_t seed, bool with_custom) : random_(seed), with_custom_(with_custom) {}

  RandomSaveConfig operator()(int depth) {
    if (depth == 0 || below(5) == 0) return leaf();
    const RandomSaveConfig a = (*this)(depth - 1);
    const RandomSaveConfig b = (*this)(depth - 1);
    if (below(2) == 0)
      return {a.config | b.config,
              [a, b](const tensortap::Step& step) { return a.expected(step) || b.expected(step); }};
    return {a.config & b.config, [a, b](const tensortap::Step& step) { return a.expected(step) && b.expected(step); }};
  }

 private:
  std::int64_t below(std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(random_); }

  RandomSaveConfig leaf() {
    using tensortap::Step;
    const std::int64_t n = below(40);
    switch (below(with_custom_ ? 8 : 7)) {
      case 0:
      case 1: return {tensortap::every(n + 1), [n](const Step& step) { return step.mode_step % (n + 1) == 0; }};
      case 2: return {tensortap::from(n), [n](const Step& step) { return step.mode_step >= n; }};
      case 3: return {tensortap::until(n), [n](const Step& step) { return step.mode_step < n; }};
      case 4: {
        const std::int64_t m = below(40);
        return {tensortap::at({n, m, 7}),
                [n, m](const Step& step) { return step.mode_step == n || step.mode_step == m || step.mode_step == 7; }};
      }
      case 5: {
        const tensortap::Mode mode = tensortap::all_modes[static_cast<std::size_t>(below(4))];
        return {tensortap::during(mode), [mode](const Step& step) { return step.mode == mode; }};
      }
      case 6:
        if (n % 2 == 0) return {tensortap::SaveConfig::never(), [](const Step&) { return false; }};
        return {tensortap::SaveConfig(), [](const Step&) { return true; }};
      default: {
        const auto own = [n](const Step& step) {
          return step.mode_step % 3 == n % 3 && step.mode != tensortap::Mode::eval;
        };
        return {tensortap::SaveConfig::when(own), own};
      }
    }
  }

  std::mt19937 random_;
  bool with_custom_;
};
