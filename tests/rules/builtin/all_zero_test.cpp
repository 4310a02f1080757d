#include <tensortap/rules/builtin/all_zero.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::AllZero;

namespace {

Steps steps_of(Saved saved = Saved::elements, std::int64_t count = 5) {
  return train_steps(
      count,
      [](std::int64_t) {
        return StepOfList::Tensors{{"zero", numbers({0, -0.0, 0, 0})},
                                   {"most", numbers({0, 1, 0, 0})},
                                   {"gradient/zero", numbers({0, 0})},
                                   {"gradient/nan", numbers({0, not_a_number})},
                                   {"gradient/empty", numbers({})}};
      },
      saved);
}

}  // namespace

TEST_CASE("chosen tensors of zeros are found", "[rules][all_zero]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
    const auto findings = judged(AllZero{.tensor_regex = "zero, most"}, steps_of(saved));
    REQUIRE(tensors_of(findings) == Names{"gradient/zero", "zero"});
    CHECK(findings[0].step.mode_step == 0);
    CHECK(findings[0].value == 100);
    CHECK(findings[0].count == 5);
  }
  CHECK(tensors_of(judged(AllZero{.tensor_regex = "most", .threshold = 75}, steps_of())) == Names{"most"});
  CHECK(judged(AllZero{.tensor_regex = "most", .threshold = 75.1}, steps_of()).empty());
  CHECK(tensors_of(judged(AllZero{.collection_names = "gradients"}, steps_of())) == Names{"gradient/zero"});
}

TEST_CASE("without a choice, gradients that are zero five times are an advice", "[rules][all_zero]") {
  const auto findings = judged(AllZero{}, steps_of());
  REQUIRE(tensors_of(findings, tt::Severity::advice) == Names{"gradient/zero"});
  CHECK(findings[0].step.mode_step == 4);
  CHECK(judged(AllZero{}, steps_of(Saved::elements, 4)).empty());
}

TEST_CASE("parameters of zeros", "[rules][all_zero]") {
  tt::Rule rule = AllZero{};
  rule.set("threshold", "50");
  rule.set("tensor_regex", "most");
  CHECK(judged(rule, steps_of()).size() == 1);
  CHECK_THROWS_WITH(tt::Judge({AllZero{.threshold = 101}})(StepOfList({}, {})), contains("AllZero"));
}

TEST_CASE("a weight whose gradient has always been zero is an error", "[rules][all_zero]") {
  const auto found_in = [](const std::string& gradient, std::int64_t count, std::int64_t other) {
    return judged(AllZero{}, train_steps(count, [&](std::int64_t step) {
                    return StepOfList::Tensors{{gradient, numbers({step == other ? 1.0 : 0.0, 0})}};
                  }));
  };
  const auto findings = found_in("gradient/fc.weight", 50, -1);
  CHECK(tensors_of(findings, tt::Severity::error) == Names{"gradient/fc.weight"});
  CHECK(tensors_of(findings, tt::Severity::advice) == Names{"gradient/fc.weight"});  // before step 40
  CHECK(tensors_of(found_in("gradient/fc.weight", 40, -1), tt::Severity::error).empty());
  CHECK(tensors_of(found_in("gradient/fc.weight", 50, 3), tt::Severity::error).empty());  // it was trained
  CHECK(tensors_of(found_in("gradient/fc.bias", 50, -1), tt::Severity::error).empty());
}
