#include "spot_training/checkpoint_places.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace spot_training {
namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename() != ".tensortap") names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

/// A run, a machine, and a place that outlives it.
struct Job {
  TemporaryDirectory root;
  std::filesystem::path run = root / "run", machine = root / "machine", durable = root / "durable";
  std::optional<tt::Hook> hook;
  std::optional<CheckpointPlaces> places;

  void start() {
    places.emplace(machine, durable.empty() ? nullptr : tt::open_store(durable.string()));
    hook.emplace(run.string(), places->attach({.save = tt::every(1)}));
    if (hook->resumed()) places->continue_from(hook->resumed()->checkpoint);
  }
  void step() {
    hook->begin_step();
    hook->save("loss", 1.0);
  }
  void commit() {
    hook->commit(places->write(hook->global_step(), "after step " + std::to_string(hook->global_step())));
  }
};

TEST_CASE("CheckpointPlaces: both places keep the last two checkpoints and the state",
          "[examples][checkpoint_places]") {
  Job job;
  job.start();
  for (int i = 0; i < 4; ++i) {
    job.step();
    job.commit();
  }
  const Names expected = {"metadata.json", "step_000000002.checkpoint", "step_000000003.checkpoint"};
  REQUIRE(names_in(job.machine) == expected);
  REQUIRE(names_in(job.durable) == expected);
  REQUIRE(read_file(job.durable / "step_000000003.checkpoint") == "after step 3");
  REQUIRE(read_file(job.durable / "metadata.json") == read_file(job.machine / "metadata.json"));
}

TEST_CASE("CheckpointPlaces: the next machine continues from the last commit, and keeps its checkpoint as one of two",
          "[examples][checkpoint_places]") {
  Job job;
  job.start();
  for (int i = 0; i < 2; ++i) {
    job.step();
    job.commit();
  }
  job.step();
  job.places->write(2, "never committed");  // then the machine vanishes
  job.hook.reset();
  std::filesystem::remove_all(job.machine);

  job.start();
  REQUIRE(job.hook->resumed());
  REQUIRE(job.hook->resumed()->global_step == 1);
  REQUIRE(read_file(job.hook->resumed()->checkpoint) == "after step 1");
  job.step();
  job.commit();
  const Names expected = {"metadata.json", "step_000000001.checkpoint", "step_000000002.checkpoint"};
  REQUIRE(names_in(job.machine) == expected);
  REQUIRE(names_in(job.durable) == expected);
}

TEST_CASE("CheckpointPlaces: works without a durable place", "[examples][checkpoint_places]") {
  Job job;
  job.durable.clear();
  job.start();
  job.step();
  job.commit();
  REQUIRE(names_in(job.root.path()) == Names{"machine", "run"});
  REQUIRE(names_in(job.machine) == Names{"metadata.json", "step_000000000.checkpoint"});
}

TEST_CASE("read_file: reports a missing file", "[examples][checkpoint_places]") {
  const TemporaryDirectory folder;
  REQUIRE_THROWS_WITH(read_file(folder / "nothing"), contains("nothing: cannot be read; check that it exists"));
}

}  // namespace
}  // namespace spot_training
