// Lists and reads the small objects of a run. A failure is added to the damage list and removed when a later call
// succeeds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/internal/damage_list.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class TextObjects {
 public:
  TextObjects(const Store& store, DamageList& damage) : store_(store), damage_(damage) {}

  /// The result of reading one object. If it has no value and is not gone, the object is damaged.
  template <class T>
  struct Reading {
    std::optional<T> value;
    std::uint64_t size = 0;
    bool gone = false;
  };

  /// Returns the objects below `prefix` after `after`; nullopt if they cannot be listed.
  [[nodiscard]] std::optional<std::vector<ObjectInfo>> list(std::string_view prefix,
                                                            std::string_view after = {}) const {
    try {
      auto objects = store_.list(prefix, after);
      damage_.repaired(prefix);
      return objects;
    } catch (const Error& e) {
      damage_.add(prefix, e.what());
    } catch (const std::bad_alloc&) {
      add_no_memory(prefix);
    }
    return std::nullopt;
  }

  /// Reads object `key` with `parse(text, key)`. Makes one call to the store, unless the object is very large. Whatever
  /// fails is damage of this object alone; so is one that does not fit into memory.
  template <class Parse>
  [[nodiscard]] auto read(const std::string& key, const Parse& parse) const {
    constexpr std::uint64_t usual = std::uint64_t{8} << 20;
    Reading<std::invoke_result_t<Parse, std::string_view, const std::string&>> out;
    try {
      auto bytes = store_.get(key, {0, usual});
      if (bytes && bytes->size() >= usual) {
        bytes.reset();
        if (const auto size = store_.size(key); size && *size > layout::text_limit) {
          damage_.add(key, "too large (" + std::to_string(*size) + " bytes)");
          return out;
        }
        bytes = store_.get(key, {0, layout::text_limit});
      }
      out.gone = !bytes;
      if (!bytes) return out;
      out.size = bytes->size();
      out.value = parse(text_of(*bytes), key);
      damage_.repaired(key);
    } catch (const Error& e) {
      damage_.add(key, e.what());
    } catch (const std::bad_alloc&) {
      out.value.reset();
      add_no_memory(key);
    }
    return out;
  }

  /// Reads each of `keys`, several at a time if the store gains from it, and returns the results in the order of
  /// `keys`. Threads: several call `parse`.
  template <class Parse>
  [[nodiscard]] auto read_all(std::span<const std::string> keys, const Parse& parse) const {
    std::vector<decltype(read(keys[0], parse))> out(keys.size());
    parallel_for(keys.size(), store_.concurrency(), [&](std::size_t i) { out[i] = read(keys[i], parse); });
    return out;
  }

  /// Returns a number of keys for `read_all` that keeps the store busy and whose objects fit into memory.
  [[nodiscard]] std::size_t batch_size() const noexcept { return 16 * std::max<std::size_t>(store_.concurrency(), 1); }

  /// Notes that what `key` holds does not fit into memory.
  void add_no_memory(std::string_view key) const { damage_.add(key, "it does not fit into memory"); }

  /// Notes that two listings have named `key`, but that it cannot be read.
  void add_missing(std::string_view key) const { damage_.add(key, "it is listed but does not exist"); }

  [[nodiscard]] DamageList& damage() const noexcept { return damage_; }

 private:
  const Store& store_;
  DamageList& damage_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
