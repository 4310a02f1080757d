// Compares two runs: their facts, their collections, their curves, and every value that both have saved. Answers the
// question where two trainings that should be the same part.
//
//   const auto found = tensortap::compare(tensortap::Trial("runs/41"), tensortap::Trial("runs/42"));
//   if (found.first) std::cout << found.first->tensor << " in step " << found.first->step.global_step << '\n';
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/trial/trial.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the unit round-off of an element type: 2^-24 for float32, 2^-8 for bfloat16; 0 for integers and strings.
constexpr double unit_round_off(DType dtype) noexcept {
  switch (dtype) {
    case DType::f16: return 0x1p-11;
    case DType::bf16: return 0x1p-8;
    case DType::f32:
    case DType::complex64: return 0x1p-24;
    case DType::f64:
    case DType::complex128: return 0x1p-53;
    default: return 0;
  }
}

/// What is compared, and how closely.
struct CompareOptions {
  TensorQuery query = {};      ///< the tensors
  StepRange range_steps = {};  ///< the global steps of the first run
  /// How many units of round-off are no difference. Elements differ if they are further apart than this many times the
  /// unit round-off of their type times the largest magnitude in the tensor.
  double round_offs = 64;
};

/// Where a value differs.
enum class DifferenceKind : std::uint8_t {
  value,   ///< the elements, or a reduction
  shape,   ///< other extents
  dtype,   ///< other element types
  absent,  ///< only one run has saved the tensor in a step that both have
};

/// One tensor in one step that differs.
struct TensorDifference {
  DifferenceKind kind = DifferenceKind::value;
  Step step = {};  ///< as in the first run
  std::string tensor = {};
  std::string worker = {};
  std::string reduction = {};               ///< the reduction that differs, as stored; empty: the elements
  std::optional<std::uint64_t> index = {};  ///< the row-major index of the first element that differs
  std::string first = {}, second = {};      ///< that element, the reduction, the shape or the type in the two runs
  std::optional<double> largest = {};       ///< the largest distance of two elements; NaN if one is NaN and one is not
  std::optional<double> tolerance = {};     ///< the distance at which they begin to differ

  friend bool operator==(const TensorDifference&, const TensorDifference&) = default;
};

/// A tensor of one element, over the steps that both runs have.
struct CurveDifference {
  std::string tensor;
  Mode mode = Mode::train;
  std::size_t steps = 0;           ///< steps of the mode that both have
  std::int64_t last_step = -1;     ///< the last of them
  double first = 0, second = 0;    ///< the values in the last step
  double largest = 0;              ///< the largest distance; NaN if one is NaN and one is not
  std::int64_t largest_step = -1;  ///< the mode step of it
};

/// The differences of two runs.
struct RunDifferences {
  using Names = std::vector<std::string>;

  /// Facts that differ, see `Trial::facts`: their values; nullopt if a run has no such fact.
  std::map<std::string, std::pair<std::optional<std::string>, std::optional<std::string>>> facts;
  Names collections;              ///< those that only one run has, or that are configured differently
  Names only_first, only_second;  ///< tensors that only one run has
  std::size_t common_steps = 0;   ///< steps that both have: the same mode and mode step
  std::size_t steps_only_first = 0, steps_only_second = 0;
  std::size_t compared = 0;  ///< values: elements of a tensor, or a reduction, in one step of a worker
  std::size_t equal = 0;     ///< of these, the same bits
  std::size_t within = 0;    ///< of these, other bits, but no more apart than round-off
  std::optional<TensorDifference> first_bits;  ///< the first value with other bits, in the order in which it was saved
  std::optional<TensorDifference> first;       ///< the first that differs by more than round-off
  std::vector<CurveDifference> curves;         ///< sorted by name and mode
  Names damage;                                ///< what could not be read, and so was not compared

  /// Returns whether something was compared, all of it is equal within round-off, and neither run lacks a tensor or a
  /// step, or has one that cannot be read.
  [[nodiscard]] bool same_values() const noexcept {
    return compared > 0 && !first && damage.empty() && only_first.empty() && only_second.empty() &&
           steps_only_first == 0 && steps_only_second == 0;
  }
};

/// Compares the two runs. Steps belong together if they have the same mode and mode step. Reads everything that both
/// have saved, one tensor at a time. Throws: as Trial::tensors. Threads: any.
[[nodiscard]] RunDifferences compare(const Trial& first, const Trial& second, const CompareOptions& options = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/compare_impl.hpp>
#endif
