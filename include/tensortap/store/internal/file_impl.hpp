// The operations of a FileStore.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/file_claim.hpp>
#include <tensortap/store/internal/file_identity.hpp>
#include <tensortap/store/internal/file_store_state.hpp>
#include <tensortap/store/internal/file_writer.hpp>
#include <tensortap/store/internal/settled_rename.hpp>
#include <tensortap/store/internal/temporary.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE FileStore::FileStore(std::string directory) : FileStore(std::move(directory), FileCalls()) {}

TENSORTAP_INLINE FileStore::FileStore(std::string directory, FileCalls calls)
    : state_(std::make_unique<detail::FileStoreState>(std::move(directory), std::move(calls))) {}

TENSORTAP_INLINE FileStore::~FileStore() = default;

TENSORTAP_INLINE bool FileStore::put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                                     IfExists if_exists) {
  detail::FileWriter writer(*state_, key);
  if (if_exists == IfExists::keep && writer.exists()) return false;  // saves the writing
  writer.append(pieces);
  return writer.finish(sync, if_exists);
}

TENSORTAP_INLINE std::unique_ptr<ObjectWriter> FileStore::begin_object(std::string_view key) {
  return std::make_unique<detail::FileWriter>(*state_, key);
}

TENSORTAP_INLINE bool FileStore::extend(std::string_view key, std::uint64_t start, std::span<const Bytes> pieces,
                                        Sync sync) {
  const auto [parts, leaf] = state_->split(key);
  if (pieces.empty()) return true;
  const detail::Descriptor directory = state_->tree.make(parts, key);
  // Without O_NONBLOCK a named pipe would block.
  detail::Descriptor file = state_->tree.open_at(directory.get(), leaf, O_WRONLY | O_CREAT | O_NONBLOCK);
  if (!file) throw state_->tree.failed("create", key);
  if (state_->size_of_object(file, key) < start) {
    errno = ENOENT;
    throw state_->tree.failed("extend", key);
  }
  state_->write(file, start, pieces, key);
  if (sync == Sync::yes) state_->sync_file(file, key);
  if (state_->calls().close(file.release()) != 0 && errno != EINTR) throw state_->tree.failed("write", key);
  if (sync == Sync::yes) {
    state_->tree.sync(directory, key);
    state_->tree.sync_names(parts, key);
  }
  return true;
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> FileStore::get(std::string_view key, Range range) const {
  constexpr int most_openings = 4;
  for (int opening = 1;; ++opening) {
    const detail::Descriptor file = state_->open_object(key, O_RDONLY);
    if (!file) return std::nullopt;
    if (auto bytes = state_->read(file, range, key)) return bytes;
    if (opening == most_openings) throw state_->tree.failed("read", key);
  }
}

TENSORTAP_INLINE std::optional<std::uint64_t> FileStore::size(std::string_view key) const {
  const detail::Descriptor file = state_->open_object(key, O_RDONLY);
  if (!file) return std::nullopt;
  return state_->size_of_object(file, key);
}

TENSORTAP_INLINE std::vector<ObjectInfo> FileStore::list(std::string_view prefix, std::string_view after) const {
  // The root of a store may be that of a volume, with directories of the system such as lost+found. Below a prefix all
  // is the store's.
  return list(prefix, after, [&](const std::string& directory) {
    if (!prefix.empty()) throw state_->tree.failed("list", directory);
  });
}

TENSORTAP_INLINE std::vector<ObjectInfo> FileStore::list(
    std::string_view prefix, std::string_view after,
    const std::function<void(const std::string& directory)>& pass_over) const {
  std::vector<ObjectInfo> out;
  const auto add = [&](int, const char*, const std::string& key, std::uint64_t size) {
    if (!detail::is_temporary(key) && !detail::is_removed_while_open(key)) out.push_back({key, size});
  };
  state_->walk(prefix, after, add, pass_over);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

TENSORTAP_INLINE bool FileStore::remove(std::string_view key) {
  const auto [parts, leaf] = state_->split(key);
  const detail::Descriptor directory = state_->tree.find(parts, key);
  if (!directory) return false;
  if (state_->calls().unlinkat(directory.get(), leaf.c_str(), 0) != 0) {
    if (errno == ENOENT) return false;
    throw state_->tree.failed("remove", key);
  }
  state_->unmark_lost(key);
  return true;
}

TENSORTAP_INLINE void FileStore::remove_all(std::span<const std::string> keys) {
  std::map<std::vector<std::string>, std::string_view> directories;  // each with a key in it
  for (const std::string& key : keys) {
    auto [parts, leaf] = state_->split(key);  // throws before anything is removed
    if (parts.size() > 1) directories.try_emplace(std::move(parts), key);
  }
  for (const std::string& key : keys) remove(key);
  for (const auto& [directory, key] : directories) {
    const std::vector<std::string> above(directory.begin(), directory.end() - 1);
    const detail::Descriptor parent = state_->tree.find(above, key);
    if (parent) (void)state_->calls().unlinkat(parent.get(), directory.back().c_str(), AT_REMOVEDIR);  // if it is empty
  }
}

TENSORTAP_INLINE bool FileStore::move(std::string_view from, std::string_view to) {
  detail::DirectoryTree& tree = state_->tree;
  const auto [from_parts, from_leaf] = state_->split(from);
  const auto [to_parts, to_leaf] = state_->split(to);
  if (!size(from)) return false;
  const detail::Descriptor from_directory = tree.find(from_parts, from);
  if (!from_directory) return false;
  const detail::Descriptor to_directory = tree.make(to_parts, to);
  tree.require_replaceable(to_directory.get(), to_leaf, to);
  const detail::FileIdentity moved(state_->calls(), from_directory.get(), from_leaf);
  // Otherwise a power loss could remove the old name before the new directory is on the disk.
  tree.sync_names(to_parts, to);
  const auto rename = [&, old_name = from_leaf.c_str(), new_name = to_leaf.c_str()] {
    return state_->calls().renameat(from_directory.get(), old_name, to_directory.get(), new_name);
  };
  if (!detail::settled_rename(moved, to_directory.get(), to_leaf, rename)) {
    const int cause = errno;
    if (cause == ENOENT && !state_->exists(from_directory, from_leaf, from)) return false;
    errno = cause;
    throw tree.failed("move", from);
  }
  state_->unmark_lost(to);
  if (state_->unmark_lost(from)) state_->mark_lost(to);
  return true;
}

TENSORTAP_INLINE void FileStore::sync(std::span<const std::string> keys) {
  detail::DirectoryTree& tree = state_->tree;
  const bool singly = keys.size() <= detail::FileStoreState::synced_singly || !state_->sync_file_system(keys);
  std::set<detail::DirectoryTree::Parts> directories;  // the deepest existing one where an object is missing
  for (const std::string& key : keys) {
    auto [parts, leaf] = state_->split(key);
    state_->require_not_lost(key);
    if (!singly) continue;
    if (const detail::Descriptor file = state_->open_object(key, O_RDONLY)) {
      (void)state_->size_of_object(file, key);
      try {
        state_->sync_file(file, key);
      } catch (const Error&) {
        state_->mark_lost(key);
        throw;
      }
    }
    if (tree.find_deepest(parts, key)) directories.insert(std::move(parts));
  }
  for (const auto& parts : directories) {
    if (const detail::Descriptor directory = tree.find(parts, keys.front())) tree.sync(directory, keys.front());
    tree.sync_names(parts, keys.front());
  }
}

TENSORTAP_INLINE std::unique_ptr<Claim> FileStore::claim(std::string_view key, std::string_view text) {
  detail::DirectoryTree& tree = state_->tree;
  const auto [parts, leaf] = state_->split(key);
  const Bytes piece = bytes_of(text);
  const detail::FileClaim::NoFork no_fork;
  // Some file systems of user space give a file another inode number each time.
  constexpr int most_other_files = 20;
  int other_files = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    detail::Descriptor directory = tree.make(parts, key);
    const detail::Descriptor stale = state_->open_object(key, O_RDWR);
    if (stale) {
      (void)state_->size_of_object(stale, key);
      if (!state_->lock(stale, key)) return nullptr;
      if (!detail::FileIdentity(state_->calls(), stale.get()).has_name(directory.get(), leaf) &&
          ++other_files < most_other_files)
        continue;  // its owner has just released it
    }
    detail::Temporary temporary(tree, directory, leaf, key);
    temporary.write(std::span(&piece, 1));
    if (!state_->lock(temporary.file, key)) continue;
    if (temporary.publish(stale ? IfExists::replace : IfExists::keep))
      return std::make_unique<detail::FileClaim>(tree, std::move(directory), leaf, std::move(temporary.file), no_fork);
    // Another process was faster, or removed the temporary.
    if (errno != EEXIST && errno != ENOENT) throw tree.failed("claim", key);
  }
  errno = EBUSY;
  throw tree.failed("claim", key);
}

TENSORTAP_INLINE std::size_t FileStore::remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) {
  std::size_t count = 0;
  const auto remove = [&](int directory, const char* name, const std::string& key, std::uint64_t) {
    if (!detail::is_temporary(key) || !is_mine(detail::final_key(key))) return;
    if (state_->calls().unlinkat(directory, name, 0) == 0)
      ++count;
    else if (errno != ENOENT)
      throw state_->tree.failed("remove", key);
  };
  state_->walk("", "", remove, [](const std::string&) {});
  return count;
}

TENSORTAP_INLINE std::string FileStore::location() const { return state_->tree.root(); }

TENSORTAP_END_NAMESPACE
