#include <tensortap/rules/internal/tensor_catalog.hpp>
#include <tensortap/rules/judged_step.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// A step that counts what is asked of it.
class CountingStep final : public tt::StepView {
 public:
  explicit CountingStep(const StepOfMap& step) : step_(step) {}
  [[nodiscard]] tt::Step step() const override { return step_.step(); }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    return step_.tensors(collection);
  }
  [[nodiscard]] std::optional<tt::Tensor> value(std::string_view tensor) const override {
    ++values;
    return step_.value(tensor);
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view tensor, R r) const override {
    return step_.reduction(tensor, r);
  }
  [[nodiscard]] std::optional<tt::Statistics> statistics(std::string_view tensor) const override {
    ++statistics_asked;
    return step_.statistics(tensor);
  }
  mutable int values = 0;
  mutable int statistics_asked = 0;

 private:
  const StepOfMap& step_;
};

}  // namespace

TEST_CASE("a judged step computes nothing twice", "[rules][judged_step]") {
  const StepOfMap map({tt::Mode::train, 3, 4}, {{"a", tensor_of({1, 2, 3})}, {"c", tensor_of({4})}});
  const CountingStep counting(map);
  tt::detail::TensorCatalog catalog;
  const tt::JudgedStep step(catalog, counting);
  CHECK(step.step() == tt::Step{tt::Mode::train, 3, 4});
  const tt::KnownTensor* const a = step.find("a");
  REQUIRE(a != nullptr);
  for (int times = 0; times < 3; ++times) {
    REQUIRE(step.statistics(*a) != nullptr);
    CHECK(step.statistics(*a)->mean() == 2);
    REQUIRE(step.value(*a) != nullptr);
    CHECK(step.value(*a)->size() == 3);
    CHECK(step.reduction(*a, R::max) == 3);
  }
  CHECK(counting.statistics_asked == 1);
  CHECK(counting.values == 1);
  CHECK(step.saved().size() == 2);
  CHECK(step.find("d") == nullptr);

  // As a StepView, by name.
  CHECK(step.tensors() == std::vector<std::string>{"a", "c"});
  REQUIRE(step.value("a"));
  CHECK(step.reduction("c", R::mean) == 4);
  CHECK(step.statistics("c")->count == 1);
  CHECK_FALSE(step.value("d"));
}

TEST_CASE("a judged step knows nothing of earlier steps", "[rules][judged_step]") {
  tt::detail::TensorCatalog catalog;
  const StepOfMap first({tt::Mode::train, 0, 0}, {{"a", tensor_of({1})}, {"b", tensor_of({2})}});
  const StepOfMap second({tt::Mode::train, 1, 1}, {{"a", tensor_of({5})}});
  {
    const tt::JudgedStep step(catalog, first);
    CHECK(step.value(*step.find("b")) != nullptr);
    CHECK(step.statistics(*step.find("b")) != nullptr);
  }
  const tt::JudgedStep step(catalog, second);
  REQUIRE(step.find("b") != nullptr);
  CHECK(step.value(*step.find("b")) == nullptr);
  CHECK(step.statistics(*step.find("b")) == nullptr);
  CHECK_FALSE(step.reduction(*step.find("b"), R::mean));
  CHECK(step.statistics(*step.find("a"))->mean() == 5);
  CHECK(step.value(*step.find("a"))->number(0) == 5);
}

TEST_CASE("a judged step of a stored run has its tensors in the order in which they were saved",
          "[rules][judged_step]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter writer(store);
  writer.put_collections();
  writer.put({tt::Mode::train, 0, 0}, {{"z", tensor_of({1})},
                                       {tt::layout::reduction_record(R::mean, "m"), tensor_of({7})},
                                       {"a", tensor_of({2})},
                                       {tt::layout::reduction_record(R::max, "m"), tensor_of({9})}});
  const tt::Trial trial(std::shared_ptr<const tt::Store>{store});
  const auto view = trial.view(0);
  REQUIRE(view);
  tt::detail::TensorCatalog catalog;
  const tt::JudgedStep step(catalog, *view);
  std::vector<std::string> names;
  for (const tt::KnownTensor* tensor : step.saved()) names.push_back(tensor->name);
  CHECK(names == std::vector<std::string>{"z", "m", "a"});
  CHECK(step.statistics(*step.find("m")) == nullptr);
  CHECK(step.value(*step.find("m")) == nullptr);
  CHECK(step.reduction(*step.find("m"), R::max) == 9);
  CHECK_FALSE(step.reduction(*step.find("m"), R::min));
}
