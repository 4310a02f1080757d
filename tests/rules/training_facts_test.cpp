#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/training_facts.hpp>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/loss_steps.hpp"

namespace tt = tensortap;
using namespace loss_steps;

namespace {

/// Returns the facts after the last step of a run.
tt::TrainingFacts facts_of(const Run& run) {
  tt::TrainingFacts out;
  const tt::Judge judge({tt::Rule("look", [&](const tt::JudgedStep& step) {
    out = step.facts();
    return std::vector<tt::Finding>();
  })});
  for (const auto& step : run.steps()) judge(*step);
  return out;
}

/// A step with a loss, and a tensor of which only reductions are known.
class ReducedRun final : public tt::StepView {
 public:
  ReducedRun(std::string loss, std::string tensor, std::map<tt::Reduction, double> reductions)
      : loss_(std::move(loss)), tensor_(std::move(tensor)), reductions_(std::move(reductions)) {}
  [[nodiscard]] tt::Step step() const override { return {tt::Mode::train, 0, 0}; }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    if (collection.empty()) return {loss_, tensor_};
    if (collection == "losses") return {loss_};
    return collection == "gradients" ? std::vector<std::string>{tensor_} : std::vector<std::string>();
  }
  [[nodiscard]] std::optional<tt::Tensor> value(std::string_view name) const override {
    return name == loss_ ? std::optional(tensor_of({1.6})) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view name, tt::Reduction r) const override {
    const auto found = reductions_.find(r);
    return name == tensor_ && found != reductions_.end() ? std::optional(found->second) : std::nullopt;
  }
  [[nodiscard]] std::optional<tt::Statistics> statistics(std::string_view name) const override {
    return name == loss_ ? std::optional(tt::statistics(tensor_of({1.6}))) : std::nullopt;
  }

  /// Returns the level of chance that it tells; -1: none.
  [[nodiscard]] double chance() const {
    double out = -1;
    const tt::Judge judge({tt::Rule("look", [&](const tt::JudgedStep& step) {
      if (const auto& known = step.facts().chance()) out = known->level;
      return std::vector<tt::Finding>();
    })});
    judge(*this);
    return out;
  }

 private:
  std::string loss_, tensor_;
  std::map<tt::Reduction, double> reductions_;
};

double chance_of(const Run& run) {
  const auto chance = facts_of(run).chance();
  return chance ? chance->level : -1;
}

}  // namespace

TEST_CASE("the name of a loss tells its kind", "[rules][training_facts]") {
  using K = tt::LossKind;
  CHECK(tt::loss_kind_of("CrossEntropyLoss_output_0") == K::cross_entropy);
  CHECK(tt::loss_kind_of("NLLLoss_output_0") == K::cross_entropy);
  CHECK(tt::loss_kind_of("train/cross_entropy_loss") == K::cross_entropy);
  CHECK(tt::loss_kind_of("BCELoss_output_0") == K::binary);
  CHECK(tt::loss_kind_of("BCEWithLogitsLoss_output_0") == K::binary);
  CHECK(tt::loss_kind_of("train-logloss") == K::binary);
  CHECK(tt::loss_kind_of("train-mlogloss") == K::cross_entropy);
  CHECK(tt::loss_kind_of("MSELoss_output_0") == K::squared);
  CHECK(tt::loss_kind_of("L1Loss_output_0") == K::absolute);
  CHECK(tt::loss_kind_of("SmoothL1Loss_output_0") == K::huber);
  CHECK(tt::loss_kind_of("HuberLoss_output_0") == K::huber);
  CHECK(tt::loss_kind_of("GaussianNLLLoss_output_0") == K::other);
  CHECK(tt::loss_kind_of("TripletMarginLoss_output_0") == K::other);
  CHECK(tt::loss_kind_of("KLDivLoss_output_0") == K::other);
  CHECK(tt::loss_kind_of("loss") == K::unknown);
}

TEST_CASE("each mode has its loss, of the first tensor of that role", "[rules][training_facts]") {
  Run run("loss");
  run.train(3, {{"val_loss", tensor_of({5})}}).train(2, {{"val_loss", tensor_of({4})}}).eval(7);
  const auto facts = facts_of(run);
  CHECK(facts.loss(tt::Mode::train).tensor == "loss");
  CHECK(facts.loss(tt::Mode::train).count == 2);
  CHECK(facts.loss(tt::Mode::train).before(0) == 2);
  CHECK(facts.loss(tt::Mode::eval).tensor == "val_loss");  // although it was saved in TRAIN steps
  CHECK(facts.loss(tt::Mode::eval).count == 2);
  CHECK(facts.trained_loss().tensor == "loss");
}

TEST_CASE("NaN is counted, and enters no mean", "[rules][training_facts]") {
  Run run("loss");
  for (int i = 0; i < 300; ++i) run.train(i % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : 2);
  const auto facts = facts_of(run);
  const tt::LossSeries& loss = facts.loss(tt::Mode::train);
  CHECK(loss.count == 200);
  CHECK(loss.not_finite == 100);
  CHECK(loss.kept() == 128);
  CHECK(loss.recent_mean(128) == 2);
  CHECK(loss.smooth == Approx(2));
  CHECK(loss.step_before(0) == 299);
  CHECK(loss.history.width == 2);
  CHECK(loss.history.means.size() == 100);
}

TEST_CASE("a history keeps means of all values in bounded memory", "[rules][training_facts]") {
  tt::LossHistory history;
  for (int i = 0; i < 1000; ++i) history.add(i, i);
  CHECK(history.width == 8);
  REQUIRE(history.means.size() == 125);
  CHECK(history.means.front() == 3.5);
  CHECK(history.steps.front() == 7);
  CHECK(history.means.back() == 995.5);
}

TEST_CASE("chance is the entropy of the labels", "[rules][training_facts]") {
  Run run;
  for (int i = 0; i < 20; ++i) run.train(1, {{"CrossEntropyLoss_input_1", classes_of({0, 0, 0, 1, 0, 0, 0, 1, 0, 0})}});
  const auto facts = facts_of(run);
  REQUIRE(facts.chance());
  CHECK(facts.chance()->level == Approx(-0.8 * std::log(0.8) - 0.2 * std::log(0.2)).margin(0.01));
  CHECK(facts.chance()->source == tt::Chance::Source::labels);
  CHECK(facts.examples_of(tt::Mode::train).labels == std::vector<std::int64_t>{160, 40});
}

TEST_CASE("chance comes from the number of classes before there are labels", "[rules][training_facts]") {
  const std::vector<double> ten(10, 0.5);
  CHECK(chance_of(Run().train(2.3, {{"CrossEntropyLoss_input_0", table_of(ten, 5)}})) == Approx(std::log(5)));
  CHECK(chance_of(Run().train(2.3, {{"fc1.bias", tensor_of({1, 2, 3})}, {"fc2.bias", tensor_of(ten)}})) ==
        Approx(std::log(10)));
  CHECK(chance_of(Run().train(2.3, {{"gradient/fc2.bias", tensor_of(ten)},
                                    {"gradient/fc2.weight", table_of(ten, 1)}})) == Approx(std::log(10)));
  CHECK(chance_of(Run("BCEWithLogitsLoss_output_0").train(1)) == Approx(std::log(2)));
  CHECK(chance_of(Run().train(2.3)) == -1);
  CHECK(chance_of(Run("loss").train(2.3, {{"fc2.bias", tensor_of(ten)}})) == -1);
  CHECK(chance_of(Run("MSELoss_output_0").train(2.3, {{"fc2.bias", tensor_of(ten)}})) == -1);
}

TEST_CASE("of two layers that may be the last, the first loss tells which", "[rules][training_facts]") {
  // A backward pass saves the last layer first, and "classifier" comes before "features".
  const Tensors gradients = {{"gradient/classifier.bias", tensor_of(std::vector<double>(10, 1))},
                             {"gradient/features.bias", tensor_of(std::vector<double>(64, 1))}};
  CHECK(chance_of(Run().train(2.4, gradients)) == Approx(std::log(10)));
  CHECK(chance_of(Run().train(4.2, gradients)) == Approx(std::log(64)));
}

TEST_CASE("chance of numbers is their spread", "[rules][training_facts]") {
  const auto of = [](const std::string& loss) {
    Run run(loss);
    for (int i = 0; i < 100; ++i) run.train(1, {{"labels", tensor_of({-2.5, -0.5, 0.5, 2.5})}});
    return chance_of(run);
  };
  CHECK(of("MSELoss_output_0") == Approx(3.25).epsilon(0.02));
  CHECK(of("L1Loss_output_0") == Approx(1.5).epsilon(0.02));
  CHECK(of("SmoothL1Loss_output_0") == Approx((2 + 0.125) / 2).epsilon(0.02));
  CHECK(of("PoissonNLLLoss_output_0") == -1);
}

TEST_CASE("labels in rows with a single 1 are classes", "[rules][training_facts]") {
  Run run("MSELoss_output_0");
  for (int i = 0; i < 100; ++i)
    run.train(1, {{"labels", table_of({0, 1, 1, 0}, 2)}, {"predictions", table_of({0.1, 0.9, 0.2, 0.8}, 2)}});
  const auto facts = facts_of(run);
  const tt::Examples& seen = facts.examples_of(tt::Mode::train);
  CHECK(seen.task == tt::Task::classification);
  CHECK(seen.block.correct == 0.5);
  CHECK(facts.chance()->level == Approx(0.25));
}

TEST_CASE("labels of several questions are answers of a binary cross entropy", "[rules][training_facts]") {
  const auto facts_with = [](const std::string& loss, const std::vector<double>& labels) {
    Run run(loss + "_output_0");
    for (int i = 0; i < 100; ++i)
      run.train(1,
                {{loss + "_input_0", table_of({2, -3, 4, -1, 0.5, -2}, 3)}, {loss + "_input_1", table_of(labels, 3)}});
    return facts_of(run);
  };
  const auto several = facts_with("BCEWithLogitsLoss", {1, 0, 1, 0, 0, 1});
  const tt::Examples& seen = several.examples_of(tt::Mode::train);
  CHECK(seen.task == tt::Task::classification);
  CHECK(seen.labels == std::vector<std::int64_t>{300, 300});
  CHECK(seen.block.correct == Approx(4.0 / 6));
  CHECK(several.chance()->level == Approx(std::log(2)).epsilon(0.01));

  const auto one_each = facts_with("BCEWithLogitsLoss", {1, 0, 0, 0, 0, 1});
  CHECK(one_each.examples_of(tt::Mode::train).labels == std::vector<std::int64_t>{100, 0, 100});
  CHECK(one_each.chance()->level == Approx(std::log(2) * 2 / 3));  // the third class never occurs

  const auto shares = facts_with("BCEWithLogitsLoss", {0.9, 0, 1, 0.3, 0.6, 0.1});
  const tt::ExampleBlock& block = shares.examples_of(tt::Mode::train).block;
  CHECK(shares.examples_of(tt::Mode::train).task == tt::Task::regression);
  CHECK(block.squared_error < 0.1 * block.label_variance);  // of what the sigmoid makes of the scores
}

TEST_CASE("a block has enough examples of other labels", "[rules][training_facts]") {
  Run run;
  std::vector<std::int64_t> labels(100, 0);
  labels[0] = 1;
  for (int i = 0; i < 19; ++i) run.train(1, {{"labels", classes_of(labels)}, {"predictions", classes_of(labels)}});
  CHECK(facts_of(run).examples_of(tt::Mode::train).block.number == 0);
  run.train(1, {{"labels", classes_of(labels)}, {"predictions", classes_of(labels)}});
  const auto facts = facts_of(run);
  const tt::ExampleBlock& block = facts.examples_of(tt::Mode::train).block;
  CHECK(block.number == 1);
  CHECK(block.examples == 2000);
  CHECK(block.majority == 0.99);
  CHECK(block.correct == 1);
  CHECK(block.by_chance == Approx(0.99 * 0.99 + 0.01 * 0.01));
}

TEST_CASE("predictions are scores, shares, classes or images of scores", "[rules][training_facts]") {
  const auto right = [](const std::string& name, const tt::Tensor& labels, const tt::Tensor& predictions) {
    Run run("loss");
    run.train(1, {{"labels", labels}, {name, predictions}});
    const auto facts = facts_of(run);
    return facts.examples_of(tt::Mode::train).open.correct;
  };
  CHECK(right("predictions", classes_of({1, 0}), table_of({0, 3, 2, 1}, 2)) == 2);
  CHECK(right("predictions", classes_of({1, 0}), tensor_of({0.7, 0.4})) == 2);
  CHECK(right("predictions", classes_of({1, 0}), tensor_of({0.2, -3})) == 2);
  CHECK(right("predictions", classes_of({3, 1}), tensor_of({3, 0})) == 1);
  CHECK(right("BCEWithLogitsLoss_input_0", tensor_of({1, 0}), tensor_of({0.2, 0.3})) == 1);
  CHECK(right("predictions", classes_of({1, -100}), table_of({0, 3, 2, 1}, 2)) == 1);  // -100 is left out
  CHECK(right("predictions", classes_of({1, 0}), table_of({0, NAN, 2, 1}, 2)) == 1);
  tt::Tensor image(tt::DType::f64, {1, 2, 2, 1});  // one example, two classes, two places
  const std::vector<double> scores = {5, 0, 1, 9};
  std::copy(scores.begin(), scores.end(), image.as<double>().begin());
  tt::Tensor places(tt::DType::i64, {1, 2, 1});
  places.as<std::int64_t>()[1] = 1;
  CHECK(right("predictions", places, image) == 2);
}

TEST_CASE("labels that looked like classes turn out to be numbers", "[rules][training_facts]") {
  Run run("loss");
  run.train(1, {{"labels", tensor_of({1, 2})}}).train(1, {{"labels", tensor_of({1.5, 2})}});
  const auto facts = facts_of(run);
  const tt::Examples& seen = facts.examples_of(tt::Mode::train);
  CHECK(seen.task == tt::Task::regression);
  CHECK(seen.labels.empty());
  CHECK(seen.count == 2);
}

TEST_CASE("names of labels and predictions", "[rules][training_facts]") {
  for (const char* name : {"labels", "labels_0", "train/label", "targets_12", "CrossEntropyLoss_input_1", "y_true"}) {
    CAPTURE(name);
    CHECK(tt::role_of(name).role == tt::Role::labels);
  }
  for (const char* name : {"predictions", "predictions_1", "MSELoss_input_0", "net/logits", "y_pred"}) {
    CAPTURE(name);
    CHECK(tt::role_of(name).role == tt::Role::predictions);
  }
  for (const char* name : {"label_embedding.weight", "logits.weight", "CrossEntropyLoss_output_0", "labels_output_0"}) {
    CAPTURE(name);
    CHECK(tt::role_of(name).role != tt::Role::labels);
    CHECK(tt::role_of(name).role != tt::Role::predictions);
  }
}

TEST_CASE("counts of classes tell the level of chance as the labels do", "[rules][training_facts]") {
  const auto run_of = [](bool only_counts, const std::string& loss) {
    Run run(loss);
    run.only_counts = only_counts;
    Noise noise(0);
    for (int i = 0; i < 50; ++i) run.train(1, answers(noise, 16, 5, 0.5));
    return run;
  };
  const auto counted = facts_of(run_of(true, "CrossEntropyLoss_output_0"));
  const auto saved = facts_of(run_of(false, "CrossEntropyLoss_output_0"));
  REQUIRE(counted.chance());
  CHECK(counted.chance()->level == saved.chance()->level);
  CHECK(counted.chance()->source == tt::Chance::Source::labels);
  const tt::Examples& a = counted.examples_of(tt::Mode::train);
  const tt::Examples& b = saved.examples_of(tt::Mode::train);
  CHECK(a.labels == b.labels);
  CHECK(a.predicted == b.predicted);
  CHECK(a.block.number == b.block.number);
  CHECK(a.block.majority == b.block.majority);
  CHECK(a.block.top_prediction == b.block.top_prediction);
  CHECK(a.block.guesses == b.block.guesses);
  CHECK(a.block.predictions == 0);  // which of them belongs to which label is unknown
  CHECK(a.label_counts_now.size() == 5);
  CHECK(b.label_counts_now.empty());
  CHECK_FALSE(facts_of(run_of(true, "MSELoss_output_0")).chance());  // counts say nothing of numbers
}

TEST_CASE("scores of several classes make a squared error one of classes", "[rules][training_facts]") {
  Run run("MSELoss_output_0");
  for (int i = 0; i < 20; ++i)
    run.train(0.2, {{"labels", classes_of({0, 1, 2, 1})},
                    {"predictions", table_of({1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}, 3)}});
  const auto facts = facts_of(run);
  CHECK(facts.examples_of(tt::Mode::train).task == tt::Task::classification);
  CHECK(facts.examples_of(tt::Mode::train).right == std::vector<std::int64_t>{20, 40});
}

TEST_CASE("reductions of a bias tell the number of classes", "[rules][training_facts]") {
  // Of 5 elements: the norm and the mean magnitude, or the norm, the mean and the deviation.
  const auto chance_with = [](double factor, double std = 0.8) {
    ReducedRun run("CrossEntropyLoss_output_0", "gradient/Net_fc.bias",
                   {{tt::Reduction::l2, factor}, {tt::Reduction::mean, 0.6}, {tt::Reduction::std, std}});
    return run.chance();
  };
  CHECK(chance_with(std::sqrt(5.0)) == Approx(std::log(5.0)));
  CHECK(chance_with(std::sqrt(5.0), std::sqrt(0.64 * 5 / 4)) == Approx(std::log(5.0)));  // as PyTorch divides
  CHECK(chance_with(std::sqrt(5.5)) == -1);
}

TEST_CASE("the first weights and biases tell whether anything was trained before", "[rules][training_facts]") {
  const auto is_from_scratch = [](double size, double bias, std::int64_t skipped = 0) {
    Run run;
    for (std::int64_t i = 0; i < skipped; ++i) run.only(tt::Mode::train, {});
    std::vector<double> weight(100);  // even steps from -size to size
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = size * (2 * static_cast<double>(i) / 99 - 1);
    run.train(1, {{"fc.weight", table_of(weight, 25)}, {"fc.bias", tensor_of({bias, 0.1, 0.1, 0.1})}});
    run.train(1, {{"fc.weight", table_of(weight, 25)}, {"fc.bias", tensor_of({0.3, 0.1, 0.1, 0.1})}});
    return facts_of(run).is_from_scratch;
  };
  CHECK(is_from_scratch(0.7, 0.1));           // biases are constant
  CHECK(is_from_scratch(0.2, -0.05));         // 1 / sqrt(25)
  CHECK_FALSE(is_from_scratch(0.21, -0.05));  // one is larger
  CHECK_FALSE(is_from_scratch(0.15, -0.05));  // all are too small
  CHECK_FALSE(is_from_scratch(0.2, 0.1, 1));  // the first step that was saved is a later one
}

TEST_CASE("each kind of layer has limits of its own for new weights", "[rules][training_facts]") {
  const auto is_from_scratch = [](const std::string& name, double limit, std::int64_t rows, std::int64_t columns) {
    std::vector<double> weight(static_cast<std::size_t>(rows * columns));
    const auto last = static_cast<double>(weight.size() - 1);
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = limit * (2 * static_cast<double>(i) / last - 1);
    Run run;
    run.train(1, {{name, table_of(weight, columns)}, {"fc.bias", tensor_of({0.2, 0.1})}});
    return facts_of(run).is_from_scratch;
  };
  CHECK(is_from_scratch("Net_rnn.weight_ih_l0", 0.25, 64, 9));   // an LSTM of 16 units
  CHECK(is_from_scratch("Net_rnn.weight_hh_l0", 0.25, 48, 16));  // a GRU
  CHECK(is_from_scratch("Net_rnn.weight_ih_l0", 0.25, 16, 9));
  CHECK_FALSE(is_from_scratch("Net_rnn.weight_ih_l0", 0.3, 64, 9));
  CHECK_FALSE(is_from_scratch("Net_fc.weight", 0.2, 64, 9));
  CHECK(is_from_scratch("Net_attention.in_proj_weight", std::sqrt(6.0 / 64), 48, 16));  // Glorot
  CHECK(is_from_scratch("Net_fc.weight", std::sqrt(6.0 / 16), 48, 16));                 // Kaiming
}
