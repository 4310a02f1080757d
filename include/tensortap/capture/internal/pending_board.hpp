// What a commit will add to TensorBoard's files, put into the store before the commit. If the process dies in between,
// its successor knows from the commit whether to add it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/tensorboard_events.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Some bytes of one file.
struct BoardWrite {
  std::string key;
  std::uint64_t start = 0;
  std::vector<Bytes> pieces = {};  ///< borrowed
};

/// Writes them. Doing so again changes nothing. Throws: the store failed.
inline void write_to_board(Store& store, const BoardWrite& write, Sync sync) {
  if (!store.extend(write.key, write.start, write.pieces, sync))
    store.put(write.key, write.pieces, sync, IfExists::replace);
}

/// The writes of one commit.
class PendingBoard {
 public:
  std::int64_t last_step = -1;  ///< the last global step in them
  std::vector<BoardWrite> writes;

  void put(Store& store, const std::string& key, Sync sync) const {
    std::vector<std::string> heads(writes.size());
    std::vector<Bytes> pieces;
    for (std::size_t i = 0; i < writes.size(); ++i) {
      std::size_t size = 0;
      for (const Bytes piece : writes[i].pieces) size += piece.size();
      if (i == 0) wire::put_integer(heads[i], field_last_step, last_step);
      wire::put_bytes(heads[i], field_key, writes[i].key);
      wire::put_integer(heads[i], field_start, static_cast<std::int64_t>(writes[i].start));
      wire::put_length(heads[i], field_bytes, size);
      pieces.push_back(bytes_of(heads[i]));
      pieces.insert(pieces.end(), writes[i].pieces.begin(), writes[i].pieces.end());
    }
    store.put(key, pieces, sync, IfExists::replace);
  }

  /// Returns the writes, if none is of a step after `last`. Lifetime: that of the object that was parsed.
  [[nodiscard]] std::vector<BoardWrite> writes_up_to(std::int64_t last) && {
    return last_step <= last ? std::move(writes) : std::vector<BoardWrite>();
  }

  /// Returns what an object says; nothing if it is damaged. Lifetime: that of `object`.
  static PendingBoard parse(Bytes object) {
    try {
      return read(object);
    } catch (const Error&) {
      return {};
    }
  }

 private:
  static PendingBoard read(Bytes object) {
    PendingBoard out;
    out.last_step = 0;  // which is not written
    BoardWrite write;
    for (wire::Reader reader(object); reader.next();) switch (reader.field()) {
        case field_last_step: out.last_step = reader.integer(); break;
        case field_key: write = {.key = std::string(reader.text())}; break;
        case field_start: write.start = static_cast<std::uint64_t>(reader.integer()); break;
        case field_bytes:
          write.pieces = {reader.bytes()};
          out.writes.push_back(std::exchange(write, {}));
          break;
        default: break;
      }
    return out;
  }

  static constexpr std::uint32_t field_last_step = 1, field_key = 2, field_start = 3, field_bytes = 4;
};

/// Appends the tags of one directory, number `place`, to an object that a successor reads.
inline void append_tags(std::string& out, std::size_t place, const TensorBoardEvents::Tags& tags) {
  for (const auto& [tag, of] : tags) {
    std::string one;
    wire::put_integer(one, 1, static_cast<std::int64_t>(place));
    wire::put_bytes(one, 2, tag);
    wire::put_bytes(one, 3, of.tensor);
    wire::put_integer(one, 4, static_cast<std::int64_t>(of.kind));
    wire::put_bytes(out, 1, one);
  }
}

/// Calls `take(place, tag, tensor, kind)` for each tag in `object`, until something in it is damaged.
template <class Take>
void for_each_tag(Bytes object, const Take& take) {
  try {
    for (wire::Reader reader(object); reader.next();) {
      std::int64_t place = 0, kind = 0;
      std::string tag, tensor;
      for (wire::Reader field(reader.bytes()); field.next();) {
        if (field.field() == 1) place = field.integer();
        if (field.field() == 2) tag = field.text();
        if (field.field() == 3) tensor = field.text();
        if (field.field() == 4) kind = field.integer();
      }
      constexpr auto last_kind = static_cast<std::int64_t>(TensorBoardEvents::Kind::text);
      if (place >= 0 && kind >= 0 && kind <= last_kind)
        take(static_cast<std::size_t>(place), tag, tensor, static_cast<TensorBoardEvents::Kind>(kind));
    }
  } catch (const Error&) {
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
