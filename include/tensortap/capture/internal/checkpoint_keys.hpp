// The keys of checkpoints: paths below checkpoint_dir, or keys of a store that the user brought.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class CheckpointKeys {
 public:
  /// `are_paths`: callers name checkpoints by paths, else by keys. An empty `directory` means that there is none.
  CheckpointKeys(std::string directory, bool are_paths) : directory_(std::move(directory)), are_paths_(are_paths) {}

  /// Returns the key of the checkpoint at `path`. Throws: it lies outside of the directory.
  [[nodiscard]] std::string key_of(std::string_view path) const {
    if (!are_paths_) return std::string(path);
    const auto directory = std::filesystem::weakly_canonical(directory_);
    const auto relative = std::filesystem::weakly_canonical(std::filesystem::path(path)).lexically_relative(directory);
    if (relative.empty() || *relative.begin() == ".." || relative == ".")
      throw Error::checkpoint_elsewhere(path, directory_);
    return relative.string();
  }

  /// Returns the path of the checkpoint `key`.
  [[nodiscard]] std::string path_of(const std::string& key) const {
    return key.empty() || directory_.empty() ? key : directory_ + "/" + key;
  }

 private:
  std::string directory_;
  bool are_paths_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
