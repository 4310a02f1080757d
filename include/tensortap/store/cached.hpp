// A store whose small objects are kept in a directory as well, so that whoever reads a run again asks for what is new
// alone. Only what a listing has told the version of is kept, and it is never taken for another version.
//
//   auto store = tensortap::open_store("s3://bucket/runs/42");
//   tensortap::Trial trial(std::make_shared<tensortap::CachedStore>(store, "/var/tmp/runs"));
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Units: bytes.
struct CacheLimits {
  std::uint64_t object = std::uint64_t{1} << 20;   ///< larger ones are not kept
  std::uint64_t total = std::uint64_t{256} << 20;  ///< beyond it nothing more is, and who comes next begins anew
};

/// What was listed is read from the directory once; after that, until it is listed again, from the store: it may have
/// been replaced. What fails in the directory costs a call to the store, nothing else. Threads and processes: several
/// may share it.
class CachedStore final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  /// Keeps what it reads of `store` below `directory`, in a folder of its own there.
  CachedStore(std::shared_ptr<Store> store, const std::filesystem::path& directory, CacheLimits limits = {})
      : store_(std::move(store)), kept_(directory / "tensortap-cache"), limits_(limits) {
    quietly([this] {
      std::vector<std::string> keys;
      for (const ObjectInfo& object : kept_.list("")) {
        total_ += object.size;
        keys.push_back(object.key);
      }
      if (total_ < limits_.total) return;
      kept_.remove_all(keys);
      total_ = 0;
    });
  }

  bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync, IfExists if_exists) override {
    const Changing changing(*this, key);
    return store_->put(key, pieces, sync, if_exists);
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    const auto listed = take(key);
    if (!listed || range.start != 0 || range.length < listed->size) return store_->get(key, range);
    const std::string place = place_of(*listed);
    if (place.empty()) return store_->get(key, range);
    if (auto bytes = read(place)) return bytes;
    auto bytes = store_->get_version(key, listed->version);
    if (!bytes) return store_->get(key, range);
    keep(place, *bytes);
    return bytes;
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> get_version(std::string_view key,
                                                                  std::string_view wanted) const override {
    return store_->get_version(key, wanted);
  }

  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    auto objects = store_->list(prefix, after);
    const std::lock_guard lock(mutex_);
    for (auto at = listed_.upper_bound(std::max(prefix, after)); at != listed_.end() && at->first.starts_with(prefix);)
      at = listed_.erase(at);
    for (const ObjectInfo& object : objects)
      if (!object.version.empty() && object.size <= limits_.object) listed_[object.key] = object;
    return objects;
  }

  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override { return store_->size(key); }
  bool remove(std::string_view key) override {
    const Changing changing(*this, key);
    return store_->remove(key);
  }
  void remove_all(std::span<const std::string> keys) override {
    for (const std::string& key : keys) forget(key);
    store_->remove_all(keys);
  }
  bool move(std::string_view from, std::string_view to) override {
    const Changing from_changing(*this, from), to_changing(*this, to);
    return store_->move(from, to);
  }
  void sync(std::span<const std::string> keys) override { store_->sync(keys); }
  [[nodiscard]] std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override {
    return store_->claim(key, text);
  }
  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override {
    return store_->remove_unfinished(is_mine);
  }
  [[nodiscard]] std::string location() const override { return store_->location(); }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return store_->concurrency(); }

 private:
  using Checksum = std::array<std::byte, sizeof(std::uint32_t)>;

  /// Forgets what was listed of `key` once its change is over, however that ends.
  class Changing {
   public:
    Changing(const CachedStore& store, std::string_view key) : store_(store), key_(key) {}
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;
    ~Changing() { store_.forget(key_); }

   private:
    const CachedStore& store_;
    std::string_view key_;
  };

  void forget(std::string_view key) const { (void)take(key); }

  template <class Use>
  static void quietly(const Use& use) {
    try {
      use();
    } catch (const Error&) {  // a directory that cannot be used keeps nothing
    }
  }

  static Checksum checksum_of(Bytes bytes) {
    Checksum out;
    const std::uint32_t crc = crc32c(bytes);
    std::memcpy(out.data(), &crc, sizeof crc);
    return out;
  }

  /// What was listed of `key`, if it was not taken since.
  [[nodiscard]] std::optional<ObjectInfo> take(std::string_view key) const {
    const std::lock_guard lock(mutex_);
    const auto found = listed_.find(key);
    if (found == listed_.end()) return std::nullopt;
    return std::move(listed_.extract(found).mapped());
  }

  /// Where a version of an object is kept: below one name for the whole of the store. Empty: there is no such name.
  [[nodiscard]] std::string place_of(const ObjectInfo& object) const {
    constexpr std::size_t longest_name = 255;
    const auto name = [](std::string_view text) {
      constexpr char hex[] = "0123456789abcdef";
      std::string out;
      for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        const auto byte = static_cast<unsigned char>(c);
        out += plain ? std::string{c} : std::string{'_', hex[byte >> 4], hex[byte & 15]};
      }
      return out;
    };
    const std::string store = name(store_->location());
    const std::string here = name(object.key) + "." + name(object.version);
    return store.size() > longest_name || here.size() > longest_name ? std::string() : store + "/" + here;
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> read(const std::string& place) const {
    std::optional<std::vector<std::byte>> bytes;
    quietly([&] {
      bytes = kept_.get(place);
      if (!bytes) return;
      const Bytes content = Bytes(*bytes).first(bytes->size() - std::min(bytes->size(), sizeof(Checksum)));
      const Checksum checksum = checksum_of(content);
      const Bytes written = Bytes(*bytes).subspan(content.size());
      if (std::equal(written.begin(), written.end(), checksum.begin(), checksum.end()))
        bytes->resize(content.size());
      else
        bytes.reset();
    });
    return bytes;
  }

  void keep(const std::string& place, Bytes bytes) const {
    const Checksum checksum = checksum_of(bytes);
    const std::uint64_t size = bytes.size() + checksum.size();
    if (total_.fetch_add(size) + size > limits_.total) return;
    const std::array<Bytes, 2> pieces{bytes, checksum};
    quietly([&] { kept_.put(place, pieces, Sync::no, IfExists::replace); });
  }

  const std::shared_ptr<Store> store_;
  mutable FileStore kept_;
  const CacheLimits limits_;
  mutable std::atomic<std::uint64_t> total_ = 0;
  mutable std::mutex mutex_;
  mutable std::map<std::string, ObjectInfo, std::less<>> listed_;  // as last told
};

TENSORTAP_END_NAMESPACE
