// The elements of a saved tensor, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"

/// Returns the elements of a float32 tensor in a step, which must have been saved.
inline std::vector<float> floats(const tensortap::Trial& trial, const std::string& name, std::int64_t step) {
  INFO(name);
  const auto value = trial.tensor(name).value(step);
  REQUIRE(value);
  const auto elements = value->as<float>();
  return {elements.begin(), elements.end()};
}
