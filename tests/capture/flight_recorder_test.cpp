// The flight recorder: the last steps in bounded memory, snapshots of them, and requests to save more.
#include <tensortap/tensortap.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// A store that shows the objects below a prefix of another one.
class Below final : public ForwardingStore {
 public:
  Below(std::shared_ptr<tt::Store> store, std::string prefix)
      : ForwardingStore(std::move(store)), prefix_(std::move(prefix)) {}

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    return to_->put(prefix_ + std::string(key), pieces, sync, if_exists);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
    return to_->get(prefix_ + std::string(key), range);
  }
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    return to_->size(prefix_ + std::string(key));
  }
  [[nodiscard]] std::vector<tt::ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    auto out = to_->list(prefix_ + std::string(prefix), after.empty() ? "" : prefix_ + std::string(after));
    for (tt::ObjectInfo& object : out) object.key.erase(0, prefix_.size());
    return out;
  }

 private:
  std::string prefix_;
};

std::string text_of_object(const tt::Store& store, const std::string& key) {
  const auto bytes = store.get(key);
  return bytes ? std::string(tt::text_of(*bytes)) : "(missing)";
}

std::set<std::string> snapshot_folders(const tt::Store& store) {
  std::set<std::string> out;
  for (const auto& object : store.list("snapshots/")) out.insert(object.key.substr(10, object.key.find('/', 10) - 10));
  return out;
}

std::vector<float> saved(const tt::Trial& trial, const std::string& tensor, std::int64_t step) {
  const auto value = trial.tensor(tensor).value(step);
  if (!value) return {};
  const auto span = value->as<float>();
  return {span.begin(), span.end()};
}

std::vector<std::string> names_of(const std::vector<tt::TensorHistory>& tensors) {
  std::vector<std::string> out;
  for (const auto& tensor : tensors) out.push_back(tensor.name());
  return out;
}

/// The elements of a tensor in a step: each step has others.
std::vector<float> elements(std::int64_t step, std::size_t count) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(step) * 1000 + static_cast<float>(i);
  return out;
}

/// A loop that saves a loss in each step, and other tensors as their collections say.
void train_recorded(tt::Hook& hook, std::int64_t steps) {
  for (std::int64_t i = 0; i < steps; ++i) {
    hook.begin_step(i % 5 == 4 ? tt::Mode::eval : tt::Mode::train);
    const std::int64_t step = hook.global_step();
    hook.save("loss", 1.0 / static_cast<double>(step + 1));
    hook.save("gradient/w", elements(step, 300'000));  // with a checksum of its elements
    hook.save("w.weight", elements(-step, 100));
    hook.save("again", elements(step, 3));
    hook.save("again", elements(step + 1, 5));  // replaces the first
    hook.save("words", std::vector<std::string>{"step", std::to_string(step)});
    hook.save("odd/\xC3\xA4 name:0", elements(step, 2));
  }
}

/// All but the losses are saved at the steps of `save`.
std::vector<tt::Collection> recorded_collections(const tt::SaveConfig& save) {
  return {
      {.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
      {.name = "gradients", .include_regex = "^gradient", .save = save},
      {.name = "weights", .include_regex = "weight$", .save = save, .reductions = {R::l2, R::max, R::statistics}},
      {.name = "both", .include_regex = "weight$|again", .save = save, .reductions = {R::l1}, .save_raw_tensor = true},
      {.name = "shapes", .include_regex = "odd", .save = save, .save_shape = true},
      {.name = "others", .include_regex = "words|odd", .save = save}};
}

const std::vector<std::string> kept_names = {"gradients", "weights", "both", "shapes", "others"};

/// Asks for a snapshot in these steps.
tt::StepObserver asks_at(const tt::CaptureRequests& requests, std::set<std::int64_t> steps) {
  return [requests, steps = std::move(steps)](const tt::StepView& view) {
    const std::int64_t step = view.step().global_step;
    if (steps.contains(step))
      requests.add(tt::SnapshotRequest{step, "test", "{\"step\": " + std::to_string(step) + "}"});
  };
}

tt::HookOptions recording(tt::FlightRecorder recorder, std::set<std::int64_t> steps) {
  tt::HookOptions options{.collections = recorded_collections(tt::SaveConfig::never()),
                          .recorder = std::move(recorder)};
  options.wall_time = [] { return 5.0; };
  options.on_step = asks_at(options.requests, std::move(steps));
  return options;
}

}  // namespace

TEST_CASE("a snapshot has the bytes of steps that are due", "[capture][flight_recorder][written]") {
  const auto due = std::make_shared<tt::MemoryStore>();
  {
    auto options = recording({}, {});
    options.collections = recorded_collections(tt::every(1));
    options.collections.erase(options.collections.begin());  // the losses are not kept
    tt::Hook hook(due, options);
    train_recorded(hook, 30);
    hook.close();
  }
  const auto store = std::make_shared<tt::MemoryStore>();
  // With memory for all 30 steps: on a busy machine they may all wait for the writer.
  tt::Hook hook(store, recording({.steps = 4, .collections = kept_names, .max_bytes = 256 << 20}, {17}));
  train_recorded(hook, 30);
  hook.close();
  const std::string folder = "snapshots/000000000017_test_worker_0/";
  std::size_t files = 0;
  for (std::int64_t step = 14; step <= 17; ++step)
    for (const std::string& key : {tt::layout::event_key(step, "worker_0"), tt::layout::index_key(step, "worker_0")}) {
      CAPTURE(key);
      CHECK(store->get(folder + key) == due->get(key));
      ++files;
    }
  CHECK(store->list(folder).size() == files + 4);  // and findings, collections, attempt, end marker
  CHECK(text_of_object(*store, folder + "findings.jsonl") == "{\"step\": 17}\n");

  const tt::RecorderStatus status = hook.status().recorder;
  CHECK(status.snapshots_written == 1);
  CHECK(status.snapshots_failed + status.snapshots_dropped + status.steps_dropped + status.tensors_dropped == 0);
  CHECK(hook.status().notes.empty());

  const tt::Trial run(store);  // the run itself has no more steps and tensors than without a recorder
  CHECK(run.steps().size() == 30);
  CHECK(names_of(run.tensors()) == std::vector<std::string>{"loss"});
  CHECK(run.damage().empty());

  const tt::Trial trial(std::make_shared<Below>(store, folder));
  CHECK(trial.steps() == Steps{14, 15, 16, 17});
  CHECK(trial.ended());
  CHECK(trial.verify().records > 0);
  CHECK(trial.damage().empty());
  CHECK(trial.losses().empty());
  CHECK(saved(trial, "gradient/w", 15) == elements(15, 300'000));
  CHECK(saved(trial, "again", 15) == elements(16, 5));
  CHECK(names_of(trial.tensors({.collection = "weights"})) == std::vector<std::string>{"w.weight"});

  if (const char* directory = std::getenv("TENSORTAP_WRITTEN_RUNS")) {  // for readers in other languages
    const auto at = std::filesystem::path(directory) / "snapshot";
    std::filesystem::remove_all(at);
    tt::FileStore copy(at.string());
    for (const auto& object : store->list("")) copy.put(object.key, tt::text_of(*store->get(object.key)));
  }
}

TEST_CASE("a recorder changes nothing else that is saved", "[capture][flight_recorder]") {
  const auto plain = std::make_shared<tt::MemoryStore>(), recorded = std::make_shared<tt::MemoryStore>();
  for (const bool records : {false, true}) {
    auto options = recording(records ? tt::FlightRecorder{.steps = 3} : tt::FlightRecorder{}, {12});
    options.collections = recorded_collections(tt::every(10));
    options.run_id = "run";
    tt::Hook hook(records ? recorded : plain, options);
    train_recorded(hook, 25);
    hook.close();
    CHECK(hook.status().recorder.snapshots_dropped == (records ? 0 : 1));  // without a recorder there is nothing
  }
  for (const auto& object : plain->list("")) {
    CAPTURE(object.key);
    CHECK(plain->get(object.key) == recorded->get(object.key));
  }
  const auto objects = recorded->list("");
  const auto others = std::count_if(objects.begin(), objects.end(),
                                    [](const tt::ObjectInfo& object) { return !object.key.starts_with("snapshots/"); });
  CHECK(static_cast<std::size_t>(others) == plain->list("").size());
}

TEST_CASE("tensors that a recorder keeps are due for the loop", "[capture][flight_recorder]") {
  tt::HookOptions options{.collections = {{.name = "a", .include_regex = "a", .save = tt::SaveConfig::never()},
                                          {.name = "b", .include_regex = "b", .save = tt::SaveConfig::never()},
                                          {.name = "gradients", .save = tt::every(5)}},
                          .recorder = {.steps = 2, .collections = {"a", "gradients"}}};
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), options);
  hook.begin_step();
  hook.begin_step();
  CHECK(hook.due("a"));
  CHECK_FALSE(hook.due("b"));
  CHECK(hook.due("gradients"));
  hook.begin_step(tt::Mode::eval);  // where smdebug leaves gradients out
  CHECK(hook.due("a"));
  CHECK_FALSE(hook.due("gradients"));

  options.recorder.collections = {"gradient"};
  CHECK_THROWS_WITH(tt::Hook(std::make_shared<tt::MemoryStore>(), options), contains("did you mean \"gradients\""));
  options.recorder = {.steps = -1};
  CHECK_THROWS_WITH(tt::Hook(std::make_shared<tt::MemoryStore>(), options), contains("recorder"));
}

TEST_CASE("a recorder stays within its memory, and counts what goes early", "[capture][flight_recorder]") {
  constexpr std::uint64_t most = 8 << 20;
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = recording({.steps = 10, .collections = {"gradients"}, .max_bytes = most}, {99});
  tt::Hook hook(store, options);
  train_recorded(hook, 100);
  hook.flush();
  CHECK(hook.status().recorder.tensors_dropped == 0);
  CHECK(hook.status().recorder.steps_dropped > 80);
  CHECK(hook.status().recorder.most_bytes > most / 2);
  CHECK(hook.status().recorder.most_bytes <= most);
  const tt::Trial trial(std::make_shared<Below>(store, "snapshots/000000000099_test_worker_0/"));
  CHECK(trial.steps().size() >= 3);  // of 1.2 MB each, and as much for what comes next
  CHECK(trial.steps().back() == 99);

  hook.begin_step();
  hook.save("gradient/w", elements(0, 1'000));
  hook.save("gradient/large", elements(0, 3'000'000));  // more than the recorder may hold at all
  hook.close();
  CHECK(hook.status().recorder.tensors_dropped == 1);
  CHECK(hook.status().recorder.most_bytes <= most);
  CHECK(hook.status().tensors_lost == 0);
}

TEST_CASE("one snapshot for all findings of a step, and at most some in a run", "[capture][flight_recorder]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const tt::CaptureRequests requests;
  const auto rule = [](const tt::StepView& view) {
    std::vector<tt::Finding> out;
    const std::int64_t step = view.step().global_step;
    if (step % 3 == 0)
      for (const char* tensor : {"a", "b"}) out.push_back({.tensor = tensor + std::to_string(step), .value = 1});
    return out;
  };
  tt::HookOptions options{.collections = {{.name = "all", .include_regex = ".", .save = tt::every(1)}},
                          .recorder = {.steps = 2, .max_snapshots = 2},
                          .requests = requests};
  options.on_step = tt::Judge({tt::Rule("../../My rule\n\xC3\xA4", rule)}, tt::Snapshot{requests});
  tt::Hook hook(store, options);
  for (int i = 0; i < 10; ++i) {
    hook.begin_step();
    hook.save("x", i);
  }
  hook.close();
  CHECK(snapshot_folders(*store) ==
        std::set<std::string>{"000000000000_..-..-My-rule---_worker_0", "000000000003_..-..-My-rule---_worker_0"});
  CHECK(hook.status().recorder.snapshots_written == 2);
  CHECK(hook.status().recorder.snapshots_dropped == 2);
  const std::string findings =
      text_of_object(*store, "snapshots/000000000003_..-..-My-rule---_worker_0/findings.jsonl");
  CHECK(std::count(findings.begin(), findings.end(), '\n') == 2);
  CHECK(findings.find("\"tensor\": \"a3\"") < findings.find("\"tensor\": \"b3\""));
  CHECK(findings.find("\"b3\"") != std::string::npos);
}

namespace {

/// Lets puts through only while it is open.
class Gate final : public ForwardingStore {
 public:
  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    std::unique_lock lock(mutex_);
    opens_.wait(lock, [&] { return open_; });
    lock.unlock();
    return to_->put(key, pieces, sync, if_exists);
  }
  void open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    opens_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opens_;
  bool open_ = true;
};

}  // namespace

TEST_CASE("a snapshot ends with the step of the finding, however far training has come", "[capture][flight_recorder]") {
  const auto store = std::make_shared<Gate>();
  auto options = recording({.steps = 3, .collections = {"weights"}}, {7});
  tt::Hook hook(store, options);
  store->open(false);
  train_recorded(hook, 40);  // none of them is written yet
  store->open(true);
  hook.close();
  const tt::Trial trial(std::make_shared<Below>(store, "snapshots/000000000007_test_worker_0/"));
  CHECK(trial.steps() == Steps{5, 6, 7});
  CHECK(hook.status().recorder.steps_dropped == 0);
}

TEST_CASE("steps that the queue has no room for do not hold a recorder", "[capture][flight_recorder]") {
  const auto store = std::make_shared<Gate>();
  auto options = recording({.steps = 3, .collections = {"weights"}}, {});
  options.queue_bytes = 1;
  options.when_full = tt::WhenFull::drop;
  tt::Hook hook(store, options);
  store->open(false);
  train_recorded(hook, 200);
  const std::uint64_t many = hook.status().recorder.bytes;
  store->open(true);
  hook.flush();
  train_recorded(hook, 200);
  hook.flush();
  CHECK(hook.status().steps_lost > 100);
  const std::uint64_t few = hook.status().recorder.bytes;
  CHECK(few < many);  // those behind the step that waited have gone
  train_recorded(hook, 50);
  hook.close();
  CHECK(hook.status().recorder.bytes <= few + few / 2);
}

namespace {

class NoSnapshots final : public ForwardingStore {
 public:
  std::atomic<int> tries = 0;
  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (key.starts_with("snapshots/")) {
      ++tries;
      throw std::runtime_error("no room for snapshots");
    }
    return to_->put(key, pieces, sync, if_exists);
  }
};

}  // namespace

TEST_CASE("a snapshot that cannot be written harms nothing and is reported", "[capture][flight_recorder]") {
  const auto store = std::make_shared<NoSnapshots>();
  auto options = recording({.steps = 3, .collections = {"weights"}, .max_snapshots = 2}, {3, 5, 7, 9});
  std::chrono::nanoseconds slept{};
  options.sleep = [&](std::chrono::nanoseconds time) { slept += time; };
  int errors = 0;
  options.on_error = [&](std::string_view) { ++errors; };
  tt::Hook hook(store, options);
  train_recorded(hook, 20);
  CHECK_NOTHROW(hook.close());
  CHECK(errors == 0);
  CHECK(hook.status().steps_saved == 20);
  CHECK(hook.status().steps_lost == 0);
  CHECK(hook.status().recorder.snapshots_failed == 2);
  CHECK(hook.status().recorder.snapshots_dropped == 2);  // a store that refuses them is not asked for ever
  CHECK(slept <= std::chrono::seconds(4));
  REQUIRE(hook.status().notes.size() == 2);
  CHECK(hook.status().notes[0] ==
        "snapshot 000000000003_test_worker_0: it could not be written: no room for snapshots");
  CHECK(tt::Trial(store).ended());
}

TEST_CASE("a successor keeps the snapshots of earlier attempts and makes no others of the same step",
          "[capture][flight_recorder]") {
  const auto store = std::make_shared<tt::MemoryStore>(), checkpoints = std::make_shared<tt::MemoryStore>();
  auto options = recording({.steps = 3, .collections = {"weights"}}, {4, 12, 14, 16, 18});
  options.checkpoints = checkpoints;
  {
    tt::Hook hook(store, options);
    train_recorded(hook, 10);
    checkpoints->put("w", "10");
    hook.commit("w");
    train_recorded(hook, 5);  // up to 14, of which a successor knows nothing
  }
  REQUIRE(snapshot_folders(*store).size() == 3);
  std::vector<std::pair<std::string, std::optional<std::vector<std::byte>>>> before;
  for (const auto& object : store->list("snapshots/")) before.emplace_back(object.key, store->get(object.key));
  store->remove("snapshots/000000000014_test_worker_0/training_job_end.ts");  // as if it had been killed there
  store->put("snapshots/000000000014_test_worker_0/index/000000000/000000000002_worker_0.json", "of another attempt");

  options.recorder.max_snapshots = 4;
  tt::Hook hook(store, options);
  REQUIRE(hook.resumed());
  train_recorded(hook, 10);
  hook.close();
  CHECK(snapshot_folders(*store) == std::set<std::string>{"000000000004_test_worker_0", "000000000012_test_worker_0",
                                                          "000000000014_test_worker_0", "000000000016_test_worker_0"});
  for (const auto& [key, bytes] : before) {
    CAPTURE(key);
    if (!key.starts_with("snapshots/000000000014")) CHECK(store->get(key) == bytes);
  }
  for (const std::string& folder : snapshot_folders(*store)) {
    CAPTURE(folder);
    const tt::Trial trial(std::make_shared<Below>(store, "snapshots/" + folder + "/"));
    CHECK(trial.steps().size() == 3);
    CHECK(trial.ended());
    CHECK((trial.verify().records > 0 && trial.damage().empty()));
  }
  CHECK(hook.status().recorder.snapshots_written == 3);  // 12 is there, 14 anew, 16
  CHECK(hook.status().recorder.snapshots_dropped == 1);
}

TEST_CASE("each worker has snapshots of its own", "[capture][flight_recorder]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<std::unique_ptr<tt::Hook>> hooks;
  for (const char* worker : {"worker_0", "/job:a"}) {
    auto options = recording({.steps = 2, .collections = {"weights"}, .max_snapshots = 1}, {3});
    options.worker = worker;
    options.num_workers = 2;
    hooks.push_back(std::make_unique<tt::Hook>(store, options));
  }
  for (const auto& hook : hooks) train_recorded(*hook, 5);
  for (const auto& hook : hooks) {
    hook->close();
    CHECK(hook->status().recorder.snapshots_written == 1);
  }
  CHECK(snapshot_folders(*store) == std::set<std::string>{"000000000003_test_worker_0", "000000000003_test__job-a"});
  const tt::Trial trial(std::make_shared<Below>(store, "snapshots/000000000003_test__job-a/"));
  CHECK(trial.steps() == Steps{2, 3});
  CHECK(trial.ended());
}

TEST_CASE("snapshots in a directory open like any run", "[capture][flight_recorder]") {
  const TemporaryDirectory directory;
  {
    auto options = recording({.steps = 2}, {6});
    options.events_per_file = 4;
    options.index_extras = false;
    tt::Hook hook(directory.path().string(), options);
    train_recorded(hook, 10);
    hook.close();
  }
  const auto folder = directory.path() / "snapshots" / "000000000006_test_worker_0";
  const tt::Trial trial(folder.string());
  CHECK(trial.steps() == Steps{5, 6});
  CHECK(trial.ended());
  CHECK(std::filesystem::file_size(folder / "training_job_end.ts") == 0);  // as smdebug's
  CHECK_FALSE(std::filesystem::exists(folder / "attempts"));
  CHECK(tt::outline_of(*tt::open_store(directory.path().string())).steps.size() == 10);
}

TEST_CASE("threads save while snapshots are written", "[capture][flight_recorder]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  std::set<std::int64_t> all;
  for (std::int64_t step = 0; step < 60; ++step) all.insert(step);
  auto options = recording({.steps = 5, .collections = {"gradients"}, .max_snapshots = 100}, all);
  tt::Hook hook(store, options);
  for (std::int64_t step = 0; step < 60; ++step) {
    hook.begin_step();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 5; ++i)
          hook.save("gradient/" + std::to_string(t) + "." + std::to_string(i), elements(step, 2'000));
      });
    hook.save("loss", step);
    for (std::thread& thread : threads) thread.join();
  }
  hook.close();
  CHECK(hook.status().recorder.snapshots_written == 60);
  for (const std::string& folder : snapshot_folders(*store)) {
    const tt::Trial trial(std::make_shared<Below>(store, "snapshots/" + folder + "/"));
    CHECK(trial.steps().size() == std::min<std::size_t>(5, static_cast<std::size_t>(trial.steps().back()) + 1));
    CHECK(trial.verify().tensors == 15);
    for (const std::int64_t step : trial.steps()) CHECK(saved(trial, "gradient/2.4", step) == elements(step, 2'000));
  }
}

TEST_CASE("a request saves collections in each of the next steps", "[capture][flight_recorder][adaptive]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = recording({}, {});
  const tt::CaptureRequests requests = options.requests;
  tt::Hook hook(store, options);
  train_recorded(hook, 7);
  CHECK(requests.add(tt::SaveMoreRequest{{"weights", "gradients", "wieghts"}, 4}));
  CHECK_FALSE(hook.due("weights"));  // it takes effect when a step begins
  train_recorded(hook, 2);
  CHECK(requests.add(tt::SaveMoreRequest{{"weights"}, 3}));  // the longer of both counts
  train_recorded(hook, 11);
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("w.weight").steps() == Steps{7, 8, 9, 10, 11});
  CHECK(trial.tensor("gradient/w").steps() == Steps{7, 8, 9, 10});
  CHECK(trial.tensor("loss").steps().size() == 20);
  CHECK(hook.status().recorder.captures_raised == 2);
  CHECK(hook.status().notes == std::vector<std::string>{"a request to save more: there is no collection \"wieghts\""});
}

TEST_CASE("a finding raises what is saved", "[capture][flight_recorder][adaptive]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = recording({}, {});
  const auto rule = [](const tt::StepView& view) -> std::optional<tt::Finding> {
    if (view.step().global_step != 5) return std::nullopt;
    return tt::Finding{.tensor = "loss", .value = 1};
  };
  options.on_step = tt::Judge({tt::Rule("rule", rule)}, tt::CaptureMore{options.requests, {"weights"}, 3});
  tt::Hook hook(store, options);
  for (int i = 0; i < 12; ++i) {
    train_recorded(hook, 1);
    hook.flush();  // the rules have seen the step
  }
  hook.close();
  CHECK(tt::Trial(store).tensor("w.weight").steps() == Steps{6, 7, 8});
}
