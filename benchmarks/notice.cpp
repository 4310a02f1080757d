// Measures the time from an interruption notice until the queue of a hook (1 GiB of steps) is durable, against the
// plain transfer of the same objects. Both take turns. The store is a directory or a bucket. usage: notice ADDRESS
// [PAIRS [MIB_PER_STEP]]
//        tests/net/s3/radosgw run -- sh -c 'build/benchmarks/notice s3://$TENSORTAP_S3_BUCKET/notice'
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/net.hpp>
#include "capture/forwarding_store.hpp"

namespace tt = tensortap;

namespace {

constexpr std::size_t queued = std::size_t{1} << 30;
constexpr std::size_t at_once = 8;

template <class Call>
double seconds(const Call& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// A store that blocks all writes until it is opened.
class Gate final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using ForwardingStore::put;

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (key.starts_with(tt::layout::events_prefix)) opened_.wait();
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return to_->concurrency(); }
  void open() { opening_.set_value(); }

 private:
  std::promise<void> opening_;
  std::shared_future<void> opened_ = opening_.get_future().share();
};

/// Returns the seconds until the queue of a hook is durable.
double of_hook(const std::shared_ptr<tt::Store>& store, std::span<const float> tensor) {
  const auto gate = std::make_shared<Gate>(store);
  tt::Hook hook(gate, {.save = tt::every(1), .durability = tt::Durability::step, .queue_bytes = 2 * queued});
  for (std::size_t step = 0; step < queued / tensor.size_bytes(); ++step) {
    hook.begin_step();
    hook.save("w", tensor);
  }
  return seconds([&] {
    gate->open();
    hook.flush();
  });
}

/// Returns the seconds for the same objects without a hook.
double of_transfer(tt::Store& store, const std::vector<tt::ObjectInfo>& objects, std::string_view bytes) {
  return seconds([&] {
    std::vector<std::string> keys(objects.size());
    tt::detail::parallel_for(objects.size(), std::min(at_once, store.concurrency()), [&](std::size_t i) {
      keys[i] = objects[i].key;
      const tt::Bytes piece = tt::bytes_of(bytes.substr(0, objects[i].size));
      store.put(keys[i], std::span(&piece, 1), tt::Sync::no, tt::IfExists::replace);
    });
    store.sync(keys);
  });
}

void remove_all(tt::Store& store) {
  std::vector<std::string> keys;
  for (const tt::ObjectInfo& object : store.list("")) keys.push_back(object.key);
  store.remove_all(keys);
}

void measure(const std::string& address, int pairs, std::size_t step_bytes) {
  std::vector<float> tensor(step_bytes / sizeof(float));
  for (std::size_t i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<float>(i * 2'654'435'761U % 1'000);
  const std::string bytes(step_bytes + (std::size_t{1} << 20), 'x');
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const auto hooked = tt::open_store(address + "/hook" + std::to_string(pair));
    const auto bare = tt::open_store(address + "/bare" + std::to_string(pair));
    const double of_queue = of_hook(hooked, tensor);
    const double of_objects = of_transfer(*bare, hooked->list(""), bytes);
    remove_all(*hooked);
    remove_all(*bare);
    std::printf("hook %.2f s, transfer alone %.2f s\n", of_queue, of_objects);
    std::fflush(stdout);
    ratios.push_back(of_objects / of_queue);
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf("%s, %zu MiB a step: transfer alone / hook %.2f, from %.2f to %.2f\n", address.c_str(), step_bytes >> 20,
              ratios[ratios.size() / 2], ratios.front(), ratios.back());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: notice ADDRESS [PAIRS [MIB_PER_STEP]]\n";
    return 2;
  }
  try {
    measure(argv[1], argc > 2 ? std::atoi(argv[2]) : 7,
            static_cast<std::size_t>(argc > 3 ? std::atoi(argv[3]) : 16) << 20);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
