// The manifest: a list of the files in a remote copy of a checkpoint directory, with size and checksum. An upload
// writes it after the files, so every listed file exists. Manifest and staged files lie below ".tensortap/".
//
//   const CheckpointManifest manifest = parse_checkpoint_manifest(text, "manifest.json");
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One file of a remote copy.
struct SyncedFile {
  std::uint64_t size = 0;    ///< Units: bytes
  std::uint32_t crc32c = 0;  ///< of its content
  bool staged = false;       ///< the object has the key `staged_key` until it is moved to the file's name

  [[nodiscard]] bool has_content_of(const SyncedFile& other) const noexcept {
    return size == other.size && crc32c == other.crc32c;
  }
  friend bool operator==(const SyncedFile&, const SyncedFile&) = default;
};

/// The files of a remote copy, by name.
struct CheckpointManifest {
  std::uint64_t generation = 0;  ///< the number of times it was written
  std::map<std::string, SyncedFile, std::less<>> files = {};
};

namespace sync_layout {

inline constexpr std::string_view folder = ".tensortap";
inline constexpr std::string_view manifest_key = ".tensortap/manifest.json";
/// The key of the list of files sent since the manifest was written, in the same format. If the process is killed, the
/// next one does not send them again.
inline constexpr std::string_view sent_key = ".tensortap/sent.json";
inline constexpr std::string_view staging_prefix = ".tensortap/staged/";

inline constexpr std::size_t manifest_limit = std::size_t{32} << 20;
inline constexpr std::size_t files_limit = 100'000;
inline constexpr std::uint64_t size_limit = std::uint64_t{1} << 46;

/// Returns the key for a new content of `name` while the key `name` is in use; it names the checksum and the size.
inline std::string staged_key(std::string_view name, const SyncedFile& file) {
  return std::string(staging_prefix)
      .append(hex_of(file.crc32c))
      .append("-")
      .append(std::to_string(file.size))
      .append("/")
      .append(name);
}

/// Returns why a file of that name is not synced; empty if it is synced.
inline std::string_view why_not_synced(std::string_view name) {
  constexpr std::ptrdiff_t depth_limit = 16;
  if (!is_utf8(name)) return "its name is not UTF-8";
  if (name.size() > 960) return "its name is too long";
  if (std::count(name.begin(), name.end(), '/') >= depth_limit) return "it lies too deep";
  if (name == folder || (name.starts_with(folder) && name[folder.size()] == '/')) return "its name is reserved";
  if (name.ends_with(".tmp")) return "files in \".tmp\" are unfinished";
  try {
    (void)key_parts(name);
  } catch (const Error&) {
    return "it is not a relative path of plain names";
  }
  return {};
}

}  // namespace sync_layout

/// Returns the text of the manifest.
inline std::string to_json(const CheckpointManifest& manifest) {
  std::string out = R"({"version": 1, "generation": )" + std::to_string(manifest.generation) + R"(, "files": [)";
  for (const char* separator = "\n"; const auto& [name, file] : manifest.files) {
    out.append(separator).append(R"({"name": )");
    json_text::append_string(out, name);
    out.append(R"(, "size": )").append(std::to_string(file.size));
    out.append(R"(, "crc32c": )").append(std::to_string(file.crc32c));
    out.append(file.staged ? R"(, "staged": true})" : "}");
    separator = ",\n";
  }
  return out + "]}\n";
}

/// Parses `text`; `place` names it in messages. Throws: another format; a name that leaves the directory; files beyond
/// the limits on number, depth or size.
inline CheckpointManifest parse_checkpoint_manifest(std::string_view text, std::string_view place) {
  const json_text::Place where{"checkpoint manifest", place};
  if (text.size() > sync_layout::manifest_limit) throw Error::damaged(where.what, where.where, "it is too large");
  const nlohmann::json root = json_text::parse(text, where);
  if (json_text::natural(root, "version", where) != 1)
    throw json_text::wrong(where, "version", "it is unknown; use a newer tensortap");
  CheckpointManifest out;
  out.generation = json_text::natural(root, "generation", where);
  const auto& files = json_text::array(root, "files", where);
  if (files.size() > sync_layout::files_limit) throw json_text::wrong(where, "files", "there are too many");
  for (const auto& entry : files) {
    const std::string name = json_text::text(entry, "name", where);
    if (const auto cause = sync_layout::why_not_synced(name); !cause.empty())
      throw Error::damaged(where.what, where.where, "file " + in_quotes(name) + ": " + std::string(cause));
    SyncedFile file{.size = json_text::natural(entry, "size", where)};
    const std::uint64_t crc = json_text::natural(entry, "crc32c", where);
    if (file.size > sync_layout::size_limit) throw json_text::wrong(where, "size", "it is out of range");
    if (crc > UINT32_MAX) throw json_text::wrong(where, "crc32c", "it is out of range");
    file.crc32c = static_cast<std::uint32_t>(crc);
    const auto staged = entry.find("staged");
    file.staged = staged != entry.end() && staged->is_boolean() && staged->get<bool>();
    if (!out.files.emplace(name, file).second)
      throw Error::damaged(where.what, where.where, "file " + in_quotes(name) + ": it is named twice");
  }
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
