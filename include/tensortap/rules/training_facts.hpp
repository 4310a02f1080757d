// What the losses, labels and predictions of a run tell, step by step. Built-in rules share it, so that they agree on
// which tensor is the loss and on what a constant prediction would reach.
//
//   const auto& train = step.facts().loss(tensortap::Mode::train);
//   if (train.count > 60 && train.recent_mean(30) > 0.9 * step.facts().chance()->level) …
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

class JudgedStep;
class Tensor;
struct KnownTensor;

/// What a loss measures, as its name tells.
enum class LossKind : std::uint8_t {
  unknown,        ///< the name tells nothing, as in "loss"
  cross_entropy,  ///< of several classes, from scores or from logarithms of probabilities
  binary,         ///< cross entropy of yes and no
  squared,        ///< the mean squared error
  absolute,       ///< the mean absolute error
  huber,          ///< the absolute error that is squared below 1: Huber, SmoothL1
  other,          ///< a loss of another kind: nothing is known of its level
};

/// Returns the kind of the loss `name`.
LossKind loss_kind_of(std::string_view name);

/// A whole series in bounded memory: means of equally many values, of twice as many whenever there are 128 means.
struct LossHistory {
  static constexpr std::size_t most_means = 128;

  std::int64_t width = 1;                ///< values in a mean
  std::vector<double> means = {};        ///< from the first to the last finished one
  std::vector<std::int64_t> steps = {};  ///< of each, the mode step of its last value
  double open_sum = 0;                   ///< of the values that have no mean yet
  std::int64_t open_count = 0;           ///< their number

  void add(double value, std::int64_t mode_step);
  void exchange(RuleState& state);
};

/// The loss in one mode: of the first tensor with that role. NaN and infinities are counted, and enter nothing else.
struct LossSeries {
  static constexpr std::size_t most_recent = 128;

  std::string tensor = {};               ///< its name; empty: none was saved
  LossKind kind = LossKind::unknown;     ///< what the name tells
  std::int64_t count = 0;                ///< finite values so far
  std::int64_t not_finite = 0;           ///< other values so far
  bool in_step = false;                  ///< whether the step at hand has one
  double now = 0;                        ///< the value in the step at hand, if it has one
  double first = 0;                      ///< the first finite value
  double best = 0;                       ///< the least finite value
  double smooth = 0;                     ///< an exponential average over about 20 steps, and 7 values at least
  double best_smooth = 0;                ///< the least of these averages, from the fifth value on
  std::int64_t best_count = 0;           ///< the count of finite values when that average was reached
  std::int64_t above_best = 0;           ///< how many values in a row had an average above twice the best
  std::int64_t above_since = 0;          ///< the mode step of the first of them
  std::int64_t last_mode_step = -1;      ///< the mode step of the last value
  std::vector<double> recent = {};       ///< the last values, at most 128: a ring
  std::vector<std::int64_t> steps = {};  ///< their mode steps: the same ring
  LossHistory history = {};              ///< all values

  /// Returns the mean of the last `n` values, or of all if there are fewer. Empty: NaN.
  [[nodiscard]] double recent_mean(std::size_t n) const;
  /// Returns the value `back` values before the last one. `back` is less than `kept()`.
  [[nodiscard]] double before(std::size_t back) const;
  [[nodiscard]] std::int64_t step_before(std::size_t back) const;
  /// The number of values in `recent`.
  [[nodiscard]] std::size_t kept() const noexcept { return recent.size(); }

  void add(double value, std::int64_t mode_step);
  void exchange(RuleState& state);
};

/// What the labels are.
enum class Task : std::uint8_t { unknown, classification, regression };

/// The labels and predictions of the last finished block of at least 200 examples. If one label is so frequent that
/// fewer than 20 others are among them, the block is longer, up to 4000 examples.
struct ExampleBlock {
  std::int64_t number = 0;         ///< how many blocks are finished
  std::int64_t examples = 0;       ///< in the block
  std::int64_t predictions = 0;    ///< how many of the examples have a prediction
  std::int64_t guesses = 0;        ///< predictions, also those of which only the classes were counted
  double correct = 0;              ///< the share of predictions that are the label
  double by_chance = 0;            ///< the share that would be right if predictions were independent of the labels
  double majority = 0;             ///< the share of the most frequent label
  double top_prediction = 0;       ///< the share of the most frequent prediction
  double label_variance = 0;       ///< of regression
  double prediction_variance = 0;  ///< of regression
  double squared_error = 0;        ///< of regression: its mean

  /// Returns the share of right predictions that a constant one, or one that does not depend on the labels, exceeds by
  /// chance only; `deviations`: standard errors. Where one label is frequent, a good network hardly exceeds its share:
  /// what counts is the dependence on labels.
  [[nodiscard]] double correct_of_constant(double deviations) const;

  /// Returns how many of the wrong predictions of a constant one are right here, as a share; of numbers, the share of
  /// the variance that predictions explain. 0 if there are too few predictions, or they are worse.
  [[nodiscard]] double advantage() const;

  /// Returns whether there are enough predictions, and they are no better than a constant one.
  [[nodiscard]] bool is_no_better_than_constant(double deviations) const;

  void exchange(RuleState& state);
};

/// Running counts of labels and predictions in one mode.
struct Examples {
  static constexpr std::size_t most_classes = 4096;
  static constexpr std::int64_t block_size = 200;
  static constexpr std::int64_t longest_block = 4000;
  static constexpr std::int64_t least_others = 20;
  static constexpr std::int32_t no_class = -1;  ///< an example that is left out, as with a negative label

  Task task = Task::unknown;
  std::int64_t classes = 0;                  ///< outputs of the network, 0 if unknown
  std::int64_t count = 0;                    ///< examples so far
  std::vector<std::int64_t> labels = {};     ///< examples by label
  std::vector<std::int64_t> predicted = {};  ///< examples by prediction
  std::vector<std::int64_t> right = {};      ///< examples by label whose prediction was right
  double label_mean = 0;                     ///< of regression
  double label_deviations = 0;               ///< of regression: the sum of (label - mean)^2
  double label_abs_deviations = 0;           ///< of regression: the sum of |label - running mean|
  double label_huber_deviations = 0;         ///< of regression: the sum of the Huber loss of the same
  ExampleBlock block = {};                   ///< the last finished block
  bool block_ends = false;                   ///< whether a block was finished in the step at hand

  /// The classes of the examples of the step at hand, and those predicted, equally many or none.
  std::vector<std::int32_t> labels_now = {}, predicted_now = {};

  /// If only the classes of the labels of the step at hand were counted: these counts.
  std::vector<std::int64_t> label_counts_now = {};

  /// The block in progress.
  struct Open {
    std::int64_t examples = 0, predictions = 0, guesses = 0, correct = 0;
    std::vector<std::int64_t> labels = {}, predicted = {};
    double label_sum = 0, label_squares = 0, prediction_sum = 0, prediction_squares = 0, squared_error = 0;
    void exchange(RuleState& state);
  };
  Open open = {};

  /// Takes the labels of a step, and its predictions if there are any. `limit`: single predictions above it mean yes;
  /// NaN: unknown.
  void add(const Tensor& labels, const Tensor* predictions, LossKind kind, double limit);
  /// Takes counts of classes, where the elements were not saved. Which prediction belongs to which label is unknown.
  void add_counts(const std::vector<std::int64_t>& labels_by_class,
                  const std::vector<std::int64_t>& predicted_by_class);
  void exchange(RuleState& state);

 private:
  void end_block_if_full();
  void add_class(std::int32_t label, std::int32_t prediction);
  void add_number(double label, double prediction);
  void end_block();
};

/// The loss of the best constant prediction.
struct Chance {
  /// How it is known.
  enum class Source : std::uint8_t { labels, classes };

  double level = 0;
  Source source = Source::labels;

  /// Returns the source in words, for messages.
  [[nodiscard]] constexpr std::string_view text() const noexcept {
    return source == Source::labels ? "as the saved labels tell" : "as the number of classes tells";
  }
  void exchange(RuleState& state) { state(level)(source); }
};

/// All of it. It is a few kilobytes, and a few more for each thousand classes.
struct TrainingFacts {
  std::array<LossSeries, 4> losses = {};  ///< by mode; losses named validation, eval or test count as EVAL
  std::array<Examples, 4> examples = {};  ///< by mode
  std::int64_t outputs = 0;               ///< the size of the last layer, 0 if unknown
  /// Whether the first step of training shows weights that nothing has trained yet: all biases of all layers are
  /// constant, or all weights look like those that PyTorch draws by default. A training that goes on from other
  /// weights begins with a low loss.
  bool is_from_scratch = false;
  /// Whether an example has several labels of classes, as each token of a text or each place of an image has.
  bool has_sequences = false;

  [[nodiscard]] const LossSeries& loss(Mode mode) const noexcept { return losses[index_of(mode)]; }
  [[nodiscard]] const Examples& examples_of(Mode mode) const noexcept { return examples[index_of(mode)]; }

  /// Returns the loss that is trained: of TRAIN, else GLOBAL, else EVAL. Its count is 0 if no loss was saved.
  [[nodiscard]] const LossSeries& trained_loss() const noexcept;

  /// Returns what a training should bring that loss far below: the level of chance, else its first value.
  [[nodiscard]] double trained_from() const noexcept { return chance_ ? chance_->level : trained_loss().first; }

  /// Returns whether the labels are tokens, or places: what comes next is never certain, as if labels were noisy. There
  /// are several labels in an example, or as many classes as rows of an embedding.
  [[nodiscard]] bool predicts_sequences() const noexcept;

  /// Returns the last block of examples: of TRAIN, else GLOBAL, else EVAL.
  [[nodiscard]] const ExampleBlock& trained_block() const noexcept;

  /// Returns the loss of the best constant prediction: from the frequencies of at least 64 labels, else from the number
  /// of classes if the name of the loss tells its kind; nullopt if neither is known.
  [[nodiscard]] const std::optional<Chance>& chance() const noexcept { return chance_; }

  /// Takes what a step tells.
  void add(const JudgedStep& step);
  void exchange(RuleState& state);

 private:
  void add_losses(const JudgedStep& step);
  void add_outputs(const JudgedStep& step);
  void add_initial_weights(const JudgedStep& step);
  void add_examples(const JudgedStep& step);
  [[nodiscard]] std::optional<Chance> find_chance() const;

  std::optional<Chance> chance_;
  std::int64_t tries_ = 0;           // how many steps were asked for `outputs`
  std::int64_t embedding_rows_ = 0;  // of the first embedding, 0 if unknown
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/training_facts_impl.hpp>
#endif
