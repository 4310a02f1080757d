// Directories of checkpoints and failing remote stores, for tests of the checkpoint sync.
#pragma once

#include <tensortap/spot/checkpoint_sync.hpp>
#include <tensortap/store/memory.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capture/forwarding_store.hpp"

/// A store that records its calls and passes each to `before`, which may throw or wait.
class WatchedStore : public ForwardingStore {
 private:
  template <class Call>
  auto around(std::string_view verb, std::string_view key, const Call& call) const {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::string(verb) + " " + std::string(key));
    }
    before(verb, key);
    auto out = call();
    after(verb, key);
    return out;
  }

 public:
  using ForwardingStore::ForwardingStore;
  using ForwardingStore::get;
  using ForwardingStore::list;
  using ForwardingStore::put;

  bool put(std::string_view key, std::span<const tensortap::Bytes> pieces, tensortap::Sync sync,
           tensortap::IfExists if_exists) override {
    return around("put", key, [&] { return to_->put(key, pieces, sync, if_exists); });
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tensortap::Range range) const override {
    return around("get", key, [&] { return to_->get(key, range); });
  }
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    return around("size", key, [&] { return to_->size(key); });
  }
  [[nodiscard]] std::vector<tensortap::ObjectInfo> list(std::string_view prefix, std::string_view from) const override {
    return around("list", prefix, [&] { return to_->list(prefix, from); });
  }
  bool remove(std::string_view key) override {
    return around("remove", key, [&] { return to_->remove(key); });
  }
  bool move(std::string_view from, std::string_view to) override {
    return around("move", to, [&] { return to_->move(from, to); });
  }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return at_once; }

  /// Returns the calls so far that begin with `verb`, as "verb key".
  [[nodiscard]] std::vector<std::string> calls(std::string_view verb = "") const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const std::string& call : calls_)
      if (call.starts_with(verb)) out.push_back(call);
    return out;
  }
  void forget_calls() {
    const std::lock_guard lock(mutex_);
    calls_.clear();
  }

  std::function<void(std::string_view verb, std::string_view key)> before = [](auto, auto) {};
  std::function<void(std::string_view verb, std::string_view key)> after = [](auto, auto) {};
  std::size_t at_once = 1;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::string> calls_;
};

inline void write_file(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

using Contents = std::map<std::string, std::string>;

/// Returns all files below `directory`, by their path.
inline Contents contents_of(const std::filesystem::path& directory) {
  Contents out;
  if (std::filesystem::exists(directory))
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
      if (entry.is_regular_file() && !entry.is_symlink())
        out[entry.path().lexically_relative(directory).string()] = content_of(entry.path());
  return out;
}

/// Returns all objects but those of the sync itself.
inline Contents contents_of(const tensortap::Store& store) {
  Contents out;
  for (const auto& object : store.list(""))
    if (!object.key.starts_with(".tensortap/"))
      out[object.key] = std::string(tensortap::text_of(store.get(object.key).value()));
  return out;
}

/// Commits `files` in `directory` at `step`, as a hook would.
inline void commit_at(const std::filesystem::path& directory, std::int64_t step,
                      const std::vector<std::string>& files) {
  tensortap::FileStore store(directory.string());
  std::vector<tensortap::State> states = tensortap::read_states(store);
  tensortap::State state{.last_saved = step, .last_seen = step};
  for (const std::string& file : files)
    for (auto& found : tensortap::describe_checkpoint(store, file)) state.files.push_back(found);
  state.checkpoint = files.empty() ? "" : files.front();
  states.push_back(state);
  store.put(tensortap::state_key, tensortap::to_json(states));
}

/// Returns the last step whose checkpoint in `directory` is whole; -1 if there is none.
inline std::int64_t whole_step(const std::filesystem::path& directory) {
  const tensortap::FileStore store(directory.string());
  auto states = tensortap::read_states(store);
  while (!states.empty() && !tensortap::is_intact(states.back(), store)) states.pop_back();
  return states.empty() ? -1 : states.back().last_seen;
}

/// Returns options that never sleep.
inline tensortap::CheckpointSyncOptions at_once() {
  return {.sleep = [](std::chrono::nanoseconds) {}};
}
