#include <tensortap/rules/builtin/identical_units.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::IdenticalUnits;

namespace {

using Element = std::function<double(std::int64_t step, std::size_t row, std::size_t column)>;

Steps steps_with(const Element& element, std::vector<std::int64_t> shape = {3, 4}, double loss = 1,
                 const std::string& gradient = "gradient/fc.weight") {
  const auto width = static_cast<std::size_t>(shape.back());
  return train_steps(20, [=](std::int64_t step) {
    return StepOfList::Tensors{
        {"fc.weight", filled(shape, [&](std::size_t i) { return element(step, i / width, i % width); })},
        {"fc.bias", numbers({1, 1})},
        {"loss", numbers({step == 0 ? 1 : loss})},
        {gradient, numbers({1, 1})}};
  });
}

const Element same_rows = [](std::int64_t step, std::size_t, std::size_t column) {
  return noise(column) + 0.1 * static_cast<double>(step);
};
const Element same_columns = [](std::int64_t step, std::size_t row, std::size_t) {
  return noise(row) + 0.1 * static_cast<double>(step);
};

}  // namespace

TEST_CASE("units that are all the same are found at step ten", "[rules][identical_units]") {
  for (const Element& element :
       {same_rows, same_columns, Element([](std::int64_t, std::size_t, std::size_t) { return 0.5; }),
        Element([](std::int64_t, std::size_t, std::size_t) { return 0.0; })}) {
    const auto findings = judged(IdenticalUnits{}, steps_with(element));
    REQUIRE(tensors_of(findings) == Names{"fc.weight"});
    CHECK(findings[0].step.mode_step == 10);
    CHECK(findings[0].value == 0);
    CHECK(findings[0].threshold == 1e-6);
  }
  const auto works = judged(IdenticalUnits{}, steps_with(same_rows, {3, 4}, 0.01));
  CHECK(tensors_of(works).empty());
  CHECK(tensors_of(works, tt::Severity::advice) == Names{"fc.weight"});
}

TEST_CASE("one number that training changes is an error though the loss falls", "[rules][identical_units]") {
  const auto moving = [](std::int64_t step, std::size_t, std::size_t) {
    return 0.5 + 0.01 * static_cast<double>(step);
  };
  const auto fixed = [](std::int64_t, std::size_t, std::size_t) { return 0.5; };
  CHECK(tensors_of(judged(IdenticalUnits{}, steps_with(moving, {3, 4}, 0.01))) == Names{"fc.weight"});
  CHECK(tensors_of(judged(IdenticalUnits{}, steps_with(fixed, {3, 4}, 0.01))).empty());
}

TEST_CASE("statistics of weights that are not one number hide no finding", "[rules][identical_units]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store,
                {.collections = {{.name = "weights", .save = tt::every(1), .reductions = {tt::Reduction::statistics}},
                                 {.name = "initial", .include_regex = "weight$", .save = tt::every(10)}}});
  constexpr std::array<float, 6> same_rows = {1, 2, 3, 1, 2, 3};
  constexpr std::array<std::int64_t, 2> shape = {2, 3};
  for (int step = 0; step < 30; ++step) {
    hook.begin_step();
    hook.save("fc.weight", tt::TensorView(same_rows.data(), tt::DType::f32, shape));
  }
  hook.close();
  CHECK(tensors_of(tt::evaluate(tt::Trial(store), {IdenticalUnits{}}).findings) == Names{"fc.weight"});
}

TEST_CASE("statistics show weights that are one number", "[rules][identical_units]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store,
                {.collections = {{.name = "weights", .save = tt::every(10), .reductions = {tt::Reduction::statistics}},
                                 {.name = "losses", .save = tt::every(1)}}});
  for (int step = 0; step < 30; ++step) {
    hook.begin_step();
    hook.save("loss", 1.0);
    hook.save("fc.weight", std::vector<float>(12, 0.5F + 0.01F * static_cast<float>(step)));
    hook.save("norm.weight", std::vector<float>(12, 1));  // not trained
  }
  hook.close();
  const auto verdict = tt::evaluate(tt::Trial(store), {IdenticalUnits{}});
  CHECK(tensors_of(verdict.findings) == Names{"fc.weight"});
}

TEST_CASE("units that differ, that soon differ, or that have the same norm are no finding",
          "[rules][identical_units]") {
  const auto random = [](std::int64_t, std::size_t row, std::size_t column) { return noise(row * 7 + column); };
  CHECK(judged(IdenticalUnits{}, steps_with(random)).empty());
  CHECK(judged(IdenticalUnits{}, steps_with([&](std::int64_t step, std::size_t row, std::size_t column) {
                 return step == 0 ? 0.0 : random(step, row, column);  // a zero-initialised output layer
               }))
            .empty());
  const auto rotation = [](std::int64_t, std::size_t row, std::size_t column) {
    const double angle = 1;
    return row == column ? std::cos(angle) : row < column ? -std::sin(angle) : std::sin(angle);
  };
  CHECK(judged(IdenticalUnits{}, steps_with(rotation, {2, 2})).empty());
  CHECK(judged(IdenticalUnits{}, steps_with([](std::int64_t, std::size_t row,
                                               std::size_t) { return 1 + 2e-6 * static_cast<double>(row); },
                                            {3, 1}))
            .empty());
}

TEST_CASE("one unit, one row of weights, and frozen weights are no finding", "[rules][identical_units]") {
  CHECK(judged(IdenticalUnits{}, steps_with(same_rows, {1, 4})).empty());
  CHECK(judged(IdenticalUnits{}, steps_with(same_rows, {4})).empty());
  CHECK(judged(IdenticalUnits{}, steps_with(same_rows, {3, 4}, 1, "gradient/other.weight")).empty());
}

TEST_CASE("weights that are NaN are skipped", "[rules][identical_units]") {
  const auto findings = judged(IdenticalUnits{}, steps_with([](std::int64_t step, std::size_t row, std::size_t column) {
                                 return step == 10 && row == 1 ? not_a_number : same_rows(step, row, column);
                               }));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].step.mode_step == 11);
}

TEST_CASE("parameters of identical units", "[rules][identical_units]") {
  tt::Rule rule = IdenticalUnits{};
  rule.set("start_step", "0");
  rule.set("num_checks", "1");
  CHECK(judged(rule, steps_with(same_rows))[0].step.mode_step == 0);
  CHECK_THROWS_WITH(tt::Judge({IdenticalUnits{.tolerance = -1}})(StepOfList({}, {})), contains("IdenticalUnits"));
}

TEST_CASE("identical units ask for the elements of weights in a few steps", "[rules][identical_units]") {
  const auto required = IdenticalUnits{}.required();
  REQUIRE(required.size() == 1);
  CHECK(required[0].name != "weights");  // its union with what others ask for would be dear
  CHECK(required[0].saves_raw());
  CHECK(required[0].save == tt::at({0, 10, 20}));
  CHECK(tt::Pattern(required[0].include_regex.list().at(0)).finds("fc1.weight"));
}
