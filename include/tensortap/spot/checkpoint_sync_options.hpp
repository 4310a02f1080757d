// How a checkpoint sync is configured, and what it says it has done.
//
//   tensortap::CheckpointSyncOptions options{.keep_deleted = true};
//   options.progress = [](const tensortap::SyncProgress& at) { std::cout << at.bytes << '/' << at.all_bytes << '\n'; };
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/file_calls.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How far a restore or an upload is.
struct SyncProgress {
  std::string_view file = {};  ///< the one that has just been done
  std::uint64_t files = 0;     ///< done, of `all_files`
  std::uint64_t all_files = 0;
  std::uint64_t bytes = 0;  ///< done, of `all_bytes`; files that need not be sent count as done
  std::uint64_t all_bytes = 0;
};

/// What a restore or an upload has done.
struct SyncReport {
  std::uint64_t files = 0;      ///< sent or fetched
  std::uint64_t bytes = 0;      ///< of these
  std::uint64_t unchanged = 0;  ///< files that were there already
  std::uint64_t removed = 0;    ///< remote objects whose files are gone here
  std::uint64_t retries = 0;
  std::vector<std::string> missing = {};   ///< files that are not there, or not as they should be
  std::vector<std::string> failures = {};  ///< why: messages
  bool complete = false;                   ///< all that was asked for is there and named by the manifest
  bool local_is_newer = false;             ///< a restore changed nothing: the directory's last commit is younger
  std::optional<std::int64_t> step = {};   ///< the global step of the last whole commit, if any is known of
};

/// What may be chosen.
struct CheckpointSyncOptions {
  /// Keep remote what is deleted here.
  bool keep_deleted = false;

  /// How long a file must have looked the same before upload_settled() takes it for finished.
  std::chrono::nanoseconds settle_for = std::chrono::seconds(5);

  /// Calls to the remote store at once; 0: as many as it says pay off.
  std::size_t at_once = 0;
  /// A file is in memory while it is sent. Units: bytes of all of them together; one file may be larger.
  std::uint64_t max_memory = std::uint64_t{1} << 30;
  /// Larger files are fetched in parts of this size. Units: bytes.
  std::uint64_t part_size = std::uint64_t{8} << 20;

  /// How often a failing call is made, and how long is waited in between at first; twice as long each time.
  int attempts = 4;
  std::chrono::nanoseconds pause = std::chrono::milliseconds(100);

  /// When the machine goes: an upload returns by then, see `Interruption`. A request without a deadline stops nothing.
  StopSignal stop = {};
  /// Ends what is under way.
  std::stop_token cancel = {};

  /// Called after each file. Threads: several, one call at a time. What it throws is ignored.
  std::function<void(const SyncProgress&)> progress = {};

  /// How it waits, what time it is since some moment, and what time it is for files (seconds since 1970).
  std::function<void(std::chrono::nanoseconds)> sleep = [](std::chrono::nanoseconds t) {
    std::this_thread::sleep_for(t);
  };
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
  std::function<std::int64_t()> wall_time = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
  /// The system calls on the directory.
  FileCalls calls = {};
};

TENSORTAP_END_NAMESPACE
