/// What a run holds, read back from its folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <set>

#include <tensortap/tensortap.hpp>

namespace spot_training {

/// Prints a line per collection: its tensors, the steps that have some of them, and their bytes.
inline void print_saved(const std::filesystem::path& out_dir) {
  tensortap::Trial trial(out_dir.string());
  std::printf("%-14s %7s %7s %12s\n", "collection", "tensors", "steps", "bytes");
  for (const char* const name : {"losses", "metrics", "weights", "biases", "gradients", "relu_output", "weights_raw", "biases_raw",
                                 "gradients_raw"}) {
    std::size_t tensors = 0;
    std::set<std::uint64_t> steps;
    std::uint64_t bytes = 0;
    for (const auto& tensor : trial.tensors({.collection = name})) {
      ++tensors;
      for (const auto step : tensor.steps()) steps.insert(static_cast<std::uint64_t>(step));
      bytes += tensor.stored_bytes();
    }
    std::printf("%-14s %7zu %7zu %12llu\n", name, tensors, steps.size(), static_cast<unsigned long long>(bytes));
  }
}

}  // namespace spot_training
