// The states of a run at its last commits: the steps reached, and the checkpoint. The file lies beside the checkpoints
// and is copied with them. It is smdebug's metadata.json with further keys, which smdebug ignores.
//
//   std::vector<tensortap::State> states = tensortap::parse_states(text, "metadata.json");
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// The key of the states among the checkpoints.
inline constexpr std::string_view state_key = "metadata.json";

/// A file of a checkpoint at the time of its commit.
struct CheckpointFile {
  std::string name;          ///< its key among the checkpoints
  std::uint64_t size = 0;    ///< Units: bytes
  std::uint32_t crc32c = 0;  ///< of its content

  friend bool operator==(const CheckpointFile&, const CheckpointFile&) = default;
};

/// One commit: the steps that the run had reached, and its checkpoint.
struct State {
  std::int64_t attempt = 0;                                 ///< the attempt's number
  std::optional<std::int64_t> last_saved = {};              ///< the last global step with a saved record
  std::int64_t last_seen = -1;                              ///< the last global step
  std::array<std::optional<std::int64_t>, 4> mode_steps{};  ///< by mode: its last step, if it has had one
  Mode mode = Mode::train;                                  ///< the last mode
  std::string checkpoint = {};                              ///< a key, or the prefix of several; empty: not named
  std::vector<CheckpointFile> files = {};                   ///< the files of the checkpoint; smdebug writes none
  std::string run_id = {};                                  ///< the identity of the run; empty: unknown
  std::string run = {};                                     ///< the address of the run at the commit
  bool sound = true;                                        ///< false: what was read differs from what was written

  friend bool operator==(const State&, const State&) = default;
};

/// Returns the text of the file.
std::string to_json(std::span<const State> states);

/// Returns the states in `text`, by growing step; `place` names it in messages. Throws: not an array of states; a path
/// that leaves the directory.
std::vector<State> parse_states(std::string_view text, std::string_view place);

/// Returns the states beside the checkpoints; none if there is no such file. Throws: damage, a store that fails.
std::vector<State> read_states(const Store& checkpoints);

/// Reads the object `name` in parts and returns its size and checksum; nullopt if there is no such object.
std::optional<CheckpointFile> describe_checkpoint_file(const Store& checkpoints, const std::string& name);

/// Returns the files of the checkpoint `key`: the object of that key, and all objects below it. Throws: there are none.
std::vector<CheckpointFile> describe_checkpoint(const Store& checkpoints, const std::string& key);

/// Returns true if `state` is sound, and every file of it still has the size and checksum of the commit.
bool is_intact(const State& state, const Store& checkpoints);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/state_impl.hpp>
#endif
