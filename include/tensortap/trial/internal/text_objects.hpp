// The small objects of a run, listed and read. What fails is noted as damage, and no longer once it succeeds.
//
// Not for users: Trial is the way in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class TextObjects {
 public:
  TextObjects(const Store& store, DamageList& damage) : store_(store), damage_(damage) {}

  /// What was read of an object. Neither a value nor gone: it is damaged.
  template <class T>
  struct Reading {
    std::optional<T> value;
    std::uint64_t size = 0;
    bool gone = false;
  };

  /// The objects below `prefix` after `after`; nothing if they cannot be listed.
  [[nodiscard]] std::optional<std::vector<ObjectInfo>> list(std::string_view prefix,
                                                            std::string_view after = {}) const {
    try {
      auto objects = store_.list(prefix, after);
      damage_.repaired(prefix);
      return objects;
    } catch (const Error& e) {
      damage_.add(prefix, e.what());
      return std::nullopt;
    }
  }

  /// Object `key` through `parse(text, key)`: one call to the store, unless it is very large.
  template <class Parse>
  [[nodiscard]] auto read(const std::string& key, const Parse& parse) const {
    constexpr std::uint64_t usual = std::uint64_t{8} << 20;
    constexpr std::uint64_t limit = std::uint64_t{1} << 30;  // no index of a real run comes near
    Reading<std::invoke_result_t<Parse, std::string_view, const std::string&>> out;
    try {
      auto bytes = store_.get(key, {0, usual});
      if (bytes && bytes->size() >= usual) {
        if (const auto size = store_.size(key); size && *size > limit) {
          damage_.add(key, "too large (" + std::to_string(*size) + " bytes)");
          return out;
        }
        bytes = store_.get(key, {0, limit});
      }
      out.gone = !bytes;
      if (!bytes) return out;
      out.size = bytes->size();
      out.value = parse(text_of(*bytes), key);
      damage_.repaired(key);
    } catch (const Error& e) {
      damage_.add(key, e.what());
    }
    return out;
  }

  /// The same for each of `keys`, in their order, but several at once if that pays off. `parse` is called in threads.
  template <class Parse>
  [[nodiscard]] auto read_all(std::span<const std::string> keys, const Parse& parse) const {
    std::vector<decltype(read(keys[0], parse))> out(keys.size());
    parallel_for(keys.size(), store_.concurrency(), [&](std::size_t i) { out[i] = read(keys[i], parse); });
    return out;
  }

  /// As many of them keep the store busy, and fit into memory.
  [[nodiscard]] std::size_t at_once() const noexcept { return 16 * std::max<std::size_t>(store_.concurrency(), 1); }

  /// Notes that `key` was in a listing, and is in the next one too, but cannot be had.
  void add_missing(std::string_view key) const { damage_.add(key, "it is listed, but not there"); }

  [[nodiscard]] DamageList& damage() const noexcept { return damage_; }

 private:
  const Store& store_;
  DamageList& damage_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
