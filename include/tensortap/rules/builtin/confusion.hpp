// Finds classes that a network takes for others.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::Confusion{}});
//   const auto literal = tensortap::evaluate(trial, {tensortap::Confusion::smdebug()});
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds two classes that are swapped: in the last `samples` labels of one mode after step `start`, more than
/// `max_off_diag` of each are predicted as the other. It is an error; that one is taken for another is an advice.
/// Classes with fewer than 20 labels are left out.
///
/// `smdebug()` is the documented condition over all labels since the beginning, as errors: of a class, less than
/// `min_diag` are predicted right, or more than `max_off_diag` as one other class; each over all labels of the class.
/// The documentation divides the first by the sum of the diagonal, which a perfect network with ten classes would fail,
/// and a test of smdebug says that a perfect one passes. It fires on every network that is not at 90 % in its first
/// step.
/// Source: SageMaker Debugger's Confusion.
struct Confusion {
  static constexpr std::string_view name = "Confusion";
  static constexpr std::string_view condition = "many examples of one class are predicted as another one";
  static constexpr std::string_view needs = "labels and predictions: elements";
  static constexpr std::string_view source = "SageMaker Debugger; in windows";

  static constexpr std::int64_t most_categories = 256;

  std::int64_t category_no = 0;  ///< the number of classes; 0: as many as there are, at most 256
  std::string labels = {};       ///< the tensor of labels, as a pattern; empty: as its name tells
  std::string predictions = {};  ///< that of predictions
  double min_diag = 0;           ///< the least share of a class that is right
  double max_off_diag = 0.7;     ///< the largest share of a class that is predicted as one other
  std::int64_t samples = 500;    ///< labels in a window
  std::int64_t start = 100;      ///< the global step after which windows count
  bool since_beginning = false;  ///< true: smdebug's condition

  [[nodiscard]] static Confusion smdebug() {
    Confusion out;
    out.labels = "labels";
    out.predictions = "predictions";
    out.min_diag = 0.9;
    out.max_off_diag = 0.1;
    out.since_beginning = true;
    return out;
  }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  /// How many examples of class `row` were predicted as class `column`.
  struct Counts {
    std::int64_t size = 0;
    std::int64_t total = 0;
    std::vector<std::int64_t> cells = {};  ///< rows one after the other

    void add(std::int32_t label, std::int32_t prediction);
    void exchange(RuleState& s) { s(size)(total)(cells); }
  };
  struct State {
    std::vector<Counts> windows = std::vector<Counts>(4);  ///< by mode
    void exchange(RuleState& s) { s(windows); }
  };
  State state = {};

 private:
  [[nodiscard]] std::vector<Finding> judge(const Counts& counts) const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/confusion_impl.hpp>
#endif
