#include <tensortap/rules/builtin/dead_relu.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/builtin/judged_steps.hpp"

namespace tt = tensortap;
using tt::DeadRelu;

namespace {

/// Returns outputs of 4 examples and 10 units, of which the first `dead` are zero.
tt::Tensor outputs(std::size_t dead, double other = 1) {
  return filled({4, 10}, [&](std::size_t i) { return i % 10 < dead ? 0.0 : other; });
}

Steps steps_with(const std::string& name, std::size_t dead, std::int64_t count = 10, Saved saved = Saved::elements) {
  return train_steps(
      count,
      [&](std::int64_t) {
        return StepOfList::Tensors{{name, outputs(dead)}};
      },
      saved);
}

}  // namespace

TEST_CASE("a layer is found when most of its units were dead in eight checks", "[rules][dead_relu]") {
  const auto findings = judged(DeadRelu{}, steps_with("relu0_output_0", 9));
  REQUIRE(tensors_of(findings) == Names{"relu0_output_0"});
  CHECK(findings[0].step.mode_step == 7);
  CHECK(findings[0].value == 90);
  CHECK(findings[0].threshold == 89);
  CHECK(findings[0].count == 3);
  CHECK(judged(DeadRelu{}, steps_with("relu0_output_0", 9, 7)).empty());
  CHECK(tensors_of(judged(DeadRelu{}, steps_with("relu0_output_0", 8)), tt::Severity::advice) ==
        Names{"relu0_output_0"});
  CHECK(judged(DeadRelu{}, steps_with("relu0_output_0", 4)).empty());
  CHECK(judged(DeadRelu{}, steps_with("fc0_output_0", 10)).empty());
  CHECK(judged(DeadRelu{}, steps_with("relu0_input_0", 10)).empty());
}

TEST_CASE("a unit that is active now and then is alive", "[rules][dead_relu]") {
  const Steps steps = train_steps(40, [](std::int64_t step) {
    return StepOfList::Tensors{{"ReLU_output_0", filled({4, 10}, [&](std::size_t i) {
                                  return static_cast<std::int64_t>(i % 10) == step % 7 || i % 10 >= 7 ? 1.0 : 0.0;
                                })}};
  });
  CHECK(judged(DeadRelu{}, steps).empty());
}

TEST_CASE("outputs of ReLU are known by their elements", "[rules][dead_relu]") {
  const auto steps_with = [](double slope) {
    return train_steps(20, [&](std::int64_t step) {
      const auto z = [&](std::size_t i) { return i % 10 < 9 ? -1 - 0.1 * static_cast<double>(step) : 1.0; };
      return StepOfList::Tensors{
          {"body.0_output_0", filled({4, 10}, z)},
          {"body.1_output_0", filled({4, 10}, [&](std::size_t i) { return z(i) > 0 ? z(i) : slope * z(i); })}};
    });
  };
  CHECK(tensors_of(judged(DeadRelu{}, steps_with(0))) == Names{"body.1_output_0"});
  CHECK(judged(DeadRelu{}, steps_with(0.01)).empty());
}

TEST_CASE("a training that works nevertheless makes an advice of dead units", "[rules][dead_relu]") {
  const Steps steps = train_steps(20, [](std::int64_t step) {
    return StepOfList::Tensors{{"relu0_output_0", outputs(9)}, {"loss", numbers({step == 0 ? 1.0 : 0.1})}};
  });
  CHECK(tensors_of(judged(DeadRelu{}, steps)).empty());
  CHECK(tensors_of(judged(DeadRelu{}, steps), tt::Severity::advice) == Names{"relu0_output_0"});
}

TEST_CASE("the units of images are their channels", "[rules][dead_relu]") {
  const auto steps_of = [](std::size_t alive_pixel) {
    return train_steps(8, [&](std::int64_t) {
      return StepOfList::Tensors{
          {"relu1_output_0", filled({2, 2, 3, 3}, [&](std::size_t i) { return i == alive_pixel ? 1.0 : 0.0; })}};
    });
  };
  CHECK(judged(DeadRelu{}, steps_of(99))[0].value == 100);
  CHECK(judged(DeadRelu{}, steps_of(17))[0].value == 50);  // the last pixel of the second channel
}

TEST_CASE("statistics of units give the findings of elements", "[rules][dead_relu]") {
  CHECK(DeadRelu{}.required()[0].reductions == tt::Reductions{tt::Reduction::units});
  for (DeadRelu rule : {DeadRelu{}, DeadRelu{.threshold_inactivity = 40}, DeadRelu::smdebug()}) {
    if (rule.tensor_regex.empty()) rule.num_checks = 3;
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{6, 10}, {3, 5, 2, 4}, {2, 5000}}) {
      const auto steps_of = [&](Saved saved) {
        return train_steps(
            20,
            [&](std::int64_t step) {
              return StepOfList::Tensors{
                  {rule.tensor_regex.empty() ? "relu0_output_0" : "relu_output", filled(shape, [&](std::size_t i) {
                     const double x = noise(i * 31 + static_cast<std::uint64_t>(step) * 9999);
                     return x > 0.992 ? x : x < -0.9995 ? not_a_number : 0;
                   })}};
            },
            saved);
      };
      const auto findings = judged(rule, steps_of(Saved::elements));
      CHECK_FALSE(findings.empty());
      CHECK(judged(rule, steps_of(Saved::units_and_statistics)) == findings);
    }
  }
}

TEST_CASE("without elements, a layer that is all zero is dead", "[rules][dead_relu]") {
  for (const Saved saved : {Saved::statistics, Saved::few_reductions}) {
    CHECK(tensors_of(judged(DeadRelu{}, steps_with("relu0_output_0", 10, 10, saved))) == Names{"relu0_output_0"});
    CHECK(judged(DeadRelu{}, steps_with("relu0_output_0", 9, 10, saved)).empty());
  }
}

TEST_CASE("NaN is not dead, and other modes and empty batches do not count", "[rules][dead_relu]") {
  CHECK(judged(DeadRelu{}, train_steps(10,
                                       [](std::int64_t) {
                                         return StepOfList::Tensors{{"relu0_output_0", outputs(5, not_a_number)}};
                                       }))
            .size() == 1);  // an advice: half of them
  CHECK(judged(DeadRelu{}, train_steps(
                               10,
                               [](std::int64_t) {
                                 return StepOfList::Tensors{{"relu0_output_0", outputs(10)}};
                               },
                               Saved::elements, 1, tt::Mode::eval))
            .empty());
  CHECK(judged(DeadRelu{},
               train_steps(
                   10,
                   [](std::int64_t) {
                     return StepOfList::Tensors{{"relu0_output_0", filled({0, 10}, [](std::size_t) { return 0.0; })}};
                   }))
            .empty());
}

TEST_CASE("the documented rule judges each batch", "[rules][dead_relu]") {
  const auto findings = judged(DeadRelu::smdebug(), steps_with("net_relu_output", 6, 2));
  REQUIRE(tensors_of(findings) == Names{"net_relu_output"});
  CHECK(findings[0].step.mode_step == 0);
  CHECK(findings[0].value == 60);
  CHECK(findings[0].count == 2);
  CHECK(judged(DeadRelu::smdebug(), steps_with("net_relu_output", 5, 2)).empty());
  CHECK(judged(DeadRelu::smdebug(), steps_with("relu0_output_0", 6, 2)).empty());  // as PyTorch names it
  tt::Rule rule = DeadRelu::smdebug();
  rule.set("tensor_regex", "mine");
  rule.set("threshold_inactivity", "50");
  const Steps half = train_steps(1, [](std::int64_t) {  // each unit is active in 1 of 4 examples
    return StepOfList::Tensors{{"mine", filled({4, 2}, [](std::size_t i) { return i < 2 ? 1.0 : 0.0; })}};
  });
  CHECK(judged(rule, half).size() == 1);
  rule.set("threshold_inactivity", "25");
  CHECK(judged(rule, half).empty());
}

TEST_CASE("percentages and numbers of checks that make no sense are refused", "[rules][dead_relu]") {
  const StepOfList step({tt::Mode::train, 0, 0}, {});
  for (const DeadRelu& rule : {DeadRelu{.threshold_inactivity = -1}, DeadRelu{.threshold_layer = 101},
                               DeadRelu{.threshold_layer = not_a_number}, DeadRelu{.num_checks = 0}})
    CHECK_THROWS_WITH(tt::Judge({rule})(step), contains("DeadRelu"));
}
