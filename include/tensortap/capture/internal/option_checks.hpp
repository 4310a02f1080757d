// The checks of a hook's options.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Throws: an invalid worker name, a number below 1, an empty callable, no directory to watch.
inline void check_hook_options(const HookOptions& options) {
  const std::string& worker = options.worker;
  const auto is_allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_-.:/").find(c) != std::string_view::npos;
  };
  if (worker.empty() || worker.size() > 200 || worker[0] == '.' ||
      !std::all_of(worker.begin(), worker.end(), is_allowed))
    throw Error::bad_worker(worker);
  if (options.run_id.size() > 200 || !is_utf8(options.run_id))
    throw Error::bad_option("run_id", "it is not UTF-8 or longer than 200 bytes; shorten it, or leave it out");
  std::size_t size_of_facts = 0;
  for (const auto& [name, value] : options.facts) {
    if (name.empty() || !is_utf8(name) || !is_utf8(value))
      throw Error::bad_option("facts", in_quotes(name) + " has no name or is not UTF-8; give names and text");
    size_of_facts += name.size() + value.size();
  }
  if (constexpr std::size_t limit = std::size_t{256} << 10; size_of_facts > limit)
    throw Error::bad_option("facts", "they are larger than 256 KiB (" + std::to_string(size_of_facts) +
                                         " bytes); save large values as tensors");
  if (options.num_workers < 1) throw Error::bad_option("num_workers", "at least one process writes; count them");
  if (options.events_per_file < 1)
    throw Error::bad_option("events_per_file", "a file holds at least one step; leave it out or give it 1");
  if (options.pack && (options.pack_time <= options.pack_time.zero() || options.pack_bytes == 0))
    throw Error::bad_option("pack", "pack_time or pack_bytes is 0 or less; leave them out, or make them larger");
  if (options.budget && !(*options.budget > 0 && *options.budget < 1))
    throw Error::bad_option("budget", "it is not between 0 and 1; give it a share of the time, such as 0.01");
  if ((options.retention.steps && *options.retention.steps < 1) || options.retention.bytes == 0)
    throw Error::bad_option("retention", "it keeps nothing; give it 1 or more, or leave it out");
  if (options.recorder.steps < 0 || options.recorder.max_snapshots < 0)
    throw Error::bad_option("recorder", "a number in it is negative; give it 0 or more");
  if (!options.run_files && !options.tensorboard && options.tensorboard_dir.empty())
    throw Error::bad_option("run_files", "without them nothing is written; set tensorboard, or set dry_run");
  if (!options.wall_time) throw Error::bad_option("wall_time", "it is empty; leave it out or give it a function");
  if (!options.sleep) throw Error::bad_option("sleep", "it is empty; leave it out or give it a function");
  if (options.watch_checkpoints && options.checkpoint_dir.empty())
    throw Error::bad_option("watch_checkpoints", "there is no checkpoint_dir to watch; name one");
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
