// When to save, as data. The configuration is written into the run, where every reader finds it.
//
//   using namespace tensortap;
//   SaveConfig a = every(100) | at({1, 2, 3});                      // 0, 1, 2, 3, 100, 200 …
//   SaveConfig b = every(10) & from(1000) & until(2000);            // 1000, 1010 … 1990
//   SaveConfig c = (every(100) & during(Mode::train)) | (every(1) & during(Mode::eval));
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One part of a configuration for one mode: the multiples of `interval` in [start, end), and `steps`.
/// Units: steps of that mode.
struct SaveClause {
  std::int64_t interval = 1;             ///< 0 or less: only `steps`
  std::int64_t start = 0;                ///< the first step of the interval's range
  std::optional<std::int64_t> end = {};  ///< the step behind that range. Empty: the range has no end
  std::vector<std::int64_t> steps = {};  ///< more steps, in the range or outside of it; sorted

  /// Returns whether the clause saves mode step `step`.
  [[nodiscard]] bool includes(std::int64_t step) const noexcept;

  friend bool operator==(const SaveClause&, const SaveClause&) = default;
};

/// The steps to save, as a set: for each mode some clauses, of which any one may include a step.
class SaveConfig {
 public:
  using Clauses = std::vector<SaveClause>;
  using Predicate = std::function<bool(const Step&)>;

  /// Makes the set of all steps of all modes.
  SaveConfig() { clauses_.fill({SaveClause{}}); }

  /// Returns the set of the steps for which `predicate` returns true. Files cannot hold a predicate: readers of the run
  /// see no configuration for this set, nor for sets composed with it.
  /// Threads: the hook calls `predicate` in `begin_step`, on the thread of the training loop.
  static SaveConfig when(Predicate predicate);

  /// Returns the empty set.
  static SaveConfig never() { return SaveConfig(Clauses{}); }

  /// Makes a set with the same clauses for every mode.
  explicit SaveConfig(const Clauses& clauses) { clauses_.fill(clauses); }

  /// Returns whether the set contains `step`.
  [[nodiscard]] bool includes(const Step& step) const;

  /// Returns the clauses of `mode`. Empty: no step of that mode is saved, or the set has a predicate.
  [[nodiscard]] const Clauses& operator[](Mode mode) const noexcept { return clauses_[index_of(mode)]; }
  [[nodiscard]] Clauses& operator[](Mode mode) noexcept { return clauses_[index_of(mode)]; }

  /// Returns true for sets made by `when`, or composed with one.
  [[nodiscard]] bool is_custom() const noexcept { return static_cast<bool>(predicate_); }

  /// Returns whether both have the same clauses. Sets with a predicate are equal to none.
  friend bool operator==(const SaveConfig& a, const SaveConfig& b) {
    return a.clauses_ == b.clauses_ && !a.predicate_ && !b.predicate_;
  }

  /// Returns the union: the steps in `a` or in `b`.
  friend SaveConfig operator|(const SaveConfig& a, const SaveConfig& b) { return unite(a, b); }

  /// Returns the intersection: the steps in both `a` and `b`.
  friend SaveConfig operator&(const SaveConfig& a, const SaveConfig& b) { return intersect(a, b); }

 private:
  static SaveConfig unite(const SaveConfig& a, const SaveConfig& b);
  static SaveConfig intersect(const SaveConfig& a, const SaveConfig& b);

  std::array<Clauses, all_modes.size()> clauses_;  // by mode
  Predicate predicate_;
};

/// Returns the set of steps 0, n, 2n … of every mode. Throws: n below 1.
SaveConfig every(std::int64_t n);

/// Returns the set of exactly these steps of every mode.
SaveConfig at(std::initializer_list<std::int64_t> steps);

/// Returns the set of step `n` and all steps after it, of every mode.
SaveConfig from(std::int64_t n);

/// Returns the set of all steps before `n`, of every mode.
SaveConfig until(std::int64_t n);

/// Returns the set of all steps of `mode`.
SaveConfig during(Mode mode);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/select/internal/save_config_impl.hpp>
#endif
