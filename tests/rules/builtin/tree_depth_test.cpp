#include <tensortap/rules/builtin/tree_depth.hpp>

#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"

namespace tt = tensortap;

namespace {

std::vector<tt::Finding> found_depth(const std::vector<double>& nodes, const tt::TreeDepth& rule = {},
                                     const std::string& name = "trees/Node") {
  return Shown(rule)(StepOfMap({tt::Mode::global, 1, 1}, {{name, tensor_of(nodes)}}));
}

}  // namespace

TEST_CASE("a tree that is too deep is found", "[rules][tree_depth]") {
  const auto findings = found_depth({0, 1, 2, 32, 0, 1});
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].tensor == "trees/Node");
  CHECK(findings[0].severity == tt::Severity::advice);
  CHECK(findings[0].value == 5);
  CHECK(findings[0].threshold == 4);
  CHECK(found_depth({0, 31}).empty());  // depth 4
  CHECK(found_depth({0}, {.depth = 0}).empty());
  CHECK(found_depth({1}, {.depth = 0}).empty());
  CHECK(found_depth({2}, {.depth = 0}).size() == 1);
  CHECK(found_depth({}).empty());
  CHECK(found_depth({std::numeric_limits<double>::quiet_NaN()}).empty());
  CHECK(found_depth({std::numeric_limits<double>::infinity()}).empty());
  CHECK(found_depth({-5}).empty());
  CHECK(found_depth({99}, {}, "trees/Feature").empty());
  CHECK(found_depth({99}, {.tensor_regex = "Feature"}, "trees/Feature").size() == 1);
  CHECK_THROWS(found_depth({1}, {.depth = -1}));
}
