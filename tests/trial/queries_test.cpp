// Questions to a trial that smdebug's trials answer: previous steps, values of all workers, inputs, labels,
// predictions.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;

namespace {

std::vector<std::string> names_of(const std::vector<tt::TensorHistory>& tensors) {
  std::vector<std::string> out;
  for (const auto& tensor : tensors) out.push_back(tensor.name());
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the previous steps of a tensor end with the step itself, as in smdebug", "[trial][queries]") {
  const tt::Trial trial((golden::directory() / "modes").string());
  const auto loss = trial.tensor("CrossEntropyLoss_output_0", tt::Mode::train);
  CHECK(loss.steps() == Steps{0, 2, 4, 6});
  CHECK(loss.prev_steps(4, 2) == Steps{2, 4});
  CHECK(loss.prev_steps(5, 2) == Steps{2, 4});  // a step that was not saved
  CHECK(loss.prev_steps(4, 9) == Steps{0, 2, 4});
  CHECK(loss.prev_steps(4, 0).empty());
  CHECK(loss.prev_steps(-1, 3).empty());
  CHECK(loss.prev_steps(100, 1) == Steps{6});
}

TEST_CASE("the sizes of tensors are those of their records in the index", "[trial][queries]") {
  for (const char* const run : {"modes", "reductions_and_raw", "scalars", "workers_ended"}) {
    CAPTURE(run);
    std::map<tt::Mode, std::uint64_t> expected;
    for (const auto& [key, text] : golden::files_of(run)) {
      if (!tt::layout::parse_index_key(key)) continue;
      const tt::IndexFile index = tt::parse_index(text, key);
      for (const tt::TensorLocation& location : index.tensors) {
        expected[index.mode] += location.length;
        if (index.mode != tt::Mode::global) expected[tt::Mode::global] += location.length;
      }
    }
    const tt::Trial trial((golden::directory() / run).string());
    for (const auto& [mode, bytes] : expected) {
      std::uint64_t sum = 0;
      for (const tt::TensorHistory& tensor : trial.tensors({.mode = mode})) sum += tensor.stored_bytes();
      CHECK(sum == bytes);
    }
    CHECK(expected[tt::Mode::global] > 0);
  }
}

TEST_CASE("a tensor says when it was saved", "[trial][queries]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  double now = 1000;
  tt::Hook hook(store, {.collections = {{.name = "shapes", .include_regex = "shape", .save_shape = true},
                                        {.name = "norms", .include_regex = "norm", .reductions = {tt::Reduction::l2}},
                                        {.name = "others", .include_regex = "x"}},
                        .save = tt::every(1),
                        .wall_time = [&now] { return now; }});
  for (int i = 0; i < 3; ++i, now += 0.5) {
    hook.begin_step(i < 2 ? tt::Mode::train : tt::Mode::eval);
    for (const char* name : {"x", "norm", "shape"}) hook.save(name, std::vector<float>{1, 2});
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("x").wall_time(1) == 1000.5);
  CHECK(trial.tensor("x", tt::Mode::eval).wall_time(0, "worker_0") == 1001);
  CHECK(trial.tensor("norm").wall_time(0) == 1000);
  CHECK(!trial.tensor("shape").wall_time(0));
  CHECK(!trial.tensor("x").wall_time(7));
  CHECK(!trial.tensor("x").wall_time(0, "worker_1"));
}

TEST_CASE("the values of all workers are there by name", "[trial][queries]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<std::unique_ptr<tt::Hook>> hooks;
  for (const std::string rank : {"0", "1", "2"})
    hooks.push_back(std::make_unique<tt::Hook>(
        store, tt::HookOptions{.save = tt::every(1), .worker = "worker_" + rank, .num_workers = 3}));
  for (std::size_t rank = 0; rank < 3; ++rank) {
    hooks[rank]->begin_step();
    if (rank != 1) hooks[rank]->save("x", rank);
    hooks[rank]->save("y", rank);
    hooks[rank]->close();
  }
  const tt::Trial trial(store);
  const auto x = trial.tensor("x").values(0);
  REQUIRE(x.size() == 2);
  CHECK(x.at("worker_0").number(0) == 0);
  CHECK(x.at("worker_2").number(0) == 2);
  CHECK(trial.tensor("y").values(0).size() == 3);
  CHECK(trial.tensor("y").values(1).empty());
}

TEST_CASE("inputs, labels and predictions of a step", "[trial][queries]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(
      store, {.collections = {{.name = "inputs", .include_regex = "_input_"}, {.name = "all"}}, .save = tt::every(1)});
  hook.begin_step();
  for (const char* const name : {"labels_10", "labels", "labels_2", "predictions_0", "the_labels", "fc_input_0"})
    hook.save(name, 1);
  hook.begin_step(tt::Mode::eval);
  hook.save("labels_3", 1);
  hook.close();
  const tt::Trial trial(store);
  CHECK(names_of(trial.labels(0)) == Names{"labels", "labels_2", "labels_10"});
  CHECK(names_of(trial.labels(0, tt::Mode::train)) == Names{"labels", "labels_2", "labels_10"});
  CHECK(names_of(trial.labels(0, tt::Mode::eval)) == Names{"labels_3"});
  CHECK(names_of(trial.labels(1)) == Names{"labels_3"});
  CHECK(trial.labels(2).empty());
  CHECK(names_of(trial.predictions(0)) == Names{"predictions_0"});
  CHECK(names_of(trial.inputs(0)) == Names{"fc_input_0"});
  CHECK(trial.inputs(1).empty());
}

TEST_CASE("a run without a collection of inputs has no inputs", "[trial][queries]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1)});
  hook.begin_step();
  hook.save("input", 1);
  hook.close();
  CHECK(tt::Trial(store).inputs(0).empty());
}
