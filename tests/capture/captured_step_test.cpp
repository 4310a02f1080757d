#include <tensortap/capture/internal/captured_step.hpp>

#include <algorithm>
#include <complex>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/reduce/units.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

using TensorNames = std::vector<std::string>;

/// A captured step with the names that it refers to.
class StepUnderTest {
 public:
  void raw(const tt::detail::TrackedTensor& tensor, const tt::TensorView& view) {
    tt::detail::StepRecords::copy(view, records.add(tensor, view, 0.0));
  }
  void reductions(const tt::detail::TrackedTensor& tensor, const tt::TensorView& view, const tt::Reductions& wanted) {
    records.add(tensor, tt::reduce(view, wanted), 0.0);
  }
  const tt::detail::TrackedTensor& tensor(const std::string& name, std::vector<std::size_t> collections = {}) {
    known_.push_back(
        std::make_unique<tt::detail::TrackedTensor>(tt::detail::TrackedTensor{name, std::move(collections)}));
    return *known_.back();
  }

  tt::detail::StepRecords records;

 private:
  std::vector<std::unique_ptr<tt::detail::TrackedTensor>> known_;
};

/// Returns true if both are equal, both NaN, or both nullopt.
bool same(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return *a == *b || (*a != *a && *b != *b);
}

constexpr float quiet_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

const std::vector<std::vector<float>> examples = {
    {1, -2, 3.5F, 0}, {0.1F}, {}, {quiet_nan, 1}, {infinity, -infinity, 2}, {-0.0F, 0.0F}, {3e38F, 3e38F}};

std::vector<R> single_reductions() {
  std::vector<R> out;
  for (std::size_t i = 0; i < tt::reduction_count; ++i) out.push_back(static_cast<R>(i));
  return out;
}

}  // namespace

TEST_CASE("a captured step computes from elements what reduce and statistics return", "[capture][captured_step]") {
  for (const auto& elements : examples) {
    StepUnderTest step;
    step.records.begin({tt::Mode::eval, 3, 10});
    step.raw(step.tensor("x"), tt::as_view(elements));
    const tt::detail::CapturedStep captured(step.records, {});
    const tt::StepView& view = captured;  // as rules see it
    CHECK(view.step() == tt::Step{tt::Mode::eval, 3, 10});
    const auto value = view.value("x");
    REQUIRE(value);
    const tt::Tensor expected(tt::as_view(elements));
    CHECK(value->dtype() == expected.dtype());
    CHECK(value->shape() == expected.shape());
    CHECK(std::equal(value->bytes().begin(), value->bytes().end(), expected.bytes().begin(), expected.bytes().end()));
    for (const R r : single_reductions()) {
      CAPTURE(elements, to_string(r));
      CHECK(same(view.reduction("x", r), tt::reduce(tt::as_view(elements), r)));
    }
    const auto statistics = view.statistics("x");
    REQUIRE(statistics);
    const auto found = statistics->to_record();
    const auto wanted = tt::statistics(tt::as_view(elements)).to_record();
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(same(found[i], wanted[i]));
  }
}

TEST_CASE("a captured step returns saved reductions without the elements", "[capture][captured_step]") {
  const std::vector<float> elements = {1, -2, 3.5F, 0.1F};
  StepUnderTest step;
  step.records.begin({});
  step.reductions(step.tensor("x"), tt::as_view(elements), {R::min, R::abs_mean, R::prod});
  const tt::detail::CapturedStep captured(step.records, {});
  const tt::StepView& view = captured;  // as rules see it
  for (const R r : {R::min, R::abs_mean, R::prod})
    CHECK(same(view.reduction("x", r), tt::reduce(tt::as_view(elements), r)));
  CHECK_FALSE(view.reduction("x", R::max));
  CHECK_FALSE(view.value("x"));
  CHECK_FALSE(view.statistics("x"));
}

TEST_CASE("a captured step takes reductions from saved statistics", "[capture][captured_step]") {
  for (const auto& elements : examples) {
    StepUnderTest step;
    step.records.begin({});
    step.reductions(step.tensor("x"), tt::as_view(elements), {R::statistics});
    const tt::detail::CapturedStep captured(step.records, {});
    const tt::StepView& view = captured;  // as rules see it
    const tt::Statistics expected = tt::statistics(tt::as_view(elements));
    const auto statistics = view.statistics("x");
    REQUIRE(statistics);
    const auto found = statistics->to_record();
    const auto wanted = expected.to_record();
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(same(found[i], wanted[i]));
    for (const R r : single_reductions()) {
      CAPTURE(elements, to_string(r));
      CHECK(same(view.reduction("x", r), tt::reduction_of(expected, r)));
    }
    CHECK_FALSE(view.reduction("x", R::prod));
  }
}

TEST_CASE("a captured step has the statistics of units, saved or computed", "[capture][captured_step]") {
  const std::vector<float> elements = {1, -2, 0, quiet_nan, 0, 7};
  const std::vector<std::int64_t> shape = {2, 3};
  const tt::TensorView view(elements.data(), tt::DType::f32, shape);
  const tt::UnitStatistics expected = tt::unit_statistics(view);
  StepUnderTest step;
  step.records.begin({});
  step.raw(step.tensor("elements"), view);
  step.records.add(step.tensor("saved"), expected, 0.0);
  step.reductions(step.tensor("neither"), view, {R::statistics});
  step.raw(step.tensor("text"), tt::as_view(std::vector<std::string>{"a", "bc"}));
  const tt::detail::CapturedStep captured(step.records, {});
  const tt::StepView& seen = captured;
  CHECK(seen.units("elements") == expected);
  CHECK(seen.units("saved") == expected);
  for (const char* name : {"neither", "text", "unknown"}) CHECK_FALSE(seen.units(name));
  CHECK_FALSE(seen.value("saved"));
  CHECK_FALSE(seen.reduction("saved", R::units));
}

TEST_CASE("a captured step returns the last of several records of one name", "[capture][captured_step]") {
  const std::vector<float> first = {1, 2};
  const std::vector<std::int32_t> second = {7, 8, 10};
  StepUnderTest step;
  step.records.begin({});
  const auto& x = step.tensor("x");
  step.raw(x, tt::as_view(first));
  step.reductions(x, tt::as_view(first), {R::min, R::l1, R::statistics});
  step.raw(step.tensor("y"), tt::as_view(3.0F));
  step.raw(x, tt::as_view(second));
  step.reductions(x, tt::as_view(second), {R::min, R::l1, R::statistics});
  const tt::detail::CapturedStep captured(step.records, {});
  const tt::StepView& view = captured;  // as rules see it
  const auto value = view.value("x");
  REQUIRE(value);
  CHECK(*value == tt::Tensor(tt::as_view(second)));
  CHECK(view.reduction("x", R::min) == 7.0);
  CHECK(view.reduction("x", R::l1) == 25.0);
  CHECK(view.reduction("x", R::max) == 10.0);
  REQUIRE(view.statistics("x"));
  CHECK(view.statistics("x")->count == 3);
  CHECK(view.tensors() == TensorNames{"x", "y"});
}

TEST_CASE("a captured step lists its tensors once, sorted, and those of a collection", "[capture][captured_step]") {
  const std::vector<tt::Collection> collections = {{.name = "losses"}, {.name = "weights"}, {.name = "unused"}};
  StepUnderTest step;
  step.records.begin({});
  step.raw(step.tensor("w", {1}), tt::as_view(1.0F));
  const auto& both = step.tensor("both", {0, 1});
  step.raw(both, tt::as_view(1.0F));
  step.reductions(both, tt::as_view(1.0F), {R::min, R::max});
  step.records.add_shape(step.tensor("loss", {0}), tt::as_view(1.0F));
  step.raw(step.tensor("alone", {}), tt::as_view(1.0F));
  step.raw(step.tensor("beyond", {9}), tt::as_view(1.0F));
  const tt::detail::CapturedStep captured(step.records, collections);
  const tt::StepView& view = captured;  // as rules see it
  CHECK(view.tensors() == TensorNames{"alone", "beyond", "both", "loss", "w"});
  CHECK(view.tensors("losses") == TensorNames{"both", "loss"});
  CHECK(view.tensors("weights") == TensorNames{"both", "w"});
  CHECK(view.tensors("unused").empty());
  CHECK(view.tensors("unknown").empty());
  step.records.begin({});
  CHECK(view.tensors().empty());
}

TEST_CASE("a captured step returns nullopt for unsaved and non-numeric tensors", "[capture][captured_step]") {
  StepUnderTest step;
  step.records.begin({});
  step.records.add_shape(step.tensor("shape"), tt::as_view(std::vector<float>{1, 2}));
  step.raw(step.tensor("text"), tt::as_view(std::vector<std::string>{"a", "bc"}));
  step.raw(step.tensor("complex"), tt::as_view(std::complex<float>(1, 2)));
  const tt::detail::CapturedStep captured(step.records, {});
  const tt::StepView& view = captured;  // as rules see it
  for (const std::string name : {"shape", "unknown", ""}) {
    CAPTURE(name);
    CHECK_FALSE(view.value(name));
    CHECK_FALSE(view.reduction(name, R::min));
    CHECK_FALSE(view.statistics(name));
  }
  REQUIRE(view.value("text"));
  CHECK(view.value("text")->strings() == std::vector<std::string>{"a", "bc"});
  REQUIRE(view.value("complex"));
  CHECK(view.value("complex")->number(0) == 1.0);
  for (const std::string name : {"text", "complex"}) {
    CAPTURE(name);
    for (const R r : single_reductions()) CHECK_FALSE(view.reduction(name, r));
    CHECK_FALSE(view.statistics(name));
  }
}

TEST_CASE("a step counts each reduction and shape as a record", "[capture][captured_step]") {
  StepUnderTest step;
  step.records.begin({tt::Mode::train, 0, 0});
  const std::vector<float> elements = {1, 2, 3};
  step.raw(step.tensor("raw"), tt::as_view(elements));
  step.reductions(step.tensor("numbers"), tt::as_view(elements), {R::min, R::max, R::l2, R::statistics});
  step.records.add_shape(step.tensor("shape"), tt::as_view(elements));
  CHECK(step.records.count() == 6);
  CHECK(step.records.size() == 5);  // in the events file
}
