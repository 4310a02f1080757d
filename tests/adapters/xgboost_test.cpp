#ifdef TENSORTAP_TEST_XGBOOST
#include <tensortap/adapters/xgboost.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;

namespace {

void require_xgboost(int result) {
  INFO(XGBGetLastError());
  REQUIRE(result == 0);
}

/// Random numbers in [0, 1), with labels, as a matrix of XGBoost.
class XgboostData {
 public:
  enum class Labels { sum, step, classes };

  XgboostData(std::size_t rows, std::size_t columns, Labels labels, std::uint32_t seed) : labels_(rows) {
    std::vector<float> cells(rows * columns);
    for (float& cell : cells) {
      seed = seed * 1664525u + 1013904223u;
      cell = static_cast<float>(seed >> 8) * 0x1p-24F;
    }
    for (std::size_t i = 0; i < rows; ++i) {
      const float* const row = &cells[i * columns];
      labels_[i] = labels == Labels::sum    ? row[0] + 2 * row[1] * row[2]
                   : labels == Labels::step ? (row[0] > 0.5F ? 1.0F : 0.0F)
                   : row[0] + row[1] < 0.8F ? 0.0F
                   : row[0] + row[1] < 1.2F ? 1.0F
                                            : 2.0F;
    }
    require_xgboost(XGDMatrixCreateFromMat(cells.data(), rows, columns, -1, &matrix_));
    require_xgboost(XGDMatrixSetFloatInfo(matrix_, "label", labels_.data(), rows));
  }
  XgboostData(const XgboostData&) = delete;
  XgboostData& operator=(const XgboostData&) = delete;
  ~XgboostData() { XGDMatrixFree(matrix_); }

  [[nodiscard]] DMatrixHandle matrix() const { return matrix_; }
  [[nodiscard]] const std::vector<float>& labels() const { return labels_; }

 private:
  std::vector<float> labels_;
  DMatrixHandle matrix_ = nullptr;
};

using XgboostParameters = std::vector<std::pair<std::string, std::string>>;

class TestBooster {
 public:
  TestBooster(const XgboostData& data, const XgboostParameters& parameters) : train_(data.matrix()) {
    require_xgboost(XGBoosterCreate(&train_, 1, &booster_));
    for (const auto& [name, value] : parameters)
      require_xgboost(XGBoosterSetParam(booster_, name.c_str(), value.c_str()));
    require_xgboost(XGBoosterSetParam(booster_, "nthread", "1"));
    require_xgboost(XGBoosterSetParam(booster_, "verbosity", "0"));
  }
  TestBooster(const TestBooster&) = delete;
  TestBooster& operator=(const TestBooster&) = delete;
  ~TestBooster() { XGBoosterFree(booster_); }

  void update(int round) { require_xgboost(XGBoosterUpdateOneIter(booster_, round, train_)); }
  [[nodiscard]] BoosterHandle handle() const { return booster_; }

  /// Returns predictions by the older function of XGBoost's API.
  [[nodiscard]] std::vector<float> predict(DMatrixHandle matrix, int mask) const {
    bst_ulong count = 0;
    const float* out = nullptr;
    require_xgboost(XGBoosterPredict(booster_, matrix, mask, 0, 0, &count, &out));
    return {out, out + count};
  }
  /// Returns the text of all trees.
  [[nodiscard]] std::vector<std::string> trees() const {
    bst_ulong count = 0;
    const char** texts = nullptr;
    require_xgboost(XGBoosterDumpModel(booster_, "", 1, &count, &texts));
    return {texts, texts + count};
  }

 private:
  DMatrixHandle train_ = nullptr;
  BoosterHandle booster_ = nullptr;
};

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t out = 0;
  for (std::size_t at = text.find(what); at < text.size(); at = text.find(what, at + 1)) ++out;
  return out;
}

std::vector<float> floats_of(const tt::Trial& trial, const std::string& name, std::int64_t step) {
  INFO(name);
  const auto value = trial.tensor(name).value(step);
  REQUIRE(value);
  const auto elements = value->as<float>();
  return {elements.begin(), elements.end()};
}

double number_of(const tt::Trial& trial, const std::string& name, std::int64_t step) {
  INFO(name);
  const auto value = trial.tensor(name).value(step);
  REQUIRE(value);
  REQUIRE(value->size() == 1);
  return value->number(0);
}

}  // namespace

TEST_CASE("a training with XGBoost has the tensors of smdebug's hook", "[adapters][xgboost]") {
  const XgboostData train(120, 4, XgboostData::Labels::step, 1), validation(12, 4, XgboostData::Labels::step, 2);
  const XgboostParameters parameters = {{"objective", "binary:logistic"}, {"eta", "0.3"}, {"max_depth", "3"}};
  TestBooster booster(train, parameters);
  require_xgboost(XGBoosterSetParam(booster.handle(), "eval_metric", "rmse"));
  require_xgboost(XGBoosterSetParam(booster.handle(), "eval_metric", "auc"));
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, {.collections = tt::xgboost_collections(tt::every(3))});
    tt::XgboostTap tap(hook, booster.handle(),
                       {.train = train.matrix(), .validation = validation.matrix(), .hyperparameters = parameters});
    for (int round = 0; round < 9; ++round) {
      booster.update(round);
      tap.after_round(round);
    }
    CHECK(hook.status().notes.empty());
    hook.close();
  }
  const tt::Trial ours(store);
  // The run that smdebug wrote; its tensors have made-up values, but true names, types, shapes and steps.
  const tt::Trial golden(std::string(TENSORTAP_TEST_DATA_DIR) + "/golden/xgboost_like");
  CHECK(ours.steps(tt::Mode::global) == golden.steps(tt::Mode::global));
  CHECK(ours.steps(tt::Mode::train).empty());
  std::size_t compared = 0;
  for (const tt::TensorHistory& theirs : golden.tensors()) {
    const std::string& name = theirs.name();
    INFO(name);
    // Trees of these data split at few features.
    if (name.starts_with("feature_importance/weight/") && !ours.has_tensor(name)) continue;
    REQUIRE(ours.has_tensor(name));
    for (const std::int64_t step : theirs.steps()) {
      const auto expected = theirs.value(step);
      const auto value = ours.tensor(name).value(step);
      if (name.starts_with("feature_importance/") && !value) continue;
      REQUIRE(value);
      CHECK(value->dtype() == expected->dtype());
      CHECK(value->shape() == expected->shape());
      ++compared;
    }
  }
  CHECK(compared >= 3 * 5 + 3);
  CHECK(number_of(ours, "hyperparameters/eta", 0) == 0.3);
  CHECK(number_of(ours, "hyperparameters/max_depth", 0) == 3);
  CHECK(ours.tensor("hyperparameters/objective").value(0)->strings() == std::vector<std::string>{"binary:logistic"});
  CHECK(ours.collection("metrics"));
  std::set<std::string> losses;
  for (const auto& tensor : ours.tensors({.collection = "losses"})) losses.insert(tensor.name());
  CHECK(losses == std::set<std::string>{"train-rmse", "validation-rmse"});
}

TEST_CASE("what the tap saves is what XGBoost computes otherwise", "[adapters][xgboost]") {
  const XgboostData train(200, 5, XgboostData::Labels::sum, 3), validation(50, 5, XgboostData::Labels::sum, 4);
  TestBooster booster(train, {{"objective", "reg:squarederror"}, {"max_depth", "4"}});
  auto collections = tt::xgboost_collections(tt::every(2));
  collections.push_back({.name = "average_shap", .include_regex = "^average_shap/", .save = tt::every(2)});
  collections.push_back({.name = "full_shap", .include_regex = "^full_shap/", .save = tt::every(2)});
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = collections});
  tt::XgboostTap tap(hook, booster.handle(), {.train = train.matrix(), .validation = validation.matrix()});
  for (int round = 0; round < 3; ++round) {
    booster.update(round);
    tap.after_round(round);
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.steps(tt::Mode::global) == std::vector<std::int64_t>{0, 2});

  const std::vector<float> predictions = booster.predict(validation.matrix(), 0);
  CHECK(floats_of(trial, "predictions", 2) == predictions);
  CHECK(floats_of(trial, "predictions", 0) != predictions);
  CHECK(floats_of(trial, "labels", 2) == validation.labels());
  double squares = 0;
  for (std::size_t i = 0; i < predictions.size(); ++i)
    squares += std::pow(static_cast<double>(predictions[i]) - static_cast<double>(validation.labels()[i]), 2);
  CHECK(number_of(trial, "validation-rmse", 2) == Approx(std::sqrt(squares / 50)).epsilon(1e-5));

  const std::vector<std::string> trees = booster.trees();
  REQUIRE(trees.size() == 3);
  std::string all_trees;
  for (const std::string& tree : trees) all_trees += tree;
  const double splits = static_cast<double>(count_of(all_trees, "["));
  for (const std::string feature : {"f0", "f1", "f2"})
    CHECK(number_of(trial, "feature_importance/weight/" + feature, 2) * splits ==
          Approx(static_cast<double>(count_of(all_trees, "[" + feature + "<"))));
  for (const std::string kind : {"weight", "gain", "cover", "total_gain", "total_cover"}) {
    double sum = 0;
    for (const auto& tensor : trial.tensors({.include_regex = "^feature_importance/" + kind + "/"}))
      sum += tensor.value(2)->number(0);
    CHECK(sum == Approx(1));
  }

  // The table has each node of the last tree, in the order of its numbers.
  const auto nodes = trial.tensor("trees/Node").value(2);
  const auto features = trial.tensor("trees/Feature").value(2)->strings();
  REQUIRE(nodes->dtype() == tt::DType::i64);
  CHECK(nodes->size() == count_of(trees[2], "\n"));
  CHECK(std::is_sorted(nodes->as<std::int64_t>().begin(), nodes->as<std::int64_t>().end()));
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    const std::string id = std::to_string(nodes->as<std::int64_t>()[i]) + ":";
    const std::size_t at = trees[2].starts_with(id) ? 0 : trees[2].find("\t" + id) + 1;
    REQUIRE(at < trees[2].size());
    const std::string line = trees[2].substr(at, trees[2].find('\n', at) - at);
    INFO(line);
    const bool is_leaf = features[i] == "Leaf";
    CHECK(line.starts_with(id + (is_leaf ? "leaf=" : "[" + features[i] + "<")));
    CHECK(trial.tensor("trees/ID").value(2)->strings()[i] == "2-" + id.substr(0, id.size() - 1));
    const double gain = trial.tensor("trees/Gain").value(2)->number(i);
    const double cover = trial.tensor("trees/Cover").value(2)->number(i);
    CHECK(std::stod(line.substr(line.find(is_leaf ? "leaf=" : "gain=") + 5)) == gain);
    CHECK(std::stod(line.substr(line.find("cover=") + 6)) == cover);
    const std::string yes = trial.tensor("trees/Yes").value(2)->strings()[i];
    if (is_leaf) {
      CHECK(yes == "nan");
      CHECK(std::isnan(trial.tensor("trees/Split").value(2)->number(i)));
    } else {
      CHECK_THAT(line, contains("yes=" + yes.substr(2) + ","));
      CHECK(std::stod(line.substr(line.find('<') + 1)) == trial.tensor("trees/Split").value(2)->number(i));
    }
  }

  // The contributions of a row add up to its prediction.
  const std::vector<float> margins = booster.predict(train.matrix(), 1);
  std::vector<double> sums(margins.size());
  for (const std::string feature : {"f0", "f1", "f2", "f3", "f4", "bias"}) {
    const std::vector<float> column = floats_of(trial, "full_shap/" + feature, 2);
    REQUIRE(column.size() == margins.size());
    double mean = 0;
    for (std::size_t i = 0; i < column.size(); ++i) {
      sums[i] += static_cast<double>(column[i]);
      mean += static_cast<double>(column[i]) / static_cast<double>(column.size());
    }
    CHECK(number_of(trial, "average_shap/" + feature, 2) == Approx(mean).margin(1e-6));
  }
  for (std::size_t i = 0; i < margins.size(); ++i)
    CHECK(sums[i] == Approx(static_cast<double>(margins[i])).margin(1e-5));

  // Without hyperparameters, those of the booster are saved.
  CHECK(number_of(trial, "hyperparameters/max_depth", 0) == 4);
  CHECK(number_of(trial, "hyperparameters/eta", 0) == 0.3);
  CHECK(trial.tensor("hyperparameters/objective").value(0)->strings()[0] == "reg:squarederror");
}

TEST_CASE("a round of several classes has all its trees", "[adapters][xgboost]") {
  const XgboostData train(150, 3, XgboostData::Labels::classes, 5);
  TestBooster booster(train, {{"objective", "multi:softprob"}, {"num_class", "3"}, {"max_depth", "2"}});
  const char* names[] = {"width", "height", "a b"};
  require_xgboost(XGBoosterSetStrFeatureInfo(booster.handle(), "feature_name", names, 3));
  auto collections = tt::xgboost_collections(tt::every(1));
  collections.push_back({.name = "average_shap", .include_regex = "^average_shap/", .save = tt::every(1)});
  collections.push_back({.name = "full_shap", .include_regex = "^full_shap/", .save = tt::every(1)});
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = collections});
  tt::XgboostTap tap(hook, booster.handle(), {.train = train.matrix(), .validation = train.matrix()});
  for (int round = 0; round < 2; ++round) {
    booster.update(round);
    tap.after_round(round, "[" + std::to_string(round) + "]\ttrain-ndcg@5:0.25\ta-b-map:nan");
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("predictions").value(1)->shape() == tt::Tensor::Shape{150, 3});
  CHECK(trial.tensor("full_shap/a b").value(1)->shape() == tt::Tensor::Shape{150, 3});
  const auto trees = trial.tensor("trees/Tree").value(1);
  const auto of_trees = trees->as<std::int64_t>();
  CHECK(std::set<std::int64_t>(of_trees.begin(), of_trees.end()) == std::set<std::int64_t>{3, 4, 5});
  CHECK(trial.has_tensor("feature_importance/gain/width"));
  CHECK(trial.has_tensor("average_shap/height"));
  CHECK(number_of(trial, "train-ndcg@5", 1) == 0.25);  // of the text; XGBoost was not asked again
  CHECK_FALSE(trial.has_tensor("train-mlogloss"));
  const auto report = tt::xgboost_report(trial);
  CHECK_THAT(report, contains("\"task\":\"classification\""));
  CHECK_THAT(report, contains("\"objective\":\"multi:softprob\""));
}

TEST_CASE("a linear booster has no trees", "[adapters][xgboost]") {
  const XgboostData train(50, 3, XgboostData::Labels::sum, 6);
  TestBooster booster(train, {{"booster", "gblinear"}});
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1)});  // all tensors
  tt::XgboostTap tap(hook, booster.handle(), {.train = train.matrix()});
  booster.update(0);
  tap.after_round(0);
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.has_tensor("train-rmse"));
  CHECK(trial.has_tensor("full_shap/f0"));
  CHECK(trial.tensors({.include_regex = "^(trees|feature_importance)/"}).empty());
}

TEST_CASE("the tap asks XGBoost for what is due only, and passes on its errors", "[adapters][xgboost]") {
  const XgboostData train(50, 3, XgboostData::Labels::sum, 7);
  const XgboostData wider(50, 4, XgboostData::Labels::sum, 8);  // XGBoost refuses to predict its rows
  TestBooster booster(train, {});
  booster.update(0);
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "labels", .save = tt::every(1)},
                                        {.name = "predictions", .save = tt::at({2})},
                                        {.name = "trees", .save = tt::at({3})},
                                        {.name = "metrics", .include_regex = "^train-", .save = tt::at({4})}}});
  tt::XgboostTap tap(hook, booster.handle(), {.train = train.matrix(), .validation = wider.matrix()});
  tap.after_round(0);
  tap.after_round(1);
  try {
    tap.after_round(2);
    FAIL("it did not throw");
  } catch (const tt::Error& error) {
    CHECK(error.code() == tt::Errc::invalid_option);
    const std::string text = error.what();
    CHECK(text.starts_with("xgboost: XGBoosterPredictFromDMatrix: "));
    CHECK_THAT(text, contains("feature"));
    CHECK_THAT(text, contains("; see whether"));
    CHECK(text.find('\n') > text.size());
    CHECK(text.find("Stack trace") > text.size());
  }
  tap.after_round(3);
  CHECK_THROWS_AS(tap.after_round(3), tt::Error);  // the step does not grow
  CHECK_THROWS_WITH(tap.after_round(4, "[4]\ttrain-rmse"), contains("\"train-rmse\" is no name and number"));
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("labels").steps().size() >= 3);
  CHECK(trial.tensor("trees/Node").steps() == std::vector<std::int64_t>{3});
  CHECK_FALSE(trial.has_tensor("predictions"));
  CHECK_THROWS_WITH(tt::XgboostTap(hook, nullptr), contains("the booster is null"));
}

TEST_CASE("collections of one's own cost what they save", "[adapters][xgboost]") {
  const XgboostData train(50, 3, XgboostData::Labels::sum, 7);
  const XgboostData wider(50, 4, XgboostData::Labels::sum, 8);  // XGBoost refuses to predict its rows
  TestBooster booster(train, {{"objective", "reg:squarederror"}});
  booster.update(0);
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "of f0", .include_regex = "/f0$", .save = tt::every(1)},
                                        {.name = "eta", .include_regex = "/eta$", .save = tt::every(1)},
                                        {.name = "depth", .include_regex = "^trees/Tree$", .save = tt::at({1})},
                                        {.name = "measured", .include_regex = "^validation-", .save = tt::at({2})},
                                        {.name = "answers", .include_regex = "^predictions$", .save = tt::at({4})}}});
  tt::XgboostTap tap(hook, booster.handle(), {.train = train.matrix(), .validation = wider.matrix()});
  // Neither predictions nor metrics of the wider matrix can be computed: these rounds ask for none.
  for (int round = 0; round < 2; ++round) tap.after_round(round, "\tvalidation-rmse:1\ttrain-rmse:2");
  CHECK_THROWS_WITH(tap.after_round(2), contains("XGBoosterEvalOneIter"));
  tap.after_round(3);
  CHECK_THROWS_WITH(tap.after_round(4), contains("XGBoosterPredictFromDMatrix"));
  hook.close();
  std::set<std::string> names;
  const tt::Trial trial(store);
  for (const auto& tensor : trial.tensors()) names.insert(tensor.name());
  CHECK(names == std::set<std::string>{"average_shap/f0", "feature_importance/cover/f0", "feature_importance/gain/f0",
                                       "feature_importance/total_cover/f0", "feature_importance/total_gain/f0",
                                       "feature_importance/weight/f0", "full_shap/f0", "hyperparameters/eta",
                                       "trees/Tree"});
  CHECK(trial.tensor("trees/Tree").steps() == std::vector<std::int64_t>{1});
  CHECK(trial.tensor("full_shap/f0").steps() == std::vector<std::int64_t>{0, 1, 3});
}

TEST_CASE("the rules for XGBoost run on a tapped training", "[adapters][xgboost]") {
  const XgboostData train(400, 12, XgboostData::Labels::sum, 9);
  TestBooster booster(train, {{"max_depth", "6"}, {"min_child_weight", "1"}});
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = tt::xgboost_collections(tt::every(1))});
  tt::XgboostTap tap(hook, booster.handle(), {.train = train.matrix()});
  for (int round = 0; round < 2; ++round) {
    booster.update(round);
    tap.after_round(round);
  }
  hook.close();
  const tt::Trial trial(store);
  const auto deep = tt::evaluate(trial, {tt::TreeDepth{}});
  REQUIRE_FALSE(deep.findings.empty());
  CHECK(deep.findings[0].tensor == "trees/Node");
  CHECK(deep.findings[0].value == 6);
  CHECK(tt::evaluate(trial, {tt::TreeDepth{.depth = 6}}).findings.empty());
  const auto few = tt::evaluate(trial, {tt::FeatureImportanceOverweight{.threshold = 0.3, .min_features = 3}});
  REQUIRE_FALSE(few.findings.empty());
  CHECK_THAT(few.findings[0].message, contains("feature_importance/weight/f"));
}
#endif
