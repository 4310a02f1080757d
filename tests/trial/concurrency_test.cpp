// One thread writes a run while others read it.
#include <tensortap/trial/trial.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

/// Counts the violations that readers see, because Catch's macros are not thread-safe.
struct Complaints {
  std::atomic<int> holes = 0;
  std::atomic<int> values = 0;
  std::atomic<int> damage = 0;
};

/// Calls all queries of `trial` until the run has ended.
void read_on(const tt::Trial& trial, Complaints& complaints) {
  for (bool last = false; !last;) {
    last = trial.ended();
    const auto pause = trial.no_refresh();
    const auto steps = trial.steps();
    for (std::size_t i = 0; i < steps.size(); ++i)
      if (steps[i] != static_cast<std::int64_t>(i)) ++complaints.holes;
    for (const auto& tensor : trial.tensors({.collection = trial.collections().empty() ? "" : "losses"}))
      for (const std::int64_t step : tensor.steps())
        if (const auto value = tensor.value(step); value && static_cast<std::int64_t>(value->number(0)) % 1000 != step)
          ++complaints.values;
    if (!steps.empty())
      if (const auto view = trial.view(steps.back())) (void)view->reduction("loss", tt::Reduction::abs_mean);
    (void)trial.rewinds();
    if (!trial.damage().empty()) ++complaints.damage;
  }
}

/// Writes three attempts. Each resumes before the end of its predecessor, which still writes a few steps.
void write_attempts(const std::shared_ptr<tt::Store>& store, std::int64_t steps) {
  HandWriter(store, 0).put_collections(1, {{.name = "losses", .tensor_names = {"loss"}}});
  HandWriter::Operations all;
  for (std::int64_t run = 0; run < 3; ++run) {
    const HandWriter writer(store, run);
    const std::int64_t resumed_at = run * steps / 2 - 1;
    all = all + writer.resuming(resumed_at, resumed_at + steps, tt::OnResume::archive) +
          writer.saving(resumed_at + 1, resumed_at + steps);
    const auto late = writer.saving(resumed_at + steps + 1, resumed_at + steps + 2, tt::IfExists::keep);
    if (run < 2) all = all + late;
  }
  for (const auto& operation : all) operation();
  HandWriter(store, 2).close();
}

}  // namespace

TEST_CASE("many threads read a run while it is written, interrupted and resumed", "[trial][concurrency][threads]") {
  constexpr std::int64_t steps = 60;
  const TemporaryDirectory directory;
  std::shared_ptr<tt::Store> store;
  SECTION("in memory") { store = std::make_shared<tt::MemoryStore>(); }
  SECTION("in a directory") { store = std::make_shared<tt::FileStore>((directory / "run").string()); }
  std::thread writer([&] { write_attempts(store, steps); });
  Complaints complaints;
  {
    const tt::Trial trial(std::shared_ptr<const tt::Store>(store),
                          {.follow = true, .refresh_interval = 1ms, .wait_for_run = 1min, .poll_interval = 1ms});
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) readers.emplace_back([&] { read_on(trial, complaints); });
    readers.emplace_back([&] { trial.wait_for_end(10min); });
    for (auto& reader : readers) reader.join();
    writer.join();
    CHECK(trial.steps().size() == 2 * steps);
    for (std::int64_t step = 0; step < 2 * steps; ++step)
      CHECK(trial.tensor("loss").value(step)->number(0) ==
            HandWriter::loss_of(std::min<std::int64_t>(step / (steps / 2), 2), step));
    CHECK(trial.damage().empty());
  }
  CHECK(complaints.holes == 0);
  CHECK(complaints.values == 0);
  CHECK(complaints.damage == 0);
}
