#include <tensortap/rules/xgboost_report.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using nlohmann::json;

namespace {

json report_of(const tt::Trial& trial) { return json::parse(tt::xgboost_report(trial)); }

/// Returns a number in [0, 1) that looks random.
double chance_of(std::uint64_t i) {
  i = (i + 1) * 0x9e3779b97f4a7c15u;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  return static_cast<double>((i ^ (i >> 27)) >> 11) * 0x1p-53;
}

/// A run as smdebug's hook for XGBoost would write it.
class XgboostRun {
 public:
  explicit XgboostRun(const std::string& objective)
      : hook_(store_, {.collections = {{.name = "all", .save = tt::every(1)},
                                       {.name = "metrics", .include_regex = "^[a-zA-z]+-[a-zA-z0-9]+$"}}}),
        objective_(objective) {}

  void step(const std::vector<float>& labels, const std::vector<float>& predictions, std::int64_t width = 1) {
    const auto n = static_cast<std::int64_t>(labels.size());
    hook_.begin_step();
    if (steps_ == 0) {
      hook_.save("hyperparameters/objective", objective_);
      hook_.save("hyperparameters/max_depth", 6);
    }
    hook_.save("train-rmse", 1.0 / (1 + steps_));
    hook_.save("validation-rmse", 2.0 / (1 + steps_));
    hook_.save("feature_importance/weight/f0", 3.0 + steps_);
    hook_.save("feature_importance/weight/f7", 30.0);
    hook_.save("feature_importance/gain/f7", 0.5);
    hook_.save("labels", labels);
    if (width == 1) {
      hook_.save("predictions", predictions);
    } else {
      hook_.save("predictions",
                 tt::TensorView(predictions.data(), tt::DType::f32, std::vector<std::int64_t>{n, width}));
    }
    ++steps_;
  }
  json report() {
    hook_.close();
    return report_of(tt::Trial(store_));
  }

 private:
  std::shared_ptr<tt::MemoryStore> store_ = std::make_shared<tt::MemoryStore>();
  tt::Hook hook_;
  std::string objective_;
  int steps_ = 0;
};

/// Returns the share of pairs of a yes and a no that the scores put in the right order.
double area_by_pairs(const std::vector<float>& labels, const std::vector<float>& scores) {
  double right = 0, pairs = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    for (std::size_t j = 0; j < labels.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  return right / pairs;
}

}  // namespace

TEST_CASE("the report of two classes", "[rules][xgboost_report]") {
  XgboostRun run("binary:logistic");
  std::vector<float> labels, scores;
  for (std::uint64_t i = 0; i < 500; ++i) {
    labels.push_back(chance_of(i) < 0.3 ? 1.0F : 0.0F);
    const double score = 0.4 * static_cast<double>(labels.back()) + 0.6 * chance_of(i + 1000);
    scores.push_back(static_cast<float>(std::round(score * 100) / 100));  // some are equal
  }
  run.step(labels, std::vector<float>(500, 0.5F));
  run.step(labels, scores);
  const json report = run.report();
  CHECK(report["objective"] == "binary:logistic");
  CHECK(report["task"] == "classification");
  CHECK(report["hyperparameters"] == json({{"max_depth", 6}, {"objective", "binary:logistic"}}));
  CHECK(report["metrics"]["train-rmse"] == json({{0, 1}, {1, 0.5}}));
  CHECK(report["metrics"]["validation-rmse"] == json({{0, 2}, {1, 1}}));
  CHECK(report["metrics"].size() == 2);
  CHECK(report["feature_importance"]["weight"] ==
        json({{"step", 1}, {"features", json::array({json::array({"f7", 30}), json::array({"f0", 4})})}}));
  CHECK(report["feature_importance"]["gain"]["features"] == json::array({json::array({"f7", 0.5})}));

  std::int64_t counts[2][2] = {};
  for (std::size_t i = 0; i < labels.size(); ++i) ++counts[labels[i] == 1 ? 1 : 0][scores[i] > 0.5F ? 1 : 0];
  const json& confusion = report["confusion"];
  CHECK(confusion["step"] == 1);
  CHECK(confusion["counts"] == json({{counts[0][0], counts[0][1]}, {counts[1][0], counts[1][1]}}));
  CHECK(report["labels"]["counts"] == json({counts[0][0] + counts[0][1], counts[1][0] + counts[1][1]}));
  CHECK(confusion["accuracy"].get<double>() == static_cast<double>(counts[0][0] + counts[1][1]) / 500);
  const auto tp = static_cast<double>(counts[1][1]);
  const double precision = tp / static_cast<double>(counts[0][1] + counts[1][1]);
  const double recall = tp / static_cast<double>(counts[1][0] + counts[1][1]);
  const json& yes = confusion["classes"][1];
  CHECK(yes["precision"].get<double>() == Approx(precision));
  CHECK(yes["recall"].get<double>() == Approx(recall));
  CHECK(yes["f1"].get<double>() == Approx(2 * tp / (2 * tp + static_cast<double>(counts[0][1] + counts[1][0]))));
  CHECK(yes["support"] == counts[1][0] + counts[1][1]);
  const double no_f1 = confusion["classes"][0]["f1"].get<double>();
  CHECK(confusion["macro"]["f1"].get<double>() == Approx((no_f1 + yes["f1"].get<double>()) / 2));
  CHECK(confusion["micro"]["f1"].get<double>() == Approx(confusion["accuracy"].get<double>()));
  CHECK(confusion["weighted"]["recall"].get<double>() == Approx(confusion["accuracy"].get<double>()));

  CHECK(report["class_accuracy"][0] == json({{"step", 0}, {"accuracy", {1, 0}}}));  // all are predicted to be 0
  CHECK(report["class_accuracy"][1]["accuracy"][1].get<double>() == Approx(recall));
  CHECK(report["roc"]["area"].get<double>() == Approx(area_by_pairs(labels, scores)));
  CHECK(report["roc"]["points"].front() == json({0, 0}));
  CHECK(report["roc"]["points"].back() == json({1, 1}));
  CHECK(report["residuals"].is_null());
}

TEST_CASE("the report of several classes", "[rules][xgboost_report]") {
  const std::vector<float> labels = {0, 1, 2, 2, 2, 0};
  const std::vector<float> shares = {0.8F, 0.1F, 0.1F, 0.5F, 0.4F, 0.1F, 0.1F, 0.2F, 0.7F,
                                     0.2F, 0.3F, 0.5F, 0.6F, 0.2F, 0.2F, 0.9F, 0.1F, 0.0F};
  XgboostRun of_shares("multi:softprob");
  of_shares.step(labels, shares, 3);
  const json expected = {{2, 0, 0}, {1, 0, 0}, {1, 0, 2}};
  const json report = of_shares.report();
  CHECK(report["confusion"]["counts"] == expected);
  CHECK(report["confusion"]["classes"][1]["recall"] == 0);
  CHECK(report["confusion"]["classes"][2]["precision"] == 1);
  CHECK(report["labels"]["counts"] == json({2, 1, 3}));
  CHECK(report["roc"].is_null());
  XgboostRun of_classes("multi:softmax");
  of_classes.step(labels, {0, 0, 2, 2, 0, 0});
  CHECK(of_classes.report()["confusion"]["counts"] == expected);
  XgboostRun of_scores("binary:logitraw");
  of_scores.step({0, 1, 1, 0}, {-0.5F, 0.2F, -0.1F, 0.9F});
  CHECK(of_scores.report()["confusion"]["counts"] == json({{1, 1}, {1, 1}}));
}

TEST_CASE("the report of a regression", "[rules][xgboost_report]") {
  for (const bool is_whole : {true, false}) {
    CAPTURE(is_whole);
    XgboostRun run(is_whole ? "reg:squarederror" : "");  // whole numbers are no classes if the objective says so
    std::vector<float> labels, first, second;
    for (std::uint64_t i = 0; i < 200; ++i) {
      labels.push_back(static_cast<float>(i) + (is_whole ? 0.0F : 0.5F));
      first.push_back(labels.back() - 10);
      second.push_back(labels.back() + (i < 100 ? 1.0F : -3.0F));
    }
    second[0] = std::nanf("");
    run.step(labels, first);
    run.step(labels, second);
    const json report = run.report();
    CHECK(report["task"] == "regression");
    CHECK(report["confusion"].is_null());
    CHECK(report["residuals"]["mean"].get<double>() == Approx((-99.0 + 300) / 199));
    const double mean = (-99.0 + 300) / 199;
    const double squares = 99 * (-1 - mean) * (-1 - mean) + 100 * (3 - mean) * (3 - mean);
    CHECK(report["residuals"]["std"].get<double>() == Approx(std::sqrt(squares / 199)));
    CHECK(report["residuals"]["counts"].size() == 20);
    CHECK(report["residuals"]["counts"].front() == 99);
    CHECK(report["residuals"]["counts"].back() == 100);
    CHECK(report["residuals"]["edges"].front() == -1);
    CHECK(report["residuals"]["edges"].back() == 3);
    std::int64_t all = 0;
    for (const json& count : report["labels"]["counts"]) all += count.get<std::int64_t>();
    CHECK(all == 200);
    const json& errors = report["absolute_error"];
    CHECK(errors["edges"].size() == 11);
    CHECK(errors["steps"][0]["mean"] == json(std::vector<int>(10, 10)));
    CHECK(errors["steps"][1]["mean"] == json({1, 1, 1, 1, 1, 3, 3, 3, 3, 3}));
  }
}

TEST_CASE("the report of a run of smdebug", "[rules][xgboost_report]") {
  const tt::Trial trial(std::string(TENSORTAP_TEST_DATA_DIR) + "/golden/xgboost_like");
  const json report = report_of(trial);
  CHECK(report["objective"] == "binary:logistic");
  CHECK(report["task"] == "classification");
  CHECK(report["hyperparameters"].size() == 3);
  const auto steps = trial.tensor("predictions").steps();
  const auto labels = *trial.tensor("labels").value(steps.back());
  const auto scores = *trial.tensor("predictions").value(steps.back());
  std::vector<float> label_list, score_list;
  double right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    label_list.push_back(static_cast<float>(labels.number(i)));
    score_list.push_back(static_cast<float>(scores.number(i)));
    right += (scores.number(i) > 0.5) == (labels.number(i) == 1) ? 1 : 0;
  }
  CHECK(report["confusion"]["step"] == steps.back());
  CHECK(report["confusion"]["accuracy"].get<double>() == Approx(right / static_cast<double>(labels.size())));
  CHECK(report["roc"]["area"].get<double>() == Approx(area_by_pairs(label_list, score_list)));
  CHECK(report["class_accuracy"].size() == steps.size());
  const auto rmse = trial.tensor("train-rmse");
  REQUIRE(report["metrics"]["train-rmse"].size() == rmse.steps().size());
  for (std::size_t i = 0; i < rmse.steps().size(); ++i)
    CHECK(report["metrics"]["train-rmse"][i] == json({rmse.steps()[i], rmse.value(rmse.steps()[i])->number(0)}));
  CHECK(report["metrics"].contains("validation-auc"));
  CHECK(report["feature_importance"]["weight"]["features"].size() == 4);
}

TEST_CASE("the report of a run without any of it", "[rules][xgboost_report]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1)});
  hook.begin_step();
  hook.save("x", 1);
  hook.save("labels", "words");
  hook.save("predictions", std::vector<float>{1, 2});
  hook.close();
  const json report = report_of(tt::Trial(store));
  CHECK(report["metrics"].empty());
  CHECK(report["feature_importance"].empty());
  for (const char* member :
       {"objective", "task", "labels", "confusion", "class_accuracy", "roc", "residuals", "absolute_error"}) {
    CAPTURE(member);
    CHECK(report.at(member).is_null());
  }
}
