#include <tensortap/net/cloud/cloud_notice_watcher.hpp>

#include <signal.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/spot/interruption.hpp>

#include "catch.hpp"
#include "net/cloud/mock_metadata.hpp"

using namespace tensortap;
using namespace std::chrono_literals;

namespace {

constexpr auto spot_path = "/latest/meta-data/spot/instance-action";
constexpr auto rebalance_path = "/latest/meta-data/events/recommendations/rebalance";
constexpr auto maintenance_path = "/latest/meta-data/events/maintenance/scheduled";
constexpr auto preempted_path = "/computeMetadata/v1/instance/preempted";
constexpr auto host_path = "/computeMetadata/v1/instance/maintenance-event";
constexpr auto events_path = "/metadata/scheduledevents";
constexpr auto alibaba_path = "/latest/meta-data/instance/spot/termination-time";

/// Returns whether the stop was requested by a notice whose deadline is at `time`, to `most`.
bool stops_at(const CloudNoticeWatcher& watcher, std::chrono::sys_seconds time,
              std::chrono::milliseconds most = 100ms) {
  const StopSignal& stop = watcher.signal();
  const auto is_right = [&] {
    const auto left = stop.time_left();
    return left && std::chrono::abs(std::chrono::system_clock::now() + *left - time) < most;
  };
  return eventually(is_right) && stop.reason() == StopReason::notice;
}

/// Returns whether the stop was requested by a notice, seen between `begin` and now, that leaves `left`.
bool stops_after(const CloudNoticeWatcher& watcher, StopSignal::Clock::time_point begin, std::chrono::seconds left) {
  const StopSignal& stop = watcher.signal();
  if (!eventually([&] { return stop.requested(); }) || !stop.time_left()) return false;
  const auto deadline = StopSignal::Clock::now() + *stop.time_left();
  return deadline > begin + left - 10ms && deadline < StopSignal::Clock::now() + left + 10ms;
}

CloudNoticeOptions asking(const MockMetadata& service, Cloud cloud) {
  return {.cloud = cloud, .endpoint = service.url(), .interval = 30ms};
}

std::string spot_action(std::chrono::sys_seconds time, const std::string& action = "terminate") {
  return R"({"action": ")" + action + R"(", "time": ")" + time_text(time, iso_8601) + "\"}";
}

std::string azure_event(std::chrono::sys_seconds time, const std::string& machine, const std::string& type = "Preempt",
                        const std::string& id = "602d9444-d2cd-49c7-8624-8643e7171297") {
  return R"({"DocumentIncarnation":2,"Events":[{"EventId":")" + id + R"(","EventType":")" + type +
         R"(","ResourceType":"VirtualMachine","Resources":[")" + machine +
         R"("],"EventStatus":"Scheduled","NotBefore":")" + time_text(time, rfc_1123) +
         R"(","Description":"","EventSource":"Platform","DurationInSeconds":-1}]})";
}

/// Lets a watcher make `rounds` rounds.
void let_run(const CloudNoticeWatcher& watcher, std::uint64_t rounds) {
  const std::uint64_t from = watcher.status().rounds;
  CHECK(eventually([&] { return watcher.status().rounds >= from + rounds; }));
}

}  // namespace

TEST_CASE("a spot notice of EC2 requests a stop at its deadline", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  std::mutex mutex;
  std::vector<CloudNotice> seen;
  CloudNoticeOptions given = asking(service, Cloud::ec2);
  given.on_notice = [&](const CloudNotice& notice) {
    const std::lock_guard lock(mutex);
    seen.push_back(notice);
  };
  const CloudNoticeWatcher watcher(given);
  let_run(watcher, 3);
  CHECK_FALSE(watcher.signal().requested());
  const auto time = now_and(120s);
  service.set(spot_path, spot_action(time));
  CHECK(stops_at(watcher, time));
  let_run(watcher, 3);
  CHECK(service.unknown().empty());
  CHECK(service.tokens() == 1);
  CHECK(service.count(std::string("GET ") + maintenance_path) == 1);  // each minute
  const CloudNoticeStatus status = watcher.status();
  CHECK(status.cloud == Cloud::ec2);
  CHECK(status.service == service.url());
  CHECK(status.notices == 1);
  CHECK(status.unusable == 0);
  const std::lock_guard lock(mutex);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].event == "terminate");
  CHECK_FALSE(seen[0].is_advice);
}

TEST_CASE("a notice is seen within one poll interval", "[net][cloud_notice]") {
  for (const Cloud cloud : {Cloud::ec2, Cloud::gcp, Cloud::azure, Cloud::alibaba}) {
    MockMetadata service(cloud);
    CloudNoticeOptions given = asking(service, cloud);
    given.interval = 1s;
    const CloudNoticeWatcher watcher(given);
    let_run(watcher, 1);
    const auto begin = StopSignal::Clock::now();
    if (cloud == Cloud::ec2) service.set(spot_path, spot_action(now_and(120s)));
    if (cloud == Cloud::gcp) service.set(preempted_path, "TRUE");
    if (cloud == Cloud::azure) service.set(events_path, azure_event(now_and(30s), "vm_0"));
    if (cloud == Cloud::alibaba) service.set(alibaba_path, time_text(now_and(120s), iso_8601));
    CHECK(eventually([&] { return watcher.signal().requested(); }));
    CHECK(StopSignal::Clock::now() - begin < 5s);  // one second, but the machine may be busy
    CHECK(service.unknown().empty());
  }
}

TEST_CASE("a token of EC2 or Alibaba that has expired is renewed", "[net][cloud_notice]") {
  for (const Cloud cloud : {Cloud::ec2, Cloud::alibaba}) {
    MockMetadata service(cloud);
    service.expire_tokens_after(4);
    const CloudNoticeWatcher watcher(asking(service, cloud));
    CHECK(eventually([&] { return service.tokens() >= 3; }));
    const auto time = now_and(60s);
    service.set(cloud == Cloud::ec2 ? spot_path : alibaba_path,
                cloud == Cloud::ec2 ? spot_action(time) : time_text(time, iso_8601));
    CHECK(stops_at(watcher, time));
    CHECK(watcher.status().unusable == 0);
    CHECK(service.unknown().empty());
  }
}

TEST_CASE("a recommendation to rebalance is advice", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  service.set(rebalance_path, R"({"noticeTime": "2020-10-27T08:22:00Z"})");
  const CloudNoticeWatcher watcher(asking(service, Cloud::ec2));
  let_run(watcher, 3);
  CHECK(watcher.status().advice == 1);
  CHECK_FALSE(watcher.signal().requested());
}

TEST_CASE("a nearer deadline shortens the time, a later one does not", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  const CloudNoticeWatcher watcher(asking(service, Cloud::ec2));
  const auto start = now_and(0s);
  service.set(spot_path, spot_action(start + 100s));
  CHECK(stops_at(watcher, start + 100s));
  service.set(spot_path, spot_action(start + 200s));
  let_run(watcher, 3);
  CHECK(stops_at(watcher, start + 100s));
  service.set(spot_path, spot_action(start + 40s, "stop"));
  let_run(watcher, 3);
  CHECK(stops_at(watcher, start + 40s));
  service.set(spot_path, "");  // withdrawn: a stop stays requested
  let_run(watcher, 3);
  CHECK(stops_at(watcher, start + 40s));
  CHECK(watcher.status().notices == 3);
}

TEST_CASE("a notice and a signal share one stop signal", "[net][cloud_notice]") {
  Interruption interruption({.signal_numbers = {SIGUSR1}, .grace = 300s});
  MockMetadata service(Cloud::ec2);
  CloudNoticeOptions given = asking(service, Cloud::ec2);
  given.stop = interruption.signal();
  const CloudNoticeWatcher watcher(given);
  ::raise(SIGUSR1);
  CHECK(interruption.signal().reason() == StopReason::signal);
  CHECK(*interruption.signal().time_left() > 250s);
  service.set(spot_path, spot_action(now_and(90s)));
  CHECK(eventually([&] { return *interruption.signal().time_left() < 100s; }));
  CHECK(interruption.signal().reason() == StopReason::signal);
}

TEST_CASE("maintenance that is far away requests the stop shortly before it", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  const auto maintenance = [](std::chrono::sys_seconds time, const std::string& state) {
    return R"([{"NotBefore": ")" + time_text(time, maintenance_time) +
           R"(", "Code": "system-reboot", "Description": "", "EventId": "instance-event-1", "NotAfter": "", "State": ")" +
           state + "\"}]";
  };
  SECTION("far away") {
    service.set(maintenance_path, maintenance(now_and(3600s), "active"));
    const CloudNoticeWatcher watcher(asking(service, Cloud::ec2));
    let_run(watcher, 3);
    CHECK(watcher.status().notices == 1);
    CHECK_FALSE(watcher.signal().requested());
  }
  SECTION("canceled") {
    service.set(maintenance_path, maintenance(now_and(60s), "canceled"));
    const CloudNoticeWatcher watcher(asking(service, Cloud::ec2));
    let_run(watcher, 3);
    CHECK(watcher.status().notices == 0);
  }
  SECTION("it comes near while the service says no more") {
    const auto time = now_and(14s);
    service.set(maintenance_path, maintenance(time, "active"));
    CloudNoticeOptions given = asking(service, Cloud::ec2);
    given.interval = 60s;
    given.lead = 10s;
    const CloudNoticeWatcher watcher(given);
    CHECK(eventually([&] { return watcher.status().notices == 1; }));
    service.answer_all_with(500);
    CHECK_FALSE(watcher.signal().requested());
    CHECK(stops_at(watcher, time));
  }
}

TEST_CASE("Google Cloud holds its reply back until there is a notice", "[net][cloud_notice]") {
  const std::string get_preempted = std::string("GET ") + preempted_path;
  MockMetadata service(Cloud::gcp);
  CloudNoticeOptions given = asking(service, Cloud::gcp);
  SECTION("a preemption is seen at once") {
    given.interval = 100s;
    const CloudNoticeWatcher watcher(given);
    CHECK(eventually([&] { return service.count(get_preempted) == 2; }));  // the first does not wait
    std::this_thread::sleep_for(100ms);
    CHECK(service.count(get_preempted) == 2);
    const auto begin = StopSignal::Clock::now();
    service.set(preempted_path, "TRUE");
    CHECK(stops_after(watcher, begin, 30s));
    std::this_thread::sleep_for(100ms);
    CHECK(service.count(get_preempted) == 2);
  }
  SECTION("the service ends the wait after the time that it was given") {
    const CloudNoticeWatcher watcher(given);
    CHECK(eventually([&] { return service.count(get_preempted) == 4; }));
    CHECK(watcher.status().unusable == 0);
  }
  SECTION("maintenance") {
    given.grace = 3600s;
    given.lead = 2h;
    const CloudNoticeWatcher watcher(given);
    const auto begin = StopSignal::Clock::now();
    service.set(host_path, "TERMINATE_ON_HOST_MAINTENANCE");
    CHECK(stops_after(watcher, begin, 3600s));
  }
  SECTION("a migration is advice") {
    const CloudNoticeWatcher watcher(given);
    service.set(host_path, "MIGRATE_ON_HOST_MAINTENANCE");
    CHECK(eventually([&] { return watcher.status().advice == 1; }));
    CHECK_FALSE(watcher.signal().requested());
  }
  CHECK(service.unknown().empty());
}

TEST_CASE("a preemption of Azure requests a stop, and is acknowledged only if asked for", "[net][cloud_notice]") {
  MockMetadata service(Cloud::azure);
  CloudNoticeWatcher watcher(asking(service, Cloud::azure));
  let_run(watcher, 2);
  CHECK(watcher.acknowledge() == 0);
  const auto time = now_and(30s);
  service.set(events_path, azure_event(time, "VM_0"));
  CHECK(stops_at(watcher, time));
  let_run(watcher, 3);
  CHECK(service.posted().empty());
  CHECK(service.count("GET /metadata/instance/compute/name") == 1);
  CHECK(watcher.acknowledge() == 1);
  CHECK(service.posted() ==
        std::vector<std::string>{R"({"StartRequests":[{"EventId":"602d9444-d2cd-49c7-8624-8643e7171297"}]})"});
  CHECK(service.unknown().empty());
}

TEST_CASE("events of other machines of a set, and short freezes, do not stop this one", "[net][cloud_notice]") {
  MockMetadata service(Cloud::azure);
  CloudNoticeWatcher watcher(asking(service, Cloud::azure));
  service.set(events_path, azure_event(now_and(30s), "vm_1"));
  let_run(watcher, 3);
  service.set(events_path, azure_event(now_and(30s), "vm_0", "Freeze"));
  CHECK(eventually([&] { return watcher.status().advice == 1; }));
  CHECK_FALSE(watcher.signal().requested());
  CHECK(watcher.status().notices == 0);
  CHECK(watcher.acknowledge() == 0);
  CHECK(service.unknown().empty());
}

TEST_CASE("an event concerns a machine of Azure that cannot find out its name", "[net][cloud_notice]") {
  MockMetadata service(Cloud::azure);
  service.set("/metadata/instance/compute/name", "<html>log in</html>");
  const CloudNoticeWatcher watcher(asking(service, Cloud::azure));
  const auto time = now_and(30s);
  service.set(events_path, azure_event(time, "vm_1", "Reboot"));
  CHECK(stops_at(watcher, time));
}

TEST_CASE("a spot notice of Alibaba requests a stop at its deadline", "[net][cloud_notice]") {
  MockMetadata service(Cloud::alibaba);
  const CloudNoticeWatcher watcher(asking(service, Cloud::alibaba));
  let_run(watcher, 3);
  CHECK_FALSE(watcher.signal().requested());
  const auto time = now_and(180s);
  service.set(alibaba_path, time_text(time, iso_8601));
  CHECK(stops_at(watcher, time));
  CHECK(service.unknown().empty());
}

TEST_CASE("deadlines are right although the clock of this machine is wrong", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  service.shift_clock(3600s);
  const CloudNoticeWatcher watcher(asking(service, Cloud::ec2));
  const auto time = now_and(3600s + 110s);  // by the clock of the service
  service.set(spot_path, spot_action(time));
  CHECK(stops_at(watcher, time - 3600s, 1100ms));
}

TEST_CASE("a deadline in the past is now, and one in thousands of years is no trouble", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  const CloudNoticeWatcher watcher(asking(service, Cloud::ec2));
  service.set(spot_path, R"({"action": "terminate", "time": "9999-12-31T23:59:59Z"})");
  CHECK(eventually([&] { return watcher.status().notices == 1; }));
  CHECK_FALSE(watcher.signal().requested());
  service.set(spot_path, spot_action(now_and(-30s)));
  CHECK(eventually([&] { return watcher.signal().requested(); }));
  CHECK(watcher.signal().time_left() == StopSignal::Clock::duration::zero());
}

TEST_CASE("exceptions of callbacks are counted", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  const auto time = now_and(120s);
  service.set(spot_path, spot_action(time));
  CloudNoticeOptions given = asking(service, Cloud::ec2);
  given.on_notice = [](const CloudNotice&) { throw std::runtime_error("of the callback"); };
  const CloudNoticeWatcher watcher(given);
  CHECK(stops_at(watcher, time));
  CHECK(eventually([&] { return watcher.status().thrown == 1; }));
  let_run(watcher, 2);
}

TEST_CASE("exceptions of the transport are counted and said", "[net][cloud_notice]") {
  CloudNoticeOptions given{.cloud = Cloud::azure, .interval = 5ms};
  given.transport = [](const HttpRequest&) -> HttpReply { throw std::runtime_error("no memory"); };
  const CloudNoticeWatcher watcher(given);
  CHECK(eventually([&] { return watcher.status().is_slowed; }));
  CHECK(watcher.status().last_cause == "no memory");
}

TEST_CASE("a machine of no cloud makes no request", "[net][cloud_notice]") {
  std::atomic<int> requests = 0;
  CloudNoticeOptions given{.interval = 1ms, .dmi_directory = "/nonexistent"};
  given.environment = [](const char*) { return std::optional<std::string>(); };
  given.transport = [&](const HttpRequest&) {
    ++requests;
    return HttpReply{};
  };
  CloudNoticeWatcher watcher(given);
  given.cloud = Cloud::none;
  const CloudNoticeWatcher other(given);
  std::this_thread::sleep_for(50ms);
  CHECK(requests == 0);
  CHECK(watcher.status().cloud == Cloud::none);
  CHECK(watcher.acknowledge() == 0);
}

TEST_CASE("wrong options are errors", "[net][cloud_notice]") {
  CHECK_THROWS_WITH(CloudNoticeWatcher({.interval = 0s}),
                    "cloud notices: option interval: it is not between 1 ns and 20 days; leave it out for the default");
  CHECK_THROWS_AS(CloudNoticeWatcher({.timeout = -1s}), Error);
  CHECK_THROWS_AS(CloudNoticeWatcher({.lead = std::chrono::hours(24 * 365)}), Error);
  CHECK_THROWS_AS(CloudNoticeWatcher({.grace = -1s}), Error);
  CHECK_THROWS_WITH(CloudNoticeWatcher({.cloud = Cloud::gcp, .endpoint = "metadata"}),
                    "cloud notices: option endpoint: \"metadata\" is no URL; write http://HOST or http://HOST:PORT");
}
