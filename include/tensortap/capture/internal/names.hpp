// The tensors a hook has met, by name.
//
// Not for users: the hook owns one, and its writer's thread reads the names.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Entries stay where they are. Threads: one at a time, but entries may be read by others.
class Names {
 public:
  [[nodiscard]] KnownTensor* find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : found->second.get();
  }

  /// Adds `name`, which is not there yet; null if there are too many.
  KnownTensor* add(std::string_view name, std::vector<std::size_t> collections) {
    if (tensors_.size() == limit) return nullptr;
    auto tensor = std::make_unique<KnownTensor>(KnownTensor{std::string(name), std::move(collections)});
    KnownTensor* const out = tensor.get();
    tensors_.emplace(out->name, std::move(tensor));
    return out;
  }

 private:
  static constexpr std::size_t limit = std::size_t{1} << 20;

  std::unordered_map<std::string_view, std::unique_ptr<KnownTensor>> tensors_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
