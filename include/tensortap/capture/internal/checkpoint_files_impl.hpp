// Names, writes and removes the checkpoints of a directory.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/capture/checkpoint_files.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/usable_directory.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/settled_rename.hpp>
#include <tensortap/store/internal/temporary.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A checkpoint: the step, and how many of this step came before.
struct CheckpointName {
  std::int64_t step = 0;
  std::int64_t repetition = 0;

  friend bool operator<(const CheckpointName& a, const CheckpointName& b) noexcept {
    return std::tuple(a.step, a.repetition) < std::tuple(b.step, b.repetition);
  }
};

inline std::string file_name(const CheckpointName& name, const CheckpointFilesOptions& options) {
  constexpr std::size_t digits = 12;  // so that a listing is sorted
  std::string number = std::to_string(name.step);
  number.insert(0, digits - std::min(number.size(), digits), '0');
  return options.prefix + number + (name.repetition == 0 ? "" : "." + std::to_string(name.repetition)) + options.suffix;
}

inline std::optional<CheckpointName> parse_checkpoint_name(std::string_view text,
                                                           const CheckpointFilesOptions& options) {
  CheckpointName out;
  if (text.size() <= options.prefix.size() + options.suffix.size()) return std::nullopt;
  std::string_view numbers = text.substr(options.prefix.size());
  numbers.remove_suffix(options.suffix.size());
  const char* const end = numbers.data() + numbers.size();
  const char* const after = std::from_chars(numbers.data(), end, out.step).ptr;
  if (after != end && *after == '.') std::from_chars(after + 1, end, out.repetition);
  if (file_name(out, options) != text) return std::nullopt;
  return out;
}

/// Returns the checkpoints of a directory, by growing step. Calls `left_over` for each temporary one.
inline std::vector<CheckpointName> checkpoints_in(
    const std::string& directory, const CheckpointFilesOptions& options,
    const std::function<void(const std::string& path)>& left_over = [](const std::string&) {}) {
  std::vector<CheckpointName> out;
  std::error_code error;  // a directory that does not exist, or is removed meanwhile, is empty
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (is_temporary(name) && parse_checkpoint_name(final_key(name), options)) left_over(at->path().string());
    if (const auto parsed = parse_checkpoint_name(name, options)) out.push_back(*parsed);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Returns the checkpoint of the last commit in a directory; empty: there is none, or the commits cannot be read.
inline std::string committed_checkpoint(const std::string& directory) {
  try {
    const std::vector<State> states = read_states(*open_store(directory));
    return states.empty() ? std::string() : states.back().checkpoint;
  } catch (const Error&) {
    return {};
  }
}

/// Removes what `write` has begun, unless it is kept.
struct UnfinishedCheckpoint {
  explicit UnfinishedCheckpoint(std::string at) : path(std::move(at)) {}
  UnfinishedCheckpoint(const UnfinishedCheckpoint&) = delete;
  UnfinishedCheckpoint& operator=(const UnfinishedCheckpoint&) = delete;
  ~UnfinishedCheckpoint() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

}  // namespace detail

TENSORTAP_INLINE CheckpointFiles::CheckpointFiles(const std::string& directory, CheckpointFilesOptions options)
    : directory_(open_store(directory)->location()), options_(std::move(options)) {
  if (options_.keep < 2)
    throw Error::bad_option("keep", "the last commit needs its checkpoint until the next one is done; keep at least 2");
  if ((options_.prefix + options_.suffix).find('/') != std::string::npos || detail::is_temporary(options_.suffix))
    throw Error::bad_option("prefix", "it and the suffix are parts of a file name; use no '/' and no \".tmp\"");
}

TENSORTAP_INLINE std::vector<std::string> CheckpointFiles::paths() const {
  std::vector<std::string> out;
  for (const detail::CheckpointName& name : detail::checkpoints_in(directory_, options_))
    out.push_back(directory_ + "/" + detail::file_name(name, options_));
  return out;
}

TENSORTAP_INLINE std::string CheckpointFiles::save_by(std::int64_t step,
                                                      const std::function<bool(const std::string& path)>& write) {
  namespace fs = std::filesystem;
  if (const std::string cause = detail::make_usable_directory(directory_); !cause.empty())
    throw Error::bad_checkpoint_dir("checkpoint", directory_, cause);
  const auto path_of = [&](const detail::CheckpointName& name) {
    return directory_ + "/" + detail::file_name(name, options_);
  };
  detail::CheckpointName name{.step = std::max<std::int64_t>(step, 0)};
  std::error_code error;
  while (fs::exists(fs::symlink_status(path_of(name), error))) ++name.repetition;
  static std::atomic<std::uint64_t> counter = 0;
  detail::UnfinishedCheckpoint unfinished(path_of(name) + "." + std::to_string(::getpid()) + "-" +
                                          std::to_string(counter++) + std::string(detail::temporary_suffix));
  if (!write(unfinished.path)) {
    const auto space = fs::space(directory_, error);
    throw Error::io("checkpoint", unfinished.path,
                    "the callback returned false, so it is not written (" +
                        (error ? "unknown" : std::to_string(space.available)) +
                        " bytes are free on its disk); remove the cause, and save again");
  }
  if (!fs::exists(fs::symlink_status(unfinished.path, error)))
    throw Error::io("checkpoint", unfinished.path,
                    "the callback has not written it; write it at the path that it is given, and let the callback "
                    "throw or return false if that fails");
  std::string path = path_of(name);
  if (!detail::rename_file(FileCalls(), unfinished.path, path))
    throw Error::io("checkpoint: cannot rename", path, std::generic_category().message(errno));
  unfinished.path.clear();

  const auto remove = [](const std::string& old) {
    std::error_code ignored;  // the next save tries again
    fs::remove_all(old, ignored);
  };
  auto there = detail::checkpoints_in(directory_, options_, remove);
  std::erase_if(there, [&](const detail::CheckpointName& other) { return name < other; });  // of another training
  // Attempts that died between save and commit leave checkpoints that must not push out the one of the last commit.
  const std::string committed = detail::committed_checkpoint(directory_);
  for (std::size_t i = 0; i + options_.keep < there.size(); ++i)
    if (detail::file_name(there[i], options_) != committed) remove(path_of(there[i]));
  return path;
}

TENSORTAP_END_NAMESPACE
