// The decision itself: which collections a name belongs to, decided once per name, and which collections are due,
// decided once per step. It sees names, modes and steps only: what is not due never touches a tensor.
//
//   tensortap::Selection selection({{.name = "losses", .include_regex = "loss$"}}, tensortap::every(1));
//   selection.begin_step({tensortap::Mode::train, 0, 0});
//   if (selection.any_due()) …
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/name.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step.hpp>

namespace tensortap::inline v0 {

/// The collections of a run, ready to decide. Threads: `members`, `due` and `any_due` may be called from several at
/// once.
class Selection {
 public:
  /// Fills in what was left out: built-in patterns, `default_save`, whether raw tensors are saved.
  /// Throws: a name twice or empty, a collection that can match nothing, a refused pattern.
  Selection(std::vector<Collection> collections, const SaveConfig& default_save)
      : collections_(std::move(collections)) {
    std::set<std::string_view> names;
    for (Collection& collection : collections_) {
      if (collection.name.empty()) throw Error::bad_collection("", "it has no name; give it one");
      if (!names.insert(collection.name).second)
        throw Error::bad_collection(collection.name, "the name is there twice; merge the two");
      require_utf8({collection.name});
      require_utf8(collection.include_regex.list());
      require_utf8(collection.tensor_names);
      complete(collection, default_save);
      auto& compiled = patterns_.emplace_back();
      for (const std::string& text : collection.include_regex.list()) compiled.emplace_back(text);
    }
    due_.resize(collections_.size());
  }

  [[nodiscard]] const std::vector<Collection>& collections() const noexcept { return collections_; }

  /// The position of the collection called `name`.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < collections_.size(); ++i)
      if (collections_[i].name == name) return i;
    return std::nullopt;
  }

  /// The positions of the collections tensor `name` belongs to. Slow: ask once per name.
  [[nodiscard]] std::vector<std::size_t> members(std::string_view name) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < collections_.size(); ++i) {
      const auto& listed = collections_[i].tensor_names;
      const auto finds = [&](const Pattern& pattern) { return pattern.finds(name); };
      if (std::find(listed.begin(), listed.end(), name) != listed.end() ||
          std::any_of(patterns_[i].begin(), patterns_[i].end(), finds))
        out.push_back(i);
    }
    return out;
  }

  /// Decides what is due in `step`.
  void begin_step(const Step& step) {
    any_due_ = false;
    for (std::size_t i = 0; i < collections_.size(); ++i) {
      const bool trains = step.mode != Mode::eval && step.mode != Mode::predict;
      due_[i] = (trains || !only_in_training(collections_[i].name)) && collections_[i].save->includes(step);
      any_due_ = any_due_ || due_[i];
    }
  }

  /// Whether the collection at position `i` is saved in this step.
  [[nodiscard]] bool due(std::size_t i) const noexcept { return due_[i]; }
  /// Whether any is.
  [[nodiscard]] bool any_due() const noexcept { return any_due_; }

 private:
  /// They are written into the run as JSON.
  static void require_utf8(const std::vector<std::string>& texts) {
    for (const std::string& text : texts)
      if (!is_utf8(text)) throw Error::name_not_utf8("collection", text);
  }

  static bool only_in_training(std::string_view collection) noexcept {
    return collection == "gradients" || collection == "optimizer_variables";
  }

  static void complete(Collection& collection, const SaveConfig& default_save) {
    const auto builtin = builtin_pattern(collection.name);
    if (!collection.include_regex.given() && collection.tensor_names.empty()) {
      if (!builtin)
        throw Error::bad_collection(collection.name, "it can match no tensor; give it include_regex or tensor_names");
      collection.include_regex = Patterns(std::string(*builtin));
    }
    if (!collection.save) collection.save = default_save;
    collection.save_raw_tensor = collection.saves_raw();
  }

  std::vector<Collection> collections_;
  std::vector<std::vector<Pattern>> patterns_;  // by collection
  std::vector<bool> due_;                       // by collection
  bool any_due_ = false;
};

}  // namespace tensortap::inline v0
