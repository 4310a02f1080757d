// Which tensors belong to which collection of a run: those that the collection lists, and those that its patterns find.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/trial/internal/damage_list.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The collections of a run and, per tensor name, the cached answers of their patterns, which are slow.
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

  /// Returns whether `tensor` is in the collection called `name`; false if there is none. Adds stored patterns that
  /// cannot be compiled to `damage`; the listed names still count.
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
