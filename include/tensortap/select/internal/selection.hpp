// Decides once per name to which collections it belongs, and once per step which collections are due. Both need names,
// modes and steps only, so that steps without a due collection cost almost nothing.
//
//   Selection selection({{.name = "losses", .include_regex = "loss$"}}, tensortap::every(1));
//   selection.begin_step({tensortap::Mode::train, 0, 0});
//   if (selection.any_due()) …
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/name.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The collections of a run, and which of them are due. Threads: several may call `due` and `any_due` at once.
class Selection {
 public:
  /// Completes `collections`: with built-in patterns, `default_save`, and whether raw tensors are saved.
  /// Throws: a name twice or empty, a collection that can match no tensor, a refused pattern.
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
      train_only_.push_back(is_train_only(collection));
      complete(collection, default_save);
      auto& criteria = criteria_.emplace_back();
      for (const std::string& text : collection.include_regex.list()) criteria.push_back({text, Pattern(text)});
      for (const std::string& text : collection.tensor_names) criteria.push_back({text, std::nullopt});
    }
    due_.resize(collections_.size());
    withheld_.resize(collections_.size());
  }

  [[nodiscard]] const std::vector<Collection>& collections() const noexcept { return collections_; }

  /// Returns the position of the collection called `name`.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < collections_.size(); ++i)
      if (collections_[i].name == name) return i;
    return std::nullopt;
  }

  /// Returns the positions of the collections of tensor `name`, and marks the patterns and names that match it. Runs
  /// all patterns: call it once per name. Threads: one at a time.
  [[nodiscard]] std::vector<std::size_t> members(std::string_view name) {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < collections_.size(); ++i) {
      bool is_member = false;
      for (Criterion& criterion : criteria_[i])
        if (criterion.pattern ? criterion.pattern->finds(name) : criterion.text == name)
          is_member = criterion.matched = true;
      if (is_member) out.push_back(i);
    }
    return out;
  }

  /// Returns the patterns and names of the collection at position `i` that have matched no tensor so far.
  [[nodiscard]] std::vector<std::string> unmatched(std::size_t i) const {
    std::vector<std::string> out;
    for (const Criterion& criterion : criteria_[i])
      if (!criterion.matched) out.push_back(criterion.text);
    return out;
  }

  /// Returns whether a tensor has been found that belongs to the collection at position `i`.
  [[nodiscard]] bool has_members(std::size_t i) const noexcept {
    return std::any_of(criteria_[i].begin(), criteria_[i].end(),
                       [](const Criterion& criterion) { return criterion.matched; });
  }

  /// Decides which collections are due in `step`; those for which `is_raised(i)` holds are due in any step.
  template <class IsRaised>
  void begin_step(const Step& step, const IsRaised& is_raised) {
    any_due_ = any_withheld_ = false;
    trains_ = step.mode != Mode::eval && step.mode != Mode::predict;
    for (std::size_t i = 0; i < collections_.size(); ++i) {
      const bool included = collections_[i].save->includes(step);
      due_[i] = (included || is_raised(i)) && may_be_due(i);
      withheld_[i] = included && !due_[i];
      any_due_ = any_due_ || due_[i];
      any_withheld_ = any_withheld_ || withheld_[i];
    }
  }

  void begin_step(const Step& step) {
    begin_step(step, [](std::size_t) { return false; });
  }

  /// Returns whether the collection at position `i` is due in steps of this mode, if they are its steps.
  [[nodiscard]] bool may_be_due(std::size_t i) const noexcept { return trains_ || !train_only_[i]; }
  /// Returns whether the collection at position `i` is due in this step.
  [[nodiscard]] bool due(std::size_t i) const noexcept { return due_[i]; }
  /// Returns whether any collection is due in this step.
  [[nodiscard]] bool any_due() const noexcept { return any_due_; }
  /// Returns whether the collection at position `i` would be due if this were a TRAIN step.
  [[nodiscard]] bool withheld(std::size_t i) const noexcept { return withheld_[i]; }
  [[nodiscard]] bool any_withheld() const noexcept { return any_withheld_; }

 private:
  /// A pattern or a name that makes a tensor a member of the collection.
  struct Criterion {
    std::string text;
    std::optional<Pattern> pattern;
    bool matched = false;
  };

  /// Throws: a text that is not UTF-8, which JSON requires.
  static void require_utf8(const std::vector<std::string>& texts) {
    for (const std::string& text : texts)
      if (!is_utf8(text)) throw Error::name_not_utf8("collection", text);
  }

  /// Returns whether EVAL and PREDICT steps of `collection` are left out, as smdebug does for these two names. With
  /// tensors and steps of its own the collection means what it says.
  static bool is_train_only(const Collection& collection) noexcept {
    const bool has_tensors = collection.include_regex.given() || !collection.tensor_names.empty();
    return (collection.name == "gradients" || collection.name == "optimizer_variables") &&
           !(has_tensors && collection.save);
  }

  static Error without_tensors(const std::string& collection) {
    const std::string meant = nearest(collection, builtin_names());
    return Error::bad_collection(collection,
                                 "it can match no tensor" +
                                     (meant.empty() ? "; give" : "; did you mean " + in_quotes(meant) + "? Else give") +
                                     " it include_regex or tensor_names");
  }

  static void complete(Collection& collection, const SaveConfig& default_save) {
    const auto builtin = builtin_pattern(collection.name);
    if (!collection.include_regex.given() && collection.tensor_names.empty()) {
      if (!builtin) throw without_tensors(collection.name);
      collection.include_regex = Patterns(std::string(*builtin));
    }
    if (!collection.save) collection.save = default_save;
    collection.save_raw_tensor = collection.saves_raw();
  }

  std::vector<Collection> collections_;
  std::vector<std::vector<Criterion>> criteria_;  // by collection
  std::vector<bool> train_only_;                  // by collection
  std::vector<bool> due_;                         // by collection
  std::vector<bool> withheld_;                    // by collection
  bool trains_ = true;                            // whether this is no EVAL or PREDICT step
  bool any_due_ = false;
  bool any_withheld_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
