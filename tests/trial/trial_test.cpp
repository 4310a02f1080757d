#include <tensortap/tensortap.hpp>

#include <memory>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

tt::Trial golden_trial(const std::string& run) { return tt::Trial((golden::directory() / run).string()); }

}  // namespace

TEST_CASE("every record of every step is verified, with repeated mode steps and for each worker", "[trial][trial]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::HookOptions options{.collections = {{.name = "all"}}, .save = tt::every(1), .num_workers = 2};
    tt::Hook first(store, options);
    options.worker = "worker_1";
    tt::Hook second(store, options);
    for (tt::Hook* const hook : {&first, &second}) {
      for (std::int64_t i = 0; i < 6; ++i) {
        hook->begin_step(tt::Step{tt::Mode::train, i < 3 ? i : 2, i});
        hook->save("x", i);
        hook->save("y", i);
      }
      hook->close();
    }
  }
  const tt::Trial trial(store);
  CHECK(trial.verify().records == 2 * 6 * 2);
  CHECK(trial.verify().steps == 6);
  CHECK(trial.verify().tensors == 2);
  CHECK(trial.damage().empty());
  CHECK(trial.repeated_steps() == std::vector<tt::RepeatedStep>{{tt::Mode::train, 2, {2, 3, 4, 5}}});
  CHECK(trial.losses().empty());
  store->remove(tt::layout::event_key(3, "worker_1"));  // its values are hidden by those of step 5, and of worker_0
  CHECK(trial.verify().records == 2 * 6 * 2 - 2);
  REQUIRE(trial.damage().size() == 2);
  CHECK_THAT(trial.damage()[0].cause, contains("the events file is missing"));
}

TEST_CASE("mode steps map to global steps and back", "[trial][trial]") {
  const auto trial = golden_trial("modes");
  CHECK(trial.modes() == std::vector<tt::Mode>{tt::Mode::train, tt::Mode::eval, tt::Mode::predict});
  CHECK(trial.steps() == Steps{0, 2, 4, 7, 9, 10, 12, 14});
  CHECK(trial.steps(tt::Mode::train) == Steps{0, 2, 4, 6});
  CHECK(trial.steps(tt::Mode::eval) == Steps{1, 3});
  CHECK(trial.step(7) == tt::Step{tt::Mode::eval, 1, 7});
  CHECK(trial.global_step(tt::Mode::eval, 3) == 14);
  CHECK(trial.global_step(tt::Mode::global, 14) == 14);
  CHECK_FALSE(trial.step(8));
  CHECK_FALSE(trial.global_step(tt::Mode::eval, 2));
  CHECK_FALSE(trial.global_step(tt::Mode::global, 1));
}

TEST_CASE("a tensor queried in a mode counts the steps of that mode", "[trial][trial]") {
  const auto trial = golden_trial("modes");
  const auto eval = trial.tensors({.collection = "losses", .mode = tt::Mode::eval});
  REQUIRE(eval.size() == 1);
  CHECK(eval[0].name() == "CrossEntropyLoss_output_0");
  CHECK(eval[0].steps() == Steps{1, 3});
  CHECK(eval[0].value(3) == trial.tensor("CrossEntropyLoss_output_0").value(14));
  CHECK(trial.tensors({.collection = "gradients", .mode = tt::Mode::eval}).empty());  // EVAL steps have no gradients
}

TEST_CASE("tensors are found by collection and by pattern", "[trial][trial]") {
  const auto trial = golden_trial("basic");
  CHECK(trial.tensors({.collection = "gradients"}).size() == 4);
  CHECK(trial.tensors({.include_regex = "bias$"}).size() == 2);
  CHECK(trial.tensors({.collection = "outs", .include_regex = "^head"}).size() == 1);
  CHECK(trial.tensors().size() == 9);
  CHECK_THROWS_WITH(trial.tensors({.collection = "nothing"}), contains("no collection is named \"nothing\""));
  CHECK_THROWS_AS(trial.tensors({.include_regex = "(?<=a)b"}), tt::Error);
  CHECK_THROWS_WITH(trial.tensor("nothing"), contains("no tensor is named \"nothing\"; see trial.tensors()"));
  CHECK_THROWS_WITH(trial.tensor("Net_haed0.weight"), contains("did you mean \"Net_head0.weight\"?"));
  CHECK_THROWS_WITH(trial.tensors({.collection = "gradient"}), contains("did you mean \"gradients\"?"));
  CHECK(trial.has_tensor("Net_res1.weight"));
}

TEST_CASE("a step is incomplete until all workers have written it", "[trial][trial]") {
  const auto running = golden_trial("workers_running");
  CHECK(running.num_workers() == 4);
  CHECK_FALSE(running.ended());
  CHECK(running.steps() == Steps{0, 2, 4});
  CHECK(running.steps(tt::Mode::global, tt::Completeness::any) == Steps{0, 2, 4, 6, 8});
  const auto loss = running.tensor("Loss_output_0");
  CHECK(loss.workers(0) == std::vector<std::string>{"worker_0", "worker_1", "worker_2", "worker_3"});
  CHECK(loss.value(0, "worker_3") != loss.value(0, "worker_0"));
  CHECK(loss.value(0) == loss.value(0, "worker_0"));  // if no worker is given, the first answers
  CHECK_FALSE(loss.value(0, "worker_9"));
  CHECK(golden_trial("workers_ended").steps() ==
        golden_trial("workers_ended").steps(tt::Mode::global, tt::Completeness::any));
}

TEST_CASE("saved reductions are returned, others are computed from the elements", "[trial][trial]") {
  const auto trial = golden_trial("reductions_and_raw");
  const auto tensor = trial.tensor("conv_25_shared/t");
  const auto saved = tensor.saved_reductions(0);
  CHECK(saved.contains("mean"));
  CHECK_FALSE(saved.contains("min"));
  CHECK(tensor.reduction(0, R::mean) == saved.at("mean").number(0));
  const auto value = tensor.value(0);
  REQUIRE(value);
  double smallest = value->number(0);
  for (std::size_t i = 1; i < value->size(); ++i) smallest = std::min(smallest, value->number(i));
  CHECK(tensor.reduction(0, R::min) == smallest);
  const auto statistics = tensor.statistics(0);
  REQUIRE(statistics);
  CHECK(statistics->min == smallest);
}

TEST_CASE("shapes are known with and without elements", "[trial][trial]") {
  CHECK(golden_trial("shape_only").tensor("dense_60_a.weight").shape(0) == tt::Tensor::Shape{4, 3, 1});
  CHECK(golden_trial("shape_and_raw").tensor("embed_22:a.weight").shape(0) == tt::Tensor::Shape{2, 3});
  CHECK_FALSE(golden_trial("shape_only").tensor("dense_60_a.weight").value(0));
  CHECK_FALSE(golden_trial("shape_only").tensor("dense_60_a.weight").reduction(0, R::min));
}

TEST_CASE("a missing step, shape or collection is absent, not an error", "[trial][trial]") {
  const auto trial = golden_trial("basic");
  const auto tensor = trial.tensor("Net_res1.weight");
  CHECK_FALSE(tensor.value(1));
  CHECK_FALSE(tensor.shape(1));
  CHECK(tensor.workers(1).empty());
  CHECK(tensor.saved_reductions(3).empty());
  CHECK_FALSE(trial.collection("nothing"));
  CHECK(trial.damage().empty());
}

TEST_CASE("a missing events file is damage, and the other steps are read", "[trial][trial]") {
  const auto trial = golden_trial("missing_event_file");
  const auto tensor = trial.tensors()[0];
  CHECK_FALSE(tensor.value(1));
  CHECK_FALSE(tensor.value(1));
  CHECK(tensor.value(2));
  REQUIRE(trial.damage().size() == 1);  // listed once, though requested twice
  CHECK_THAT(trial.damage()[0].cause, contains("the events file is missing"));
}

TEST_CASE("a missing run is an error", "[trial][trial]") {
  CHECK_THROWS_WITH(tt::Trial("/nonexistent/run"), contains("no such run"));
  CHECK_THROWS_AS(tt::Trial(std::make_shared<tt::MemoryStore>()), tt::Error);
}

TEST_CASE("a history outlives its trial", "[trial][trial]") {
  const auto history = [] { return golden_trial("basic").tensor("Net_res1.weight"); }();
  CHECK(history.value(3));
}

TEST_CASE("the payload's checksum in the index detects a changed element", "[trial][trial]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, {.save = tt::every(1)});
    hook.begin_step();
    hook.save("x", std::vector<float>{1, 2, 3});
    hook.save("y", std::vector<float>{4, 5, 6});
    hook.close();
  }
  const std::string key = tt::layout::event_key(0, "worker_0");
  std::string events(tt::text_of(*store->get(key)));
  const std::size_t three = events.find(std::string("\0\0\x40\x40", 4));
  REQUIRE(three != std::string::npos);
  events[three] = 1;
  store->put(key, events);
  const tt::Trial trial(store);
  CHECK_FALSE(trial.tensor("x").value(0));
  CHECK(trial.tensor("y").value(0)->as<float>()[2] == 6);
  REQUIRE(trial.damage().size() == 1);
  CHECK_THAT(trial.damage()[0].cause, contains("checksum does not match"));
}

TEST_CASE("a collection with an invalid stored pattern keeps its listed names", "[trial][trial]") {
  auto files = golden::files_of("basic");
  auto& collections = files["collections/000000000/worker_0_collections.json"];
  const std::string pattern = "\"^gradient\"";
  collections.replace(collections.find(pattern), pattern.size(), "\"(?<=gradient)x\"");
  const tt::Trial trial(golden::store_of(files));
  CHECK(trial.tensors({.collection = "gradients"}).size() == 4);
  REQUIRE(trial.damage().size() == 1);
  CHECK_THAT(trial.damage()[0].cause, contains("look-behind"));
}
