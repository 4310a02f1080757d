#include <tensortap/select/save_config.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include "catch.hpp"

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

/// smdebug's rule, as FORMAT says it.
bool smdebug_saves(std::int64_t step, std::int64_t interval, std::int64_t start, std::optional<std::int64_t> end,
                   const Steps& steps) {
  const bool listed = std::find(steps.begin(), steps.end(), step) != steps.end();
  return listed || (start <= step && (!end || step < *end) && step % interval == 0);
}

}  // namespace

TEST_CASE("left alone, every step of every mode is saved") {
  for (const Mode mode : tt::all_modes) CHECK(saved(SaveConfig(), mode) == all());
}

TEST_CASE("every(n) counts from 0") {
  CHECK(saved(every(10)) == Steps{0, 10, 20});
  CHECK(saved(every(1)) == all());
  CHECK(saved(every(1000)) == Steps{0});
}

TEST_CASE("at, from and until") {
  CHECK(saved(at({7, 3, 3})) == Steps{3, 7});
  CHECK(saved(at({})) == all());
  CHECK(saved(from(27)) == Steps{27, 28, 29});
  CHECK(saved(until(3)) == Steps{0, 1, 2});
  CHECK(saved(until(0)).empty());
  CHECK(saved(from(10) | until(10)).empty());
}

TEST_CASE("an interval counts from 0, not from the start") {
  CHECK(saved(every(10) | from(5)) == Steps{10, 20});
  CHECK(saved(every(10) | from(10) | until(20)) == Steps{10});
}

TEST_CASE("steps are united with the interval and lie where they want") {
  CHECK(saved(every(10) | at({1, 2, 3})) == Steps{0, 1, 2, 3, 10, 20});
  CHECK(saved(at({1}) | at({5, 1})) == Steps{1, 5});
  CHECK(saved(every(10) | at({1}) | from(5) | until(15)) == Steps{1, 10});
  CHECK(saved(at({29}) | from(5) | until(7)) == Steps{5, 6, 29});
}

TEST_CASE("the order of a union does not matter") {
  const std::vector<SaveConfig> parts = {every(4), from(5), until(21), at({1, 22})};
  const SaveConfig expected = parts[0] | parts[1] | parts[2] | parts[3];
  CHECK(saved(expected) == Steps{1, 8, 12, 16, 20, 22});
  std::vector<std::size_t> order = {0, 1, 2, 3};
  do CHECK((parts[order[0]] | parts[order[1]] | parts[order[2]] | parts[order[3]]) == expected);
  while (std::next_permutation(order.begin(), order.end()));
  CHECK(((parts[0] | parts[1]) | (parts[2] | parts[3])) == expected);
}

TEST_CASE("every configuration decides as smdebug does") {
  const std::vector<std::optional<std::int64_t>> bounds = {std::nullopt, 0, 1, 7, 12, 40};
  int compared = 0;
  for (const std::int64_t interval : {1, 2, 3, 7, 10, 500})
    for (const auto& start : bounds)
      for (const auto& end : bounds)
        for (const Steps& steps : {Steps{}, Steps{0}, Steps{5, 29, 1000}}) {
          SaveConfig config = every(interval);
          if (start) config = config | from(*start);
          if (end) config = config | until(*end);
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

TEST_CASE("during restricts to a mode") {
  const SaveConfig config = every(10) | during(Mode::eval);
  CHECK(saved(config, Mode::eval) == Steps{0, 10, 20});
  CHECK(saved(config, Mode::train).empty());
  CHECK(saved(config, Mode::predict).empty());
  CHECK(saved(config, Mode::global).empty());
  CHECK(saved(during(Mode::eval) | every(10), Mode::eval) == Steps{0, 10, 20});
  CHECK(saved(during(Mode::eval) | every(10), Mode::train).empty());
  CHECK(saved(every(10) | during(Mode::eval) | at({3}), Mode::eval) == Steps{0, 3, 10, 20});
  CHECK(saved(every(10) | during(Mode::eval) | at({3}), Mode::train).empty());
}

TEST_CASE("modes with configurations of their own are united") {
  const SaveConfig config = (every(10) | during(Mode::train)) | (every(1) | from(28) | during(Mode::eval));
  CHECK(saved(config, Mode::train) == Steps{0, 10, 20});
  CHECK(saved(config, Mode::eval) == Steps{28, 29});
  CHECK(saved(config, Mode::predict).empty());
  CHECK(saved((during(Mode::train) | during(Mode::eval)) | every(15), Mode::eval) == Steps{0, 15});
}

TEST_CASE("the mode's own step decides, not the global one") {
  CHECK(every(10).includes({Mode::train, 10, 13}));
  CHECK_FALSE(every(10).includes({Mode::train, 13, 10}));
}

TEST_CASE("never saves nothing, and adds nothing") {
  for (const Mode mode : tt::all_modes) CHECK(saved(SaveConfig::never(), mode).empty());
  CHECK(saved(SaveConfig::never() | every(10)) == Steps{0, 10, 20});
  CHECK(saved(every(10) | SaveConfig::never()) == Steps{0, 10, 20});
}

TEST_CASE("a decision of one's own sees the whole step") {
  const SaveConfig config = SaveConfig::when([](const tt::Step& step) {
    return step.mode == Mode::eval && step.mode_step % 7 == 1 && step.global_step == 1000 + step.mode_step;
  });
  CHECK(config.is_custom());
  CHECK_FALSE(every(1).is_custom());
  CHECK(saved(config, Mode::eval) == Steps{1, 8, 15, 22, 29});
  CHECK(saved(config, Mode::train).empty());
  CHECK_THROWS_WITH(config | every(2), contains("a decision of your own cannot be united with others"));
  CHECK_THROWS_WITH(every(2) | config, contains("a decision of your own cannot be united with others"));
  CHECK_FALSE(config == config);
}

TEST_CASE("a union of what contradicts itself is refused") {
  CHECK_THROWS_WITH(every(2) | every(3), contains("save config: two different intervals for the same mode (2 and 3)"));
  CHECK_THROWS_WITH(from(2) | from(3), contains("two different starts for the same mode (2 and 3)"));
  CHECK_THROWS_WITH(until(2) | until(3), contains("two different ends for the same mode (2 and 3)"));
  CHECK_THROWS_WITH((every(2) | during(Mode::eval)) | (every(3) | during(Mode::eval)),
                    contains("two different intervals"));
  CHECK(saved(every(10) | every(10)) == Steps{0, 10, 20});
  CHECK(saved((every(2) | during(Mode::eval)) | (every(30) | during(Mode::train))) == Steps{0});
  try {
    (void)(every(2) | every(3));
    FAIL("it was accepted");
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::invalid_option);
  }
}

TEST_CASE("an interval below 1 is refused") {
  CHECK_THROWS_WITH(every(0), contains("every(0): the interval must be at least 1"));
  CHECK_THROWS_WITH(every(-5), contains("every(-5)"));
}

TEST_CASE("an interval of 0 or less in a file saves its listed steps only") {
  for (const std::int64_t interval : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN}) {
    const tt::ModeSaveConfig config{.save_interval = interval, .start_step = {}, .end_step = {}, .save_steps = {3}};
    CHECK(config.includes(3));
    CHECK_FALSE(config.includes(0));
    CHECK_FALSE(config.includes(6));
  }
}

TEST_CASE("a mode is reached by its name") {
  SaveConfig config = every(10);
  REQUIRE(config[Mode::eval]);
  config[Mode::eval]->save_interval = 15;
  config[Mode::predict].reset();
  CHECK(saved(config, Mode::train) == Steps{0, 10, 20});
  CHECK(saved(config, Mode::eval) == Steps{0, 15});
  CHECK(saved(config, Mode::predict).empty());
}
