#include <tensortap/trial/outline.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include <tensortap/store/file.hpp>
#include <tensortap/store/memory.hpp>
#include <tensortap/trial/trial.hpp>
#include "catch.hpp"
#include "golden.hpp"
#include "store/remote_store.hpp"
#include "trial/hand_writer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;

TEST_CASE("an outline costs listings only and has the steps and workers of the trial", "[trial][outline]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  for (int worker = 0; worker < 2; ++worker) {
    const HandWriter writer(memory, 0, "worker_" + std::to_string(worker));
    writer.put_attempt(-1);
    writer.put_collections(2);
    for (std::int64_t step = 0; step < 1500; ++step) writer.put(step);
    if (worker == 1) writer.close();
  }
  RemoteStore store(memory);
  const tt::RunOutline outline = tt::outline_of(store);
  CHECK(outline.steps == up_to(1499));
  CHECK(outline.workers == std::set<std::string>{"worker_0", "worker_1"});
  CHECK(outline.attempts == 2);
  CHECK(outline.ended);
  CHECK(store.calls() == RemoteStore::Calls{.sizes = 1, .lists = 3, .pages = 1 + 3 + 1});
}

TEST_CASE("the outline of every golden run has the steps of the trial", "[trial][outline]") {
  for (const std::string& run : golden::runs()) {
    CAPTURE(run);
    const auto store = std::make_shared<tt::FileStore>((golden::directory() / run).string());
    const tt::RunOutline outline = tt::outline_of(*store);
    const tt::Trial trial(store);
    const Steps complete = trial.steps();  // an outline does not tell complete steps apart
    CHECK(std::includes(outline.steps.begin(), outline.steps.end(), complete.begin(), complete.end()));
    CHECK(outline.steps.empty() == complete.empty());
    CHECK(outline.ended == trial.ended());
    for (const std::string& worker : trial.workers()) CHECK(outline.workers.contains(worker));
  }
}

TEST_CASE("the outline of an empty store is empty", "[trial][outline]") {
  const tt::RunOutline outline = tt::outline_of(tt::MemoryStore());
  CHECK(outline.steps.empty());
  CHECK(outline.workers.empty());
  CHECK_FALSE(outline.ended);
}
