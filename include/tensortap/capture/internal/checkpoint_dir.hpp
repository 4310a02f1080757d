// The directory of the checkpoints: its path, and its beginning.
#pragma once

#include <string>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/usable_directory.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns `options` with the absolute path of `checkpoint_dir`. Throws: it is the address of a bucket.
inline HookOptions with_checkpoint_path(HookOptions options) {
  std::string& directory = options.checkpoint_dir;
  if (directory.empty() || options.checkpoints) return options;
  if (directory.find("://") != std::string::npos)
    throw Error::bad_option("checkpoint_dir", in_quotes(directory) +
                                                  " is not a directory; give a directory, and keep it on S3 with a "
                                                  "CheckpointSync");
  directory = open_store(directory)->location();
  return options;
}

/// Makes the directory. Throws: it cannot be made or written.
inline void make_checkpoint_dir(const std::string& directory) {
  const std::string cause = make_usable_directory(directory);
  if (!cause.empty()) throw Error::bad_checkpoint_dir("hook", directory, cause);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
