// The places of checkpoints: a directory of this machine, and a store that outlives it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/tensortap.hpp>

#include "idx.hpp"

namespace spot_training {

namespace tt = tensortap;

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (!file) fail_to_read(path, "cannot be read", "check that it exists, and its permissions");
  return bytes;
}

/// Each checkpoint has a name of its own. The last two are kept, so that one is complete at every moment.
class CheckpointPlaces {
 public:
  /// Restores the directory from the durable store, if there is one. Throws: the restore failed.
  CheckpointPlaces(std::filesystem::path directory, std::shared_ptr<tt::Store> durable)
      : directory_(std::move(directory)) {
    if (!durable) return;
    sync_.emplace(directory_.string(), std::move(durable));
    sync_->restore();
  }

  /// Returns `options` for a hook whose commits return when the checkpoint is durable in both places.
  tt::HookOptions attach(tt::HookOptions options) const {
    options.checkpoint_dir = directory_.string();
    return sync_ ? sync_->attach(std::move(options)) : options;
  }

  /// Sets the checkpoint from which the training continues.
  void continue_from(const std::filesystem::path& checkpoint) { last_ = checkpoint.filename().string(); }

  /// Writes the checkpoint of `global_step` and returns its path, for commit(). Removes all but the last one before it.
  std::string write(std::int64_t global_step, std::string_view bytes) {
    const auto here = tt::open_store(directory_.string());
    for (const tt::ObjectInfo& object : here->list(""))
      if (object.key.ends_with(suffix) && object.key != last_) here->remove(object.key);
    last_ = "step_" + tt::layout::padded(global_step, 9) + std::string(suffix);
    here->put(last_, bytes);
    return (directory_ / last_).string();
  }

 private:
  static constexpr std::string_view suffix = ".checkpoint";

  std::filesystem::path directory_;
  std::optional<tt::CheckpointSync> sync_;
  std::string last_;
};

}  // namespace spot_training
