// Two runs compared: facts, collections, values within round-off and beyond, and what only one of them has.
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"
#include "golden.hpp"

namespace tt = tensortap;

namespace {

using Loop = std::function<void(tt::Hook&)>;
using Kind = tt::DifferenceKind;

tt::Trial run_of(const Loop& loop, tt::HookOptions options = {}) {
  const auto store = std::make_shared<tt::MemoryStore>();
  options.save = tt::every(1);
  options.process_facts = false;
  tt::Hook hook(store, std::move(options));
  loop(hook);
  hook.close();
  return tt::Trial(store);
}

/// Returns a run of one step with one tensor "x".
template <class T>
tt::Trial run_with(const T& tensor, tt::HookOptions options = {}) {
  return run_of(
      [&](tt::Hook& hook) {
        hook.begin_step();
        hook.save("x", tensor);
      },
      std::move(options));
}

constexpr float after(float x) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) + 1); }

}  // namespace

TEST_CASE("a run equals itself", "[trial][compare]") {
  for (const char* const name :
       {"basic", "modes", "save_all", "workers_ended", "reductions", "dtypes", "xgboost_like", "shape_only"}) {
    INFO(name);
    const tt::Trial trial((golden::directory() / name).string());
    const auto found = tt::compare(trial, trial);
    CHECK(found.same_values());
    CHECK(found.compared > 0);
    CHECK(found.equal == found.compared);
    CHECK_FALSE(found.first_bits);
    CHECK(found.facts.empty());
    CHECK(found.collections.empty());
    CHECK(found.common_steps == trial.steps(tt::Mode::global, tt::Completeness::any).size());
  }
}

TEST_CASE("values that differ by round-off are told apart from those that differ", "[trial][compare]") {
  const std::vector<float> x = {1, -2, 3};
  const auto found = tt::compare(run_with(x), run_with(std::vector<float>{1, -2, after(3)}));
  CHECK(found.same_values());
  CHECK(found.within == 1);
  REQUIRE(found.first_bits);
  CHECK(found.first_bits->index == 2);
  CHECK(found.first_bits->first == "3");
  CHECK(found.first_bits->second == "3.0000002");
  CHECK(*found.first_bits->tolerance == 64 * 3.0000002384185791 * 0x1p-24);

  const auto other = tt::compare(run_with(x), run_with(std::vector<float>{1, -2.001F, after(3)}));
  CHECK_FALSE(other.same_values());
  REQUIRE(other.first);
  CHECK(other.first->index == 1);
  CHECK(other.first->second == "-2.001");
  CHECK(*other.first->largest == Approx(0.001).epsilon(1e-3));
  CHECK(tt::compare(run_with(x), run_with(std::vector<float>{1, -2.001F, 3}), {.round_offs = 1e6}).same_values());
  CHECK_FALSE(tt::compare(run_with(x), run_with(std::vector<float>{1, -2, after(3)}), {.round_offs = 0}).same_values());
}

TEST_CASE("the tolerance follows the element type", "[trial][compare]") {
  const auto differ = [](const auto& a, const auto& b) { return !tt::compare(run_with(a), run_with(b)).same_values(); };
  CHECK(differ(1.0, 1.0 + 1e-7));
  CHECK_FALSE(differ(1.0, 1.0 + 1e-15));
  CHECK_FALSE(differ(1.0F, 1.0F + 1e-6F));
  CHECK(differ(1.0F, 1.0F + 1e-4F));
  CHECK_FALSE(differ(tt::BFloat16(1.0F), tt::BFloat16(1.1F)));
  CHECK(differ(tt::Half(1.0F), tt::Half(1.1F)));
  CHECK(differ(std::int64_t{1}, std::int64_t{2}));
  CHECK(differ((std::int64_t{1} << 62), (std::int64_t{1} << 62) + 1));  // one double
  CHECK_FALSE(differ(std::complex<float>(1, 1), std::complex<float>(1, after(1))));
  CHECK(differ(std::complex<float>(1, 1), std::complex<float>(1, 2)));
  CHECK(differ(std::string("a"), std::string("b")));
  CHECK(differ(1.0F, 1.0));
  CHECK(differ(std::vector<float>{1}, std::vector<float>{1, 2}));
}

TEST_CASE("NaN equals NaN, and nothing else", "[trial][compare]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  CHECK(tt::compare(run_with(nan), run_with(-nan)).same_values());
  CHECK(tt::compare(run_with(inf), run_with(inf)).same_values());
  const auto found = tt::compare(run_with(1.0F), run_with(nan));
  REQUIRE(found.first);
  CHECK(std::isnan(*found.first->largest));
  CHECK_FALSE(tt::compare(run_with(inf), run_with(-inf)).same_values());
  CHECK_FALSE(tt::compare(run_with(1.0F), run_with(inf)).same_values());
}

TEST_CASE("the first tensor that differs is the first that was saved", "[trial][compare]") {
  const auto run = [](float wrong) {
    return run_of([&](tt::Hook& hook) {
      for (int i = 0; i < 3; ++i) {
        hook.begin_step();
        hook.save("z_first_layer", i == 1 ? wrong : 1.0F);
        hook.save("a_last_layer", i == 1 ? wrong : 1.0F);
        hook.begin_step(tt::Mode::eval);
        hook.save("score", i == 0 ? 1.0F : wrong);
      }
    });
  };
  const auto found = tt::compare(run(1), run(2));
  REQUIRE(found.first);
  CHECK(found.first->tensor == "z_first_layer");
  CHECK(found.first->step == tt::Step{tt::Mode::train, 1, 2});
  CHECK(found.first->worker == "worker_0");
  REQUIRE(found.curves.size() == 3);
  CHECK(found.curves[0].tensor == "a_last_layer");
  CHECK(found.curves[1].tensor == "score");
  CHECK(found.curves[1].mode == tt::Mode::eval);
  CHECK(found.curves[1].steps == 3);
  CHECK(found.curves[1].last_step == 2);
  CHECK(found.curves[1].second == 2);
  CHECK(found.curves[1].largest == 1);
  CHECK(found.curves[1].largest_step == 1);
}

TEST_CASE("steps are matched by mode and mode step", "[trial][compare]") {
  const auto run = [](int every) {
    return run_of([&](tt::Hook& hook) {
      for (int i = 0; i < 6; ++i) {
        hook.begin_step();
        hook.save("loss", i);
        if (i % every != 0) continue;
        hook.begin_step(tt::Mode::eval);
        hook.save("score", 1);
      }
    });
  };
  const auto found = tt::compare(run(2), run(3));
  CHECK(found.common_steps == 6 + 2);
  CHECK(found.steps_only_first == 1);
  CHECK(found.steps_only_second == 0);
  CHECK_FALSE(found.first);
  CHECK_FALSE(found.same_values());
  CHECK(tt::compare(run(2), run(3), {.query = {.mode = tt::Mode::train}}).same_values());
  CHECK(tt::compare(run(3), run(2)).steps_only_second == 1);
}

TEST_CASE("what one run lacks is told", "[trial][compare]") {
  const auto first = run_of([](tt::Hook& hook) {
    hook.begin_step();
    hook.save("x", 1);
    hook.save("only_here", 1);
    hook.begin_step();
    hook.save("x", 1);
  });
  const auto second = run_of([](tt::Hook& hook) {
    hook.begin_step();
    hook.save("x", 1);
    hook.begin_step();
    hook.save("only_there", 1);
  });
  const auto found = tt::compare(first, second);
  CHECK(found.only_first == std::vector<std::string>{"only_here"});
  CHECK(found.only_second == std::vector<std::string>{"only_there"});
  REQUIRE(found.first);
  CHECK(found.first->kind == Kind::absent);
  CHECK(found.first->tensor == "x");
  CHECK(found.first->step.global_step == 1);
  CHECK(found.first->second == "not saved");
  CHECK(tt::compare(first, second, {.query = {.include_regex = "x"}, .range_steps = {0, 1}}).same_values());
}

TEST_CASE("reductions and statistics are compared where elements are missing", "[trial][compare]") {
  using R = tt::Reduction;
  const auto with = [](tt::Reductions wanted, std::vector<float> x) {
    return run_with(x, {.collections = {{.name = "all", .reductions = wanted}}});
  };
  const std::vector<float> x = {1, -1, 0.5F}, y = {1, -1, 0.75F};
  CHECK(tt::compare(with({R::l2, R::mean}, x), with({R::l2, R::mean}, x)).equal == 2);
  const auto found = tt::compare(with({R::l2}, x), with({R::l2}, y));
  REQUIRE(found.first);
  CHECK(found.first->reduction == "l2");
  CHECK(found.first->first == "1.5");
  CHECK(tt::compare(with({R::l2}, x), run_with(x)).same_values());  // computed from the elements
  CHECK_FALSE(tt::compare(with({R::statistics}, x), with({R::statistics}, y)).same_values());
  CHECK(tt::compare(with({R::statistics}, x), with({R::l2}, x)).compared >= 1);
  // A mean near 0 is no more exact than the elements.
  const std::vector<float> up = {1, -1, 1e-7F}, down = {1, -1, -1e-7F};
  CHECK(tt::compare(with({R::mean, R::max}, up), with({R::mean, R::max}, down)).same_values());
}

TEST_CASE("runs of which nothing can be compared are not the same", "[trial][compare]") {
  const auto one = run_with(1);
  CHECK_FALSE(tt::compare(one, one, {.query = {.include_regex = "nothing"}}).same_values());
  CHECK_FALSE(tt::compare(one, one, {.query = {.mode = tt::Mode::eval}}).same_values());
  const tt::Trial damaged((golden::directory() / "missing_event_file").string());
  const auto found = tt::compare(damaged, damaged);
  CHECK_FALSE(found.same_values());
  REQUIRE(found.damage.size() >= 2);
  CHECK_THAT(found.damage[0], contains("first run: "));
}

TEST_CASE("a curve that becomes NaN is no equal one", "[trial][compare]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto found = tt::compare(run_with(1.0F), run_with(nan));
  REQUIRE(found.curves.size() == 1);
  CHECK(std::isnan(found.curves[0].largest));
  CHECK(found.curves[0].largest_step == 0);
  CHECK(tt::compare(run_with(nan), run_with(nan)).curves[0].largest_step == -1);
}

TEST_CASE("facts and collections that differ are named", "[trial][compare]") {
  const auto first =
      run_with(1, {.collections = {{.name = "a", .include_regex = "x"}, {.name = "b", .include_regex = "b"}},
                   .facts = {{"seed", "1"}, {"lr", "0.1"}, {"same", "s"}}});
  const auto second =
      run_with(1, {.collections = {{.name = "a", .include_regex = "x|y"}, {.name = "c", .include_regex = "c"}},
                   .facts = {{"seed", "2"}, {"same", "s"}}});
  const auto found = tt::compare(first, second);
  REQUIRE(found.facts.size() == 2);
  CHECK(found.facts.at("seed") == std::pair(std::optional<std::string>("1"), std::optional<std::string>("2")));
  CHECK(found.facts.at("lr") == std::pair(std::optional<std::string>("0.1"), std::optional<std::string>()));
  CHECK(found.collections == std::vector<std::string>{"a", "b", "c"});
  CHECK(found.same_values());
}

TEST_CASE("several runs side by side", "[trial][trials]") {
  const auto run = [](int steps, float scale, bool extra) {
    return run_of([&](tt::Hook& hook) {
      for (int i = 0; i < steps; ++i) {
        hook.begin_step();
        hook.save("loss", scale / static_cast<float>(i + 1));
        hook.save("weights", std::vector<float>{scale, 0});
        if (extra) hook.save("extra", 1);
      }
    });
  };
  std::vector<tt::Trial> list;
  list.push_back(run(3, 1, true));
  list.push_back(run(2, 2, false));
  const tt::Trials trials = tt::Trials::of(std::move(list));
  CHECK(trials.size() == 2);
  CHECK(trials.common_tensors() == std::vector<std::string>{"loss", "weights"});
  CHECK(trials.common_tensors({.collection = "nothing"}).empty());
  CHECK(trials.common_steps(tt::Mode::train) == std::vector<std::int64_t>{0, 1});
  using Row = tt::Trials::Row;
  CHECK(trials.curve("loss") == std::vector<Row>{{0, {1, 2}}, {1, {0.5, 1}}, {2, {static_cast<double>(1 / 3.0F), {}}}});
  CHECK(trials.curve("weights").empty());
  CHECK(trials.curve("weights", tt::Mode::train, tt::Reduction::l2).size() == 3);
  CHECK(trials.curve("extra").front() == Row{0, {1, {}}});
  CHECK(trials.curve("nothing").empty());
  trials.refresh();
  CHECK(trials.wait_for_end(std::chrono::seconds(10)));
  CHECK(trials[1].steps().size() == 2);
  CHECK_THROWS_AS(tt::Trials({"/nonexistent/run"}), tt::Error);
}
