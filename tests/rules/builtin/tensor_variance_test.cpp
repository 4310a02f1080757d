#include <tensortap/rules/builtin/tensor_variance.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::TensorVariance;

namespace {

Steps variance_steps(Saved saved = Saved::elements) {
  return train_steps(
      2,
      [](std::int64_t) {
        return StepOfList::Tensors{{"a", numbers({-1, 1})}, {"b", numbers({-2, 2})}, {"gradient/c", numbers({5, 5})}};
      },
      saved);
}

}  // namespace

TEST_CASE("variances beyond the thresholds are found, not those at them", "[rules][tensor_variance]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
    const auto findings = judged(TensorVariance{.max_threshold = 1, .min_threshold = 1}, variance_steps(saved));
    REQUIRE(tensors_of(findings) == Names{"b", "gradient/c"});
    CHECK(findings[0].value == Approx(4));
    CHECK(findings[0].step.mode_step == 0);
    CHECK(findings[0].count == 2);
    CHECK(findings[1].value == 0);
  }
  CHECK(judged(TensorVariance{}, variance_steps()).empty());
  CHECK(tensors_of(judged(TensorVariance{.max_threshold = 3.9}, variance_steps())) == Names{"b"});
  CHECK(tensors_of(judged(TensorVariance{.min_threshold = 1e-9}, variance_steps())) == Names{"gradient/c"});
}

TEST_CASE("names and collections choose the tensors of variances", "[rules][tensor_variance]") {
  tt::Rule rule = TensorVariance{};
  rule.set("max_threshold", "0.5");
  rule.set("tensor_regex", "a");
  CHECK(tensors_of(judged(rule, variance_steps())) == Names{"a"});
  rule.set("tensor_regex", "");
  rule.set("collection_names", "gradients");
  CHECK(judged(rule, variance_steps()).empty());
}

TEST_CASE("a tensor that is not finite has no variance", "[rules][tensor_variance]") {
  const Steps steps = train_steps(1, [](std::int64_t) {
    return StepOfList::Tensors{{"a", numbers({1, not_a_number})}, {"b", numbers({1, infinite})}, {"c", numbers({})}};
  });
  CHECK(judged(TensorVariance{.max_threshold = 0, .min_threshold = 1}, steps).empty());
}
