// A store in a bucket of S3 or a compatible server. put() returns when the object is durable. The server decides
// whether an object exists already, so several machines may write.
//
//   auto store = std::make_shared<tensortap::S3Store>("s3://bucket/runs/42");
//   tensortap::Hook hook(store);
#pragma once

#include <chrono>
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
#include <tensortap/net/s3/s3_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail::s3 {
struct StoreState;
}  // namespace detail::s3

/// An object or a folder of a bucket.
struct S3Entry {
  std::string key = {};
  std::uint64_t size = 0;
  std::chrono::sys_seconds last_modified = {};  ///< by the server's clock
  bool is_folder = false;                       ///< `key` is a common prefix of several keys and ends in '/'
};

/// A multipart upload that was begun, and neither finished nor dropped. Its parts take storage until then.
struct S3Upload {
  std::string key = {};
  std::string id = {};
  std::chrono::sys_seconds begun = {};  ///< by the server's clock
};

/// Objects of a bucket whose keys begin with a prefix.
class S3Store final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;
  using DownloadTarget = tensortap::DownloadTarget;

  /// Sends nothing yet. Throws: `address` is not s3://BUCKET/PREFIX; an invalid option.
  explicit S3Store(std::string_view address, S3Options options = {});
  TENSORTAP_INLINE ~S3Store() override;

  TENSORTAP_INLINE bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                            IfExists if_exists) override;

  /// Puts an object like put() and reports its bytes to `observer`. The pages of a mapped file can be released as they
  /// are sent, so that the file need not fit in memory.
  bool put_observed(std::string_view key, std::span<const Bytes> pieces, const TransferObserver& observer,
                    IfExists if_exists = IfExists::replace);

  /// Throws: the bytes differ from their checksum several times; the object is replaced faster than it is read.
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get(std::string_view key,
                                                                           Range range) const override;

  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get_version(
      std::string_view key, std::string_view wanted) const override;

  /// Writes the bytes of object `key` to `target` in any order. Returns their number; nullopt if there is no such
  /// object. Throws: as get(); then part of the object was written.
  [[nodiscard]] std::optional<std::uint64_t> download(std::string_view key, const DownloadTarget& target) const;

  [[nodiscard]] TENSORTAP_INLINE std::optional<std::uint64_t> size(std::string_view key) const override;

  /// Lists the objects. Skips keys of other programs that no store accepts, such as "a//b" and "folder/".
  [[nodiscard]] TENSORTAP_INLINE std::vector<ObjectInfo> list(std::string_view prefix,
                                                              std::string_view after) const override;

  /// Calls `visit` for each object whose key begins with the prefix of the store, '/' and `begin`, including keys such
  /// as "a//b" and "folder/". If `folders`, groups keys at the next '/' after `begin` and visits each common prefix
  /// once (S3's delimiter).
  void list_raw(std::string_view begin, bool folders, const std::function<void(const S3Entry&)>& visit) const;

  TENSORTAP_INLINE bool remove(std::string_view key) override;
  TENSORTAP_INLINE void remove_all(std::span<const std::string> keys) override;

  /// Copies object `from` to `to`, then removes `from`.
  TENSORTAP_INLINE bool move(std::string_view from, std::string_view to) override;

  /// Checks the keys only: objects are durable when put() returns.
  TENSORTAP_INLINE void sync(std::span<const std::string> keys) override;

  /// Takes a lease: an object that the claim renews while it lives. Others take it over when it has not been renewed
  /// for S3Options::lease, by the server's clock. So a holder that cannot reach the server for that long loses it. The
  /// object holds more than `text`. Waits for the lease of a process that was killed, see S3Options::claim_wait.
  [[nodiscard]] TENSORTAP_INLINE std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override;
  [[nodiscard]] TENSORTAP_INLINE std::string claim_holder(std::string_view key) const override;

  /// Removes unfinished multipart uploads.
  TENSORTAP_INLINE std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override;

  /// Returns the unfinished uploads of keys that begin with the prefix of the store, '/' and `begin`.
  [[nodiscard]] std::vector<S3Upload> uploads(std::string_view begin) const;

  /// Drops an unfinished upload, if it still exists.
  void drop(const S3Upload& upload);

  [[nodiscard]] TENSORTAP_INLINE std::string location() const override;
  [[nodiscard]] TENSORTAP_INLINE std::size_t concurrency() const noexcept override;

  /// Returns the number of requests sent, retries included.
  [[nodiscard]] std::uint64_t requests() const noexcept;

 private:
  const std::unique_ptr<detail::s3::StoreState> state_;
};

namespace detail {

/// Makes open_store() accept s3:// addresses. Returns true.
bool register_s3();

/// Registers S3 in every program that includes this header. The call makes the linker take the bodies from the library.
inline const bool s3_is_registered = register_s3();

}  // namespace detail

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/s3/internal/s3_store_impl.hpp>
#endif
