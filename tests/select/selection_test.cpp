#include <tensortap/select/internal/selection.hpp>

#include <string>
#include <vector>

#include <tensortap/error.hpp>

#include "catch.hpp"

namespace tt = tensortap;
using tt::Mode, tt::detail::Selection;

namespace {

using Positions = std::vector<std::size_t>;

Selection selection_of(std::vector<tt::Collection> collections) { return {std::move(collections), tt::every(10)}; }

/// Returns the reason why `collections` are refused. Empty: they are accepted.
std::string refusal(std::vector<tt::Collection> collections) {
  try {
    (void)selection_of(std::move(collections));
    return "";
  } catch (const tt::Error& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("a name belongs to every collection that lists or finds it", "[select][selection]") {
  Selection selection = selection_of({{.name = "losses", .include_regex = "loss$"},
                                      {.name = "mine", .tensor_names = {"a.weight", "loss"}},
                                      {.name = "two", .include_regex = {"^a", "^b"}, .tensor_names = {"c"}},
                                      {.name = "weights"}});
  CHECK(selection.members("loss") == Positions{0, 1});
  CHECK(selection.members("train/loss") == Positions{0});
  CHECK(selection.members("a.weight") == Positions{1, 2, 3});
  CHECK(selection.members("b") == Positions{2});
  CHECK(selection.members("c") == Positions{2});
  CHECK(selection.members("cc").empty());
  CHECK(selection.members("").empty());
}

TEST_CASE("a built-in collection has its default pattern only without patterns or names of its own",
          "[select][selection]") {
  Selection selection = selection_of({{.name = "weights"},
                                      {.name = "biases", .include_regex = "^b$"},
                                      {.name = "gradients", .tensor_names = {"dW"}},
                                      {.name = "losses", .include_regex = tt::Patterns::none()}});
  const auto patterns = [&](std::size_t i) { return selection.collections()[i].include_regex.list(); };
  CHECK(patterns(0) == std::vector<std::string>{std::string(*tt::builtin_pattern("weights"))});
  CHECK(patterns(1) == std::vector<std::string>{"^b$"});
  CHECK(patterns(2).empty());
  CHECK(patterns(3).empty());
  CHECK(selection.members("fc1.weight") == Positions{0});
  CHECK(selection.members("fc1.bias").empty());
  CHECK(selection.members("gradient/x").empty());
  CHECK(selection.members("dW") == Positions{2});
}

TEST_CASE("options left out are completed", "[select][selection]") {
  using R = tt::Reduction;
  const Selection selection =
      selection_of({{.name = "all"},
                    {.name = "own", .include_regex = "x", .save = tt::every(3)},
                    {.name = "reduced", .include_regex = "x", .reductions = {R::min}},
                    {.name = "both", .include_regex = "x", .reductions = {R::min}, .save_raw_tensor = true},
                    {.name = "shapes", .include_regex = "x", .save_shape = true}});
  CHECK(selection.collections()[0].save == tt::every(10));
  CHECK(selection.collections()[1].save == tt::every(3));
  const auto raw = [&](std::size_t i) { return selection.collections()[i].save_raw_tensor; };
  CHECK(raw(0) == true);
  CHECK(raw(2) == false);
  CHECK(raw(3) == true);
  CHECK(raw(4) == false);
}

TEST_CASE("each collection is due by its own configuration", "[select][selection]") {
  Selection selection =
      selection_of({{.name = "a", .include_regex = "x", .save = tt::every(2)},
                    {.name = "b", .include_regex = "x", .save = tt::every(3) & tt::during(Mode::eval)}});
  const auto due = [&](Mode mode, std::int64_t mode_step) {
    selection.begin_step({mode, mode_step, 1});
    CHECK(selection.any_due() == (selection.due(0) || selection.due(1)));
    return std::string(selection.due(0) ? "a" : "") + (selection.due(1) ? "b" : "");
  };
  CHECK(due(Mode::train, 0) == "a");
  CHECK(due(Mode::train, 3).empty());
  CHECK(due(Mode::eval, 3) == "b");
  CHECK(due(Mode::eval, 6) == "ab");
  CHECK(due(Mode::predict, 1).empty());
}

TEST_CASE("nothing is due before the first step", "[select][selection]") {
  const Selection selection = selection_of({{.name = "all"}});
  CHECK_FALSE(selection.due(0));
  CHECK_FALSE(selection.any_due());
}

TEST_CASE("gradients and optimizer variables are not due in EVAL and PREDICT", "[select][selection]") {
  Selection selection = selection_of({{.name = "gradients", .save = tt::every(1)},
                                      {.name = "optimizer_variables", .include_regex = "momentum"},
                                      {.name = "my_gradients", .include_regex = "g", .save = tt::every(1)}});
  for (const Mode mode : tt::all_modes) {
    CAPTURE(static_cast<int>(mode));
    selection.begin_step({mode, 0, 0});
    const bool trains = mode == Mode::train || mode == Mode::global;
    CHECK(selection.due(0) == trains);
    CHECK(selection.due(1) == trains);
    CHECK(selection.due(2));
    CHECK(selection.any_due());
  }
}

TEST_CASE("gradients with tensors and steps of their own are due in every mode", "[select][selection]") {
  Selection selection = selection_of({{.name = "gradients", .include_regex = "grad$", .save = tt::every(2)},
                                      {.name = "optimizer_variables", .tensor_names = {"m"}, .save = tt::every(2)}});
  Selection halves = selection_of({{.name = "gradients", .include_regex = "grad$"},  // the steps are the hook's
                                   {.name = "optimizer_variables", .tensor_names = {"m"}}});
  for (const Mode mode : tt::all_modes) {
    CAPTURE(static_cast<int>(mode));
    const bool trains = mode == Mode::train || mode == Mode::global;
    selection.begin_step({mode, 2, 0});
    CHECK(selection.due(0));
    CHECK(selection.due(1));
    CHECK_FALSE(selection.any_withheld());
    halves.begin_step({mode, 10, 0});
    CHECK(halves.due(0) == trains);
    CHECK(halves.withheld(1) == !trains);
    CHECK(halves.any_withheld() == !trains);
    halves.begin_step({mode, 11, 0});
    CHECK_FALSE(halves.any_withheld());
  }
}

TEST_CASE("a collection is found by its name", "[select][selection]") {
  const Selection selection = selection_of({{.name = "all"}, {.name = "weights"}});
  CHECK(selection.find("weights") == std::size_t{1});
  CHECK_FALSE(selection.find("weight"));
  CHECK_FALSE(selection_of({}).find(""));
}

TEST_CASE("collections that can match no tensor, or have no name of their own, are refused", "[select][selection]") {
  CHECK(refusal({{.name = "all"}, {.name = "weights"}}).empty());
  CHECK_THAT(refusal({{.name = ""}}), contains("hook: collection \"\": it has no name"));
  CHECK_THAT(refusal({{.name = "all"}, {.name = "a", .include_regex = "x"}, {.name = "a", .include_regex = "y"}}),
             contains("hook: collection \"a\": the name is there twice"));
  CHECK_THAT(refusal({{.name = "a"}}), contains("hook: collection \"a\": it can match no tensor; give it"));
  CHECK_THAT(refusal({{.name = "gradeints"}}), contains("; did you mean \"gradients\"? Else give it include_regex"));
  CHECK_THAT(refusal({{.name = "a", .include_regex = {"x", "(?<=y)x"}}}), contains("look-behind is not supported"));
  CHECK(refusal({{.name = "a", .tensor_names = {"x"}}}).empty());
}

TEST_CASE("collections that cannot be written as JSON are refused", "[select][selection]") {
  CHECK_THAT(refusal({{.name = "a\xff", .include_regex = "x"}}),
             contains("collection: name \"a\\xff\": it is not UTF-8"));
  CHECK_THAT(refusal({{.name = "a", .include_regex = "x\xff"}}), contains("is not UTF-8"));
  CHECK_THAT(refusal({{.name = "a", .tensor_names = {"x\xc3"}}}), contains("is not UTF-8"));
}

TEST_CASE("unmatched patterns and names are listed in the order of the configuration", "[select][selection]") {
  using Texts = std::vector<std::string>;
  Selection selection = selection_of({{.name = "a", .include_regex = {"^x", "y$"}, .tensor_names = {"n", "xy"}},
                                      {.name = "weights"},
                                      {.name = "b", .include_regex = "^x"}});
  CHECK(selection.unmatched(0) == Texts{"^x", "y$", "n", "xy"});
  CHECK(selection.unmatched(1) == Texts{std::string(*tt::builtin_pattern("weights"))});
  (void)selection.members("nothing of it");
  CHECK(selection.unmatched(0) == Texts{"^x", "y$", "n", "xy"});
  (void)selection.members("x");
  CHECK(selection.unmatched(0) == Texts{"y$", "n", "xy"});
  CHECK(selection.unmatched(2).empty());  // each collection for itself
  (void)selection.members("xy");          // a pattern and a name at once
  CHECK(selection.unmatched(0) == Texts{"n"});
  (void)selection.members("n");
  CHECK(selection.unmatched(0).empty());
  CHECK(selection.unmatched(1) == Texts{std::string(*tt::builtin_pattern("weights"))});
  (void)selection.members("fc1.weight");
  CHECK(selection.unmatched(1).empty());
}

TEST_CASE("a name matches as a name only, a pattern as a pattern only", "[select][selection]") {
  Selection selection =
      selection_of({{.name = "names", .tensor_names = {".*"}}, {.name = "patterns", .include_regex = "a.c"}});
  (void)selection.members("a.c.d");
  CHECK(selection.unmatched(0) == std::vector<std::string>{".*"});
  CHECK(selection.unmatched(1).empty());
  CHECK(selection.members(".*") == Positions{0});
  CHECK(selection.unmatched(0).empty());
}
