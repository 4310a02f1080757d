// Faults of a training, each made as users make them, and the rule that finds each.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace spot_training {

enum class Fault {
  none,
  vanishing,
  exploding,
  nan,
  dead,
  saturated,
  wrong_labels,
  learning_rate_zero,
  constant_weights,
};

struct FaultDescription {
  Fault fault;
  std::string_view name;
  std::string_view rule;  ///< finds it, as an error
  std::string_view what;
};

/// All faults, in the order in which they are listed.
inline constexpr std::array<FaultDescription, 8> faults = {{
    {Fault::vanishing, "vanishing", "VanishingGradient", "sigmoid in place of ReLU, and small initial weights"},
    {Fault::exploding, "exploding", "ExplodingTensor", "the initial weights are ten times too large"},
    {Fault::nan, "nan", "ExplodingTensor", "each image is divided by its deviation, and one image is blank"},
    {Fault::dead, "dead", "DeadRelu", "the biases begin at -10, not at 0"},
    {Fault::saturated, "saturated", "SaturatedActivation",
     "tanh in place of ReLU, and initial weights that are twenty times too large"},
    {Fault::wrong_labels, "wrong_labels", "LossNotDecreasing", "the images are shuffled, but not their labels"},
    {Fault::learning_rate_zero, "learning_rate_zero", "UpdateMissing", "the schedule of the learning rate begins at 0"},
    {Fault::constant_weights, "constant_weights", "IdenticalUnits", "all weights begin at 0.01"},
}};

/// Returns the fault with this name; null if there is none.
inline const FaultDescription* fault_named(std::string_view name) {
  for (const FaultDescription& one : faults)
    if (one.name == name) return &one;
  return nullptr;
}

/// Returns the names with descriptions, a line for each.
inline std::string list_of_faults() {
  std::string out;
  for (const FaultDescription& one : faults)
    out.append(one.name).append(20 - one.name.size(), ' ').append(one.what).append(" (").append(one.rule).append(")\n");
  return out;
}

/// A check of the option --inject: returns an empty text for a fault that is known, else a message that names them all.
inline std::string check_fault(const std::string& name) {
  return fault_named(name) != nullptr ? std::string() : "the faults are:\n" + list_of_faults();
}

}  // namespace spot_training
