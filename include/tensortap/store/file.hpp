// A store in a directory. An object is written to a temporary file beside it and renamed, so that a reader, or a
// machine that loses power, sees all of it or nothing. No symbolic link below the directory is followed, neither in
// writing nor in reading.
//
//   tensortap::FileStore store("runs/42");
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

struct FileCalls;

namespace detail {
class FileStoreState;
}

/// Objects are files of one file system.
class FileStore final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  /// Keeps objects below `directory`, which is made when the first object is written. A relative path begins at the
  /// working directory of this moment.
  explicit FileStore(std::string directory);
  /// The same with other system calls, for tests; see <tensortap/store/file_calls.hpp>.
  FileStore(std::string directory, FileCalls calls);
  TENSORTAP_INLINE ~FileStore() override;

  TENSORTAP_INLINE bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                            IfExists if_exists) override;
  [[nodiscard]] TENSORTAP_INLINE std::unique_ptr<ObjectWriter> begin_object(std::string_view key) override;
  TENSORTAP_INLINE bool extend(std::string_view key, std::uint64_t start, std::span<const Bytes> pieces,
                               Sync sync) override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get(std::string_view key,
                                                                           Range range) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::uint64_t> size(std::string_view key) const override;

  /// Reads every name of the directories that may contain results, and makes one system call for each object and
  /// directory that it returns or enters. Without a prefix, passes over the directories that this user cannot list: the
  /// root of a volume has such. Throws: a directory below a prefix cannot be listed.
  [[nodiscard]] TENSORTAP_INLINE std::vector<ObjectInfo> list(std::string_view prefix,
                                                              std::string_view after) const override;

  /// The same, and calls `pass_over` for each directory that this user cannot list.
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after,
                                             const std::function<void(const std::string& directory)>& pass_over) const;

  TENSORTAP_INLINE bool remove(std::string_view key) override;

  /// Removes files, and the directories that they leave empty, but for those at the top.
  TENSORTAP_INLINE void remove_all(std::span<const std::string> keys) override;

  /// Renames a file. Does not remove directories that become empty.
  TENSORTAP_INLINE bool move(std::string_view from, std::string_view to) override;

  /// Syncs more than 64 objects by one sync of the file system. Throws: the store failed. The kernel then drops what it
  /// could not write and would report a second sync as successful; so sync() fails for these objects until they are put
  /// again.
  TENSORTAP_INLINE void sync(std::span<const std::string> keys) override;

  /// Grants every claim if the file system has no locks. While it is held, the store follows its directory: a rename
  /// changes nothing.
  [[nodiscard]] TENSORTAP_INLINE std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override;

  TENSORTAP_INLINE std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override;
  [[nodiscard]] TENSORTAP_INLINE std::string location() const override;

 private:
  std::unique_ptr<detail::FileStoreState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/store/internal/file_impl.hpp>
#endif
