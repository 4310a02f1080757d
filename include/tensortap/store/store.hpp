// Where objects live. A store moves bytes under keys and knows nothing of what they mean: the same run can lie in a
// directory, in memory or in a bucket. Bring your own by deriving from Store; tests/store/conformance.hpp says what it
// must do.
//
//   store.put("index/000000000/000000000000_worker_0.json", text, tensortap::Sync::yes);
//   if (const auto bytes = store.get("training_job_end.ts")) …
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Whether a change must have reached the disk, name and all, before the call returns.
enum class Sync : std::uint8_t { no, yes };

/// What becomes of an object that is there already.
enum class IfExists : std::uint8_t { replace, keep };

/// A part of an object. Units: bytes.
struct Range {
  std::uint64_t start = 0;
  std::uint64_t length = std::numeric_limits<std::uint64_t>::max();
};

/// One object of a listing.
struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
  std::string version = {};  ///< changes whenever its bytes do; empty: the store knows none
};

/// A claim on a key, held for as long as it lives.
class Claim {
 public:
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  virtual ~Claim() = default;
};

/// Objects under keys. Keys are relative paths of plain names, "a/b.c"; anything else is refused with an Error.
/// Threads: every function may be called from several at once.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// Makes `pieces`, one after the other, the object `key`. Readers see the whole object or none of it. False if it was
  /// there already and is kept; that is decided atomically. Throws: the store failed; then the object is as it was,
  /// or, where only the sync failed, the new one.
  virtual bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync, IfExists if_exists) = 0;

  /// The bytes of object `key` in `range`, fewer where the object ends; nothing if there is no such object.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const = 0;

  /// The bytes of object `key` while it is the version that a listing has told; nothing if it is so no more, or the
  /// store knows no versions.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> get_version(std::string_view /*key*/,
                                                                          std::string_view /*wanted*/) const {
    return std::nullopt;
  }

  /// The size of object `key` in bytes; nothing if there is no such object.
  [[nodiscard]] virtual std::optional<std::uint64_t> size(std::string_view key) const = 0;

  /// The objects whose key begins with `prefix`, which is empty or ends in '/', and is greater than `after`; sorted by
  /// key. Unfinished ones are not among them. Costs about what it returns, however many there are before.
  [[nodiscard]] virtual std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const = 0;

  /// Removes object `key`; false if there was none.
  virtual bool remove(std::string_view key) = 0;

  /// Removes all of these that are there, in no order. Throws: the store failed; then some may be left.
  virtual void remove_all(std::span<const std::string> keys);

  /// Gives object `from` the key `to`, replacing what was there; false if there was none. Readers see it under one of
  /// the two, or for a moment under both.
  virtual bool move(std::string_view from, std::string_view to) = 0;

  /// Returns when all that happened to these objects, their being moved or removed included, has reached the disk.
  /// Throws: the store failed; then they may be damaged, and only those put again can be synced.
  virtual void sync(std::span<const std::string> keys) = 0;

  /// Claims `key` for as long as the claim lives and this process does; nothing if another one alive holds it. The
  /// claim is an object that begins with `text`, which says whose; it is removed with the claim, and taken over where a
  /// process died with it.
  /// Lifetime: it ends before the store does. A forked child holds no part of it.
  [[nodiscard]] virtual std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) = 0;

  /// Removes what writers that died left unfinished of the objects whose key `is_mine` accepts; returns how many. For
  /// whoever holds the claim on them.
  virtual std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) = 0;

  /// Where this is, for messages.
  [[nodiscard]] virtual std::string location() const = 0;

  /// How many calls at once pay off.
  [[nodiscard]] virtual std::size_t concurrency() const noexcept { return 1; }

  /// An object of one piece.
  bool put(std::string_view key, std::string_view text, Sync sync = Sync::no, IfExists if_exists = IfExists::replace) {
    const Bytes piece = bytes_of(text);
    return put(key, std::span(&piece, 1), sync, if_exists);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key) const { return get(key, Range{}); }
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix) const { return list(prefix, {}); }
};

/// The parts of `key` between its slashes. Throws: an absolute key, "." or "..", an empty part, a NUL, more than 1 KiB.
inline std::vector<std::string> key_parts(std::string_view key) {
  std::vector<std::string> parts;
  if (key.size() > 1024 || key.find('\0') != std::string_view::npos) throw Error::bad_key(key);
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t slash = std::min(key.find('/', begin), key.size());
    parts.emplace_back(key.substr(begin, slash - begin));
    if (parts.back().empty() || parts.back() == "." || parts.back() == "..") throw Error::bad_key(key);
    begin = slash + 1;
  }
  return parts;
}

inline void Store::remove_all(std::span<const std::string> keys) {
  for (const std::string& key : keys) (void)key_parts(key);
  for (const std::string& key : keys) (void)remove(key);
}

TENSORTAP_END_NAMESPACE
