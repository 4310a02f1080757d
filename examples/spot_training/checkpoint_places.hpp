// Where checkpoints lie: in a directory of this machine, and where they outlive it.
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
  if (!file) fail_to_read(path, "cannot be read", "check that it is there, and whose it is");
  return bytes;
}

/// Each checkpoint has a name of its own; the last two are kept, so that one is whole at every moment.
class CheckpointPlaces {
 public:
  /// Brings into the directory what is in the durable place, if there is one. Throws: that cannot be done.
  CheckpointPlaces(std::filesystem::path directory, std::shared_ptr<tt::Store> durable)
      : directory_(std::move(directory)) {
    if (!durable) return;
    sync_.emplace(directory_.string(), std::move(durable));
    sync_->restore();
  }

  /// `options` for a hook whose commits return when the checkpoint is safe in both.
  tt::HookOptions attach(tt::HookOptions options) const {
    options.checkpoint_dir = directory_.string();
    return sync_ ? sync_->attach(std::move(options)) : options;
  }

  /// Training goes on from this one.
  void go_on_from(const std::filesystem::path& checkpoint) { last_ = checkpoint.filename().string(); }

  /// The path of the new checkpoint, made of what has been learnt up to and with `global_step`; to be committed. Those
  /// before the last one go.
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
