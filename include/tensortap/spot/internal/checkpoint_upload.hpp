// One upload of a directory of checkpoints. It puts new contents at free keys, then the manifest that names them, and
// only then replaces old objects. So the manifest names a whole checkpoint wherever the upload is cut off.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/spot/internal/local_files.hpp>
#include <tensortap/spot/internal/remote_files.hpp>
#include <tensortap/spot/internal/sync_job.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A local file whose content is known.
struct KnownFile {
  FileStamp stamp;
  SyncedFile file;
  bool may_miss_change = false;  // the stamp may be the same after a change
};
using KnownFiles = std::map<std::string, KnownFile, std::less<>>;

/// Returns whether `name` is one of `wanted`, or lies below one.
inline bool is_among(const std::set<std::string>& wanted, const std::string& name) {
  for (std::size_t slash = name.size(); slash != std::string::npos && slash > 0; slash = name.rfind('/', slash - 1))
    if (wanted.contains(name.substr(0, slash))) return true;
  return false;
}

/// One upload; run() is called once.
class CheckpointUpload {
 public:
  CheckpointUpload(LocalFiles& local, RemoteFiles& remote, KnownFiles& known, const CheckpointSyncOptions& options,
                   SyncJob& job)
      : local_(local), remote_(remote), known_(known), options_(options), job_(job), budget_(options.max_memory) {}

  /// Sends the files or folders `wanted`, or all files. Throws: the store failed, and the upload cannot continue.
  void run(const std::optional<std::set<std::string>>& wanted) {
    remote_.load_once(job_);
    constexpr int rounds = 3;  // repeats while a new commit comes during the upload
    for (int round = 1;; ++round) {
      find_files(wanted);
      send_files();
      CheckpointManifest next = next_manifest();
      const State* const whole = last_whole(states_, next);
      const State* const last = states_.empty() ? nullptr : &states_.back();
      if (whole != last && round < rounds && local_.stamp_of(std::string(state_key)) != state_stamp()) continue;
      if (whole != last && (whole == nullptr || waits_for_files(*last))) {
        keep_manifest();
      } else {
        if (next.files != remote_.manifest().files) publish(std::move(next));
        job_.update([&](SyncReport& report) {
          report.complete = true;
          if (whole != nullptr) report.step = whole->last_seen;
        });
      }
      break;
    }
    clean_up();
  }

 private:
  [[nodiscard]] std::optional<FileStamp> state_stamp() const {
    return state_ ? std::optional(state_->stamp) : std::nullopt;
  }

  /// Reads the state and lists the files to send, those of the last commit first. The state is read before the files,
  /// so that it never names a file that is not sent.
  void find_files(const std::optional<std::set<std::string>>& wanted) {
    state_ = local_.read(std::string(state_key));
    states_.clear();
    if (state_) try {
        states_ = parse_states(state_->text(), local_.directory() + "/" + std::string(state_key));
      } catch (const Error& e) {  // then it is sent like any other file
        job_.add_failure(e.what());
      }
    stamps_ = local_.stamps([this](const std::string& directory) { job_.pass_over(directory); });
    std::set<std::string> first;
    if (!states_.empty())
      for (const CheckpointFile& file : states_.back().files) first.insert(file.name);
    order_.clear();
    for (const auto& [name, stamp] : stamps_)
      if (name != state_key && (!wanted || is_among(*wanted, name)) && is_syncable(name)) order_.push_back(name);
    std::stable_partition(order_.begin(), order_.end(), [&](const std::string& name) { return first.contains(name); });
    for (const std::string& name : order_) job_.add(name, stamps_[name].size);
    if (state_) job_.add(std::string(state_key), state_->file.size);
    if (wanted)
      for (const std::string& name : *wanted)
        if (std::none_of(stamps_.begin(), stamps_.end(), [&](auto& file) { return is_among({name}, file.first); })) {
          job_.mark_missing(name);
          job_.add_failure(Error::no_checkpoint(local_.directory() + "/" + name).what());
        }
  }

  bool is_syncable(const std::string& name) {
    const auto cause = sync_layout::why_not_synced(name);
    if (cause.empty()) return true;
    if (unsyncable_.insert(name).second) {
      job_.add_failure(Error::file_not_synced(name, cause).what());
      job_.mark_missing(name);
    }
    return false;
  }

  void send_files() {
    const std::size_t at_once = options_.at_once > 0 ? options_.at_once : remote_.store().concurrency();
    parallel_for(order_.size(), at_once, [&](std::size_t i) { try_to(order_[i], [&] { send(order_[i]); }); });
    if (state_) try_to(std::string(state_key), [&] { send(std::string(state_key), *state_); });
  }

  /// Calls `send`; a failure of one file does not stop the others.
  template <class Send>
  void try_to(const std::string& name, const Send& send) {
    try {
      job_.require_time();
      send();
    } catch (const std::exception& e) {
      if (job_.is_late() && reported_late_.exchange(true)) return;
      job_.add_failure(in_quotes(name) + ": " + e.what());
    }
  }

  void send(const std::string& name) {
    const FileStamp stamp = stamps_.find(name)->second;
    const auto there = remote_.current(name);
    std::optional<KnownFile> known;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = known_.find(name); found != known_.end()) known = found->second;
    }
    if (there && known && known->stamp == stamp && !known->may_miss_change && there->has_content_of(known->file))
      return mark_uploaded(name, *there, false);
    if (there && there->size == stamp.size) {
      const auto here = local_.describe(name);
      if (!here) return mark_gone(name);
      if (there->has_content_of(here->file)) {
        remember(name, *here);
        return mark_uploaded(name, *there, false);
      }
    }
    const MemoryBudget::Share share(budget_, stamp.size, job_);
    const auto content = local_.read(name);
    if (!content) return mark_gone(name);
    send(name, *content);
    remote_.save_sent_list(job_);
  }

  void send(const std::string& name, const FileContent& content) {
    const auto there = remote_.current(name);
    const bool is_new = !there || !there->has_content_of(content.file);
    const bool transferred = is_new && remote_.put(job_, name, content.file, content.pieces());
    remember(name, content);
    mark_uploaded(name, remote_.current(name).value_or(content.file), transferred);
  }

  void remember(const std::string& name, const FileContent& content) {
    const std::lock_guard lock(mutex_);
    known_.insert_or_assign(
        name, KnownFile{content.stamp, content.file, content.stamp.may_miss_change(options_.wall_time())});
  }

  void mark_uploaded(const std::string& name, const SyncedFile& file, bool transferred) {
    {
      const std::lock_guard lock(mutex_);
      uploaded_.insert_or_assign(name, file);
    }
    job_.mark_done(name, file.size, transferred);
  }

  void mark_gone(const std::string& name) {
    const std::lock_guard lock(mutex_);
    uploaded_.erase(name);
    job_.drop(name);
  }

  /// Returns the manifest with the sent files and without those that were deleted locally.
  CheckpointManifest next_manifest() {
    CheckpointManifest next = remote_.manifest();
    for (const auto& [name, file] : uploaded_) next.files.insert_or_assign(name, file);
    if (options_.keep_deleted) return next;
    deleted_.clear();
    for (const auto& [name, file] : known_)
      if (local_.is_gone(name)) deleted_.push_back(name);
    if (!deleted_.empty() && local_.stamps().empty()) {  // an unmounted disk looks the same
      job_.add_failure(Error::nothing_left_to_sync(local_.directory()).what());
      deleted_.clear();
    }
    for (const std::string& name : deleted_) next.files.erase(name);
    return next;
  }

  /// Returns whether a file of `state` exists locally but not in the store.
  [[nodiscard]] bool waits_for_files(const State& state) const {
    return std::any_of(state.files.begin(), state.files.end(), [&](const CheckpointFile& file) {
      if (!local_.stamp_of(file.name)) return false;
      const auto uploaded = remote_.current(file.name);
      return !uploaded || uploaded->size != file.size || uploaded->crc32c != file.crc32c;
    });
  }

  void publish(CheckpointManifest next) {
    try {
      remote_.publish(job_, std::move(next));
    } catch (...) {
      report_unnamed();
      throw;
    }
  }

  /// Keeps the old manifest, because the new one would not name a whole checkpoint.
  void keep_manifest() {
    if (!job_.is_late()) job_.add_failure(Error::checkpoint_not_whole(local_.directory()).what());
    report_unnamed();
    deleted_.clear();
  }

  /// Reports the sent files that the manifest does not name.
  void report_unnamed() {
    for (const auto& [name, file] : uploaded_) {
      const auto named = remote_.manifest().files.find(name);
      if (named == remote_.manifest().files.end() || !named->second.has_content_of(file)) job_.mark_missing(name);
    }
  }

  /// Moves staged files and removes deleted ones, once the manifest is written.
  void clean_up() {
    try {
      remote_.move_staged(job_);
    } catch (const std::exception& e) {  // the next upload repeats it, and a restore finds staged files
      job_.add_failure(e.what());
    }
    std::vector<std::string> there;
    std::copy_if(deleted_.begin(), deleted_.end(), std::back_inserter(there),
                 [&](const std::string& name) { return remote_.objects().contains(name); });
    try {
      remote_.remove(job_, there);
      for (const std::string& name : deleted_) known_.erase(name);
      job_.update([&](SyncReport& report) { report.removed += there.size(); });
    } catch (const std::exception& e) {
      job_.add_failure(e.what());
    }
  }

  LocalFiles& local_;
  RemoteFiles& remote_;
  KnownFiles& known_;
  const CheckpointSyncOptions& options_;
  SyncJob& job_;
  MemoryBudget budget_;
  std::optional<FileContent> state_;
  std::vector<State> states_;
  LocalFiles::Stamps stamps_;
  std::vector<std::string> order_;
  std::vector<std::string> deleted_;
  std::set<std::string> unsyncable_;
  std::atomic<bool> reported_late_ = false;
  std::mutex mutex_;  // guards the members below, and the known files, while files are sent
  std::map<std::string, SyncedFile> uploaded_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
