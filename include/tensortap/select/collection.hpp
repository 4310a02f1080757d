// A collection: a named group of tensors, with the steps and parts of them to save.
//
//   tensortap::Collection gradients{.name = "gradients", .save = tensortap::every(100), .reductions = {R::l2}};
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A group of tensors by name or pattern. A tensor may belong to several collections; the hook saves the union of their
/// parts. As in smdebug, `gradients` and `optimizer_variables` are left out in EVAL and PREDICT steps, unless the
/// collection has both tensors (`include_regex` or `tensor_names`) and steps (`save`) of its own.
struct Collection {
  std::string name;                            ///< a built-in name brings its default pattern
  Patterns include_regex = {};                 ///< tensors in whose names one of these patterns is found
  std::vector<std::string> tensor_names = {};  ///< tensors with exactly these names
  std::optional<SaveConfig> save = {};         ///< the steps to save. Empty: those of the hook
  Reductions reductions = {};                  ///< the reductions to save
  std::optional<bool> save_raw_tensor = {};    ///< the elements. Empty: yes, unless there are reductions
  bool save_shape = false;                     ///< the shape alone, without the elements

  /// Returns whether the elements are saved.
  [[nodiscard]] bool saves_raw() const noexcept { return save_raw_tensor.value_or(reductions.empty() && !save_shape); }

  friend bool operator==(const Collection&, const Collection&) = default;
};

/// Returns the pattern of the built-in collection with this name, which a hook uses if the collection has neither
/// patterns nor names. Those of losses, gradients, weights and biases find the names that programs in C++ use (`loss`,
/// `w.grad`, `gradient/w`, `fc1.weight`), and smdebug's; the page of this folder has a table. Empty: no built-in
/// collection has this name.
std::optional<std::string_view> builtin_pattern(std::string_view collection) noexcept;

/// Returns the pattern that smdebug gives to the collection with this name, for runs that must have the same tensors as
/// those of smdebug: `.include_regex = std::string(*smdebug_pattern("losses"))`. Empty: smdebug has no such pattern.
std::optional<std::string_view> smdebug_pattern(std::string_view collection) noexcept;

namespace detail {

/// Returns the names of the built-in collections.
std::vector<std::string> builtin_names();

}  // namespace detail

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/select/internal/collection_impl.hpp>
#endif
