// Taps a training with XGBoost's C API.
//
// The added lines are those with `hook` and `tap`. The run has smdebug's names and steps, so that the rules for
// XGBoost, `tensortap report` and smdebug itself read it. XGBoost computes predictions, importance and the like only in
// the steps that save them: by default each tenth round.
#include <xgboost/c_api.h>

#include <cmath>
#include <iostream>
#include <numbers>
#include <random>
#include <stdexcept>
#include <string>
#include <tensortap/adapters/xgboost.hpp>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;

namespace {

void require(int result) {
  if (result != 0) throw std::runtime_error(XGBGetLastError());
}

/// Returns rows of Friedman's first function: five features count, five do not.
DMatrixHandle friedman(std::size_t rows, unsigned seed) {
  constexpr std::size_t columns = 10;
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::normal_distribution<float> noise(0, 1);
  std::vector<float> cells(rows * columns), labels(rows);
  for (float& cell : cells) cell = uniform(generator);
  for (std::size_t i = 0; i < rows; ++i) {
    const float* const x = &cells[i * columns];
    labels[i] = 10 * std::sin(std::numbers::pi_v<float> * x[0] * x[1]) + 20 * (x[2] - 0.5F) * (x[2] - 0.5F) +
                10 * x[3] + 5 * x[4] + noise(generator);
  }
  DMatrixHandle out = nullptr;
  require(XGDMatrixCreateFromMat(cells.data(), rows, columns, std::nanf(""), &out));
  require(XGDMatrixSetFloatInfo(out, "label", labels.data(), rows));
  return out;
}

}  // namespace

int main() {
  DMatrixHandle train = friedman(2000, 1), validation = friedman(500, 2);
  BoosterHandle booster = nullptr;
  require(XGBoosterCreate(&train, 1, &booster));
  for (const auto& [name, value] : {std::pair("objective", "reg:squarederror"), {"max_depth", "6"}, {"eta", "0.3"}})
    require(XGBoosterSetParam(booster, name, value));

  tt::Hook hook("runs/xgboost", {.collections = tt::xgboost_collections()});
  tt::XgboostTap tap(hook, booster, {.train = train, .validation = validation});
  for (int round = 0; round < 50; ++round) {
    require(XGBoosterUpdateOneIter(booster, round, train));
    tap.after_round(round);
  }
  hook.close();
  require(XGBoosterFree(booster));
  for (DMatrixHandle matrix : {train, validation}) require(XGDMatrixFree(matrix));

  const tt::Trial trial("runs/xgboost");
  for (const char* name : {"train-rmse", "validation-rmse"}) {
    std::cout << name;
    for (const auto step : trial.tensor(name).steps())
      std::cout << ' ' << step << ": " << trial.tensor(name).value(step)->number(0);
    std::cout << '\n';
  }
  for (const tt::TensorHistory& tensor : trial.tensors({.include_regex = "^feature_importance/gain/"}))
    std::cout << tensor.name() << ' ' << tensor.value(40).value_or(tt::Tensor()).number(0) << '\n';
  const auto verdict = tt::evaluate(trial, {tt::TreeDepth{}, tt::FeatureImportanceOverweight{}});
  for (const tt::Finding& finding : verdict.findings) std::cout << finding << '\n';
  return verdict.findings.empty() ? 1 : 0;  // trees of depth 6 are too deep for TreeDepth
}
