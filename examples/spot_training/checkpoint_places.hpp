// Where checkpoints lie: in a directory of this machine, and where they outlive it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
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
  /// Nothing is copied if `durable` is empty. `last` is the checkpoint that training goes on from, if there is one.
  CheckpointPlaces(std::filesystem::path directory, const std::filesystem::path& durable,
                   const std::filesystem::path& last)
      : directory_(std::move(directory)),
        durable_(durable.empty() ? nullptr : tt::open_store(durable.string())),
        last_(last.filename().string()) {}

  /// The path of the new checkpoint, made of what has been learnt up to and with `global_step`.
  std::string write(std::int64_t global_step, std::string_view bytes) {
    before_ = std::exchange(last_, "step_" + tt::layout::padded(global_step, 9) + std::string(suffix));
    tt::open_store(directory_.string())->put(last_, bytes);
    return (directory_ / last_).string();
  }

  /// To be called when the last one is committed: copies it, then the state that names it; removes older ones.
  void secure() {
    if (durable_)
      for (const std::string& name : {last_, std::string(tt::state_key)})
        durable_->put(name, read_file(directory_ / name), tt::Sync::yes);
    for (const auto& place : {tt::open_store(directory_.string()), durable_})
      if (place)
        for (const tt::ObjectInfo& object : place->list(""))
          if (object.key.ends_with(suffix) && object.key != last_ && object.key != before_) place->remove(object.key);
  }

 private:
  static constexpr std::string_view suffix = ".checkpoint";

  std::filesystem::path directory_;
  std::shared_ptr<tt::Store> durable_;
  std::string last_, before_;
};

}  // namespace spot_training
