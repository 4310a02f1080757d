// The remote side of a checkpoint sync: the objects of the store, and the manifest. It never overwrites an object that
// the current manifest names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/spot/internal/sync_job.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the last commit whose files are all in `there`: a successor resumes from it. Null if there is none.
inline const State* last_whole(const std::vector<State>& states, const CheckpointManifest& there) {
  const auto is_there = [&](const CheckpointFile& file) {
    const auto found = there.files.find(file.name);
    return found != there.files.end() && found->second.size == file.size && found->second.crc32c == file.crc32c;
  };
  for (auto state = states.rbegin(); state != states.rend(); ++state)
    if (state->sound && std::all_of(state->files.begin(), state->files.end(), is_there)) return &*state;
  return nullptr;
}

/// The remote copy. Threads: several threads may call current(), put() and save_sent_list() at once.
class RemoteFiles {
 public:
  explicit RemoteFiles(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  [[nodiscard]] Store& store() const noexcept { return *store_; }
  [[nodiscard]] bool has_manifest() const noexcept { return text_.has_value(); }
  [[nodiscard]] const CheckpointManifest& manifest() const noexcept { return manifest_; }
  /// Returns the sizes of all objects, by key.
  [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& objects() const noexcept { return objects_; }

  /// Reads the manifest, the list of sent files and the listing of the store.
  void load(SyncJob& job) {
    loaded_ = false;
    text_ = read(job, sync_layout::manifest_key);
    manifest_ = text_ ? parse(*text_, sync_layout::manifest_key) : CheckpointManifest{};
    objects_.clear();
    for (ObjectInfo& object : job.with_retries([&] { return store_->list(""); }))
      objects_.emplace(std::move(object.key), object.size);
    sent_ = {};
    if (objects_.contains(sync_layout::sent_key)) {
      try {
        const auto text = read(job, sync_layout::sent_key);
        if (text) sent_ = parse(*text, sync_layout::sent_key);
      } catch (const Error& e) {
        if (e.code() != Errc::damaged) throw;  // the list only saves work
      }
      if (sent_.generation != manifest_.generation) sent_.files.clear();
    }
    sent_.generation = manifest_.generation;
    for (auto at = sent_.files.begin(); at != sent_.files.end();)
      at = locate(at->first, at->second) ? std::next(at) : sent_.files.erase(at);
    for (auto& [name, file] : manifest_.files) (void)locate(name, file);
    loaded_ = true;
  }
  /// Calls load() unless it has succeeded before.
  void load_once(SyncJob& job) {
    if (!loaded_) load(job);
  }

  /// Returns the content of `name` that this or another process sent last, if its object exists.
  [[nodiscard]] std::optional<SyncedFile> current(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    if (const auto found = sent_.files.find(name); found != sent_.files.end()) return found->second;
    const auto found = manifest_.files.find(name);
    if (found == manifest_.files.end() || !has_object(name, found->second)) return std::nullopt;
    return found->second;
  }

  /// Sends `pieces`, one after the other, as the next content of `name`: to its own key if that is free, otherwise to
  /// its staged key. Returns false if the object exists already.
  bool put(SyncJob& job, const std::string& name, SyncedFile file, std::span<const Bytes> pieces) {
    const std::string staged = sync_layout::staged_key(name, file);
    bool is_new = false;
    {
      const std::lock_guard lock(mutex_);
      file.staged = objects_.contains(name);
      const auto found = objects_.find(staged);
      is_new = !file.staged || found == objects_.end() || found->second != file.size;
    }
    if (is_new) {
      const std::string& key = file.staged ? staged : name;
      job.with_retries([&] { return store_->put(key, pieces, Sync::yes, IfExists::replace); });
      const std::lock_guard lock(mutex_);
      objects_[key] = file.size;
    }
    const std::lock_guard lock(mutex_);
    sent_.files.insert_or_assign(name, file);
    unlisted_ += file.staged ? 0 : file.size;
    return is_new;
  }

  /// Writes the list of sent files for a successor, once 32 MiB were sent since the last time.
  void save_sent_list(SyncJob& job) {
    constexpr std::uint64_t threshold = std::uint64_t{32} << 20;
    std::string text;
    {
      const std::lock_guard lock(mutex_);
      if (unlisted_ < threshold) return;
      unlisted_ = 0;
      text = to_json(sent_);
    }
    const std::lock_guard lock(list_mutex_);
    job.with_retries([&] { return store_->put(sync_layout::sent_key, text, Sync::no); });
    const std::lock_guard guard(mutex_);
    objects_[std::string(sync_layout::sent_key)] = text.size();
  }

  /// Writes `next` as the manifest. Throws: another process has written the manifest since load().
  void publish(SyncJob& job, CheckpointManifest next) {
    next.generation = manifest_.generation + 1;
    const std::string text = to_json(next);
    if (text.size() > sync_layout::manifest_limit || next.files.size() > sync_layout::files_limit)
      throw Error::damaged("checkpoint sync", store_->location(), "there are too many files; sync fewer");
    job.with_retries([&] {
      // A put that reported a failure may have succeeded.
      const auto there = read(job, sync_layout::manifest_key);
      if (there != text_ && there != text && there != attempted_) throw Error::sync_taken_over(store_->location());
      attempted_ = text;
      return there == text || store_->put(sync_layout::manifest_key, text, Sync::yes);
    });
    manifest_ = std::move(next);
    text_ = text;
    objects_[std::string(sync_layout::manifest_key)] = text.size();
    sent_.generation = manifest_.generation;
    std::erase_if(sent_.files, [&](const auto& entry) {
      const auto found = manifest_.files.find(entry.first);
      return found != manifest_.files.end() && found->second == entry.second;
    });
  }

  /// Moves staged files to their own keys, metadata.json last because readers begin with it. Removes what is no longer
  /// needed below ".tensortap/".
  void move_staged(SyncJob& job) {
    for (const bool is_state : {false, true})
      for (auto& entry : manifest_.files) {
        const std::string& name = entry.first;
        SyncedFile& file = entry.second;
        if (!file.staged || (name == state_key) != is_state) continue;
        const std::string from = sync_layout::staged_key(name, file);
        if (job.with_retries([&] { return store_->move(from, name); })) {
          objects_.erase(from);
          objects_[name] = file.size;
        }
        file.staged = false;  // if it did not exist, an earlier attempt has moved it
      }
    std::vector<std::string> unused;
    for (const auto& [key, size] : objects_)
      if ((key.starts_with(sync_layout::staging_prefix) && !is_in_use(key)) ||
          (key == sync_layout::sent_key && sent_.files.empty()))
        unused.push_back(key);
    remove(job, unused);
  }

  /// Removes the objects `keys`.
  void remove(SyncJob& job, std::span<const std::string> keys) {
    if (keys.empty()) return;
    job.with_retries([&] { store_->remove_all(keys); });
    for (const std::string& key : keys) {
      objects_.erase(key);
      sent_.files.erase(key);
    }
  }

  /// Returns the text of the small object `key`; nullopt if it does not exist.
  [[nodiscard]] std::optional<std::string> read(SyncJob& job, std::string_view key) const {
    const auto bytes = job.with_retries([&] { return store_->get(key, Range{0, sync_layout::manifest_limit + 1}); });
    if (!bytes) return std::nullopt;
    return std::string(text_of(*bytes));
  }

 private:
  [[nodiscard]] CheckpointManifest parse(const std::string& text, std::string_view key) const {
    return parse_checkpoint_manifest(text, store_->location() + "/" + std::string(key));
  }

  [[nodiscard]] bool has_object(const std::string& name, const SyncedFile& file) const {
    const auto found = objects_.find(file.staged ? sync_layout::staged_key(name, file) : name);
    return found != objects_.end() && found->second == file.size;
  }

  /// Returns whether the object of `file` exists, staged or moved, and sets `file.staged` accordingly.
  [[nodiscard]] bool locate(const std::string& name, SyncedFile& file) const {
    if (has_object(name, file)) return true;
    SyncedFile moved = file;
    moved.staged = false;
    if (!file.staged || !has_object(name, moved)) return false;
    file = moved;
    return true;
  }

  [[nodiscard]] bool is_in_use(const std::string& staged) const {
    for (const auto* files : {&manifest_.files, &sent_.files}) {
      const std::size_t slash = staged.find('/', sync_layout::staging_prefix.size());
      const auto found = files->find(slash == std::string::npos ? std::string() : staged.substr(slash + 1));
      if (found != files->end() && found->second.staged &&
          sync_layout::staged_key(found->first, found->second) == staged)
        return true;
    }
    return false;
  }

  std::shared_ptr<Store> store_;
  std::optional<std::string> text_;       // of the manifest
  std::optional<std::string> attempted_;  // may have been written although the store failed
  CheckpointManifest manifest_;
  std::mutex list_mutex_;
  mutable std::mutex mutex_;  // guards the members below while files are sent
  std::map<std::string, std::uint64_t, std::less<>> objects_;
  CheckpointManifest sent_;     // since the manifest
  std::uint64_t unlisted_ = 0;  // bytes sent that the stored list does not name
  bool loaded_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
