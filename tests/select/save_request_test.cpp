#include <tensortap/select/internal/save_request.hpp>

#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using R = tt::Reduction;
using tt::detail::SaveRequest, tt::detail::unite;
using List = std::vector<std::string>;

namespace {

tt::Collection united(tt::Collection to, const tt::Collection& other) {
  unite(to, other);
  return to;
}

}  // namespace

TEST_CASE("a request is the union of the collections added to it", "[select][save_request]") {
  SaveRequest request;
  CHECK(request.reductions.empty());
  CHECK_FALSE(request.raw);
  CHECK_FALSE(request.shape);
  request.add({.name = "a", .reductions = {R::min, R::l2}});
  request.add({.name = "b", .reductions = {R::max, R::min}, .save_shape = true});
  CHECK(request.reductions == tt::Reductions{R::min, R::max, R::l2});
  CHECK_FALSE(request.raw);
  CHECK(request.shape);
  request.add({.name = "c"});
  CHECK(request.raw);
}

TEST_CASE("united collections save the parts of both", "[select][save_request]") {
  const auto both =
      united({.name = "c", .reductions = {R::min}}, {.name = "c", .reductions = {R::l2}, .save_shape = true});
  CHECK(both.reductions == tt::Reductions{R::min, R::l2});
  CHECK(both.save_raw_tensor == false);
  CHECK(both.save_shape);
  CHECK(united({.name = "c", .reductions = {R::min}}, {.name = "c"}).save_raw_tensor == true);
}

TEST_CASE("united collections save the steps of both", "[select][save_request]") {
  CHECK_FALSE(united({.name = "c"}, {.name = "c"}).save);
  CHECK(united({.name = "c"}, {.name = "c", .save = tt::every(3)}).save == tt::every(3));
  CHECK(united({.name = "c", .save = tt::every(3)}, {.name = "c"}).save == tt::every(3));
  CHECK(united({.name = "c", .save = tt::every(3)}, {.name = "c", .save = tt::at({5})}).save ==
        (tt::every(3) | tt::at({5})));
}

TEST_CASE("united collections have the tensors of both", "[select][save_request]") {
  const auto names = united({.name = "c", .tensor_names = {"a", "b"}}, {.name = "c", .tensor_names = {"b", "d"}});
  CHECK(names.tensor_names == List{"a", "b", "d"});
  CHECK_FALSE(names.include_regex.given());
  const auto patterns = [](const tt::Collection& a, const tt::Collection& b) { return united(a, b).include_regex; };
  CHECK(patterns({.name = "c", .include_regex = {"x", "y"}}, {.name = "c", .include_regex = {"y", "z"}}).list() ==
        List{"x", "y", "z"});
  CHECK_FALSE(patterns({.name = "gradients"}, {.name = "gradients"}).given());
  CHECK(patterns({.name = "gradients"}, {.name = "gradients", .include_regex = "z"}).list() ==
        List{std::string(*tt::builtin_pattern("gradients")), "z"});
  CHECK(patterns({.name = "gradients", .include_regex = tt::Patterns::none()},
                 {.name = "gradients", .tensor_names = {"a"}})
            .given());
}

TEST_CASE("the pattern of a built-in name stays beside the names of another collection", "[select][save_request]") {
  const tt::Collection plain{.name = "gradients"};
  const tt::Collection named{.name = "gradients", .tensor_names = {"dW"}};
  CHECK(united(plain, named).include_regex.list() == List{std::string(*tt::builtin_pattern("gradients"))});
  CHECK(united(named, plain).include_regex.list() == List{std::string(*tt::builtin_pattern("gradients"))});
  const tt::Collection both{.name = "gradients", .include_regex = "x", .tensor_names = {"dW"}};
  CHECK(united(plain, both).include_regex.list() == List{std::string(*tt::builtin_pattern("gradients")), "x"});
}
