// The index of one step of one worker: its tensors, and the place of each record in the events file. The file is one
// line of JSON, byte for byte as smdebug writes it, with keys of our own that smdebug ignores.
//
//   const std::string text = tensortap::to_json(index_file);
//   const tensortap::IndexFile again = tensortap::parse_index(text, "index/…");
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The place of a tensor's record in the events file. Units: bytes.
struct TensorLocation {
  std::string name;
  std::uint64_t start = 0;
  std::uint64_t length = 0;                  ///< with framing
  std::optional<std::uint32_t> crc32c = {};  ///< of the payload; a key of our own
};

/// The shape of a tensor that was saved without its elements.
struct SavedShape {
  std::string name;
  std::string original_name;
  std::vector<std::int64_t> shape;
};

/// The content of one index file. Its mode and mode step apply to all its tensors.
struct IndexFile {
  Mode mode = Mode::train;
  std::int64_t mode_step = 0;
  std::optional<std::int64_t> attempt = {};  ///< the number of the attempt that wrote it; a key of our own
  std::string event_file;                    ///< relative to the run; empty if only shapes were saved
  std::vector<TensorLocation> tensors;
  std::vector<SavedShape> shapes;
};

/// Returns the text of the file.
std::string to_json(const IndexFile& index);

/// Returns the index in `text`. Messages name `place`, its key.
/// Throws: text that is not JSON or is nested too deeply, a key that is missing or of the wrong kind, an unknown mode,
/// a negative step.
IndexFile parse_index(std::string_view text, std::string_view place);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/index_impl.hpp>
#endif
