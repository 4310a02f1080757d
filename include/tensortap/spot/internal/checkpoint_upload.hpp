// One upload of a directory of checkpoints. What is new goes to a free key, then the manifest names it, and only then
// it takes the place of what was there before; so whenever this is cut off, the manifest names a whole.
//
// Not for users: CheckpointSync makes them.
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
#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/spot/internal/local_files.hpp>
#include <tensortap/spot/internal/remote_files.hpp>
#include <tensortap/spot/internal/sync_job.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A local file whose content is known.
struct KnownFile {
  FileLooks looks;
  SyncedFile file;
  bool may_deceive = false;  // its looks may not tell of a change
};
using KnownFiles = std::map<std::string, KnownFile, std::less<>>;

/// Whether `name` is one of `wanted`, or lies below one.
inline bool is_among(const std::set<std::string>& wanted, const std::string& name) {
  for (std::size_t slash = name.size(); slash != std::string::npos && slash > 0; slash = name.rfind('/', slash - 1))
    if (wanted.contains(name.substr(0, slash))) return true;
  return false;
}

class CheckpointUpload {
 public:
  CheckpointUpload(LocalFiles& local, RemoteFiles& remote, KnownFiles& known, const CheckpointSyncOptions& options,
                   SyncJob& job)
      : local_(local), remote_(remote), known_(known), options_(options), job_(job), budget_(options.max_memory) {}

  /// Sends what is `wanted`, a file or folder each, or all. Throws: the store failed where nothing else can go on.
  void run(const std::optional<std::set<std::string>>& wanted) {
    remote_.load_once(job_);
    constexpr int rounds = 3;  // while a commit comes between
    for (int round = 1;; ++round) {
      find_files(wanted);
      send_files();
      CheckpointManifest next = next_manifest();
      const State* const whole = last_whole(states_, next);
      const State* const last = states_.empty() ? nullptr : &states_.back();
      if (whole != last && round < rounds && local_.look(std::string(state_key)) != state_looks()) continue;
      if (whole != last && (whole == nullptr || waits_for_files(*last))) {
        refuse();
      } else {
        if (next.files != remote_.manifest().files) publish(std::move(next));
        job_.count([&](SyncReport& report) {
          report.complete = true;
          if (whole != nullptr) report.step = whole->last_seen;
        });
      }
      break;
    }
    tidy();
  }

 private:
  [[nodiscard]] std::optional<FileLooks> state_looks() const {
    return state_ ? std::optional(state_->looks) : std::nullopt;
  }

  /// What there is, which comes first, and the state that says what belongs together. The state is read before the
  /// files, so that it never speaks of files that were not sent.
  void find_files(const std::optional<std::set<std::string>>& wanted) {
    state_ = local_.read(std::string(state_key));
    states_.clear();
    if (state_) try {
        states_ = parse_states(text_of(state_->bytes), local_.directory() + "/" + std::string(state_key));
      } catch (const Error& e) {  // a file like any other
        job_.failed(e.what());
      }
    there_ = local_.look();
    std::set<std::string> first;
    if (!states_.empty())
      for (const CheckpointFile& file : states_.back().files) first.insert(file.name);
    order_.clear();
    for (const auto& [name, looks] : there_)
      if (name != state_key && (!wanted || is_among(*wanted, name)) && is_syncable(name)) order_.push_back(name);
    std::stable_partition(order_.begin(), order_.end(), [&](const std::string& name) { return first.contains(name); });
    for (const std::string& name : order_) job_.expect(name, there_[name].size);
    if (state_) job_.expect(std::string(state_key), state_->file.size);
    if (wanted)
      for (const std::string& name : *wanted)
        if (std::none_of(there_.begin(), there_.end(), [&](auto& file) { return is_among({name}, file.first); })) {
          job_.undone(name);
          job_.failed(Error::no_checkpoint(local_.directory() + "/" + name).what());
        }
  }

  bool is_syncable(const std::string& name) {
    const auto cause = sync_layout::why_not(name);
    if (cause.empty()) return true;
    if (unsyncable_.insert(name).second) {
      job_.failed(Error::file_not_synced(name, cause).what());
      job_.undone(name);
    }
    return false;
  }

  void send_files() {
    const std::size_t at_once = options_.at_once > 0 ? options_.at_once : remote_.store().concurrency();
    parallel_for(order_.size(), at_once, [&](std::size_t i) { try_to(order_[i], [&] { send(order_[i]); }); });
    if (state_) try_to(std::string(state_key), [&] { send(std::string(state_key), *state_); });
  }

  /// What goes wrong with one file does not keep the others.
  template <class Send>
  void try_to(const std::string& name, const Send& send) {
    try {
      job_.require_time();
      send();
    } catch (const std::exception& e) {
      if (job_.is_late() && late_.exchange(true)) return;  // said once
      job_.failed(in_quotes(name) + ": " + e.what());
    }
  }

  void send(const std::string& name) {
    const FileLooks looks = there_.find(name)->second;
    const auto there = remote_.current(name);
    std::optional<KnownFile> known;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = known_.find(name); found != known_.end()) known = found->second;
    }
    if (there && known && known->looks == looks && !known->may_deceive && there->has_content_of(known->file))
      return is_up(name, *there, false);
    if (there && there->size == looks.size) {
      const auto here = local_.describe(name);
      if (!here) return is_gone(name);
      if (there->has_content_of(here->file)) {
        remember(name, *here);
        return is_up(name, *there, false);
      }
    }
    const MemoryBudget::Share share(budget_, looks.size, job_);
    const auto content = local_.read(name);
    if (!content) return is_gone(name);
    send(name, *content);
    remote_.leave_word(job_);
  }

  void send(const std::string& name, const FileContent& content) {
    const auto there = remote_.current(name);
    const bool is_new = !there || !there->has_content_of(content.file);
    const bool travelled = is_new && remote_.put(job_, name, content.file, content.bytes);
    remember(name, content);
    is_up(name, remote_.current(name).value_or(content.file), travelled);
  }

  void remember(const std::string& name, const FileContent& content) {
    const std::lock_guard lock(mutex_);
    known_.insert_or_assign(name,
                            KnownFile{content.looks, content.file, content.looks.may_deceive(options_.wall_time())});
  }

  void is_up(const std::string& name, const SyncedFile& file, bool travelled) {
    {
      const std::lock_guard lock(mutex_);
      up_.insert_or_assign(name, file);
    }
    job_.done(name, file.size, travelled);
  }

  void is_gone(const std::string& name) {
    const std::lock_guard lock(mutex_);
    up_.erase(name);
    job_.forget(name);
  }

  /// What is remote with what was sent, and without what was deleted here.
  CheckpointManifest next_manifest() {
    CheckpointManifest next = remote_.manifest();
    for (const auto& [name, file] : up_) next.files.insert_or_assign(name, file);
    if (options_.keep_deleted) return next;
    deleted_.clear();
    for (const auto& [name, file] : known_)
      if (!local_.look(name)) deleted_.push_back(name);
    if (!deleted_.empty() && local_.look().empty()) {  // a disk that is gone looks the same
      job_.failed(Error::nothing_left_to_sync(local_.directory()).what());
      deleted_.clear();
    }
    for (const std::string& name : deleted_) next.files.erase(name);
    return next;
  }

  /// Whether a file of `state` is here and not yet there.
  [[nodiscard]] bool waits_for_files(const State& state) const {
    return std::any_of(state.files.begin(), state.files.end(), [&](const CheckpointFile& file) {
      if (!local_.look(file.name)) return false;
      const auto up = remote_.current(file.name);
      return !up || up->size != file.size || up->crc32c != file.crc32c;
    });
  }

  void publish(CheckpointManifest next) {
    try {
      remote_.publish(job_, std::move(next));
    } catch (...) {
      count_unnamed();
      throw;
    }
  }

  /// The manifest stays as it is: it names a whole, which this would not be.
  void refuse() {
    if (!job_.is_late()) job_.failed(Error::checkpoint_not_whole(local_.directory()).what());
    count_unnamed();
    deleted_.clear();
  }

  void count_unnamed() {
    for (const auto& [name, file] : up_) {
      const auto named = remote_.manifest().files.find(name);
      if (named == remote_.manifest().files.end() || !named->second.has_content_of(file)) job_.undone(name);
    }
  }

  /// What is left to do once the manifest is written.
  void tidy() {
    try {
      remote_.tidy(job_);
    } catch (const std::exception& e) {  // the next upload, or a restore, knows where all is
      job_.failed(e.what());
    }
    std::vector<std::string> there;
    std::copy_if(deleted_.begin(), deleted_.end(), std::back_inserter(there),
                 [&](const std::string& name) { return remote_.objects().contains(name); });
    try {
      remote_.remove(job_, there);
      for (const std::string& name : deleted_) known_.erase(name);
      job_.count([&](SyncReport& report) { report.removed += there.size(); });
    } catch (const std::exception& e) {
      job_.failed(e.what());
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
  LocalFiles::Looks there_;
  std::vector<std::string> order_;
  std::vector<std::string> deleted_;
  std::set<std::string> unsyncable_;
  std::atomic<bool> late_ = false;
  std::mutex mutex_;  // guards what follows, and the known files, while files are sent
  std::map<std::string, SyncedFile> up_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
