// Where objects live. A store moves bytes under keys and knows nothing of what they mean: the same run can lie in a
// directory, in memory or in a bucket. Bring your own by deriving from Store; tests/store/conformance.hpp says what it
// must do.
//
//   store.put("index/000000000/000000000000_worker_0.json", pieces, tensortap::Sync::no);
//   if (const auto bytes = store.get("training_job_end.ts")) …
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>

namespace tensortap::inline v0 {

/// Bytes somebody else owns.
using Bytes = std::span<const std::byte>;

/// The bytes of `text`.
inline Bytes bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text.data(), text.size())); }

/// `bytes` as text.
inline std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Whether a change must have reached the disk, name and all, before the call returns.
enum class Sync : std::uint8_t { no, yes };

/// A part of an object. Units: bytes.
struct Range {
  std::uint64_t start = 0;
  std::uint64_t length = std::numeric_limits<std::uint64_t>::max();
};

/// One object of a listing.
struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
};

/// Objects under keys. Keys are relative paths of plain names, "a/b.c"; anything else is refused with an Error.
/// Threads: every function may be called from several at once.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// Makes `pieces`, one after the other, the object `key`, replacing what was there. Readers see the whole object or
  /// none of it. Throws: the store failed; then the object is as it was.
  virtual void put(std::string_view key, std::span<const Bytes> pieces, Sync sync) = 0;

  /// The bytes of object `key` in `range`, fewer where the object ends; nothing if there is no such object.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const = 0;

  /// The size of object `key` in bytes; nothing if there is no such object.
  [[nodiscard]] virtual std::optional<std::uint64_t> size(std::string_view key) const = 0;

  /// The objects whose key begins with `prefix`, which is empty or ends in '/', sorted by key. Unfinished ones are not
  /// among them.
  [[nodiscard]] virtual std::vector<ObjectInfo> list(std::string_view prefix) const = 0;

  /// Removes object `key`; false if there was none.
  virtual bool remove(std::string_view key) = 0;

  /// Where this is, for messages.
  [[nodiscard]] virtual std::string location() const = 0;

  /// An object of one piece.
  void put(std::string_view key, std::string_view text, Sync sync = Sync::no) {
    const Bytes piece = bytes_of(text);
    put(key, std::span(&piece, 1), sync);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key) const { return get(key, Range{}); }
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

}  // namespace tensortap::inline v0
