#include <tensortap/store/cached.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/store/memory.hpp>
#include <tensortap/trial/trial.hpp>
#include "capture/training.hpp"
#include "catch.hpp"
#include "conformance.hpp"
#include "store/remote_store.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;

namespace {

/// A store with versions, as S3 has them: the number of puts of an object.
class VersionedStore final : public RemoteStore {
 public:
  using RemoteStore::get;
  using RemoteStore::list;
  using RemoteStore::put;
  using RemoteStore::RemoteStore;

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    {
      const std::lock_guard lock(mutex_);
      ++times_[std::string(key)];
    }
    return RemoteStore::put(key, pieces, sync, if_exists);
  }
  [[nodiscard]] std::vector<tt::ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    auto objects = RemoteStore::list(prefix, after);
    for (tt::ObjectInfo& object : objects) object.version = version_of(object.key);
    return objects;
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get_version(std::string_view key,
                                                                  std::string_view version) const override {
    if (version_of(std::string(key)) != version) return std::nullopt;
    return RemoteStore::get(key, tt::Range{});
  }

 private:
  [[nodiscard]] std::string version_of(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    return "\"" + std::to_string(times_.at(key)) + "\"";
  }

  mutable std::mutex mutex_;  // guards times_; a hook puts from several threads
  std::map<std::string, int> times_;
};

struct Cached {
  TemporaryDirectory directory;
  std::shared_ptr<VersionedStore> store = std::make_shared<VersionedStore>(std::make_shared<tt::MemoryStore>());

  [[nodiscard]] std::shared_ptr<tt::CachedStore> open(tt::CacheLimits limits = {}) const {
    return std::make_shared<tt::CachedStore>(store, directory / "kept", limits);
  }
  /// Returns the number of gets since the last call.
  [[nodiscard]] std::size_t gets() const { return store->calls().gets; }
  [[nodiscard]] std::vector<std::filesystem::path> kept() const {
    std::vector<std::filesystem::path> out;
    if (!std::filesystem::exists(directory / "kept")) return out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / "kept"))
      if (entry.is_regular_file()) out.push_back(entry.path());
    return out;
  }
};

}  // namespace

TEST_CASE("a cached store does what every store must", "[store][cached]") {
  const TemporaryDirectory directory;
  conformance::check_store(
      [&] { return std::make_shared<tt::CachedStore>(std::make_shared<tt::MemoryStore>(), directory / "kept"); });
}

TEST_CASE("a second read of a run fetches no index files", "[store][cached]") {
  const Cached cached;
  {
    tt::Hook hook(cached.store, {.collections = {{.name = "all"}}, .save = tt::every(1)});
    train_steps(hook, 50);
    hook.close();
  }
  const tt::Trial first(cached.open());
  (void)cached.gets();
  const tt::Trial second(cached.open());
  CHECK(second.steps() == first.steps());
  CHECK(second.steps().size() == 50);
  CHECK(cached.gets() <= 2);  // of the end marker, which is not listed
}

TEST_CASE("an object listed with another version is fetched again", "[store][cached]") {
  const Cached cached;
  cached.store->put("index/a", "1");
  const auto store = cached.open();
  const auto read = [&] { return conformance::text(*store, "index/a"); };
  (void)store->list("index/");
  CHECK(read() == "1");
  (void)store->list("index/");
  (void)cached.gets();
  CHECK(read() == "1");
  CHECK(cached.gets() == 0);
  cached.store->put("index/a", "2");
  CHECK(read() == "2");  // the first read has used up the listed version
  (void)store->list("index/");
  cached.store->put("index/a", "2b");
  (void)store->list("index/");
  CHECK(read() == "2b");
  store->put("index/a", "3");
  CHECK(read() == "3");
  CHECK(store->remove("index/a"));
  CHECK_FALSE(read());
}

TEST_CASE("an object replaced after its listing is not kept under the listed version", "[store][cached]") {
  const Cached cached;
  cached.store->put("a", "1");
  const auto store = cached.open();
  (void)store->list("");
  cached.store->put("a", "2");
  CHECK(conformance::text(*store, "a") == "2");
  CHECK(cached.kept().empty());
}

TEST_CASE("copies that are damaged or beyond the limits are fetched from the store", "[store][cached]") {
  const Cached cached;
  for (const char* key : {"a", "b", "c"}) cached.store->put(key, std::string(100, *key));
  const auto read_all = [&](tt::CacheLimits limits) {
    const auto store = cached.open(limits);
    (void)store->list("");
    (void)cached.gets();
    for (const char* key : {"a", "b", "c"}) CHECK(conformance::text(*store, key) == std::string(100, *key));
    return cached.gets();
  };
  CHECK(read_all({}) == 3);
  CHECK(read_all({}) == 0);
  SECTION("damaged") {
    for (const auto& path : cached.kept()) {
      if (path.filename().string().starts_with("a")) std::fstream(path, std::ios::in | std::ios::out) << 'x';
      if (path.filename().string().starts_with("b")) std::filesystem::resize_file(path, 2);
    }
    CHECK(read_all({}) == 2);
    CHECK(read_all({}) == 0);
  }
  SECTION("too large") { CHECK(read_all({.object = 99}) == 3); }
  SECTION("too many") {
    CHECK(read_all({.total = 250}) == 3);  // the limit is exceeded: it clears the directory
    CHECK(cached.kept().size() == 2);
    CHECK(read_all({.total = 250}) == 1);
  }
  SECTION("a directory that cannot be") {
    std::filesystem::remove_all(cached.directory / "kept");
    std::ofstream(cached.directory / "kept") << "a file";
    CHECK(read_all({}) == 3);
    std::filesystem::remove(cached.directory / "kept");
  }
}

TEST_CASE("ranges are fetched from the store unless they cover the whole object", "[store][cached]") {
  const Cached cached;
  cached.store->put("a", "0123456789");
  const auto store = cached.open();
  (void)store->list("");
  CHECK(tt::text_of(store->get("a", {0, 10}).value()) == "0123456789");
  (void)cached.gets();
  for (const auto& [range, content] : {std::pair(tt::Range{0, 4}, "0123"), std::pair(tt::Range{4, 100}, "456789")}) {
    (void)store->list("");
    CHECK(tt::text_of(store->get("a", range).value()) == content);
  }
  CHECK(cached.gets() == 2);
  (void)store->list("");
  CHECK(tt::text_of(store->get("a", {0, 100}).value()) == "0123456789");
  CHECK(cached.gets() == 0);
}
