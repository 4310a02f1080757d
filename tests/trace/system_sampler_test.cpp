#include <tensortap/trace/system_sampler.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include <tensortap/error.hpp>
#include <tensortap/store/memory.hpp>
#include <tensortap/trace/timeline.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

using namespace tensortap;
using namespace std::chrono_literals;

namespace {

/// What a kernel tells of a machine of two processors.
class FakeProc {
 public:
  FakeProc() {
    std::filesystem::create_directory(directory_ / "net");
    write("meminfo", "MemTotal:     1000 kB\nMemFree:       100 kB\nMemAvailable:  250 kB\n");
    tell(0);
  }

  /// Lets one processor be busy for 30 of 100 ticks and wait for 20, and 5,000 bytes come in, for each of `rounds`.
  void tell(int rounds) {
    const auto times = [rounds](int value) { return std::to_string(1'000 + value * rounds); };
    write("stat", "cpu  1 2 3 4\ncpu0 " + times(20) + " 0 " + times(10) + " " + times(50) + " " + times(20) +
                      " 0 0 0 0 0\ncpu1 0 0 0 " + times(100) + " 0 0 0 0\nintr 5\n");
    write("net/dev", "Inter-| Receive | Transmit\n face |bytes packets\n    lo: 99999 1 0 0 0 0 0 0 99999 1\n  eth0: " +
                         times(5'000) + " 1 0 0 0 0 0 0 " + times(100) + " 1 0\n");
  }

  [[nodiscard]] std::string path() const { return directory_.path().string(); }

 private:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / (name + ".new")) << text;
    std::filesystem::rename(directory_ / (name + ".new"), directory_ / name);
  }

  TemporaryDirectory directory_;
};

template <class Predicate>
bool eventually(const Predicate& is_so) {
  for (int i = 0; i < 1'000 && !is_so(); ++i) std::this_thread::sleep_for(10ms);
  return is_so();
}

}  // namespace

TEST_CASE("a machine is sampled", "[trace]") {
  FakeProc proc;
  const auto store = std::make_shared<MemoryStore>();
  std::atomic<std::int64_t> time = 1'700'000'000'500'000;
  SystemSampler sampler(store, {.interval = 1h, .nvml = TENSORTAP_FAKE_NVML, .proc = proc.path(), .wall_time = [&] {
                                  return time.load();
                                }});
  REQUIRE(eventually([&] { return sampler.status().samples == 1; }));
  proc.tell(1);
  time = 1'700'000'002'500'000;
  sampler.close();  // samples once more
  CHECK(sampler.status().gpus == 2);
  CHECK(sampler.status().samples == 2);
  const Timeline timeline = read_timeline(*store);
  CHECK(timeline.damage.empty());
  std::map<std::string, double> last;
  for (const SystemMetric& metric : timeline.metrics) {
    CHECK(metric.node == "algo-1");
    if (metric.time == time) last[metric.type + " " + metric.name + " " + metric.dimension] = metric.value;
  }
  CHECK(last.at("cpu cpu0 CPUUtilization") == Approx(30));
  CHECK(last.at("cpu cpu0 I/OWaitPercentage") == Approx(20));
  CHECK(last.at("cpu cpu1 CPUUtilization") == Approx(0));
  CHECK(last.at("memory  MemoryUsedPercent") == Approx(75));
  CHECK(last.at("network  ReceiveBytesPerSecond") == Approx(2'500));
  CHECK(last.at("network  TransmitBytesPerSecond") == Approx(50));
  CHECK(last.at("gpu gpu0 GPUUtilization") == 40);
  CHECK(last.at("gpu gpu0 GPUMemoryUtilization") == 25);
  CHECK(last.at("gpu gpu1 GPUUtilization") == 41);
  CHECK_FALSE(last.contains("gpu gpu1 GPUMemoryUtilization"));
  CHECK(sampler.status().metrics == timeline.metrics.size());
  CHECK(store->list("system/incremental/2023111422/").at(0).key ==
        "system/incremental/2023111422/1700000040.algo-1.json");
}

TEST_CASE("each minute has a file", "[trace]") {
  const auto store = std::make_shared<MemoryStore>();
  std::atomic<std::int64_t> time = 1'700'000'000'000'000;
  for (int i = 0; i < 2; ++i) {  // a process that begins again in the same minute
    SystemSampler sampler(store, {.interval = 1ms, .nvml = "", .wall_time = [&] { return time += 20'000'000; }});
    CHECK(eventually([&] { return sampler.status().files >= 2; }));
  }
  CHECK(read_timeline(*store).damage.empty());
  CHECK(store->list("system/incremental/").size() >= 4);
}

TEST_CASE("this machine is sampled", "[trace]") {
  const auto store = std::make_shared<MemoryStore>();
  SystemSampler sampler(store, {.interval = 20ms});
  CHECK(eventually([&] { return sampler.status().samples >= 3; }));
  sampler.close();
  bool has_memory = false;
  for (const SystemMetric& metric : read_timeline(*store).metrics) {
    has_memory = has_memory || metric.dimension == "MemoryUsedPercent";
    if (metric.type == "cpu" || metric.type == "memory") {
      CHECK(metric.value >= 0);
      CHECK(metric.value <= 100);
    }
  }
  CHECK(has_memory);
}

TEST_CASE("a machine that tells nothing", "[trace]") {
  const TemporaryDirectory empty;
  const auto store = std::make_shared<MemoryStore>();
  SystemSampler(store, {.interval = 1ms, .nvml = "libnothing.so", .proc = empty.path().string()}).close();
  CHECK(store->list("").empty());
  CHECK_THROWS_AS(SystemSampler(store, {.node = "a.b"}), Error);
  CHECK_THROWS_AS(SystemSampler(store, {.interval = 0ms}), Error);
}
