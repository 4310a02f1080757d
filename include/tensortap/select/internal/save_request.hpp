// The union of what several collections save: of one tensor (SaveRequest), and of two collections with one name
// (unite).
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The parts of a tensor to save in one step.
struct SaveRequest {
  Reductions reductions;
  bool raw = false;    ///< the elements
  bool shape = false;  ///< the shape alone

  /// Adds the parts that `collection` saves.
  void add(const Collection& collection) {
    for (const Reduction r : collection.reductions) reductions.insert(r);
    raw = raw || collection.saves_raw();
    shape = shape || collection.save_shape;
  }

  [[nodiscard]] bool empty() const noexcept { return reductions.empty() && !raw && !shape; }
};

/// Returns the parts of `needed` that `full` has, or that its elements would give.
inline SaveRequest common_parts(const SaveRequest& full, const SaveRequest& needed) {
  SaveRequest out;
  for (const Reduction r : needed.reductions)
    if (full.raw || full.reductions.contains(r)) out.reductions.insert(r);
  out.raw = full.raw && needed.raw;
  out.shape = full.shape && needed.shape;
  return out;
}

/// Appends the texts of `more` that `to` does not have.
inline void unite(std::vector<std::string>& to, const std::vector<std::string>& more) {
  for (const std::string& text : more)
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
}

/// Returns whether `collection` lists patterns or tensor names, instead of using the built-in pattern of its name.
inline bool has_criteria(const Collection& collection) {
  return collection.include_regex.given() || !collection.tensor_names.empty();
}

inline std::vector<std::string> patterns_in_force(const Collection& collection) {
  const auto builtin = builtin_pattern(collection.name);
  if (builtin && !has_criteria(collection)) return {std::string(*builtin)};
  return collection.include_regex.list();
}

/// Adds to `to` the tensors, parts and steps of `other`, a collection of the same name.
inline void unite(Collection& to, const Collection& other) {
  if (has_criteria(to) || has_criteria(other)) {
    std::vector<std::string> patterns = patterns_in_force(to);
    unite(patterns, patterns_in_force(other));
    if (to.include_regex.given() || other.include_regex.given() || !patterns.empty())
      to.include_regex = std::move(patterns);
  }
  unite(to.tensor_names, other.tensor_names);
  SaveRequest both;
  both.add(to);
  both.add(other);
  to.reductions = both.reductions;
  to.save_raw_tensor = both.raw;
  to.save_shape = both.shape;
  if (to.save && other.save) {
    to.save = *to.save | *other.save;
  } else if (other.save) {
    to.save = other.save;
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
