#include <tensortap/rules/builtin/feature_importance_overweight.hpp>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

/// Returns what the rule finds in features f0, f1 … of these importances.
std::vector<tt::Finding> found(const std::vector<double>& importances, const tt::FeatureImportanceOverweight& rule = {},
                               const std::string& kind = "weight") {
  std::map<std::string, tt::Tensor, std::less<>> tensors;
  for (std::size_t i = 0; i < importances.size(); ++i)
    tensors["feature_importance/" + kind + "/f" + std::to_string(i)] = tensor_of({importances[i]});
  return Shown(rule)(StepOfMap({tt::Mode::global, 5, 5}, tensors));
}

}  // namespace

TEST_CASE("few features that weigh too much are found", "[rules][feature_importance_overweight]") {
  const auto findings = found({1, 40, 1, 30, 1, 1, 1, 20, 1, 1});
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].tensor.empty());
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[0].value == Approx(90. / 97));
  CHECK(findings[0].threshold == 0.8);
  CHECK_THAT(findings[0].message,
             contains("weight/f1\", \"feature_importance/weight/f3\", \"feature_importance/weight/f7\""));
  CHECK(found({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}).empty());
  CHECK(found({4, 4, 2, 0.5, 0.5, 0.5, 0.5, 0.25, 0.125, 0.125}).empty());  // 0.8 exactly
  CHECK(found({9, 9, 9, 1, 1, 1, 1, 1, 1, 1}, {}, "gain").empty());         // another importance
}

TEST_CASE("models of few features are not judged, unless as smdebug does", "[rules][feature_importance_overweight]") {
  CHECK(found({1, 1, 1}).empty());
  CHECK(found({1, 1, 1}, tt::FeatureImportanceOverweight::smdebug()).size() == 1);
  CHECK(found({1, 1, 1, 1}, tt::FeatureImportanceOverweight::smdebug()).empty());  // 0.75
  CHECK(found({}, tt::FeatureImportanceOverweight::smdebug()).empty());
  CHECK(found({0, 0}, tt::FeatureImportanceOverweight::smdebug()).empty());
}

TEST_CASE("importances that are no numbers are left out", "[rules][feature_importance_overweight]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(found({nan, INFINITY, -1, 9, 9, 9, 1}, tt::FeatureImportanceOverweight::smdebug()).at(0).value ==
        Approx(27. / 28));
  CHECK_THROWS(found({1}, {.threshold = nan}));
  CHECK_THROWS(found({1}, {.nfeatures = 0}));
}
