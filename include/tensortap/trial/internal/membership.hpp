// Which tensors belong to which collection of a run: those it lists, and those its patterns find.
//
// Not for users: Trial and StoredStep answer with it.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Decides once per name, since patterns are slow.
/// Threads: any.
class Membership {
 public:
  Membership() = default;
  explicit Membership(std::vector<Collection> collections) : collections_(std::move(collections)) {}

  [[nodiscard]] const std::vector<Collection>& collections() const noexcept { return collections_; }

  [[nodiscard]] const Collection* find(std::string_view name) const {
    const auto found = std::find_if(collections_.begin(), collections_.end(),
                                    [&](const Collection& collection) { return collection.name == name; });
    return found == collections_.end() ? nullptr : &*found;
  }

  /// Whether `tensor` is in the collection called `name`, of which there is one. A stored pattern that cannot be run is
  /// damage: the listed names must do.
  [[nodiscard]] bool contains(std::string_view name, const std::string& tensor, DamageList& damage) const {
    const std::lock_guard lock(mutex_);
    auto found = members_.find(name);
    if (found == members_.end()) found = members_.emplace(name, members_of(name, damage)).first;
    Members& members = found->second;
    const auto [known, is_new] = members.known.try_emplace(tensor, false);
    if (is_new)
      known->second = std::binary_search(members.names.begin(), members.names.end(), tensor) ||
                      std::any_of(members.patterns.begin(), members.patterns.end(),
                                  [&](const Pattern& p) { return p.finds(tensor); });
    return known->second;
  }

 private:
  struct Members {
    std::vector<std::string> names;  // sorted
    std::vector<Pattern> patterns;
    std::unordered_map<std::string, bool> known;
  };

  [[nodiscard]] Members members_of(std::string_view name, DamageList& damage) const {
    Members out;
    const Collection* collection = find(name);
    if (collection == nullptr) return out;
    out.names = collection->tensor_names;
    std::sort(out.names.begin(), out.names.end());
    for (const std::string& text : collection->include_regex.list()) {
      try {
        out.patterns.emplace_back(text);
      } catch (const Error& e) {
        damage.add("collection " + in_quotes(name), e.what());
      }
    }
    return out;
  }

  std::vector<Collection> collections_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Members, std::less<>> members_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
