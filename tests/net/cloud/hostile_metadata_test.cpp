#include <tensortap/net/cloud/cloud_notice_watcher.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "net/cloud/mock_metadata.hpp"
#include "sanitizer.hpp"

using namespace tensortap;
using namespace std::chrono_literals;

namespace {

constexpr Cloud all_clouds[] = {Cloud::ec2, Cloud::gcp, Cloud::azure, Cloud::alibaba};

std::string http_reply(const std::string& body, const std::string& status = "200 OK", const std::string& more = {}) {
  return "HTTP/1.1 " + status + "\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Answers each request with `reply`.
OneShotServer::Serve each_time(std::string reply) {
  return [reply](Peer& peer, int) {
    while (!peer.read_request().empty() && peer.write(reply)) {
    }
  };
}

CloudNoticeOptions asking(const OneShotServer& server, Cloud cloud) {
  return {.cloud = cloud, .endpoint = server.url(), .interval = 5ms, .timeout = 200ms};
}

/// Asks `server` as each cloud until the watcher has given up asking often. Nothing of it is a notice, and it is said
/// once.
void check_no_notice(const OneShotServer& server) {
  for (const Cloud cloud : all_clouds) {
    std::atomic<int> said = 0;
    std::mutex mutex;
    std::string message;
    CloudNoticeOptions given = asking(server, cloud);
    given.slow_interval = 50ms;
    given.on_trouble = [&](const std::string& text) {
      const std::lock_guard lock(mutex);
      message = text;
      ++said;
    };
    const CloudNoticeWatcher watcher(given);
    INFO(to_string(cloud));
    CHECK(eventually([&] { return watcher.status().rounds >= 5; }));
    const CloudNoticeStatus status = watcher.status();
    CHECK(status.is_slowed);
    CHECK(status.unusable >= 4);
    CHECK(status.notices == 0);
    CHECK(status.advice == 0);
    CHECK_FALSE(status.last_cause.empty());
    CHECK_FALSE(watcher.signal().requested());
    CHECK(said == 1);
    const std::lock_guard lock(mutex);
    CHECK(message.starts_with("cloud notices: " + std::string(to_string(cloud)) + ": http://127.0.0.1:"));
    CHECK_THAT(message, contains("gave no usable reply three times in a row ("));
    CHECK(message.size() < 1000);
  }
}

}  // namespace

TEST_CASE("the login page of a captive portal is no notice", "[net][cloud_notice]") {
  const OneShotServer server(each_time(http_reply("<!DOCTYPE html><html><body>Welcome, please log in</body></html>",
                                                  "200 OK", "Content-Type: text/html\r\n")));
  check_no_notice(server);
}

TEST_CASE("a portal that replies with one word, or with valid JSON, is no notice", "[net][cloud_notice]") {
  for (const char* const body : {"OK", "TRUE", "null", "{}", "1"}) {
    const OneShotServer server(each_time(http_reply(body)));
    check_no_notice(server);
  }
}

TEST_CASE("redirects are not followed", "[net][cloud_notice]") {
  const OneShotServer target(each_time(http_reply("TRUE", "200 OK", "Metadata-Flavor: Google\r\n")));
  const OneShotServer server(each_time(http_reply("", "302 Found", "Location: " + target.url() + "\r\n")));
  check_no_notice(server);
  CHECK(target.connections() == 0);
}

TEST_CASE("garbage, a closed connection and endless replies are no notice", "[net][cloud_notice]") {
  SECTION("garbage") {
    const OneShotServer server(each_time(std::string("\0\xff\x01 garbage\r\n\r\n", 15)));
    check_no_notice(server);
  }
  SECTION("closed") {
    const OneShotServer server([](Peer& peer, int) { peer.reset(); });
    check_no_notice(server);
  }
  SECTION("an endless body") {
    const OneShotServer server([](Peer& peer, int) {
      peer.read_request();
      peer.write("HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 9000000000000\r\n\r\n");
      while (peer.write(std::string(65536, '['))) {
      }
    });
    check_no_notice(server);
  }
  SECTION("an endless header") {
    const OneShotServer server([](Peer& peer, int) {
      peer.read_request();
      peer.write("HTTP/1.1 200 OK\r\n");
      while (peer.write("X-More: " + std::string(1000, 'x') + "\r\n")) {
      }
    });
    check_no_notice(server);
  }
}

TEST_CASE("a server that hangs or drips ends by the time limit", "[net][cloud_notice]") {
  const OneShotServer hangs([](Peer& peer, int) { peer.read(1'000'000), peer.read(1'000'000); });
  const OneShotServer drips([](Peer& peer, int) {
    peer.read_request();
    while (peer.write("H")) std::this_thread::sleep_for(5ms);
  });
  for (const OneShotServer* const server : {&hangs, &drips})
    for (const Cloud cloud : {Cloud::ec2, Cloud::gcp, Cloud::alibaba}) {
      const CloudNoticeWatcher watcher(asking(*server, cloud));
      CHECK(eventually([&] { return watcher.status().is_slowed; }));
      CHECK(watcher.status().rounds == 3);
      CHECK_FALSE(watcher.signal().requested());
    }
}

TEST_CASE("the first reply of Azure may take longer than others", "[net][cloud_notice]") {
  const OneShotServer server([](Peer& peer, int number) {
    while (!peer.read_request().empty()) {
      if (number == 0) std::this_thread::sleep_for(500ms);
      peer.write(http_reply(R"({"DocumentIncarnation":1,"Events":[]})"));
    }
  });
  const CloudNoticeWatcher watcher(asking(server, Cloud::azure));
  CHECK(eventually([&] { return watcher.status().rounds >= 3; }));
}

TEST_CASE("destruction ends a request that hangs", "[net][cloud_notice]") {
  const OneShotServer server([](Peer& peer, int) { peer.read(1'000'000), peer.read(1'000'000); });
  for (const Cloud cloud : all_clouds) {
    CloudNoticeOptions given = asking(server, cloud);
    given.timeout = 60s;
    auto watcher = std::make_unique<CloudNoticeWatcher>(given);
    std::this_thread::sleep_for(100ms);
    const auto begin = StopSignal::Clock::now();
    watcher.reset();
    CHECK(StopSignal::Clock::now() - begin < 4s);  // the server waits for five
  }
}

TEST_CASE("destruction ends a request that Google Cloud holds back, and a pause", "[net][cloud_notice]") {
  for (const auto interval : {30ms, 100'000ms}) {
    MockMetadata service(Cloud::gcp);
    auto watcher = std::make_unique<CloudNoticeWatcher>(
        CloudNoticeOptions{.cloud = Cloud::gcp, .endpoint = service.url(), .interval = interval});
    std::this_thread::sleep_for(200ms);
    const auto begin = StopSignal::Clock::now();
    watcher.reset();
    CHECK(StopSignal::Clock::now() - begin < 4s);  // the server waits for five
  }
}

TEST_CASE("watchers come and go at any moment of a request", "[net][cloud_notice]") {
  for (const Cloud cloud : all_clouds) {
    MockMetadata service(cloud);
    for (int i = 0; i < 40; ++i) {
      CloudNoticeWatcher watcher(CloudNoticeOptions{.cloud = cloud, .endpoint = service.url(), .interval = 1ms});
      std::this_thread::sleep_for(std::chrono::microseconds(i * 50));
      watcher.acknowledge();
      const CloudNoticeStatus status = watcher.status();
      INFO(status.last_cause);
      CHECK(status.unusable == 0);
    }
    CHECK(service.unknown().empty());
  }
}

TEST_CASE("a service that is busy is asked again at the usual interval", "[net][cloud_notice]") {
  for (const int status : {429, 500, 503}) {
    MockMetadata service(Cloud::gcp);
    service.answer_all_with(status);
    const CloudNoticeWatcher watcher(
        CloudNoticeOptions{.cloud = Cloud::gcp, .endpoint = service.url(), .interval = 5ms});
    CHECK(eventually([&] { return watcher.status().rounds >= 6; }));
    CHECK_FALSE(watcher.status().is_slowed);
    service.answer_all_with(0);
    service.set("/computeMetadata/v1/instance/preempted", "TRUE");
    CHECK(eventually([&] { return watcher.signal().requested(); }));
  }
}

TEST_CASE("a service that comes back is asked at the usual interval again", "[net][cloud_notice]") {
  MockMetadata service(Cloud::ec2);
  service.answer_all_with(403);
  const CloudNoticeWatcher watcher(
      CloudNoticeOptions{.cloud = Cloud::ec2, .endpoint = service.url(), .interval = 5ms, .slow_interval = 100ms});
  CHECK(eventually([&] { return watcher.status().is_slowed; }));
  service.answer_all_with(0);
  CHECK(eventually([&] { return !watcher.status().is_slowed; }));
  CHECK(service.unknown().empty());
}

TEST_CASE("no request goes through a proxy", "[net][cloud_notice]") {
  const OneShotServer proxy(each_time(http_reply("TRUE", "200 OK", "Metadata-Flavor: Google\r\n")));
  constexpr const char* names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  std::map<std::string, std::string> before;
  for (const char* const name : names) {
    if (const char* const value = std::getenv(name)) before[name] = value;
    ::setenv(name, proxy.url().c_str(), 1);
  }
  {
    MockMetadata service(Cloud::gcp);
    const CloudNoticeWatcher watcher(
        CloudNoticeOptions{.cloud = Cloud::gcp, .endpoint = service.url(), .interval = 5ms});
    CHECK(eventually([&] { return watcher.status().requests >= 4; }));
    CHECK_FALSE(watcher.signal().requested());
    CHECK(watcher.status().unusable == 0);
    CHECK(service.unknown().empty());
  }
  CHECK(proxy.connections() == 0);
  for (const char* const name : names)
    if (before.contains(name))
      ::setenv(name, before[name].c_str(), 1);
    else
      ::unsetenv(name);
}

TEST_CASE("a forked child ends without the thread of its parent", "[net][cloud_notice]") {
  if (WITH_THREAD_SANITIZER) return;
  MockMetadata service(Cloud::ec2);
  auto watcher = std::make_unique<CloudNoticeWatcher>(
      CloudNoticeOptions{.cloud = Cloud::ec2, .endpoint = service.url(), .interval = 5ms});
  CHECK(eventually([&] { return watcher->status().rounds >= 2; }));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_empty = watcher->status().rounds == 0 && watcher->acknowledge() == 0;
    watcher.reset();
    ::_exit(is_empty ? 0 : 1);
  }
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(eventually([&] { return watcher->status().rounds >= 4; }));
}
