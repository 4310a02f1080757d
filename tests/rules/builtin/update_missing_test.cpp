#include <tensortap/rules/builtin/update_missing.hpp>

#include <cstdint>
#include <optional>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"
#include "rules/builtin/still_weights.hpp"

namespace tt = tensortap;
using tt::UpdateMissing;

namespace {

const auto first_is_forgotten = [](std::size_t layer, std::int64_t) { return layer == 1; };
const auto nothing_moves = [](std::size_t, std::int64_t) { return false; };
const auto no_gradient = [](std::size_t, std::int64_t) { return std::optional<double>(); };

}  // namespace

TEST_CASE("a weight with a gradient that never changes is found", "[rules][update_missing]") {
  for (const Saved saved : {Saved::elements, Saved::statistics, Saved::few_reductions}) {
    const auto findings = judged(UpdateMissing{}, StillTraining{.moves = first_is_forgotten}.steps(50, saved));
    REQUIRE(tensors_of(findings) == Names{"fc0.weight"});
    CHECK(findings[0].step.mode_step == 40);
    CHECK(findings[0].count == 10);
    CHECK_THAT(findings[0].message, contains("it has not changed since step 0, in 40 checks"));
  }
  const auto rare = judged(UpdateMissing{}, StillTraining{.moves = nothing_moves}.steps(8, Saved::elements, 10));
  REQUIRE(tensors_of(rare) == Names{"fc0.weight", "fc1.weight"});
  CHECK(rare[0].step.mode_step == 40);
}

TEST_CASE("a weight that moves, that moved once, or that has no gradient is no finding", "[rules][update_missing]") {
  CHECK(judged(UpdateMissing{}, StillTraining{}.steps(60)).empty());
  CHECK(judged(UpdateMissing{}, StillTraining{.rate = 1e-15}.steps(60)).empty());  // one bit is enough
  const auto once = [](std::size_t, std::int64_t step) { return step == 0; };
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = once}.steps(60)).empty());
  const auto frozen = [](std::size_t layer, std::int64_t) { return layer == 0 ? std::nullopt : std::optional(1.0); };
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = first_is_forgotten, .gradient = frozen}.steps(60)).empty());
  const auto zero = [](std::size_t layer, std::int64_t) { return std::optional(layer == 0 ? 0.0 : 1.0); };
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = first_is_forgotten, .gradient = zero}.steps(60)).empty());
  const auto tiny = [](std::size_t layer, std::int64_t) { return std::optional(layer == 0 ? 1e-9 : 1.0); };
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = first_is_forgotten, .gradient = tiny}.steps(60)).empty());
}

TEST_CASE("accumulation, and layers that are not frozen any more, are no finding", "[rules][update_missing]") {
  const auto every_32 = [](std::size_t, std::int64_t step) { return step % 32 == 31; };
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = every_32}.steps(100)).empty());
  const auto later = [](std::size_t layer, std::int64_t step) { return layer == 1 || step >= 45; };
  const auto later_gradient = [](std::size_t layer, std::int64_t step) {
    return layer == 1 || step >= 45 ? std::optional(1.0) : std::nullopt;
  };
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = later, .gradient = later_gradient}.steps(60)).empty());
}

TEST_CASE("without any gradient, weights are found if none of them changes in training", "[rules][update_missing]") {
  const StillTraining still{.moves = nothing_moves, .gradient = no_gradient};
  const auto findings = judged(UpdateMissing{}, still.steps(60));
  REQUIRE(tensors_of(findings) == Names{"fc0.weight"});
  CHECK_THAT(findings[0].message, contains("neither it nor any other of the 2 weights has changed since step 0"));
  CHECK(judged(UpdateMissing{}, StillTraining{.moves = first_is_forgotten, .gradient = no_gradient}.steps(60)).empty());
  CHECK(judged(UpdateMissing{}, still.steps(60, Saved::elements, 1, tt::Mode::global)).empty());  // may be no training
  CHECK(judged(UpdateMissing{}, still.steps(60, Saved::elements, 1, tt::Mode::eval)).empty());
}

TEST_CASE("parameters of missing updates", "[rules][update_missing]") {
  tt::Rule rule = UpdateMissing{};
  rule.set("min_steps", "5");
  rule.set("num_checks", "6");
  const auto findings = judged(rule, StillTraining{.moves = nothing_moves}.steps(9));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].step.mode_step == 6);
  CHECK_THROWS_WITH(tt::Judge({UpdateMissing{.num_checks = 0}})(StepOfList({}, {})), contains("UpdateMissing"));
}
