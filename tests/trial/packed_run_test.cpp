// Packed runs as readers see them; the segments are made by hooks.
#include <tensortap/trial/packed_run.hpp>

#include <tensortap/tensortap.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "capture/training.hpp"
#include "catch.hpp"
#include "store/remote_store.hpp"
#include "trial/hand_writer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

const std::string first = "index/packed/worker_0/000000000_000000000000-000000000004.pack",
                  second = "index/packed/worker_0/000000000_000000000005-000000000009.pack";

tt::HookOptions packing() {
  tt::HookOptions options;
  options.save = tt::every(1);
  options.pack = true;
  options.pack_time = 1h;
  options.run_id = "the run";
  options.wall_time = [] { return 7.0; };
  return options;
}

/// Writes steps 0 to 9 as two segments.
void train_ten_steps(const std::shared_ptr<tt::Store>& store) {
  tt::Hook hook(store, packing());
  train_steps(hook, 5);
  hook.flush();
  train_steps(hook, 5);
  hook.close();
}

std::shared_ptr<tt::MemoryStore> ten_steps() {
  auto store = std::make_shared<tt::MemoryStore>();
  train_ten_steps(store);
  return store;
}

std::vector<std::string> keys(const std::vector<tt::ObjectInfo>& objects) {
  std::vector<std::string> out;
  for (const auto& object : objects) out.push_back(object.key);
  return out;
}

std::string text(const tt::Store& store, const std::string& key) {
  return std::string(tt::text_of(store.get(key).value()));
}

/// Inverts a bit of the object `key`.
void damage(tt::Store& store, const std::string& key, std::size_t at) {
  std::string bytes = text(store, key);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  store.put(key, bytes);
}

std::string key_of(std::int64_t step) { return tt::layout::index_key(step, "worker_0"); }

}  // namespace

TEST_CASE("a view of a packed run is the run that was never packed", "[trial][packed_run]") {
  const auto store = ten_steps();
  const auto plain = std::make_shared<tt::MemoryStore>();
  {
    tt::HookOptions options = packing();
    options.pack = false;
    tt::Hook hook(plain, options);
    train_steps(hook, 10);
    hook.close();
  }
  const tt::PackedRun run(store);
  for (const std::string& prefix :
       std::vector<std::string>{"", "index/", "events/", "index/000000000/", "events/000000000003/", "attempts/",
                                "collections/000000000/", "index/packed/", "superseded/"})
    for (const std::string& after : {std::string(), key_of(4), key_of(4) + "x", tt::layout::event_key(3, "worker_0"),
                                     std::string("index/packed/"), std::string("z")}) {
      CAPTURE(prefix, after);
      const auto shown = run.list(prefix, after), expected = plain->list(prefix, after);
      REQUIRE(keys(shown) == keys(expected));
      for (std::size_t i = 0; i < shown.size(); ++i) CHECK(shown[i].size == expected[i].size);
    }
  for (const auto& object : plain->list("")) {
    CAPTURE(object.key);
    CHECK(text(run, object.key) == text(*plain, object.key));
    CHECK(run.size(object.key) == object.size);
    for (const tt::Range range : {tt::Range{0, 3}, tt::Range{5, 7}, tt::Range{object.size, 5}, tt::Range{3, UINT64_MAX},
                                  tt::Range{UINT64_MAX, 1}, tt::Range{object.size + 10, UINT64_MAX}}) {
      const auto part = run.get(object.key, range), expected = plain->get(object.key, range);
      CHECK(part == expected);
    }
  }
  CHECK_FALSE(run.get("index/000000000/000000000099_worker_0.json"));
  CHECK_FALSE(run.size("events/000000000099/000000000099_worker_0.tfevents"));
}

TEST_CASE("a view that was not listed knows its files", "[trial][packed_run]") {
  const auto store = ten_steps();
  CHECK(tt::PackedRun(store).get(key_of(3)));
  CHECK(tt::PackedRun(store).size(key_of(3)));
}

TEST_CASE("a view is not changed", "[trial][packed_run]") {
  tt::PackedRun run(ten_steps());
  CHECK_THROWS_WITH(run.put("a", "b"), contains("this is a view of a run"));
  CHECK_THROWS_WITH(run.remove(key_of(3)), contains("change the store itself"));
  CHECK_THROWS_WITH(run.move(key_of(3), "a"), contains("view"));
  CHECK_THROWS_WITH(run.claim("claim.smd", ""), contains("view"));
}

TEST_CASE("a run without segments costs no call more", "[trial][packed_run]") {
  const auto store = std::make_shared<RemoteStore>(std::make_shared<tt::MemoryStore>(), 1);
  const tt::PackedRun run(store);
  (void)run.list("index/");
  (void)run.get("training_job_end.ts");
  (void)run.get(key_of(0));
  (void)run.size(key_of(0));
  CHECK(store->calls() == RemoteStore::Calls{.gets = 2, .sizes = 1, .lists = 1, .pages = 1});
}

TEST_CASE("a segment is read in a few calls", "[trial][packed_run]") {
  const auto store = std::make_shared<RemoteStore>(ten_steps(), 1);
  const tt::Trial trial(store);
  CHECK(trial.steps() == up_to(9));
  // The end marker, the collections, the attempt, and each segment.
  CHECK(store->calls().gets == 3 + 2);
  for (const std::int64_t step : up_to(9)) CHECK(trial.tensor("x").value(step));
  CHECK(store->calls().gets == 0);
}

TEST_CASE("damage of a segment is reported with its place, and other segments are read", "[trial][packed_run]") {
  for (const std::size_t at : {std::size_t{2}, std::size_t{25}, std::size_t{60}}) {
    const auto store = ten_steps();
    damage(*store, first, at);
    const tt::Trial trial(store);
    CHECK(trial.steps() == Steps{5, 6, 7, 8, 9});
    REQUIRE(trial.damage().size() == 1);
    CHECK(trial.damage()[0].where == first);
    CHECK_THAT(trial.damage()[0].cause, contains("segment: \"" + first + "\""));
  }
}

TEST_CASE("damage in a file of a segment is damage of that file", "[trial][packed_run]") {
  const auto store = ten_steps();
  const std::string bytes = text(*store, first);
  damage(*store, first, bytes.find("\"mode_step\": 2"));
  damage(*store, first, bytes.size() - 10);  // the last record: the checksum in the index does not match
  const tt::Trial trial(store);
  CHECK(trial.steps() == Steps{0, 1, 3, 4, 5, 6, 7, 8, 9});
  REQUIRE(trial.damage().size() == 1);
  CHECK(trial.damage()[0].where == key_of(2));
  CHECK_THAT(trial.damage()[0].cause, contains("the checksum of \"" + key_of(2) + "\" does not match"));
  CHECK(trial.verify().records == 8);
  CHECK(trial.damage().size() == 2);
}

TEST_CASE("a damaged segment that is repaired is read", "[trial][packed_run]") {
  const auto store = ten_steps();
  const std::string sound = text(*store, first);
  store->put(first, sound.substr(0, sound.size() - 1));
  FakeTime time;
  const tt::Trial trial(store, time.following());
  CHECK(trial.damage().size() == 1);
  store->put(first, sound);
  CHECK(trial.steps() == up_to(9));
  CHECK(trial.damage().empty());
}

TEST_CASE("a segment that ends early is damage of the files behind", "[trial][packed_run]") {
  class Short final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
      auto out = to_->get(key, range);
      if (out && key == first && range.start == 0) out->resize(out->size() - 20);
      return out;
    }
  };
  const tt::Trial trial(std::make_shared<Short>(ten_steps()));
  CHECK(trial.steps() == up_to(9));
  CHECK(trial.verify().records == 9);
  REQUIRE(trial.damage().size() == 1);
  CHECK_THAT(trial.damage()[0].cause, contains("it ends in"));
}

TEST_CASE("a store that fails is no damage of a segment: the next refresh reads it", "[trial][packed_run]") {
  class Failing final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
      if (fails && key == first) throw tt::Error::io("read", key, "connection reset");
      return to_->get(key, range);
    }
    bool fails = true;
  };
  const auto store = std::make_shared<Failing>(ten_steps());
  FakeTime time;
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps().empty());  // not the second segment before the first
  CHECK(trial.damage().size() == 1);
  store->fails = false;
  CHECK(trial.steps() == up_to(9));
  CHECK(trial.damage().empty());
}

TEST_CASE("a followed run may be rewound and unpacked while it is read", "[trial][packed_run]") {
  const auto store = std::make_shared<tt::MemoryStore>(), checkpoints = std::make_shared<tt::MemoryStore>();
  FakeTime time;
  tt::HookOptions options = packing();
  options.checkpoints = checkpoints;
  auto hook = std::make_unique<tt::Hook>(store, options);
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps().empty());
  train_steps(*hook, 3);
  checkpoints->put("a", "1");
  hook->commit("a");
  CHECK(trial.steps() == up_to(2));
  train_steps(*hook, 4);
  hook->flush();
  CHECK(trial.steps() == up_to(6));
  hook.reset();
  hook = std::make_unique<tt::Hook>(store, options);
  CHECK(trial.steps() == up_to(2));
  REQUIRE(trial.rewinds().size() == 1);
  CHECK(trial.rewinds()[0].steps == Steps{3, 4, 5, 6});
  train_steps(*hook, 2);
  hook->close();
  CHECK(trial.steps() == up_to(4));
  const tt::Trial opened_before(store);
  CHECK(tt::unpack(store).segments == 3);
  CHECK(trial.steps() == up_to(4));
  for (const std::int64_t step : up_to(4)) {
    CHECK(trial.tensor("x").value(step)->number(0) == static_cast<double>(step));
    CHECK(opened_before.tensor("x").value(step)->number(0) == static_cast<double>(step));
  }
  CHECK(trial.damage().empty());
  CHECK(trial.ended());
}

TEST_CASE("objects that are no segments are left alone", "[trial][packed_run]") {
  const auto store = ten_steps();
  for (const char* name : {"index/packed/worker_0/readme.txt", "index/packed/a", "index/packed/worker_0/0_0-0.pack"})
    store->put(name, "text");
  const tt::Trial trial(store);
  CHECK(trial.steps() == up_to(9));
  CHECK(trial.damage().empty());
}

TEST_CASE("several threads read a packed run while it is written", "[trial][packed_run]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 4, 200us);
  tt::HookOptions options = packing();
  options.pack_time = 10ms;
  tt::Hook hook(memory, options);
  train_steps(hook, 1);
  hook.flush();
  const tt::Trial trial(store, {.follow = true, .refresh_interval = 1ms, .poll_interval = 2ms});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!trial.ended())
        for (const auto step : trial.steps()) {
          const auto value = trial.tensor("x").value(step);
          if (!value || value->number(0) != static_cast<double>(step)) ++wrong;
        }
    });
  for (int i = 0; i < 30; ++i) {
    train_steps(hook, 3);
    std::this_thread::sleep_for(2ms);
  }
  hook.close();
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(trial.steps() == up_to(90));
  CHECK(trial.damage().empty());
}
