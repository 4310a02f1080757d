#include <tensortap/select/save_config.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include <tensortap/error.hpp>

#include "catch.hpp"
#include "select/random_save_config.hpp"

namespace tt = tensortap;
using tt::at, tt::during, tt::every, tt::from, tt::Mode, tt::SaveConfig, tt::until;

namespace {

using Steps = std::vector<std::int64_t>;

/// The steps below 30 that `config` saves in `mode`.
Steps saved(const SaveConfig& config, Mode mode = Mode::train) {
  Steps out;
  for (std::int64_t step = 0; step < 30; ++step)
    if (config.includes({mode, step, 1000 + step})) out.push_back(step);
  return out;
}

Steps all() {
  Steps out;
  for (std::int64_t step = 0; step < 30; ++step) out.push_back(step);
  return out;
}

/// Compares `config` with `expected` for all modes and the steps below `end`.
void check_steps(const RandomSaveConfig& random, std::int64_t end) {
  for (const Mode mode : tt::all_modes)
    for (std::int64_t step = 0; step < end; ++step) {
      const tt::Step at{mode, step, 2 * step};
      if (random.config.includes(at) != random.expected(at)) {
        CAPTURE(to_string(mode), step);
        FAIL("they differ");
      }
    }
}

/// smdebug's rule, as FORMAT says it.
bool smdebug_saves(std::int64_t step, std::int64_t interval, std::int64_t start, std::optional<std::int64_t> end,
                   const Steps& steps) {
  const bool listed = std::find(steps.begin(), steps.end(), step) != steps.end();
  return listed || (start <= step && (!end || step < *end) && step % interval == 0);
}

}  // namespace

TEST_CASE("the default saves every step of every mode", "[select][save_config]") {
  for (const Mode mode : tt::all_modes) CHECK(saved(SaveConfig(), mode) == all());
}

TEST_CASE("every(n) counts from 0", "[select][save_config]") {
  CHECK(saved(every(10)) == Steps{0, 10, 20});
  CHECK(saved(every(1)) == all());
  CHECK(saved(every(1000)) == Steps{0});
}

TEST_CASE("at, from and until", "[select][save_config]") {
  CHECK(saved(at({7, 3, 3})) == Steps{3, 7});
  CHECK(saved(at({})).empty());
  CHECK(saved(from(27)) == Steps{27, 28, 29});
  CHECK(saved(until(3)) == Steps{0, 1, 2});
  CHECK(saved(until(0)).empty());
  CHECK(saved(from(10) & until(10)).empty());
}

TEST_CASE("an interval counts from 0, not from the start", "[select][save_config]") {
  CHECK(saved(every(10) & from(5)) == Steps{10, 20});
  CHECK(saved(every(10) & from(10) & until(20)) == Steps{10});
}

TEST_CASE("listed steps unite with an interval and are restricted like all others", "[select][save_config]") {
  CHECK(saved(every(10) | at({1, 2, 3})) == Steps{0, 1, 2, 3, 10, 20});
  CHECK(saved(at({1}) | at({5, 1})) == Steps{1, 5});
  CHECK(saved((every(10) & from(5) & until(15)) | at({1})) == Steps{1, 10});
  CHECK(saved((every(10) | at({1, 6})) & from(5) & until(15)) == Steps{6, 10});
  CHECK(saved(at({29}) | (from(5) & until(7))) == Steps{5, 6, 29});
}

TEST_CASE("the order of a union does not matter", "[select][save_config]") {
  const std::vector<SaveConfig> parts = {every(4) & from(5) & until(21), every(7), at({1, 22}), every(14) & from(3)};
  const SaveConfig expected = parts[0] | parts[1] | parts[2] | parts[3];
  CHECK(saved(expected) == Steps{0, 1, 7, 8, 12, 14, 16, 20, 21, 22, 28});
  std::vector<std::size_t> order = {0, 1, 2, 3};
  do CHECK((parts[order[0]] | parts[order[1]] | parts[order[2]] | parts[order[3]]) == expected);
  while (std::next_permutation(order.begin(), order.end()));
  CHECK(((parts[0] | parts[1]) | (parts[2] | parts[3])) == expected);
}

TEST_CASE("the order of an intersection does not matter", "[select][save_config]") {
  const std::vector<SaveConfig> parts = {every(4), from(5), until(21), every(6) | at({8, 30})};
  const SaveConfig expected = parts[0] & parts[1] & parts[2] & parts[3];
  CHECK(saved(expected) == Steps{8, 12});
  std::vector<std::size_t> order = {0, 1, 2, 3};
  do CHECK((parts[order[0]] & parts[order[1]] & parts[order[2]] & parts[order[3]]) == expected);
  while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("every configuration decides as smdebug does", "[select][save_config]") {
  const std::vector<std::optional<std::int64_t>> bounds = {std::nullopt, 0, 1, 7, 12, 40};
  int compared = 0;
  for (const std::int64_t interval : {1, 2, 3, 7, 10, 500})
    for (const auto& start : bounds)
      for (const auto& end : bounds)
        for (const Steps& steps : {Steps{}, Steps{0}, Steps{5, 29, 1000}}) {
          SaveConfig config = every(interval);
          if (start) config = config & from(*start);
          if (end) config = config & until(*end);
          if (steps.size() == 1) config = config | at({0});
          if (steps.size() == 3) config = config | at({1000, 29, 5});
          for (std::int64_t step = 0; step < 1100; step += step < 60 ? 1 : 20, ++compared)
            if (config.includes({Mode::train, step, 0}) !=
                smdebug_saves(step, interval, start.value_or(0), end, steps)) {
              CAPTURE(interval, step, start.value_or(-1), end.value_or(-1), steps);
              FAIL("they differ");
            }
        }
  CHECK(compared > 50'000);
}

TEST_CASE("random expressions contain the steps that their operators say", "[select][save_config]") {
  RandomSaveConfigs random(11, false);
  RandomSaveConfigs random_custom(12, true);
  std::size_t most_clauses = 0;
  int customs = 0;
  for (int i = 0; i < 3000; ++i) {
    CAPTURE(i);
    const RandomSaveConfig plain = random(1 + i % 4);
    check_steps(plain, 130);
    for (const Mode mode : tt::all_modes) most_clauses = std::max(most_clauses, plain.config[mode].size());
    const RandomSaveConfig custom = random_custom(1 + i % 4);
    check_steps(custom, 60);
    customs += custom.config.is_custom() ? 1 : 0;
  }
  CHECK(most_clauses > 2);
  CHECK(customs > 500);
}

TEST_CASE("the laws of sets hold for random expressions", "[select][save_config]") {
  RandomSaveConfigs random(13, false);
  for (int i = 0; i < 300; ++i) {
    const SaveConfig a = random(3).config;
    const SaveConfig b = random(3).config;
    CHECK((a | b) == (b | a));
    CHECK((a & b) == (b & a));
    CHECK(saved((a | b) & a) == saved(a));
    CHECK(saved((a & b) | a) == saved(a));
    CHECK((a | SaveConfig::never()) == a);
    CHECK((a & SaveConfig::never()) == SaveConfig::never());
    CHECK(saved(a & SaveConfig()) == saved(a));
    CHECK(saved(a | SaveConfig()) == all());
  }
}

TEST_CASE("a union keeps one clause where one suffices", "[select][save_config]") {
  const auto clauses = [](const SaveConfig& config) { return config[Mode::train].size(); };
  CHECK((every(10) | every(10)) == every(10));
  CHECK((every(10) | every(30)) == every(10));
  CHECK((every(10) | (every(20) & from(7))) == every(10));
  CHECK((SaveConfig() | every(3)) == every(1));
  CHECK((until(0) | every(3)) == every(3));
  CHECK(clauses(every(100) | at({1}) | at({5})) == 1);
  CHECK(clauses(every(100) | every(150)) == 2);
  CHECK(clauses(every(100) | every(150) | at({1})) == 2);
  CHECK(clauses((every(100) | every(150)) & every(7) & from(3)) == 2);
}

TEST_CASE("intervals whose common multiples exceed all step numbers meet at 0 only", "[select][save_config]") {
  const std::int64_t large = (std::int64_t{1} << 62) - 1;
  const SaveConfig both = every(large) & every(large - 1);
  CHECK(saved(both) == Steps{0});
  CHECK_FALSE(both.includes({Mode::train, large, 0}));
  CHECK(saved(both & from(1)).empty());
  CHECK(saved((every(large) & from(1)) & every(large - 1)).empty());
  CHECK((every(large) & every(large)) == every(large));
}

TEST_CASE("during restricts to a mode", "[select][save_config]") {
  const SaveConfig config = every(10) & during(Mode::eval);
  CHECK(saved(config, Mode::eval) == Steps{0, 10, 20});
  CHECK(saved(config, Mode::train).empty());
  CHECK(saved(config, Mode::predict).empty());
  CHECK(saved(config, Mode::global).empty());
  CHECK((during(Mode::eval) & every(10)) == config);
  CHECK(saved((every(10) | at({3})) & during(Mode::eval), Mode::eval) == Steps{0, 3, 10, 20});
  CHECK(saved((every(10) | at({3})) & during(Mode::eval), Mode::train).empty());
}

TEST_CASE("configurations of different modes unite", "[select][save_config]") {
  const SaveConfig config = (every(10) & during(Mode::train)) | (every(1) & from(28) & during(Mode::eval));
  CHECK(saved(config, Mode::train) == Steps{0, 10, 20});
  CHECK(saved(config, Mode::eval) == Steps{28, 29});
  CHECK(saved(config, Mode::predict).empty());
  CHECK(saved((during(Mode::train) | during(Mode::eval)) & every(15), Mode::eval) == Steps{0, 15});
}

TEST_CASE("the mode's own step decides, not the global one", "[select][save_config]") {
  CHECK(every(10).includes({Mode::train, 10, 13}));
  CHECK_FALSE(every(10).includes({Mode::train, 13, 10}));
}

TEST_CASE("never saves nothing, and adds nothing", "[select][save_config]") {
  for (const Mode mode : tt::all_modes) CHECK(saved(SaveConfig::never(), mode).empty());
  CHECK(saved(SaveConfig::never() | every(10)) == Steps{0, 10, 20});
  CHECK(saved(every(10) | SaveConfig::never()) == Steps{0, 10, 20});
}

TEST_CASE("a predicate sees the whole step, and composes", "[select][save_config]") {
  const SaveConfig config = SaveConfig::when([](const tt::Step& step) {
    return step.mode == Mode::eval && step.mode_step % 7 == 1 && step.global_step == 1000 + step.mode_step;
  });
  CHECK(config.is_custom());
  CHECK_FALSE(every(1).is_custom());
  CHECK(saved(config, Mode::eval) == Steps{1, 8, 15, 22, 29});
  CHECK(saved(config, Mode::train).empty());
  CHECK_FALSE(config == config);
  CHECK(saved(config & from(10), Mode::eval) == Steps{15, 22, 29});
  CHECK(saved(until(10) & config, Mode::eval) == Steps{1, 8});
  CHECK(saved(config | every(20), Mode::eval) == Steps{0, 1, 8, 15, 20, 22, 29});
  CHECK(saved(every(20) | config, Mode::train) == Steps{0, 20});
  CHECK((config & from(10)).is_custom());
  CHECK((every(20) | config).is_custom());
}

TEST_CASE("intervals, starts and ends that differ unite", "[select][save_config]") {
  CHECK(saved(every(10) | every(15)) == Steps{0, 10, 15, 20});
  CHECK(saved(from(28) | from(27)) == Steps{27, 28, 29});
  CHECK(saved(until(2) | until(3)) == Steps{0, 1, 2});
  CHECK(saved(until(2) | from(28)) == Steps{0, 1, 28, 29});
  CHECK(saved((every(15) & during(Mode::eval)) | (every(20) & during(Mode::eval)), Mode::eval) == Steps{0, 15, 20});
  CHECK(saved(every(10) | every(10)) == Steps{0, 10, 20});
  CHECK(saved((every(2) & during(Mode::eval)) | (every(30) & during(Mode::train))) == Steps{0});
  CHECK(saved(at({1, 2, 3}) | (every(10) & from(5))) == Steps{1, 2, 3, 10, 20});
}

TEST_CASE("an interval below 1 is refused", "[select][save_config]") {
  CHECK_THROWS_WITH(every(0), contains("save config: every(0): the interval must be at least 1"));
  CHECK_THROWS_WITH(every(-5), contains("every(-5)"));
  try {
    (void)every(0);
    FAIL("it was accepted");
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::invalid_option);
  }
}

TEST_CASE("an interval of 0 or less in a file saves its listed steps only", "[select][save_config]") {
  for (const std::int64_t interval : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN}) {
    const tt::SaveClause clause{.interval = interval, .steps = {3}};
    CHECK(clause.includes(3));
    CHECK_FALSE(clause.includes(0));
    CHECK_FALSE(clause.includes(6));
    const SaveConfig config(SaveConfig::Clauses{clause});
    CHECK(saved(config & every(3)) == Steps{3});
    CHECK(saved(config | every(10)) == Steps{0, 3, 10, 20});
  }
}

TEST_CASE("the clauses of a mode can be changed", "[select][save_config]") {
  SaveConfig config = every(10);
  REQUIRE(config[Mode::eval].size() == 1);
  config[Mode::eval][0].interval = 15;
  config[Mode::predict].clear();
  CHECK(saved(config, Mode::train) == Steps{0, 10, 20});
  CHECK(saved(config, Mode::eval) == Steps{0, 15});
  CHECK(saved(config, Mode::predict).empty());
}
