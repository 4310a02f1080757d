// The report at the end of a training, read back from its run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <ostream>
#include <set>
#include <sstream>
#include <string>

#include <zlib.h>

#include <tensortap/tensortap.hpp>

#include "parameters.hpp"
#include "result.hpp"

namespace spot_training {

/// Writes a line for each collection: its tensors, its steps, the steps that have elements and not only reductions, and
/// its bytes.
inline void write_saved_table(const std::string& out_dir, std::ostream& out) {
  const auto row = [&](const auto& name, const auto& tensors, const auto& steps, const auto& full, const auto& bytes) {
    out << std::left << std::setw(14) << name << std::right << std::setw(9) << tensors << std::setw(9) << steps
        << std::setw(9) << full << std::setw(12) << bytes << '\n';
  };
  const tensortap::Trial trial(out_dir);
  row("collection", "tensors", "steps", "in full", "bytes");
  for (const std::string name : {"losses", "metrics", "weights", "biases", "gradients", "relu_output"}) {
    const auto collections = trial.collections();
    const auto is_it = [&](const tensortap::Collection& collection) { return collection.name == name; };
    if (std::none_of(collections.begin(), collections.end(), is_it)) continue;
    const auto tensors = trial.tensors({.collection = name});
    std::set<std::int64_t> steps, full;
    std::uint64_t bytes = 0;
    for (const auto& tensor : tensors) {
      bytes += tensor.stored_bytes();
      for (const std::int64_t step : tensor.steps()) {
        steps.insert(step);
        if (tensor.value(step)) full.insert(step);
      }
    }
    row(name, tensors.size(), steps.size(), full.size(), bytes);
  }
}

/// Returns a checksum of all weights and biases. It is the same for the same recipe on every machine.
inline std::string checksum(const Parameters& parameters) {
  unsigned long crc = crc32(0, nullptr, 0);
  for (const auto numbers : parameters.numbers())
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(numbers.data()), numbers.size_bytes());
  std::ostringstream text;
  text << std::hex << std::setw(8) << std::setfill('0') << crc;
  return text.str();
}

/// Prints what was saved, what it cost, and commands that show more.
inline void report(const std::string& run, const Result& result, std::ostream& out) {
  out << "checksum of the weights: " << result.checksum << "\n\nsaved:\n";
  write_saved_table(run, out);
  out << std::fixed << std::setprecision(2) << "\nthe hook took " << result.hook_seconds << " s, "
      << std::setprecision(1) << 100 * result.hook_share() << " % of the " << result.learning_seconds
      << " s of the training steps; commits and the end took " << std::setprecision(2) << result.commit_seconds
      << " s\n";
  const std::string tool = "  " TENSORTAP_COMMAND " ";
  const tensortap::TensorHistory last = tensortap::Trial(run).tensors().back();
  out << "\nlook further:\n"
      << tool << "show " << run << '\n'
      << tool << "show " << run << ' ' << last.name() << " --step " << last.steps().back() << '\n'
      << tool << "check " << run << '\n'
      << tool << "report " << run << " -o report.html\n";
}

}  // namespace spot_training
