// One restore of a directory of checkpoints: fetches the files that the manifest names, or all objects if there is
// none, unless they exist locally. Succeeds only if a whole checkpoint results.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/spot/checkpoint_sync_options.hpp>
#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/spot/internal/checkpoint_upload.hpp>
#include <tensortap/spot/internal/local_files.hpp>
#include <tensortap/spot/internal/remote_files.hpp>
#include <tensortap/spot/internal/sync_job.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One restore; run() is called once.
class CheckpointRestore {
 public:
  CheckpointRestore(LocalFiles& local, RemoteFiles& remote, KnownFiles& known, const CheckpointSyncOptions& options,
                    SyncJob& job)
      : local_(local), remote_(remote), known_(known), options_(options), job_(job) {}

  /// Throws: a file could not be fetched; no commit is whole; the store failed.
  void run() {
    remote_.load(job_);
    find_files();
    if (is_local_newer()) {
      job_.update([](SyncReport& report) { report.complete = report.local_is_newer = true; });
      return;
    }
    local_.remove_unfinished([&](std::string_view name) { return wanted_.files.contains(name); });
    for (const auto& [name, file] : wanted_.files) job_.add(name, file.size);
    fetch_files();
    require_whole();
  }

 private:
  static constexpr std::size_t state_limit = std::size_t{64} << 20;

  /// Lists the files to fetch, and fetches the state.
  void find_files() {
    wanted_ = remote_.manifest();
    checked_ = remote_.has_manifest();
    if (!checked_)
      for (const auto& [key, size] : remote_.objects()) {
        if (key.ends_with("/") || key.starts_with(sync_layout::staging_prefix))
          continue;  // consoles create such "folders"
        const auto cause = sync_layout::why_not_synced(key);
        if (cause.empty() && size <= sync_layout::size_limit)
          wanted_.files.emplace(key, SyncedFile{.size = size});
        else
          job_.add_failure(Error::file_not_synced(key, cause.empty() ? "it is too large" : cause).what());
      }
    if (wanted_.files.size() > sync_layout::files_limit)
      throw Error::damaged("restore", remote_.store().location(), "there are too many files");
    if (const auto found = wanted_.files.find(state_key); found != wanted_.files.end()) {
      if (found->second.size > state_limit)
        throw Error::damaged("restore", remote_.store().location(), "metadata.json is too large");
      state_ = fetch_whole(found->first, found->second);
      if (!state_) throw Error::checkpoint_damaged(remote_.store().location(), 1, state_key);
      states_ = parse_states(text_of(*state_), remote_.store().location() + "/" + std::string(state_key));
      state_file_ = found->second;
      state_file_.crc32c = crc32c(*state_);
      wanted_.files.erase(found);
    }
  }

  /// Returns whether the directory holds a newer commit, as after a restart on the same machine.
  [[nodiscard]] bool is_local_newer() const {
    if (states_.empty() || !local_.stamp_of(std::string(state_key))) return false;
    std::vector<State> here;
    try {
      here = read_states(local_.store());
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
      return false;
    }
    const auto age = [](const State& state) { return std::tuple(state.attempt, state.last_seen); };
    const State* there = checked_ ? last_whole(states_, wanted_) : &states_.back();
    for (auto state = here.rbegin(); state != here.rend(); ++state)
      if (there == nullptr || age(*state) > age(*there)) {
        if (is_intact(*state, local_.store())) return true;
      } else {
        return false;
      }
    return false;
  }

  void fetch_files() {
    std::vector<std::string> whole, in_parts;
    for (const auto& [name, file] : wanted_.files) (file.size > options_.part_size ? in_parts : whole).push_back(name);
    parallel_for(whole.size(), at_once(), [&](std::size_t i) { try_to_fetch(whole[i]); });
    for (const std::string& name : in_parts) try_to_fetch(name);  // parallel in its parts
    if (!state_) return;
    try {
      IncomingFile file = local_.create(std::string(state_key));
      file.write(0, *state_);
      file.publish();
      job_.mark_done(std::string(state_key), state_->size(), true);
      remember(std::string(state_key), state_file_);
    } catch (const Error& e) {
      failed(std::string(state_key), e);
    }
  }

  [[nodiscard]] std::size_t at_once() const {
    return options_.at_once > 0 ? options_.at_once : remote_.store().concurrency();
  }

  void try_to_fetch(const std::string& name) {
    try {
      fetch(name, wanted_.files.find(name)->second);
    } catch (const Error& e) {
      failed(name, e);
    } catch (const std::exception& e) {
      failed(name, Error(Errc::io, e.what()));
    }
  }

  void failed(const std::string& name, const Error& e) {
    const std::lock_guard lock(mutex_);
    if (e.code() == Errc::damaged)
      damaged_.push_back(name);
    else if (failures_++ == 0)
      failure_ = e.what();
    job_.add_failure(e.what());
    job_.mark_missing(name);
  }

  void fetch(const std::string& name, const SyncedFile& file) {
    if (checked_ && is_local(name, file)) return done(name, file, false);
    for (int attempt = 0; attempt < 2; ++attempt)  // twice: the transfer may have damaged the bytes
      for (const std::string& key : keys_of(name, file)) {
        IncomingFile incoming = local_.create(name);
        SyncedFile got = file;
        const auto crc =
            file.size > options_.part_size ? fetch_in_parts(key, file, incoming) : fetch_at_once(key, file, incoming);
        if (!crc || (checked_ && *crc != file.crc32c)) continue;
        got.crc32c = *crc;
        incoming.publish();
        return done(name, got, true);
      }
    throw Error::object_differs(remote_.store().location(), name);
  }

  [[nodiscard]] bool is_local(const std::string& name, const SyncedFile& file) const {
    const auto stamp = local_.stamp_of(name);
    if (!stamp || stamp->size != file.size) return false;
    const auto content = local_.describe(name);
    return content && content->file.has_content_of(file);
  }

  /// Returns the keys at which the content of a file may be.
  static std::vector<std::string> keys_of(const std::string& name, const SyncedFile& file) {
    if (file.staged) return {sync_layout::staged_key(name, file), name};
    return {name};
  }

  /// Returns the object `key` if it has the size of `file`.
  [[nodiscard]] std::optional<std::vector<std::byte>> fetch_object(const std::string& key, const SyncedFile& file) {
    auto bytes = job_.with_retries([&] { return remote_.store().get(key, Range{0, file.size + 1}); });
    if (bytes && bytes->size() != file.size) bytes.reset();
    return bytes;
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> fetch_whole(const std::string& name, const SyncedFile& file) {
    for (int attempt = 0; attempt < 2; ++attempt)
      for (const std::string& key : keys_of(name, file))
        if (auto bytes = fetch_object(key, file); bytes && (!checked_ || crc32c(*bytes) == file.crc32c)) return bytes;
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::uint32_t> fetch_at_once(const std::string& key, const SyncedFile& file,
                                                           const IncomingFile& incoming) {
    const auto bytes = fetch_object(key, file);
    if (!bytes) return std::nullopt;
    incoming.write(0, *bytes);
    return crc32c(*bytes);
  }

  /// Returns the checksum; nullopt if the object does not exist or has another size.
  [[nodiscard]] std::optional<std::uint32_t> fetch_in_parts(const std::string& key, const SyncedFile& file,
                                                            const IncomingFile& incoming) {
    const auto size = job_.with_retries([&] { return remote_.store().size(key); });
    if (size != file.size) return std::nullopt;
    const std::uint64_t part = options_.part_size;
    std::vector<std::uint32_t> crcs((file.size + part - 1) / part);
    const auto length = [&](std::size_t i) { return std::min(part, file.size - i * part); };
    std::atomic<bool> differs = false;
    parallel_for(crcs.size(), at_once(), [&](std::size_t i) {
      if (differs) return;
      const auto bytes = job_.with_retries([&] { return remote_.store().get(key, Range{i * part, length(i)}); });
      if (!bytes || bytes->size() != length(i)) {
        differs = true;
        return;
      }
      crcs[i] = crc32c(*bytes);
      incoming.write(i * part, *bytes);
    });
    if (differs) return std::nullopt;
    std::uint32_t crc = 0;
    for (std::size_t i = 0; i < crcs.size(); ++i) crc = crc32c_of_both(crc, crcs[i], length(i));
    return crc;
  }

  void done(const std::string& name, const SyncedFile& file, bool transferred) {
    remember(name, file);
    job_.mark_done(name, file.size, transferred);
  }

  void remember(const std::string& name, SyncedFile file) {
    const auto stamp = local_.stamp_of(name);
    const std::lock_guard lock(mutex_);
    file.staged = false;
    restored_.files.insert_or_assign(name, file);
    if (stamp) known_.insert_or_assign(name, KnownFile{*stamp, file, stamp->may_miss_change(options_.wall_time())});
  }

  /// Throws: a file could not be fetched, or no commit is whole without the damaged files.
  void require_whole() {
    const std::string where = remote_.store().location();
    if (failures_ > 0) throw Error::not_restored(where, failures_, failure_);
    const State* const whole = last_whole(states_, restored_);
    if (!damaged_.empty() && whole == nullptr) throw Error::checkpoint_damaged(where, damaged_.size(), damaged_[0]);
    if (!states_.empty() && whole == nullptr) throw Error::no_intact_state(where, states_.size());
    job_.update([&](SyncReport& report) {
      report.complete = true;
      if (whole != nullptr) report.step = whole->last_seen;
    });
  }

  LocalFiles& local_;
  RemoteFiles& remote_;
  KnownFiles& known_;
  const CheckpointSyncOptions& options_;
  SyncJob& job_;
  CheckpointManifest wanted_;  // without the state, which is written last
  bool checked_ = false;       // whether checksums are known
  std::optional<std::vector<std::byte>> state_;
  SyncedFile state_file_;
  std::vector<State> states_;
  std::mutex mutex_;  // guards the members below, and the known files, while files are fetched
  CheckpointManifest restored_;
  std::vector<std::string> damaged_;
  std::uint64_t failures_ = 0;
  std::string failure_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
