// The small objects of a run, listed and read. What fails is noted as damage, and no longer once it succeeds.
//
// Not for users: Trial is the way in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>

namespace tensortap::inline v0 {

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

  /// Object `key` through `parse(text, key)`.
  template <class Parse>
  [[nodiscard]] auto read(const std::string& key, const Parse& parse) const {
    constexpr std::uint64_t limit = std::uint64_t{1} << 30;  // no index of a real run comes near
    Reading<std::invoke_result_t<Parse, std::string_view, const std::string&>> out;
    try {
      const auto size = store_.size(key);
      if (size && *size > limit) {
        damage_.add(key, "too large (" + std::to_string(*size) + " bytes)");
        return out;
      }
      const auto bytes = size ? store_.get(key) : std::nullopt;
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

  /// Notes that `key` was in a listing, and is in the next one too, but cannot be had.
  void add_missing(std::string_view key) const { damage_.add(key, "it is listed, but not there"); }

  [[nodiscard]] DamageList& damage() const noexcept { return damage_; }

 private:
  const Store& store_;
  DamageList& damage_;
};

}  // namespace detail

}  // namespace tensortap::inline v0
