// The keys of checkpoints: paths below checkpoint_dir, or keys of a store that the user brought.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class CheckpointKeys {
 public:
  /// `are_paths`: callers name checkpoints by paths, else by keys. An empty `directory` means that there is none.
  CheckpointKeys(std::string directory, bool are_paths) : directory_(std::move(directory)), are_paths_(are_paths) {}

  /// Returns the key of the checkpoint at `path`. Throws: it lies outside of the directory, or that is gone.
  [[nodiscard]] std::string key_of(std::string_view path) const {
    namespace fs = std::filesystem;
    if (!are_paths_) return std::string(path);
    std::error_code error;
    if (!fs::is_directory(directory_, error))
      throw Error::io("commit: checkpoint_dir", directory_,
                      "it was removed or renamed since the hook began; put it back, or begin a new hook");
    const fs::path directory = fs::weakly_canonical(directory_, error);
    const fs::path file = fs::weakly_canonical(absolute_path(std::string(path)), error);
    if (error) throw Error::io("commit: cannot look at", path, error.message());
    const fs::path relative = file.lexically_relative(directory);
    if (relative.empty() || *relative.begin() == ".." || relative == ".")
      throw Error::checkpoint_elsewhere(file.string(), directory_);
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
