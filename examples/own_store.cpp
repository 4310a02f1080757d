// Keeps a run in a store of your own: here, one that counts the bytes which a hook writes.
//
// A store moves bytes under keys. Derive from tensortap::Store to bring a database or another service; this one passes
// each call on to another store. tests/store/conformance.hpp tests what the library expects of a store.
#include <atomic>
#include <cstdint>
#include <iostream>
#include <memory>
#include <tensortap/tensortap.hpp>
#include <utility>

namespace tt = tensortap;

class CountingStore final : public tt::Store {
 public:
  explicit CountingStore(std::shared_ptr<tt::Store> store) : store_(std::move(store)) {}

  std::uint64_t objects() const { return objects_; }
  std::uint64_t bytes() const { return bytes_; }

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    ++objects_;
    for (const tt::Bytes piece : pieces) bytes_ += piece.size();
    return store_->put(key, pieces, sync, if_exists);
  }
  std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
    return store_->get(key, range);
  }
  std::optional<std::uint64_t> size(std::string_view key) const override { return store_->size(key); }
  std::vector<tt::ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    return store_->list(prefix, after);
  }
  bool remove(std::string_view key) override { return store_->remove(key); }
  bool move(std::string_view from, std::string_view to) override { return store_->move(from, to); }
  void sync(std::span<const std::string> keys) override { store_->sync(keys); }
  std::unique_ptr<tt::Claim> claim(std::string_view key, std::string_view text) override {
    return store_->claim(key, text);
  }
  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override {
    return store_->remove_unfinished(is_mine);
  }
  std::string location() const override { return store_->location() + ", counted"; }

 private:
  std::shared_ptr<tt::Store> store_;
  std::atomic<std::uint64_t> objects_ = 0, bytes_ = 0;  // the hook's writer thread calls put()
};

int main() {
  const auto store = std::make_shared<CountingStore>(std::make_shared<tt::MemoryStore>());
  tt::Hook hook(store, {.save = tt::every(10)});
  for (int i = 0; i < 100; ++i) {
    hook.begin_step();
    hook.save("loss", 1.0 / (i + 1));
  }
  hook.close();
  std::cout << store->location() << ": " << store->objects() << " objects, " << store->bytes() << " bytes, "
            << tt::Trial(store).steps().size() << " steps\n";
}
