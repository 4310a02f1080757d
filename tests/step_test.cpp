#include <cstdint>

#include <tensortap/step.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using tt::Mode;

TEST_CASE("modes have the numbers and names of the file format", "[base][step]") {
  CHECK(static_cast<int>(Mode::train) == 1);
  CHECK(static_cast<int>(Mode::eval) == 2);
  CHECK(static_cast<int>(Mode::predict) == 3);
  CHECK(static_cast<int>(Mode::global) == 4);
  CHECK(to_string(Mode::train) == "TRAIN");
  CHECK(to_string(Mode::eval) == "EVAL");
  CHECK(to_string(Mode::predict) == "PREDICT");
  CHECK(to_string(Mode::global) == "GLOBAL");
}

TEST_CASE("the name of a mode is parsed back to it", "[base][step]") {
  for (std::size_t i = 0; i < tt::all_modes.size(); ++i) {
    CHECK(index_of(tt::all_modes[i]) == i);
    CHECK(tt::parse_mode(to_string(tt::all_modes[i])) == tt::all_modes[i]);
  }
  for (const char* unknown : {"", "train", "TRAIN ", "TEST", "1"}) CHECK_FALSE(tt::parse_mode(unknown));
}

TEST_CASE("steps compare by mode, mode step and global step", "[base][step]") {
  const tt::Step step{Mode::eval, 3, 17};
  CHECK(step == tt::Step{Mode::eval, 3, 17});
  CHECK_FALSE(step == tt::Step{Mode::train, 3, 17});
  CHECK_FALSE(step == tt::Step{Mode::eval, 4, 17});
  CHECK_FALSE(step == tt::Step{Mode::eval, 3, 18});
  CHECK(tt::Step{} == tt::Step{Mode::train, 0, 0});
}
