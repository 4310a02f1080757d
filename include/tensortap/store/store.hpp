// The interface of a store: objects, which are bytes under keys. A store does not interpret them, so that the same run
// can lie in a directory, in memory or in a bucket. To bring your own, derive from Store; tests/store/conformance.hpp
// checks it, and README.md in this folder explains it.
//
//   store.put("index/000000000/000000000000_worker_0.json", text, tensortap::Sync::yes);
//   if (const auto bytes = store.get("training_job_end.ts")) …
#pragma once

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
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Whether an object's bytes and its name must be on the disk when a call returns.
enum class Sync : std::uint8_t { no, yes };

/// What put() does if the object exists.
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
  std::string version = {};  ///< changes whenever the bytes change; empty: the store has no versions
};

/// A held claim on a key. The destructor releases it.
class Claim {
 public:
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  virtual ~Claim() = default;

  /// Returns false if the claim's object was removed or replaced, as far as the store can tell.
  [[nodiscard]] virtual bool is_held() const { return true; }
};

/// An object that is written piece by piece. Readers see nothing of it until `finish` has returned true. The destructor
/// abandons an unfinished object, of which nothing remains.
/// Threads: one at a time.
class ObjectWriter {
 public:
  ObjectWriter() = default;
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;
  virtual ~ObjectWriter() = default;

  /// Writes `pieces` behind the earlier ones. Throws: the store failed; the object can then only be abandoned.
  virtual void append(std::span<const Bytes> pieces) = 0;

  /// Ends the object, as `Store::put` does with all its pieces. The last call.
  virtual bool finish(Sync sync, IfExists if_exists) = 0;
};

/// Objects under keys. Keys are relative paths of plain names, "a/b.c"; see key_parts().
/// Throws: every function, for a bad key or if the store fails.
/// Threads: several threads may call any function at once.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// Writes `pieces`, one after the other, as the object `key`. Readers see the whole object or none of it. Returns
  /// false if the object exists and is kept; the store decides that atomically. Throws: the store failed; the object is
  /// then unchanged, or new if only the sync failed.
  virtual bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync, IfExists if_exists) = 0;

  /// Begins the object `key`, whose pieces come one by one. Returns null if the store writes objects only whole, by
  /// put(). Lifetime: the store outlives the writer.
  [[nodiscard]] TENSORTAP_INLINE virtual std::unique_ptr<ObjectWriter> begin_object(std::string_view key);

  /// Writes `pieces` from byte `start` of the object `key` on, which is made if it is missing. Readers see it grow, and
  /// a write that was cut off may be repeated. Returns false if objects of this store cannot grow; without pieces that
  /// is all. Throws: the store failed; some of the bytes may be written.
  TENSORTAP_INLINE virtual bool extend(std::string_view key, std::uint64_t start, std::span<const Bytes> pieces,
                                       Sync sync);

  /// Returns the bytes of object `key` in `range`, fewer if the object ends before; nullopt if there is no such object.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const = 0;

  /// Returns the object if its version still equals `wanted` (from list()); nullopt if it changed or the store has no
  /// versions.
  [[nodiscard]] TENSORTAP_INLINE virtual std::optional<std::vector<std::byte>> get_version(
      std::string_view key, std::string_view wanted) const;

  /// Returns the size of object `key` in bytes; nullopt if there is no such object.
  [[nodiscard]] virtual std::optional<std::uint64_t> size(std::string_view key) const = 0;

  /// Returns the finished objects whose key begins with `prefix` and is greater than `after`, sorted by key. `prefix`
  /// is empty or ends in '/'. The cost depends on what is returned, not on the number of earlier objects.
  [[nodiscard]] virtual std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const = 0;

  /// Removes object `key`. Returns false if there is no such object.
  virtual bool remove(std::string_view key) = 0;

  /// Removes the objects `keys`, in any order; missing ones are skipped. Throws: the store failed; some may be left.
  TENSORTAP_INLINE virtual void remove_all(std::span<const std::string> keys);

  /// Renames object `from` to `to` and replaces an object there. Returns false if there is no object `from`. Readers
  /// see it under one of the keys, or for a moment under both.
  virtual bool move(std::string_view from, std::string_view to) = 0;

  /// Blocks until every change of these objects is on the disk, moves and removals included. Throws: the store failed;
  /// the objects may be damaged, and each must be put again before it can be synced.
  virtual void sync(std::span<const std::string> keys) = 0;

  /// Claims `key` until the claim is destroyed or this process ends; returns null while a living owner holds it. The
  /// claim is an object that begins with `text`, which names the owner. It is removed with the claim; the claim of a
  /// dead process is taken over. Lifetime: the store outlives the claim. A forked child holds no part of it.
  [[nodiscard]] virtual std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) = 0;

  /// Returns who holds the claim `key`, for messages: the first line of its text, and when it runs out if it does by
  /// itself. Returns an empty text if there is no such claim.
  [[nodiscard]] TENSORTAP_INLINE virtual std::string claim_holder(std::string_view key) const;

  /// Removes the unfinished objects of dead writers whose final key `is_mine` accepts; returns their number. The caller
  /// must hold the claim on these keys.
  virtual std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) = 0;

  /// Returns the place of the store, for messages.
  [[nodiscard]] virtual std::string location() const = 0;

  /// Returns the recommended number of parallel calls.
  [[nodiscard]] virtual std::size_t concurrency() const noexcept { return 1; }

  /// Writes `text` as the object `key`.
  bool put(std::string_view key, std::string_view text, Sync sync = Sync::no, IfExists if_exists = IfExists::replace) {
    const Bytes piece = bytes_of(text);
    return put(key, std::span(&piece, 1), sync, if_exists);
  }
  /// Returns the whole object `key`; nullopt if there is no such object.
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key) const { return get(key, Range{}); }
  /// Returns all objects whose key begins with `prefix`.
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix) const { return list(prefix, {}); }
};

/// Returns the parts of `key` between its slashes. A store of your own calls it to check a key.
/// Throws: an absolute key, "." or "..", an empty part, a NUL, more than 1 KiB.
std::vector<std::string> key_parts(std::string_view key);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/store/internal/store_impl.hpp>
#endif
