// A packed run in a bucket of a real S3 server.
#include <tensortap/net/s3/s3_store.hpp>
#include <tensortap/tensortap.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "buckets.hpp"
#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("a packed run in a bucket is written, resumed, read and unpacked", "[net][packed_run][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const auto store = new_store(server, options_for(server));
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options;
  options.collections = {{.name = "all", .include_regex = ".*", .reductions = {tt::Reduction::statistics}}};
  options.save = tt::every(1);
  options.checkpoints = checkpoints;
  options.pack = true;
  options.pack_time = std::chrono::hours(1);
  const auto train = [](tt::Hook& hook, std::int64_t end) {
    while (hook.next_step() < end) {
      hook.begin_step();
      for (const char* name : {"a", "b", "c"}) hook.save(name, std::vector<float>(10, static_cast<float>(hook.step())));
    }
  };
  {
    tt::Hook hook(store, options);
    train(hook, 50);
    checkpoints->put("at 49", "1");
    hook.commit("at 49");
    train(hook, 60);
  }
  {
    tt::Hook hook(store, options);
    CHECK(hook.next_step() == 50);
    train(hook, 100);
    hook.close();
  }
  CHECK(store->list("index/").size() == 2);
  CHECK(store->list("superseded/000000001/index/packed/").size() == 1);
  const auto check = [](const std::shared_ptr<tt::Store>& run) {
    const tt::Trial trial(run);
    CHECK(trial.steps().size() == 100);
    CHECK(trial.tensor("b").reduction(77, tt::Reduction::max) == 77.0);
    CHECK(trial.verify().records == 300);
    CHECK(trial.damage().empty());
    CHECK(trial.ended());
  };
  check(store);
  const auto copy = std::make_shared<tt::MemoryStore>();
  CHECK(tt::unpack(store, copy).steps == 100);
  check(copy);
  CHECK(tt::unpack(store).segments == 3);
  CHECK(store->list("index/packed/").empty());
  check(store);
}
