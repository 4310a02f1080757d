#include <tensortap/trace/tracer.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <tensortap/capture/hook.hpp>
#include <tensortap/error.hpp>
#include <tensortap/store/memory.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/trace/timeline.hpp>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"

using namespace tensortap;
using namespace std::chrono_literals;

namespace {

/// The first moment of a tracer, by the wall clock, in microseconds since 1970: 2023-11-14 22:59:59.
constexpr std::int64_t begin = 1'700'002'799'000'000;

/// Phases at chosen times.
class Recording {
 public:
  explicit Recording(TracerOptions options = {}) {
    options.wall_time = [] { return begin; };
    if (options.node.empty()) options.node = "4-algo-1";
    tracer = std::make_shared<Tracer>(store, options);
    origin = Phase::Clock::now();  // a little after the tracer's own
  }

  void add(const char* name, std::int64_t from, std::int64_t to, std::int64_t step = -1) {
    tracer->add({.name = name,
                 .begin = origin + std::chrono::microseconds(from),
                 .end = origin + std::chrono::microseconds(to),
                 .step = step});
  }

  Timeline read() {
    tracer->close();
    return read_timeline(*store);
  }

  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  std::shared_ptr<Tracer> tracer;
  Phase::Clock::time_point origin;
};

/// Fails to write.
class FullStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Store::put;
  bool put(std::string_view key, std::span<const Bytes>, Sync, IfExists) override {
    throw Error(Errc::io, "write: " + std::string(key) + ": no space left");
  }
};

}  // namespace

TEST_CASE("phases are read back as they were", "[trace]") {
  Recording recording;
  recording.add("Forward", 100, 250, 3);
  recording.add("a \"name\"\n", 300, 300);
  std::thread([&] { recording.add("Forward", 400, 1500, 4); }).join();
  const Timeline timeline = recording.read();
  CHECK(timeline.damage.empty());
  REQUIRE(timeline.events.size() == 3);
  const auto& [first, second, third] = std::tie(timeline.events[0], timeline.events[1], timeline.events[2]);
  CHECK(first.phase == "Forward");
  CHECK(first.step == 3);
  CHECK(first.node == "algo-1-4");
  CHECK(first.start - begin >= 100);
  CHECK(third.start - first.start == 300);
  CHECK(third.duration >= 1099);
  CHECK(third.duration <= 1101);
  CHECK(second.phase == "a \"name\"\\n");
  CHECK_FALSE(second.step);
  CHECK(first.thread == ::gettid());
  CHECK(third.thread != first.thread);
  const TracerStatus status = recording.tracer->status();
  CHECK(status.phases == 3);
  CHECK(status.files == 1);
  CHECK(status.dropped == 0);
}

TEST_CASE("what else is known of a phase is among its arguments", "[trace]") {
  Recording recording;
  const std::array<PhaseNumber, 2> numbers = {{{"status", 200}, {"a\"b", -7}}};
  recording.tracer->add(
      {.name = "S3 GetObject", .begin = recording.origin, .end = recording.origin, .numbers = numbers});
  recording.tracer->add({.name = "S3 GetObject",
                         .begin = recording.origin + 5us,
                         .end = recording.origin + 6us,
                         .step = 3,
                         .numbers = std::span(numbers).first(1)});
  const Timeline timeline = recording.read();
  REQUIRE(timeline.events.size() == 2);
  CHECK(timeline.events[0].arguments == R"({"a\"b":-7,"status":200})");
  CHECK(timeline.events[1].arguments == R"({"status":200,"step_num":"3"})");
  CHECK(timeline.events[1].step == 3);
}

TEST_CASE("a file ends with its size and with its hour", "[trace]") {
  Recording recording({.max_file_bytes = 1});
  recording.add("a", 0, 10);
  recording.add("a", 0, 10);  // ends in the same microsecond
  recording.add("a", 500'000, 2'000'000);
  const Timeline timeline = recording.read();
  CHECK(timeline.events.size() == 3);
  CHECK(recording.tracer->status().files == 3);
  CHECK(recording.store->list("framework/pevents/2023111422/").size() == 2);
  CHECK(recording.store->list("framework/pevents/2023111423/").size() == 1);

  Recording other;
  other.add("a", 0, 10);
  other.add("a", 500'000, 2'000'000);
  CHECK(other.read().events.size() == 2);
  CHECK(other.tracer->status().files == 2);
}

TEST_CASE("a hook traces its steps and phases", "[trace]") {
  const auto store = std::make_shared<MemoryStore>();
  const auto tracer = std::make_shared<Tracer>(store, TracerOptions{.node = "4-algo-1"});
  for (const bool is_enabled : {true, false}) {
    Hook hook(std::make_shared<MemoryStore>(), {.save = every(1), .phases = tracer, .enabled = is_enabled});
    for (int i = 0; i < 3; ++i) {
      hook.begin_step();
      const auto phase = hook.phase("Forward");
      hook.save("x", 1.0F);
    }
    hook.begin_step(Mode::eval);
    hook.close();
  }
  tracer->close();
  const Timeline timeline = read_timeline(*store);
  std::map<std::string, std::vector<std::int64_t>> steps;
  for (const TraceEvent& event : timeline.events) steps[event.phase].push_back(event.step.value_or(-1));
  CHECK(steps.at("Step:ModeKeys.TRAIN") == std::vector<std::int64_t>{0, 1, 2, 0, 1, 2});
  CHECK(steps.at("Step:ModeKeys.EVAL") == std::vector<std::int64_t>{0, 0});
  CHECK(steps.at("Forward") == std::vector<std::int64_t>{0, 1, 2, 0, 1, 2});
  CHECK(steps.contains("Writer"));
  for (const TraceEvent& event : timeline.events)
    if (event.phase.starts_with("Step"))
      CHECK(event.arguments.find("\"pid\":" + std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("without a sink a hook's phases are free of effects", "[trace]") {
  Hook hook(std::make_shared<MemoryStore>(), {});
  { const auto phase = hook.phase("Forward"); }
  hook.begin_step();
  { const auto phase = hook.phase("Forward"); }
}

TEST_CASE("what a tracer cannot write is counted", "[trace]") {
  Tracer tracer(std::make_shared<FullStore>(std::make_shared<MemoryStore>()), {});
  { const auto phase = tracer.phase("a"); }
  tracer.close();
  { const auto phase = tracer.phase("a"); }  // after the end
  const TracerStatus status = tracer.status();
  CHECK(status.files_failed == 1);
  CHECK(status.dropped == 2);
  CHECK(status.phases == 0);
  CHECK_THAT(status.last_cause, contains("no space left"));

  Recording small({.queue_phases = 4});
  Recording many;
  for (int i = 0; i < 1'500; ++i) many.add(("name " + std::to_string(i)).c_str(), i, i + 1);
  for (int i = 0; i < 1'000; ++i) small.add("a", i, i + 1);
  for (Recording* const recording : {&small, &many}) {
    const std::size_t events = recording->read().events.size();
    const TracerStatus end = recording->tracer->status();
    CHECK(end.phases == events);
    CHECK(end.phases + end.dropped == (recording == &small ? 1'000 : 1'500));
  }
  CHECK(many.tracer->status().phases == 1'000);

  for (TracerOptions bad : {TracerOptions{.node = "a_b"}, TracerOptions{.max_file_bytes = 0},
                            TracerOptions{.close_interval = 0s}, TracerOptions{.queue_phases = 0}})
    CHECK_THROWS_AS(Tracer(std::make_shared<MemoryStore>(), bad), Error);
}

TEST_CASE("a profiler configuration switches a tracer while it runs", "[trace]") {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "profilerconfig.json").string();
  const auto configure = [&](const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  };
  ::setenv("SMPROFILER_CONFIG_PATH", path.c_str(), 1);
  CHECK(Tracer::from_environment() == nullptr);
  const std::string place = (directory.path() / "Trace").string();
  configure(R"({"ProfilingParameters": {"ProfilerEnabled": true, "LocalPath": ")" + place +
            R"(", "RotateMaxFileSizeInBytes": "1"}})");
  const auto tracer = Tracer::from_environment();
  ::unsetenv("SMPROFILER_CONFIG_PATH");
  REQUIRE(tracer != nullptr);
  { const auto phase = tracer->phase("on"); }
  const auto eventually = [](const auto& is_so) {
    for (int i = 0; i < 1'000 && !is_so(); ++i) std::this_thread::sleep_for(10ms);
    return is_so();
  };
  CHECK(eventually([&] { return tracer->status().files == 1; }));
  configure(R"({"DisableProfiler": true})");
  CHECK(eventually([&] {
    const auto before = tracer->status();
    { const auto phase = tracer->phase("perhaps"); }
    std::this_thread::sleep_for(1100ms);
    return tracer->status().phases == before.phases;
  }));
  configure("{");  // damaged: nothing changes
  CHECK(eventually([&] { return !tracer->status().last_cause.empty(); }));
  tracer->close();
  CHECK(tracer->status().dropped == 0);
  const Timeline timeline = read_timeline(*open_store(place));
  CHECK(timeline.events.front().phase == "on");
}

TEST_CASE("a forked child leaves the tracer alone", "[trace]") {
  Recording recording;
  recording.add("parent", 0, 1);
  const pid_t child = ::fork();
  if (child == 0) {
    recording.add("child", 0, 1);
    recording.tracer->close();
    recording.tracer.reset();
    ::_exit(0);
  }
  int code = 1;
  REQUIRE(::waitpid(child, &code, 0) == child);
  CHECK(code == 0);
  const Timeline timeline = recording.read();
  REQUIRE(timeline.events.size() == 1);
  CHECK(timeline.events[0].phase == "parent");
}

TEST_CASE("phases from many threads", "[trace]") {
  Recording recording;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) const auto phase = recording.tracer->phase(i % 2 == 0 ? "even" : "odd");
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(recording.read().events.size() == 4'000);
}
