#include <tensortap/trial/unpack.hpp>

#include <tensortap/tensortap.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capture/training.hpp"
#include "catch.hpp"
#include "store/failing_changes.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

/// Writes steps 0 to 9, with a flush after step 4.
void train_ten_steps(const std::shared_ptr<tt::Store>& store, bool pack, const std::string& run_id = "the run") {
  tt::HookOptions options;
  options.save = tt::every(1);
  options.pack = pack;
  options.pack_time = 1h;
  options.run_id = run_id;
  options.wall_time = [] { return 7.0; };
  tt::Hook hook(store, options);
  train_steps(hook, 5);
  hook.flush();
  train_steps(hook, 5);
  hook.close();
}

std::shared_ptr<tt::MemoryStore> ten_saved_steps(bool pack = true) {
  auto store = std::make_shared<tt::MemoryStore>();
  train_ten_steps(store, pack);
  return store;
}

std::map<std::string, std::string> content(const tt::Store& store) {
  std::map<std::string, std::string> out;
  for (const auto& object : store.list("")) out[object.key] = tt::text_of(store.get(object.key).value());
  return out;
}

}  // namespace

TEST_CASE("an unpacking that fails loses nothing and is completed by the next one", "[trial][unpack]") {
  const auto expected = content(*ten_saved_steps(false));
  int at = 0;
  for (bool fails = true; fails; ++at) {
    CAPTURE(at);
    const auto run = ten_saved_steps();
    try {
      (void)tt::unpack(std::make_shared<FailingChanges>(at, run));
      fails = false;
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::io);
    }
    const tt::Trial trial(run);
    CHECK(trial.steps() == up_to(9));
    CHECK(trial.verify().records == 10);
    CHECK(trial.damage().empty());
    CHECK(tt::unpack(run).damage.empty());
    CHECK(content(*run) == expected);
  }
  CHECK(at >= 20);
}

TEST_CASE("a copy that fails is completed by the next one, and has no end marker before", "[trial][unpack]") {
  const auto expected = content(*ten_saved_steps(false));
  const auto run = ten_saved_steps();
  int at = 0;
  for (bool fails = true; fails; ++at) {
    CAPTURE(at);
    const auto to = std::make_shared<tt::MemoryStore>();
    try {
      (void)tt::unpack(run, std::make_shared<FailingChanges>(at, to));
      fails = false;
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::io);
      if (to->size("training_job_end.ts")) CHECK(to->list("index/").size() == 10);
    }
    CHECK(tt::unpack(run, to).damage.empty());
    CHECK(content(*to) == expected);
  }
  CHECK(at >= 20);
}

TEST_CASE("a copy in a directory has the files of the run", "[trial][unpack]") {
  const TemporaryDirectory directory;
  const auto run = tt::open_store((directory / "run").string()), to = tt::open_store((directory / "copy").string());
  train_ten_steps(run, true);
  const auto expected = content(*ten_saved_steps(false));
  const tt::Unpacked done = tt::unpack(run, to);
  CHECK(done.steps == 10);
  CHECK(done.files == 20);
  CHECK(content(*to) == expected);
  CHECK_THROWS_WITH(tt::unpack(run, tt::open_store((directory / "run" / "in").string())),
                    contains("it lies in the run"));
  CHECK(tt::unpack(run, tt::open_store((directory / "run").string())).segments == 2);
  CHECK(content(*run) == expected);
}

TEST_CASE("a run is not unpacked over another one", "[trial][unpack]") {
  const auto run = ten_saved_steps(), other = std::make_shared<tt::MemoryStore>();
  train_ten_steps(other, false, "another run");
  const auto before = content(*other);
  CHECK_THROWS_WITH(tt::unpack(run, other), contains("it holds another run") && contains("name an empty place"));
  CHECK(content(*other) == before);
  const auto unknown = std::make_shared<tt::MemoryStore>();
  unknown->put(tt::layout::index_key(0, "worker_0"), "{}");
  CHECK_THROWS_WITH(tt::unpack(run, unknown), contains("a run that is not known"));
}

TEST_CASE("a run that is written is not unpacked in place, but may be copied", "[trial][unpack]") {
  const auto run = std::make_shared<tt::MemoryStore>(), to = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options;
  options.save = tt::every(1);
  options.pack = true;
  options.pack_time = 1h;
  tt::Hook hook(run, options);
  train_steps(hook, 3);
  hook.flush();
  CHECK_THROWS_WITH(tt::unpack(run), contains("another process"));
  CHECK(tt::Trial(run).steps() == up_to(2));
  CHECK(tt::unpack(run, to).steps == 3);
  CHECK(tt::Trial(to).steps() == up_to(2));
  CHECK_FALSE(tt::Trial(to).ended());
  hook.close();
  CHECK(tt::unpack(run, to).steps == 3);
  CHECK(tt::Trial(to).ended());
}

TEST_CASE("a damaged segment stays, and the others are unpacked", "[trial][unpack]") {
  const std::string first = "index/packed/worker_0/000000000_000000000000-000000000004.pack";
  for (const bool in_manifest : {true, false}) {
    const auto run = ten_saved_steps(), to = std::make_shared<tt::MemoryStore>();
    std::string bytes(tt::text_of(run->get(first).value()));
    const std::size_t at = in_manifest ? 50 : bytes.size() - 5;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    run->put(first, bytes);
    const tt::Unpacked copied = tt::unpack(run, to);
    REQUIRE(copied.damage.size() == 1);
    CHECK(copied.damage[0].where == (in_manifest ? first : tt::layout::event_key(4, "worker_0")));
    CHECK_FALSE(to->size("training_job_end.ts"));
    const tt::Unpacked done = tt::unpack(run);
    REQUIRE(done.damage.size() == 1);
    CHECK(done.damage[0].where == first);
    CHECK_THAT(done.damage[0].cause, contains("segment: \"" + first));
    CHECK(done.steps == 5);
    CHECK(run->size(first));
    CHECK(tt::Trial(run).steps().size() == (in_manifest ? 5u : 10u));
  }
}

TEST_CASE("a run without segments is not changed by an unpacking", "[trial][unpack]") {
  const auto run = ten_saved_steps(false);
  const auto before = content(*run);
  CHECK(tt::unpack(std::make_shared<FailingChanges>(0, run)).segments == 0);
  CHECK(content(*run) == before);
}
