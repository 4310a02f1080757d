#include <tensortap/tensortap.hpp>

#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <complex>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "sanitizer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

tt::HookOptions save_all_steps() { return {.collections = {{.name = "all"}}, .save = tt::every(1)}; }

/// A tensor on a device.
struct OnDevice {
  friend tt::TensorView tensortap_view(const OnDevice&) { throw tt::Error::device_tensor("w"); }
};

/// A store in memory that fails on demand.
class FailingStore final : public ForwardingStore {
 public:
  using ForwardingStore::put;
  std::string fail_on;  // keys that contain this cannot be written

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (!fail_on.empty() && key.find(fail_on) != std::string_view::npos)
      throw tt::Error::io("store: cannot write", key, "disk full");
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
};

}  // namespace

TEST_CASE("each mode counts its own steps", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, save_all_steps());
  CHECK(hook.step() == -1);
  CHECK(hook.next_step() == 0);
  for (int i = 0; i < 3; ++i) hook.begin_step();
  hook.begin_step(tt::Mode::eval);
  CHECK(hook.step(tt::Mode::eval) == 0);
  CHECK(hook.mode() == tt::Mode::eval);
  CHECK(hook.global_step() == 3);
  hook.begin_step(tt::Mode::eval);
  CHECK(hook.step(tt::Mode::eval) == 1);
  CHECK(hook.step() == 2);
  hook.begin_step(tt::Mode::train, 10);
  CHECK(hook.step() == 10);
  CHECK(hook.global_step() == 5);
  CHECK(hook.next_step(tt::Mode::eval) == 2);
  CHECK(hook.next_step(tt::Mode::global) == 6);
  hook.begin_step(tt::Mode::global);
  CHECK(hook.step(tt::Mode::global) == 6);
  hook.begin_step(tt::Mode::global, 100);
  CHECK(hook.global_step() == 100);
}

TEST_CASE("without a mode, steps are those of TRAIN, after any other mode too", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "gradients", .save = tt::every(1)},
                                        {.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
  while (hook.next_step() < 60) {
    hook.begin_step();
    CHECK(hook.mode() == tt::Mode::train);
    CHECK(hook.due("gradients"));
    hook.save("gradient/w", 1.0);
    hook.save("loss", 1.0);
    if (hook.step() % 20 != 19) continue;
    hook.begin_step(tt::Mode::eval);
    hook.save("loss", 2.0);
    CHECK(hook.next_step() == hook.step() + 1);
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.steps(tt::Mode::train).size() == 60);
  CHECK(trial.steps(tt::Mode::eval) == Steps{0, 1, 2});
  CHECK(trial.tensor("gradient/w", tt::Mode::train).steps().size() == 60);
}

TEST_CASE("what a collection for TRAIN leaves out is reported", "[capture][hook]") {
  tt::Hook hook(std::make_shared<tt::MemoryStore>(),
                {.collections = {{.name = "gradients", .save = tt::every(1)}, {.name = "all", .save = tt::every(1)}}});
  hook.begin_step();
  hook.save("gradient/w", 1.0);
  CHECK(hook.report().collections[0].withheld == 0);
  hook.begin_step(tt::Mode::eval);
  hook.save("gradient/w", 1.0);
  hook.save("gradient/b", 1.0);
  hook.save("loss", 1.0);
  CHECK(hook.report().collections[0].withheld == 2);
  CHECK(hook.report().collections[1].withheld == 0);
  hook.close();
  REQUIRE(hook.status().notes.size() == 1);
  CHECK_THAT(hook.status().notes[0], contains("collection \"gradients\": 2 tensors of EVAL and PREDICT steps"));
}

TEST_CASE("steps end at a limit, with an error that names it", "[capture][hook]") {
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), save_all_steps());
  const std::string limit = "at most 1152921504606846976";
  CHECK_THROWS_WITH(hook.begin_step(tt::Mode::train, INT64_MAX), contains(limit));
  CHECK_THROWS_WITH(hook.begin_step(tt::Mode::global, tt::step_limit + 1), contains(limit));
  CHECK_THROWS_WITH(hook.begin_step(tt::Step{tt::Mode::train, INT64_MAX, 5}), contains(limit));
  CHECK_THROWS_WITH(hook.begin_step(tt::Step{tt::Mode::train, 5, INT64_MAX}), contains(limit));
  hook.begin_step(tt::Mode::train, tt::step_limit);
  CHECK_THROWS_WITH(hook.begin_step(), contains(limit));
  hook.begin_step(tt::Mode::eval);
  CHECK(hook.global_step() == 1);
  hook.begin_step(tt::Mode::global, tt::step_limit);
  CHECK_THROWS_WITH(hook.begin_step(tt::Mode::eval), contains(limit));
  CHECK(hook.next_step(tt::Mode::global) == tt::step_limit + 1);
}

TEST_CASE("steps must grow", "[capture][hook]") {
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), save_all_steps());
  hook.begin_step(tt::Mode::train, 5);
  CHECK_THROWS_WITH(hook.begin_step(tt::Mode::train, 5), contains("must grow (5 before, 5 given)"));
  CHECK_THROWS_AS(hook.begin_step(tt::Step{tt::Mode::train, 6, 0}), tt::Error);
  CHECK_THROWS_AS(hook.begin_step(tt::Step{tt::Mode::train, 4, 9}), tt::Error);
  CHECK_THROWS_AS(hook.begin_step(tt::Step{tt::Mode::eval, -1, 9}), tt::Error);
  hook.begin_step(tt::Step{tt::Mode::train, 5, 9});
  CHECK(hook.global_step() == 9);
}

TEST_CASE("due tensors are saved, and no others", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                                          {.name = "gradients",
                                           .include_regex = "\\.grad$",
                                           .save = tt::every(4) | tt::at({1}),
                                           .reductions = {R::min, R::max}}}});
    for (int i = 0; i < 9; ++i) {
      hook.begin_step();
      CHECK(hook.due("losses"));
      CHECK(hook.due("gradients") == (i % 4 == 0 || i == 1));
      hook.save("loss", 1.0F / static_cast<float>(i + 1));
      hook.save("w.grad", std::array<float, 3>{-1, 0, static_cast<float>(i)});
      hook.save("not in any collection", 1);
    }
    CHECK_THROWS_WITH(hook.due("weights"), contains("no collection is named \"weights\"; list it"));
    CHECK_THROWS_WITH(hook.due("gradient"), contains("; did you mean \"gradients\"?"));
    hook.close();
  }
  const tt::Trial trial(store);
  CHECK(trial.ended());
  CHECK(trial.tensor("loss").steps() == Steps{0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(trial.tensor("w.grad").steps() == Steps{0, 1, 4, 8});
  CHECK_FALSE(trial.tensor("w.grad").value(4));
  CHECK(trial.tensor("w.grad").reduction(4, R::max) == 4);
  CHECK(trial.tensor("w.grad").reduction(4, R::min) == -1);
  CHECK_FALSE(trial.tensor("w.grad").reduction(4, R::mean));
  CHECK_FALSE(trial.has_tensor("not in any collection"));
  CHECK(trial.collection("gradients")->tensor_names == std::vector<std::string>{"w.grad"});
  CHECK(trial.damage().empty());
}

TEST_CASE("built-in collections save what a program in C++ calls their tensors", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store,
                {.collections = {{.name = "losses"}, {.name = "gradients"}, {.name = "weights"}, {.name = "biases"}},
                 .save = tt::every(1)});
  hook.begin_step();
  for (const char* name : {"loss", "val_loss", "w", "w.grad", "fc1.weight", "fc1.weight.grad", "b", "accuracy"})
    hook.save(name, 1.0F);
  hook.close();
  CHECK(hook.status().notes.empty());
  const tt::Trial trial(store);
  const auto names = [&](const std::string& collection) {
    std::vector<std::string> out;
    for (const auto& tensor : trial.tensors({.collection = collection})) out.push_back(tensor.name());
    return out;
  };
  CHECK(names("losses") == std::vector<std::string>{"loss", "val_loss"});
  CHECK(names("gradients") == std::vector<std::string>{"fc1.weight.grad", "w.grad"});
  CHECK(names("weights") == std::vector<std::string>{"fc1.weight", "w"});
  CHECK(names("biases") == std::vector<std::string>{"b"});
  CHECK_FALSE(trial.has_tensor("accuracy"));
}

TEST_CASE("a collection that has met no tensor is noted at the end", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store,
                {.collections = {{.name = "losses"}, {.name = "gradients"}, {.name = "mine", .tensor_names = {"x"}}},
                 .save = tt::every(1)});
  hook.begin_step();
  hook.save("loss", 1.0F);
  hook.save("fc1.weight", 2.0F);
  CHECK(hook.status().notes.empty());
  hook.close();
  const auto notes = hook.status().notes;
  REQUIRE(notes.size() == 2);
  CHECK_THAT(notes[0], contains("collection \"gradients\": it has met no tensor (2 others were shown); give it"));
  CHECK_THAT(notes[1], contains("collection \"mine\": it has met no tensor"));
}

TEST_CASE("a collection is not noted for tensors of earlier attempts, or if none was shown", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  const tt::HookOptions options{
      .collections = {{.name = "losses"}, {.name = "gradients"}}, .save = tt::every(1), .checkpoints = checkpoints};
  {
    tt::Hook hook(store, options);
    hook.begin_step();
    hook.save("loss", 1.0F);
    hook.save("w.grad", 1.0F);
    checkpoints->put("c", "1");
    hook.commit("c");
  }
  tt::Hook hook(store, options);
  hook.begin_step();
  hook.save("w.grad", 1.0F);
  hook.close();
  CHECK(hook.status().notes.empty());
  tt::Hook idle(std::make_shared<tt::MemoryStore>(), {.collections = {{.name = "losses"}}});
  idle.begin_step();
  idle.close();
  CHECK(idle.status().notes.empty());
}

TEST_CASE("a tensor of several collections is saved once, with the requests of each", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, {.collections = {
                              {.name = "a", .include_regex = "x", .save = tt::every(2), .reductions = {R::min, R::l2}},
                              {.name = "b", .include_regex = "x", .save = tt::every(3), .reductions = {R::min, R::max}},
                              {.name = "c", .tensor_names = {"x"}, .save = tt::every(3)}}});
    for (int i = 0; i < 4; ++i) {
      hook.begin_step();
      hook.save("x", std::vector<double>{3, 4});
    }
    hook.close();
    CHECK(hook.status().records_saved == 2 + 4 + 3 /* step 3 */);
  }
  const auto x = tt::Trial(store).tensor("x");
  CHECK(x.steps() == Steps{0, 2, 3});
  CHECK(x.saved_reductions(0).size() == 3);
  CHECK(x.saved_reductions(2).size() == 2);
  CHECK(x.value(3)->as<double>()[1] == 4);
  CHECK_FALSE(x.value(2));
  CHECK(x.reduction(3, R::l2) == 5);  // not saved then: computed
}

TEST_CASE("without collections everything is saved at the default interval", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store);
  for (int i = 0; i < 501; ++i) {
    hook.begin_step();
    hook.save("anything", i);
  }
  hook.close();
  CHECK(tt::Trial(store).tensor("anything").steps() == Steps{0, 500});
}

TEST_CASE("all statistics of a tensor are one record", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store,
                  {.collections = {{.name = "all", .save = tt::every(1), .reductions = {R::statistics, R::max}}}});
    hook.begin_step();
    hook.save("x", std::vector<float>{-3, 0, 4});
    CHECK_THROWS_AS(tt::Trial(store).tensor("x"), tt::Error);  // nothing is seen before the step ends
    hook.close();
  }
  const tt::Trial trial(store);
  const auto x = trial.tensor("x");
  const auto statistics = x.statistics(0);
  REQUIRE(statistics);
  CHECK(statistics->count == 3);
  CHECK(statistics->zeros == 1);
  CHECK(statistics->l2() == 5);
  CHECK(x.saved_reductions(0).at("statistics").dtype() == tt::DType::f64);
  CHECK(x.reduction(0, R::max) == 4);
  CHECK(trial.collection("all")->reductions.contains(R::statistics));
}

TEST_CASE("the statistics of units are one record, the same as those of the elements", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const std::vector<std::int64_t> image = {3, 5, 2, 2};
  const std::vector<std::int64_t> matrix = {4, 5000};
  std::vector<float> elements(20000);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = i % 3 == 0 ? 0 : static_cast<float>(i % 11) - 5;
  const auto view_of = [&](const std::vector<std::int64_t>& shape) {
    return tt::TensorView(elements.data(), tt::DType::f32, shape);
  };
  std::vector<std::optional<tt::UnitStatistics>> in_process;
  {
    tt::HookOptions options{.collections = {{.name = "all", .save = tt::every(1), .reductions = {R::units}},
                                            {.name = "raw", .include_regex = "both", .save = tt::every(1)}}};
    options.on_step = [&](const tt::StepView& step) {
      for (const char* name : {"image", "matrix", "both"}) in_process.push_back(step.units(name));
    };
    tt::Hook hook(store, options);
    hook.begin_step();
    hook.save("image", view_of(image));
    hook.save("matrix", view_of(matrix));
    hook.save("both", view_of(matrix));
    hook.save("scalar", 3.5);
    hook.save("text", "words have no units");
    hook.close();
  }
  const tt::Trial trial(store);
  const tt::UnitStatistics of_image = tt::unit_statistics(view_of(image));
  const tt::UnitStatistics of_matrix = tt::unit_statistics(view_of(matrix));
  CHECK(of_matrix.units == 5000);
  CHECK(of_matrix.list.size() == 4096);
  CHECK(trial.tensor("image").units(0) == of_image);
  CHECK(trial.tensor("matrix").units(0) == of_matrix);
  CHECK(trial.tensor("both").units(0) == of_matrix);
  REQUIRE(trial.tensor("scalar").units(0));
  CHECK(trial.tensor("scalar").units(0)->units == 1);
  CHECK(in_process == std::vector<std::optional<tt::UnitStatistics>>{of_image, of_matrix, of_matrix});
  CHECK_FALSE(trial.tensor("image").value(0));
  CHECK_FALSE(trial.tensor("image").reduction(0, R::units));
  CHECK(trial.tensor("image").saved_reductions(0).at("units").shape() == std::vector<std::int64_t>{6, 10});
  CHECK(trial.collection("all")->reductions.contains(R::units));
  CHECK(trial.damage().empty());
}

TEST_CASE("the counts of classes are one record, if the elements are classes", "[capture][hook]") {
  using Counts = std::vector<std::int64_t>;
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<std::optional<Counts>> in_process;
  {
    tt::HookOptions options{.collections = {{.name = "all", .save = tt::every(1), .reductions = {R::classes}},
                                            {.name = "raw", .include_regex = "raw", .save = tt::every(1)}}};
    options.on_step = [&](const tt::StepView& step) {
      for (const char* name : {"labels", "scores", "raw", "loss"}) in_process.push_back(step.classes(name));
    };
    tt::Hook hook(store, options);
    hook.begin_step();
    hook.save("labels", std::vector<std::int64_t>{0, 3, 3, -100});
    const std::vector<float> scores = {0.1F, 0.9F, 0.7F, 0.3F, 0.2F, 0.8F};
    hook.save("scores", tt::TensorView(scores.data(), tt::DType::f32, std::vector<std::int64_t>{3, 2}));
    hook.save("raw", std::vector<int>{1, 1});
    hook.save("loss", 0.25);
    hook.save("text", "words");
    hook.close();
  }
  const tt::Trial trial(store);
  CHECK(trial.tensor("labels").classes(0) == Counts{1, 0, 0, 2});
  CHECK(trial.tensor("scores").classes(0) == Counts{1, 2});
  CHECK(trial.tensor("raw").classes(0) == Counts{0, 2});
  CHECK(trial.view(0)->classes("labels") == Counts{1, 0, 0, 2});
  CHECK(in_process == std::vector<std::optional<Counts>>{Counts{1, 0, 0, 2}, Counts{1, 2}, Counts{0, 2}, std::nullopt});
  CHECK_FALSE(trial.has_tensor("loss"));  // nothing of it is a class
  CHECK_FALSE(trial.tensor("labels").value(0));
  CHECK(trial.tensor("labels").saved_reductions(0).at("classes").dtype() == tt::DType::i64);
}

TEST_CASE("the last of several saves under one name is returned, and the only one stored", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = save_all_steps();
  options.collections = {{.name = "all", .reductions = {R::min, R::statistics}, .save_raw_tensor = true},
                         {.name = "shapes", .include_regex = "shape", .save_raw_tensor = false, .save_shape = true}};
  tt::Hook hook(store, options);
  for (int step = 0; step < 2; ++step) {
    hook.begin_step();
    hook.save("x", std::vector<float>(1000, 1));
    hook.save("y", 7);
    hook.save("text", "first");
    hook.save("x", std::vector<double>(100, 2.5));
    hook.save("text", "second");
    hook.save("shape", std::vector<float>(2));
    hook.save("x", std::vector<double>(10, 3.5));
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("x").value(1)->size() == 10);
  CHECK(trial.tensor("x").reduction(1, R::min) == 3.5);
  CHECK(trial.tensor("y").value(1)->number(0) == 7);
  CHECK(trial.tensor("text").value(1)->strings() == std::vector<std::string>{"second"});
  CHECK(trial.verify().records == 2 * (3 * 3 + 1));
  CHECK(trial.damage().empty());
  const auto bytes = store->get(tt::layout::index_key(1, "worker_0"));
  CHECK(tt::parse_index(tt::text_of(*bytes), "").tensors.size() == 10);
  CHECK(*store->size(tt::layout::event_key(1, "worker_0")) < 3000);
}

TEST_CASE("the collections file exists from the beginning", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const tt::Hook hook(store, save_all_steps());
  const tt::Trial trial(store);
  CHECK(trial.collections().size() == 1);
  CHECK(trial.steps().empty());
  CHECK_FALSE(trial.ended());
}

TEST_CASE("a hook destroyed without close leaves the run open, with its last step", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, save_all_steps());
    hook.begin_step();
    hook.save("x", 1);
  }
  const tt::Trial trial(store);
  CHECK_FALSE(trial.ended());
  CHECK(trial.steps(tt::Mode::train) == Steps{0});
}

TEST_CASE("half a step is never visible: an exception", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  try {
    tt::Hook hook(store, save_all_steps());
    hook.begin_step();
    hook.save("x", 1);
    hook.begin_step();
    hook.save("x", 2);
    throw std::runtime_error("training failed");
  } catch (const std::runtime_error&) {
    CHECK(tt::Trial(store).steps() == Steps{0});
  }
}

TEST_CASE("half a step is never visible: a forked child", "[capture][hook]") {
  char directory[] = "/tmp/tensortap_fork_XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  const std::string run = std::string(directory) + "/run";
  {
    tt::Hook hook(run, save_all_steps());
    hook.begin_step();
    hook.save("x", 1);
    const pid_t child = fork();
    if (child == 0) {
      hook.begin_step();  // in the child: must not write the parent's step
      hook.close();
      hook.~Hook();  // nor wait for a thread that is not there
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    hook.close();
  }
  CHECK(tt::Trial(run).steps() == Steps{0});
  std::filesystem::remove_all(directory);
}

TEST_CASE("misuse throws a message with the thing and the cause", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, save_all_steps());
  CHECK_THROWS_WITH(hook.save("loss", 1), contains("no step has begun; call begin_step() first"));
  hook.begin_step();
  CHECK_THROWS_WITH(hook.save("\xff", 1), contains("not UTF-8"));
  CHECK_THROWS_WITH(hook.save(std::string(1025, 'x'), 1), contains("too long (1025 bytes, at most 1024)"));
  hook.close();
  CHECK_THROWS_WITH(hook.begin_step(), contains("the hook is closed"));
  CHECK_THROWS_WITH(hook.save("x", 1), contains("the hook is closed"));
  hook.close();  // twice is once

  CHECK_THROWS_WITH(tt::Hook(store, save_all_steps()), contains("this run has ended"));
  for (const char* worker : {"", ".hidden", "a b", "a\nb", "a\\b"})
    CHECK_THROWS_AS(tt::Hook(std::make_shared<tt::MemoryStore>(), tt::HookOptions{.worker = worker}), tt::Error);
  CHECK_THROWS_AS(tt::Hook(std::make_shared<tt::MemoryStore>(), tt::HookOptions{.num_workers = 0}), tt::Error);
  CHECK_THROWS_AS(tt::Hook("s3://bucket/run"), tt::Error);
}

TEST_CASE("misuse throws at the first save of a name, due or not", "[capture][hook]") {
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), {.save = tt::every(500)});
  hook.begin_step();
  hook.begin_step();
  CHECK_FALSE(hook.due("all"));
  CHECK_THROWS_WITH(hook.save("w", OnDevice{}), contains("it is on a device"));
}

TEST_CASE("due throws where save does, so that a loop without begin_step() is noticed", "[capture][hook]") {
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), save_all_steps());
  CHECK_THROWS_WITH(hook.due("all"), contains("due: collection \"all\": no step has begun; call begin_step() first"));
  hook.begin_step();
  CHECK(hook.due("all"));
  hook.flush();  // ends the step
  CHECK_THROWS_WITH(hook.due("all"), contains("no step has begun"));
  hook.close();
  CHECK_THROWS_WITH(hook.due("all"), contains("due: the hook is closed"));
}

TEST_CASE("wants says for each name whether save would read the tensor", "[capture][hook]") {
  tt::Hook hook(std::make_shared<tt::MemoryStore>(),
                {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                                 {.name = "gradients", .save = tt::every(2)}}});
  CHECK_FALSE(hook.wants("loss"));  // no step has begun
  for (int i = 0; i < 4; ++i) {
    hook.begin_step();
    CHECK(hook.wants("loss"));
    CHECK(hook.wants("gradient/w") == (i % 2 == 0));
    CHECK_FALSE(hook.wants("not in any collection"));
    if (!hook.wants("gradient/w")) {
      hook.save("gradient/w", OnDevice{});  // not read, since its name is known
    } else {
      CHECK_THROWS_AS(hook.save("gradient/w", OnDevice{}), tt::Error);
    }
  }
  hook.begin_step(tt::Mode::eval);
  CHECK_FALSE(hook.wants("gradient/w"));  // gradients are for TRAIN
  CHECK_THROWS_WITH(hook.wants("\xff"), contains("not UTF-8"));
  hook.flush();  // ends the step
  CHECK_FALSE(hook.wants("loss"));
  CHECK(hook.report().collections[1].tensors == 0);
  hook.close();
  CHECK_FALSE(hook.wants("loss"));

  tt::Hook recorder(std::make_shared<tt::MemoryStore>(), {.save = tt::every(500), .recorder = {.steps = 2}});
  recorder.begin_step();
  recorder.begin_step();
  CHECK(recorder.wants("w"));  // not due, but kept
  tt::Hook off("nowhere", {.enabled = false});
  off.begin_step();
  CHECK_FALSE(off.wants("w"));
}

TEST_CASE("without a checkpoint_dir a run with steps is refused and unchanged", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, save_all_steps());
    hook.begin_step();
    hook.save("x", 1);
  }
  CHECK_THROWS_WITH(tt::Hook(store, save_all_steps()), contains("it holds steps of an earlier attempt"));
  auto another_worker = save_all_steps();
  another_worker.worker = "worker_1";
  CHECK_NOTHROW(tt::Hook(store, another_worker));
  CHECK(tt::Trial(store).steps() == Steps{0});
}

#if !WITH_SANITIZER  // it ends the program at an allocation of this size
TEST_CASE("a tensor without memory for its copy is counted as lost and reported, and training continues",
          "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = save_all_steps();
  options.max_step_bytes = UINT64_MAX;
  tt::Hook hook(store, options);
  const std::byte element{};
  const std::int64_t too_many[] = {INT64_MAX - 100};
  const std::int64_t strides[] = {0};
  hook.begin_step();
  hook.save("x", 1);
  CHECK_NOTHROW(hook.save("huge", tt::TensorView(&element, tt::DType::u8, too_many, strides)));
  hook.save("y", 2);
  hook.begin_step();
  hook.save("x", 3);
  CHECK(hook.status().tensors_lost == 1);
  CHECK(hook.status().steps_lost == 0);
  REQUIRE(hook.status().losses.size() == 1);
  CHECK(hook.status().losses[0].reason == tt::LossReason::out_of_memory);
  CHECK_THAT(hook.status().error.value_or(""), contains("there was no memory for all tensors (first in step 0"));
  CHECK_THROWS_WITH(hook.close(), contains("there was no memory for all tensors"));
  const tt::Trial trial(store);
  CHECK(trial.tensor("x").steps() == Steps{0, 1});
  CHECK(trial.tensor("y").steps() == Steps{0});
  CHECK(trial.losses().tensors == 1);
  CHECK(trial.losses().steps == 0);
  CHECK_THAT(trial.losses().error, contains("no memory"));
}
#endif

TEST_CASE("tensors beyond the limits are dropped and counted", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = save_all_steps();
  options.max_step_bytes = 1000;
  tt::Hook hook(store, options);
  hook.begin_step();
  for (int i = 0; i < 5; ++i) hook.save("x" + std::to_string(i), std::vector<float>(100));
  hook.begin_step();
  hook.save("x0", std::vector<float>(100));
  hook.close();
  CHECK(hook.status().tensors_lost == 3);  // two of 400 bytes fit
  REQUIRE(hook.status().losses.size() == 1);
  CHECK(hook.status().losses[0].reason == tt::LossReason::step_too_large);
  CHECK(hook.status().losses[0].bytes == 1200);
  CHECK(tt::Trial(store).tensor("x0").steps() == Steps{0, 1});
}

TEST_CASE("tensors without reductions are counted, and their elements are saved", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(
      store,
      {.collections = {{.name = "all", .save = tt::every(1), .reductions = {R::mean}, .save_raw_tensor = true}}});
  hook.begin_step();
  hook.save("text", "hello");
  hook.save("z", std::complex<float>(1, 2));
  hook.close();
  CHECK(hook.status().not_reducible == 2);
  CHECK(tt::Trial(store).tensor("text").value(0)->strings() == std::vector<std::string>{"hello"});
  CHECK(tt::Trial(store).tensor("z").value(0)->as<std::complex<float>>()[0] == std::complex<float>(1, 2));
}

TEST_CASE("several threads save into one step", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, save_all_steps());
  constexpr int threads = 8;
  for (int step = 0; step < 20; ++step) {
    hook.begin_step();
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
      pool.emplace_back([&hook, t, step] {
        for (int i = 0; i < 10; ++i)
          hook.save("t" + std::to_string(t) + "/" + std::to_string(i), step * 1000 + t * 10 + i);
      });
    for (auto& thread : pool) thread.join();
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensors().size() == threads * 10);
  for (const auto& tensor : trial.tensors()) CHECK(tensor.steps().size() == 20);
  CHECK(trial.tensor("t7/9").value(19)->number(0) == 19079);
  CHECK(trial.damage().empty());
}

TEST_CASE("tensors of any strides are written in row-major order", "[capture][hook]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, save_all_steps());
  const std::array<std::int32_t, 6> elements = {0, 1, 2, 3, 4, 5};
  const std::array<std::int64_t, 2> shape = {3, 2};
  const std::array<std::int64_t, 2> column_major = {1, 3};
  hook.begin_step();
  hook.save("transposed", tt::TensorView(elements.data(), tt::DType::i32, shape, column_major));
  hook.close();
  const auto value = tt::Trial(store).tensor("transposed").value(0);
  REQUIRE(value);
  const std::vector<std::int32_t> expected = {0, 3, 1, 4, 2, 5};
  CHECK(std::equal(expected.begin(), expected.end(), value->as<std::int32_t>().begin()));
  CHECK(value->shape() == std::vector<std::int64_t>{3, 2});
}
