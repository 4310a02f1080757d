#include <tensortap/rules/builtin/exploding_tensor.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::ExplodingTensor;

namespace {

StepOfList::Tensors network(double in_gradient, double in_weight = 1) {
  return {{"fc1.weight", numbers({1, in_weight, 3, 4, 5, 6}, {2, 3})},
          {"loss", numbers({0.5})},
          {"gradient/fc1.weight", numbers({1, 2, 3, 4, 5, in_gradient}, {2, 3})}};
}

}  // namespace

TEST_CASE("the first bad value is named with its step, tensor, element, coordinates and bits",
          "[rules][exploding_tensor]") {
  const Steps steps =
      train_steps(6, [](std::int64_t i) { return network(i == 3 ? not_a_number : 6, i == 4 ? -infinite : 1); });
  const auto findings = judged(ExplodingTensor{}, steps);
  REQUIRE(tensors_of(findings) == Names{"gradient/fc1.weight", "fc1.weight"});
  CHECK(findings[0].step == tt::Step{tt::Mode::train, 3, 3});
  CHECK(findings[0].value == 1);
  CHECK(findings[0].count == 1);
  CHECK_THAT(findings[0].message, contains("1 NaN and 0 infinities among 6 elements; the first is element 5 at [1, 2] "
                                           "with bits 0x7ff8000000000000; finite before it: \"fc1.weight\", \"loss\""));
  CHECK(findings[1].step.global_step == 4);
  CHECK_THAT(findings[1].message, contains("0 NaN and 1 infinities among 6 elements; the first is element 1 at [0, 1] "
                                           "with bits 0xfff0000000000000; no finite tensor was saved before it"));
}

TEST_CASE("any injected value is named, in any form in which the tensor is saved", "[rules][exploding_tensor]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions})
    for (const double bad : {not_a_number, infinite, -infinite})
      for (const std::size_t at : {0U, 1U, 7U, 22U}) {
        CAPTURE(static_cast<int>(saved), bad, at);
        const Steps steps = train_steps(
            4,
            [&](std::int64_t i) {
              return StepOfList::Tensors{
                  {"a", numbers({1, 2})},
                  {"b", filled({23}, [&](std::size_t k) { return k == at && i >= 2 ? bad : 1.0; })},
                  {"c", numbers({3})}};
            },
            saved);
        const auto findings = judged(ExplodingTensor{}, steps);
        REQUIRE(tensors_of(findings) == Names{"b"});
        CHECK(findings[0].step.global_step == 2);
        CHECK(findings[0].count == 2);
        CHECK(findings[0].last_step == 3);
        CHECK_THAT(findings[0].message, contains("; finite before it: \"a\""));
        if (saved != Saved::few_reductions)
          CHECK_THAT(findings[0].message, contains("the first is element " + std::to_string(at)));
      }
}

TEST_CASE("a mask of attention has infinities by design", "[rules][exploding_tensor]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
    CAPTURE(static_cast<int>(saved));
    const auto found_in = [&](const std::string& name, std::vector<double> elements, const ExplodingTensor& rule = {}) {
      return tensors_of(judged(rule, train_steps(
                                         1,
                                         [&](std::int64_t) {
                                           return StepOfList::Tensors{{name, numbers(elements, {2, 2})}};
                                         },
                                         saved)));
    };
    const std::vector<double> mask = {0, -infinite, 0, 0};
    CHECK(found_in("encoder_input_1", mask).empty());
    CHECK(found_in("Net_mask", mask).empty());
    CHECK(found_in("encoder_output_0", mask).size() == 1);
    CHECK(found_in("encoder_input_1", {0, -infinite, 0, 1}).size() == 1);
    CHECK(found_in("encoder_input_1", {0, not_a_number, 0, 0}).size() == 1);
    CHECK(found_in("encoder_input_1", mask, ExplodingTensor::smdebug()).size() == 1);
    CHECK(found_in("encoder_input_1", mask, ExplodingTensor{.tensor_regex = "input"}).size() == 1);
  }
}

TEST_CASE("names, collections and only_nan choose what counts", "[rules][exploding_tensor]") {
  const Steps steps = train_steps(1, [](std::int64_t) {
    return StepOfList::Tensors{
        {"gradient/a", numbers({infinite})}, {"x", numbers({not_a_number})}, {"y", numbers({infinite})}};
  });
  CHECK(tensors_of(judged(ExplodingTensor{}, steps)) == Names{"gradient/a", "x", "y"});
  CHECK(tensors_of(judged(ExplodingTensor{.only_nan = true}, steps)) == Names{"x"});
  CHECK(tensors_of(judged(ExplodingTensor{.tensor_regex = "^y, nothing"}, steps)) == Names{"y"});
  CHECK(tensors_of(judged(ExplodingTensor{.collection_names = "gradients"}, steps)) == Names{"gradient/a"});
  CHECK(tensors_of(judged(ExplodingTensor{.collection_names = "gradients", .tensor_regex = "x"}, steps)) ==
        Names{"gradient/a", "x"});
  tt::Rule rule = ExplodingTensor{};
  rule.set("only_nan", "true");
  rule.set("tensor_regex", "x");
  CHECK(tensors_of(judged(rule, steps)) == Names{"x"});
}

TEST_CASE("finite values of any size are no finding", "[rules][exploding_tensor]") {
  const Steps steps = train_steps(2, [](std::int64_t) {
    return StepOfList::Tensors{
        {"a", numbers({1e300, -1e300, 1e-320})}, {"b", numbers({})}, {"c", tt::Tensor(Names{"nan"})}};
  });
  CHECK(judged(ExplodingTensor{}, steps).empty());
}
