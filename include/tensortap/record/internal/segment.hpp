// A segment: one object that holds the events and index files of many steps of one worker, byte for byte, behind a
// manifest that lists them. Readers assume hostile segments: whatever a manifest claims is checked against the size of
// its object before it is used.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One file in a segment. Units: bytes from the beginning of the segment.
struct SegmentEntry {
  std::string key;  ///< relative to the run
  std::uint64_t start = 0;
  std::uint64_t size = 0;
  std::uint32_t crc32c = 0;
  std::int64_t step = 0;
  bool is_index = false;
};

/// The manifest of a segment.
struct SegmentManifest {
  layout::SegmentName name;
  std::vector<SegmentEntry> entries;  ///< without gaps: first the indexes, then the events
};

/// The first bytes of a segment: "tensortap-segment 1 SIZE CRC32C\n" with 10 digits and 8 hexadecimal ones, of the
/// manifest behind it.
struct SegmentHeader {
  static constexpr std::string_view magic = "tensortap-segment 1 ";
  static constexpr std::size_t size = magic.size() + 10 + 1 + 8 + 1;
  /// The largest manifest. One of 20'000 steps, whose worker has the longest name, is smaller. Units: bytes.
  static constexpr std::uint64_t largest_manifest = std::uint64_t{16} << 20;
  /// The most steps that a writer puts into a segment.
  static constexpr std::size_t most_steps = 20'000;

  std::uint64_t manifest_size = 0;
  std::uint32_t crc32c = 0;
};

/// Takes the characters of `line` up to `behind`, which it removes too, as a number. Returns false if there is none.
template <class Number>
bool take_segment_number(std::string_view& line, Number& number, char behind, int base = 10) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number, base);
  const auto digits = static_cast<std::size_t>(end - line.data());
  if (error != std::errc{} || digits >= line.size() || line[digits] != behind) return false;
  line.remove_prefix(digits + 1);
  return true;
}

/// Returns the header in the first bytes of the segment `key`. Throws: they are damaged.
inline SegmentHeader parse_segment_header(Bytes bytes, std::string_view key) {
  if (bytes.size() < SegmentHeader::size)
    throw Error::damaged("segment", key, "it ends in its header (" + std::to_string(bytes.size()) + " bytes)");
  std::string_view text = text_of(bytes.first(SegmentHeader::size));
  if (!text.starts_with(SegmentHeader::magic))
    throw Error::damaged("segment", key, "it does not begin with " + in_quotes(SegmentHeader::magic));
  text.remove_prefix(SegmentHeader::magic.size());
  SegmentHeader out;
  if (!take_segment_number(text, out.manifest_size, ' ') || !take_segment_number(text, out.crc32c, '\n', 16) ||
      !text.empty())
    throw Error::damaged("segment", key, "its header has no size and checksum of a manifest");
  if (out.manifest_size > SegmentHeader::largest_manifest)
    throw Error::damaged("segment", key,
                         "its manifest is too large (" + std::to_string(out.manifest_size) + " bytes, at most " +
                             std::to_string(SegmentHeader::largest_manifest) + ")");
  return out;
}

/// Reads a manifest, line by line: the key of the segment, then "START SIZE CRC32C KEY" for each file, where START is
/// counted from the end of the manifest.
class SegmentManifestReader {
 public:
  /// `manifest` belongs to the segment `key` of `object_size` bytes. Lifetime: the arguments outlive the reader.
  SegmentManifestReader(Bytes manifest, const SegmentHeader& header, std::string_view key, std::uint64_t object_size)
      : text_(text_of(manifest)),
        key_(key),
        at_(SegmentHeader::size + header.manifest_size),
        object_size_(object_size) {
    if (manifest.size() < header.manifest_size || at_ > object_size)
      damaged("it ends in its manifest (" + std::to_string(object_size) + " bytes)");
    if (crc32c(manifest) != header.crc32c) damaged("the checksum of its manifest does not match");
  }

  /// Returns the manifest. Throws: it is damaged.
  [[nodiscard]] SegmentManifest read() {
    const auto name = layout::parse_segment_key(next_line());
    if (!name || layout::segment_key(*name) != key_) damaged("its manifest names another segment");
    out_.name = *name;
    worker_ = layout::worker_from_file_name(name->worker);
    std::unordered_set<std::string> keys;
    std::size_t indexes = 0;
    for (line_ = 2; !text_.empty(); ++line_) {
      SegmentEntry& entry = out_.entries.emplace_back(next_entry());
      if (!keys.insert(entry.key).second) damaged(in_quotes(entry.key) + " is there twice");
      if (!entry.is_index) continue;
      if (++indexes != out_.entries.size()) damaged("an index lies behind events");
      if (indexes > 1 && entry.step <= out_.entries[indexes - 2].step) damaged("its steps are not ascending");
    }
    if (indexes == 0 || out_.entries.front().step != name->first || out_.entries[indexes - 1].step != name->last)
      damaged("its steps are not those of its name");
    if (at_ != object_size_)
      damaged("its files end at " + std::to_string(at_) + ", and it at " + std::to_string(object_size_));
    return std::move(out_);
  }

 private:
  [[noreturn]] void damaged(const std::string& cause) const {
    throw Error::damaged("segment", key_, line_ == 0 ? cause : "line " + std::to_string(line_) + ": " + cause);
  }

  std::string_view next_line() {
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) damaged("its manifest has a line without an end");
    const std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return line;
  }

  SegmentEntry next_entry() {
    std::string_view line = next_line();
    SegmentEntry entry;
    std::uint64_t start = 0;
    if (!take_segment_number(line, start, ' ') || !take_segment_number(line, entry.size, ' ') ||
        !take_segment_number(line, entry.crc32c, ' ', 16))
      damaged("it is not \"START SIZE CRC32C KEY\"");
    if (start != at_ - data_)
      damaged("a file begins at " + std::to_string(start) + ", and the file before it ends at " +
              std::to_string(at_ - data_));
    if (entry.size > object_size_ - at_)
      damaged("a file ends beyond the segment (" + std::to_string(entry.size) + " bytes, " +
              std::to_string(object_size_ - at_) + " are left)");
    entry.start = std::exchange(at_, at_ + entry.size);
    entry.key = line;
    const auto index = layout::parse_index_key(line);
    const auto events = layout::parse_event_key(line);
    entry.is_index = index.has_value();
    if (index ? layout::index_key(index->global_step, worker_) != line
              : !events || layout::event_key(events->global_step, worker_) != line)
      damaged(in_quotes(line) + " is no file of a step of this worker");
    entry.step = index ? index->global_step : events->global_step;
    if (entry.step < out_.name.first || entry.step > out_.name.last)
      damaged(in_quotes(line) + " is of a step outside of the segment");
    return entry;
  }

  std::string_view text_;  // what was not read yet
  std::string_view key_;
  std::uint64_t at_;                // the end of the last file
  const std::uint64_t data_ = at_;  // the end of the manifest
  std::uint64_t object_size_;
  std::string worker_;
  std::size_t line_ = 0;
  SegmentManifest out_;
};

/// Reads the manifest of the segment `key`, an object of `size` bytes. `get(start, length)` returns bytes of it, or
/// nullopt if it does not exist, and so does this function. Throws: it is damaged; what `get` throws.
template <class Get>
std::optional<SegmentManifest> read_segment_manifest(std::string_view key, std::uint64_t size, const Get& get) {
  const auto first = get(std::uint64_t{0}, std::uint64_t{SegmentHeader::size});
  if (!first) return std::nullopt;
  const SegmentHeader header = parse_segment_header(*first, key);
  const auto manifest = get(std::uint64_t{SegmentHeader::size}, header.manifest_size);
  if (!manifest) return std::nullopt;
  return SegmentManifestReader(*manifest, header, key, size).read();
}

/// Collects the files of a segment. Lifetime: their bytes outlive the writer.
class SegmentWriter {
 public:
  explicit SegmentWriter(const layout::SegmentName& name) : key_(layout::segment_key(name)), manifest_(key_ + "\n") {}

  /// Adds a file. Add the indexes first, by step.
  void add(std::string_view key, std::span<const Bytes> pieces) {
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
    for (const Bytes piece : pieces) {
      crc = crc32c(piece, crc);
      size += piece.size();
    }
    std::array<char, 9> hex{};
    const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), crc, 16).ptr;
    manifest_.append(std::to_string(end_)).append(" ").append(std::to_string(size)).append(" ");
    manifest_.append(hex.data(), end).append(" ").append(key).append("\n");
    pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
    end_ += size;
  }
  void add(std::string_view key, Bytes bytes) { add(key, std::span(&bytes, 1)); }

  /// Returns the pieces of the segment, whose size is `size()`. Lifetime: until the writer changes. Throws: the
  /// manifest is too large.
  [[nodiscard]] std::span<const Bytes> finish() {
    if (manifest_.size() > SegmentHeader::largest_manifest)
      throw Error::bad_option("pack", "the manifest of " + in_quotes(key_) + " is too large (" +
                                          std::to_string(manifest_.size()) + " bytes); commit or flush more often");
    constexpr std::string_view digits = "0123456789abcdef";
    const std::string size = layout::padded(static_cast<std::int64_t>(manifest_.size()), 10);
    const std::uint32_t crc = crc32c(bytes_of(manifest_));
    header_.assign(SegmentHeader::magic).append(size).append(" ");
    for (int shift = 28; shift >= 0; shift -= 4) header_ += digits[(crc >> static_cast<unsigned>(shift)) & 15u];
    header_ += '\n';
    pieces_[0] = bytes_of(header_);
    pieces_[1] = bytes_of(manifest_);
    return pieces_;
  }

  [[nodiscard]] const std::string& key() const noexcept { return key_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return header_.size() + manifest_.size() + end_; }

 private:
  std::string key_;
  std::string header_;
  std::string manifest_;
  std::vector<Bytes> pieces_ = std::vector<Bytes>(2);
  std::uint64_t end_ = 0;  // of the last file, from the end of the manifest
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
