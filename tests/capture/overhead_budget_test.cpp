// The budget of a hook: what it leaves out, in which order, and that it tells.
#include <tensortap/capture/internal/overhead_budget.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"

namespace tt = tensortap;
using std::chrono::microseconds;
using tt::Detail;

namespace {

/// A loop with steps of 2 ms, in which saves take the same time in each detail.
struct SimulatedLoop {
  tt::detail::OverheadBudget budget;
  microseconds cost_of_all;
  microseconds cost_of_statistics;
  microseconds cost_of_scalars;
  tt::detail::OverheadBudget::Clock::time_point now{std::chrono::seconds(1)};
  std::vector<std::optional<Detail>> details = {};
  microseconds spent{};
  microseconds trained{};

  void run(int steps, int save_every = 1) {
    for (int i = 0; i < steps; ++i) {
      const bool is_due = i % save_every == 0;
      const auto detail = budget.plan(is_due, now);
      now += microseconds(2000);
      trained += microseconds(2000);
      if (!is_due) continue;
      details.push_back(detail);
      if (!detail) continue;
      const microseconds cost = *detail == Detail::all          ? cost_of_all
                                : *detail == Detail::statistics ? cost_of_statistics
                                                                : cost_of_scalars;
      budget.add(cost);
      now += cost;
      spent += cost;
    }
  }
  [[nodiscard]] double share() const {
    return static_cast<double>(spent.count()) / static_cast<double>((trained + spent).count());
  }
  [[nodiscard]] std::int64_t count(std::optional<Detail> detail) const {
    return std::count(details.begin(), details.end(), detail);
  }
};

/// Needs statistics of gradients at every second step.
struct ReaderOfGradients {
  void operator()(const tt::StepView&) const {}
  [[nodiscard]] std::vector<tt::Collection> required() const {
    return {{.name = "gradients", .save = tt::every(2), .reductions = {tt::Reduction::statistics}}};
  }
};

}  // namespace

TEST_CASE("a budget gives up elements, then statistics, then steps", "[capture][budget]") {
  SimulatedLoop cheap{tt::detail::OverheadBudget(0.01, 2), microseconds(15), microseconds(10), microseconds(5)};
  cheap.run(1000);
  CHECK(cheap.count(Detail::all) == 1000);

  SimulatedLoop middle{tt::detail::OverheadBudget(0.01, 2), microseconds(400), microseconds(10), microseconds(5)};
  middle.run(1000);
  CHECK(middle.count(Detail::all) <= 2);
  CHECK(middle.count(Detail::statistics) > 900);
  CHECK(middle.share() <= 0.0101);

  SimulatedLoop dear{tt::detail::OverheadBudget(0.01, 2), microseconds(400), microseconds(100), microseconds(5)};
  dear.run(1000);
  CHECK(dear.count(Detail::statistics) <= 2);
  CHECK(dear.count(Detail::scalars) > 900);
  CHECK(dear.share() <= 0.0101);

  SimulatedLoop dearest{tt::detail::OverheadBudget(0.01, 2), microseconds(400), microseconds(200), microseconds(60)};
  dearest.run(3000);
  CHECK(dearest.count(Detail::scalars) > 800);
  CHECK(dearest.count(std::nullopt) > 1800);
  CHECK(dearest.share() <= 0.0101);
}

TEST_CASE("a budget lets rare steps save all, and counts the time of the writer", "[capture][budget]") {
  SimulatedLoop rare{tt::detail::OverheadBudget(0.01, 2), microseconds(900), microseconds(100), microseconds(5)};
  rare.run(5000, 50);
  CHECK(rare.count(Detail::all) == 100);

  SimulatedLoop written{tt::detail::OverheadBudget(0.01, 2), microseconds(5), microseconds(5), microseconds(5)};
  written.run(1);
  written.budget.add_written(Detail::all, microseconds(2000), 1);  // 1 ms of each core: fifty steps
  written.run(40);
  CHECK(written.count(std::nullopt) == 40);
  written.run(40);
  CHECK(written.count(Detail::all) == 1);
  CHECK(written.count(Detail::statistics) > 20);
}

TEST_CASE("a hook within its budget saves all; one beyond it says what it left out", "[capture][budget]") {
  const bool is_tight = GENERATE(false, true);
  const bool spares_rules = GENERATE(true, false);
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options{.save = tt::every(1), .budget_spares_rules = spares_rules};
  options.budget = is_tight ? 1e-12 : 0.999999;
  options.on_step = ReaderOfGradients{};
  tt::HookStatus status;
  {
    tt::Hook hook(store, options);
    for (int i = 0; i < 10; ++i) {
      hook.begin_step();
      CHECK(hook.due("all") == (!is_tight || i == 0 || (spares_rules && i % 2 == 0)));
      hook.save("loss", 1.0);
      hook.save("gradient/w", std::vector<float>(1000, 1));
      hook.save("weight/w", std::vector<float>(1000, 1));
      if (!is_tight) std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the training, far longer than saves
    }
    hook.close();
    status = hook.status();
  }
  const tt::Trial trial(store);
  if (!is_tight) {
    CHECK(status.thinned.empty());
    CHECK(trial.thinned().empty());
    CHECK(trial.tensor("weight/w").steps().size() == 10);
    return;
  }
  CHECK(trial.tensor("loss").steps() == std::vector<std::int64_t>{0});
  CHECK(trial.tensor("weight/w").steps() == std::vector<std::int64_t>{0});
  CHECK(trial.tensor("gradient/w").steps().size() == (spares_rules ? 5 : 1));
  if (spares_rules) {
    CHECK(trial.tensor("gradient/w").statistics(4)->max == 1);
    CHECK_FALSE(trial.tensor("gradient/w").value(4));
  }
  CHECK(trial.losses().empty());
  REQUIRE(status.thinned.size() == 1);
  CHECK(status.thinned[0] ==
        tt::Thinning{.detail = Detail::scalars, .first_step = 1, .last_step = 9, .saved = 0, .passed_over = 9});
  CHECK(to_string(status.thinned[0]) == "scalars of 0 steps, nothing of 9 steps, in steps 1 to 9");
  CHECK(trial.thinned() == status.thinned);
}

TEST_CASE("a budget is a share", "[capture][budget]") {
  for (const double budget : {0.0, 1.0, -0.1, 2.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(tt::Hook(std::make_shared<tt::MemoryStore>(), tt::HookOptions{.budget = budget}),
                      contains("budget"));
}
