// Checks that the memory of a long run does not grow. Not part of the suite, since it takes a minute:
//   tensortap_tests "[.soak]"
#include <tensortap/tensortap.hpp>

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;

namespace {

/// Memory in use. Units: bytes.
std::uint64_t resident() {
  std::uint64_t pages = 0;
  std::ifstream in("/proc/self/statm");
  in >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// A store that drops all steps.
class ForgetfulStore final : public ForwardingStore {
 public:
  using ForwardingStore::put;
  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (key.starts_with("events/") || key.starts_with("index/")) return true;
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
};

/// Saves a million steps over a hundred thousand names. Returns the growth of memory after the first tenth, in which
/// every name is saved once.
std::int64_t soak(const std::shared_ptr<tt::Store>& store, std::int64_t save_interval) {
  constexpr std::int64_t steps = 1'000'000;
  constexpr std::int64_t names = 100'000;
  tt::Hook hook(store, {.collections = {{.name = "losses", .include_regex = "^loss$", .save = tt::every(save_interval)},
                                        {.name = "many", .include_regex = "^t", .save = tt::every(1000)}},
                        .checkpoints = std::make_shared<tt::MemoryStore>(),
                        .queue_bytes = 8 << 20});  // fills up, and is no growth
  std::uint64_t after_names = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    hook.begin_step();
    hook.save("loss", static_cast<float>(step));
    for (std::int64_t i = 0; i < 10; ++i) hook.save("t" + std::to_string((step * 10 + i) % names), i);
    if (step % 100'000 == 99'999) {
      hook.commit();
      std::cout << "step " << step + 1 << ": " << (resident() >> 20) << " MiB\n";
      if (after_names == 0) after_names = resident();
    }
  }
  hook.close();
  const auto status = hook.status();
  CHECK(status.steps_lost == 0);
  std::cout << status.steps_saved << " steps saved, " << status.records_saved << " records\n";
  return static_cast<std::int64_t>(resident()) - static_cast<std::int64_t>(after_names);
}

}  // namespace

TEST_CASE("a million saved steps take no more memory than a hundred thousand", "[capture][soak][.soak]") {
  CHECK(soak(std::make_shared<ForgetfulStore>(), 1) < 16 << 20);
}

TEST_CASE("a million steps in files take no more memory than a hundred thousand", "[capture][soak][.soak]") {
  const TemporaryDirectory directory;
  CHECK(soak(std::make_shared<tt::FileStore>((directory / "run").string()), 20) < 16 << 20);
}
