#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/rules/tensor_choice.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;

namespace {

/// Returns the changes of "fc.weight" in these steps, and checks that a restored judge sees the same.
std::vector<std::optional<tt::TensorChange>> changes_in(const Steps& steps) {
  std::vector<std::optional<tt::TensorChange>> out;
  const tt::Rule rule("watch", [&out](const tt::JudgedStep& step) {
    const tt::KnownTensor* const weight = step.find("fc.weight");
    const tt::TensorChange* const change = weight == nullptr ? nullptr : step.change(*weight);
    out.push_back(change == nullptr ? std::nullopt : std::optional(*change));
    if (change == nullptr) return std::vector<tt::Finding>();
    return std::vector<tt::Finding>{{.tensor = tt::shortest(change->rms) + (change->equal ? " equal" : " unequal")}};
  });
  (void)judged(rule, steps);
  out.resize(steps.size());  // of the judge that sees all steps
  return out;
}

Steps weights(const std::vector<tt::Tensor>& values, Saved saved = Saved::elements, std::int64_t interval = 1) {
  return train_steps(
      static_cast<std::int64_t>(values.size()),
      [&](std::int64_t step) {
        return StepOfList::Tensors{{"fc.weight", values[static_cast<std::size_t>(step / interval)]}};
      },
      saved, interval);
}

}  // namespace

TEST_CASE("a change has its size, and knows how long there was none", "[rules][tensor_change]") {
  const auto changes =
      changes_in(weights({numbers({3, 4}), numbers({3, 4}), numbers({3, 5}), numbers({3, 5})}, Saved::elements, 5));
  CHECK_FALSE(changes[0]);
  REQUIRE(changes[1]);
  CHECK(changes[1]->equal);
  CHECK_FALSE(changes[1]->ever_changed);
  CHECK(changes[1]->still_since == 0);
  CHECK(changes[2]->steps == 5);
  CHECK(changes[2]->rms == Approx(std::sqrt(0.5)));
  CHECK(changes[2]->rms_before == Approx(std::sqrt(12.5)));
  CHECK(changes[2]->ever_changed);
  CHECK(changes[3]->unchanged == 1);
  CHECK(changes[3]->still_since == 10);
}

TEST_CASE("every bit counts, also the sign of zero and those of elements that are not kept", "[rules][tensor_change]") {
  CHECK_FALSE(changes_in(weights({numbers({0.0}), numbers({-0.0})}))[1]->equal);
  for (const std::size_t at : {0U, 1U, 4999U, 9999U, 10000U}) {
    const auto large = [&](double x) { return filled({10001}, [&](std::size_t i) { return i == at ? x : 1.0; }); };
    CHECK_FALSE(changes_in(weights({large(1), large(std::nextafter(1, 2))}))[1]->equal);
    CHECK(changes_in(weights({large(1), large(1)}))[1]->equal);
  }
}

TEST_CASE("statistics and reductions tell the least change", "[rules][tensor_change]") {
  for (const Saved saved : {Saved::statistics, Saved::few_reductions}) {
    const auto changes = changes_in(weights({numbers({3, 4}), numbers({4, 5}), numbers({4, 5})}, saved));
    CHECK_FALSE(changes[1]->equal);
    CHECK(changes[1]->is_bound);
    CHECK(changes[1]->rms == Approx(1));
    CHECK(changes[2]->equal);
  }
}

TEST_CASE("steps of evaluation are no steps of training", "[rules][tensor_change]") {
  Steps steps = weights({numbers({1})});
  steps.emplace_back(tt::Step{tt::Mode::eval, 0, 1}, StepOfList::Tensors{{"fc.weight", numbers({7})}});
  steps.emplace_back(tt::Step{tt::Mode::train, 1, 2}, StepOfList::Tensors{{"fc.weight", numbers({2})}});
  const auto changes = changes_in(steps);
  CHECK_FALSE(changes[1]);
  CHECK(changes[2]->rms == 1);
}

TEST_CASE("a choice is the union of collections and patterns", "[rules][tensor_choice]") {
  Names found;
  tt::TensorChoice choice;
  CHECK(choice.empty());
  choice.use("gradients , ", "^x$, y");
  CHECK_FALSE(choice.empty());
  const tt::Rule rule("watch", [&](const tt::JudgedStep& step) {
    for (const tt::KnownTensor* tensor : step.saved())
      if (choice.has(step, *tensor)) found.push_back(tensor->name);
    return std::vector<tt::Finding>();
  });
  const tt::Judge judge({rule});
  judge(StepOfList({tt::Mode::train, 0, 0}, {{"x", numbers({1})}, {"xx", numbers({1})}, {"gradient/a", numbers({1})}}));
  judge(StepOfList({tt::Mode::train, 1, 1}, {{"my", numbers({1})}, {"x", numbers({1})}}));
  CHECK(found == Names{"x", "gradient/a", "my", "x"});
  CHECK_THROWS(choice.use("", "("));
}
