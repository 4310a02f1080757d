#include <tensortap/net/s3/internal/lease.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>

#include "catch.hpp"
#include "scripted.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;

namespace {

/// A server that keeps one object, checks the conditions of S3, and has a clock that sleeps move.
struct OneObject {
  Script script;
  std::string body, etag;  // empty: there is none
  HttpHeaders fields;
  std::chrono::sys_seconds put_at{}, now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 29);
  int version = 0;
  int twice = 0;  // PUTs that something between repeats
  std::function<void()> while_waiting = [] {};

  OneObject() {
    script.otherwise = [this](const HttpRequest& request) { return answer(request); };
  }

  S3Options options() {
    S3Options out = options_for(script);
    out.sleep = [this](std::chrono::nanoseconds time, const std::stop_token&) {
      script.waits.push_back(time);
      now += std::chrono::duration_cast<std::chrono::seconds>(time);
      while_waiting();
    };
    return out;
  }

  static std::string date(std::chrono::sys_seconds time) {
    const auto seconds = (time - std::chrono::floor<std::chrono::days>(time)).count();
    const auto two = [](auto n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    return "Sun, 29 Nov 2026 " + two(seconds / 3600) + ":" + two(seconds / 60 % 60) + ":" + two(seconds % 60) + " GMT";
  }

  HttpReply answer(const HttpRequest& request) {
    HttpReply out = once(request);
    if (request.method == "PUT" && twice > 0 && --twice >= 0) out = once(request);
    out.headers["date"] = date(now);
    return out;
  }

  HttpReply once(const HttpRequest& request) {
    const auto given = [&](const char* name) {
      const auto found = request.headers.find(name);
      return found == request.headers.end() ? std::string() : found->second;
    };
    const HttpReply refused{.status = 412, .body = "<Error><Code>PreconditionFailed</Code></Error>"};
    if (!given("if-match").empty() && given("if-match") != etag) return refused;
    if (request.method == "PUT") {
      if (given("if-none-match") == "*" && !etag.empty()) return refused;
      body.clear();
      for (const Bytes piece : request.body) body += text_of(piece);
      etag = "\"" + std::to_string(++version) + "\"";
      fields = {};
      for (const auto& [name, value] : request.headers)
        if (name.starts_with("x-amz-meta-")) fields[name] = value;
      put_at = now;
      return {.status = 200, .headers = {{"etag", etag}}};
    }
    if (etag.empty()) return {.status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>"};
    if (request.method == "DELETE") {
      etag.clear();
      return {.status = 204};
    }
    HttpReply out{.status = request.method == "HEAD" ? 200 : 206, .headers = fields};
    out.headers["etag"] = etag;
    out.headers["last-modified"] = date(put_at);
    out.headers["content-length"] = std::to_string(body.size());
    out.headers["content-range"] = "bytes 0-" + std::to_string(body.size() - 1) + "/" + std::to_string(body.size());
    if (request.sink) (void)request.sink(out, bytes_of(body));
    return out;
  }
};

/// A client of the server.
struct World {
  OneObject server;
  S3Options options;
  std::unique_ptr<s3::Client> client;

  explicit World(std::chrono::seconds claim_wait = 1min) {
    options = server.options();
    options.claim_wait = claim_wait;
    auto [complete, endpoint] = s3::complete(options);
    client = std::make_unique<s3::Client>("bucket", endpoint, complete);
  }
};

}  // namespace

TEST_CASE("a server that requires ETags without quotes gets them", "[net][lease]") {
  Script script;
  script
      .then(200, {{"etag", "\"1\""}})   // the claim
      .then(412, "PreconditionFailed")  // its renewal
      .then(200, {{"etag", "\"1\""}})   // HEAD: it is the same
      .then(200, {{"etag", "\"2\""}})   // bare
      .then(200, {{"etag", "\"3\""}});  // and from now on
  auto [options, endpoint] = detail::s3::complete(options_for(script));
  detail::s3::Client client("bucket", endpoint, options);
  detail::s3::Lease lease(client, "claim", "me");
  CHECK(lease.put(""));
  CHECK(lease.renew());
  CHECK(lease.renew());
  REQUIRE(script.sent.size() == 5);
  CHECK(script.sent[1].headers.at("if-match") == "\"1\"");
  CHECK(script.sent[3].headers.at("if-match") == "1");
  CHECK(script.sent[4].headers.at("if-match") == "2");
}

TEST_CASE("a lease is renewed and removed only in the version that was put", "[net][lease]") {
  World world;
  s3::Lease mine(*world.client, "claim", "me\n");
  REQUIRE(mine.put(""));
  CHECK(world.server.script.sent.back().headers.at("if-none-match") == "*");
  REQUIRE(mine.renew());
  CHECK(world.server.script.sent.back().headers.at("if-match") == "\"1\"");
  mine.remove();
  CHECK(world.server.script.sent.back().method == "DELETE");
  CHECK(world.server.script.sent.back().headers.at("if-match") == "\"2\"");
  CHECK(world.server.etag.empty());

  s3::Lease slow(*world.client, "claim", "slow\n"), quick(*world.client, "claim", "quick\n");
  REQUIRE(slow.put(""));
  REQUIRE(quick.put(world.server.etag));  // took it over
  CHECK_FALSE(slow.renew());
  CHECK(world.server.body.starts_with("quick\n"));
  slow.remove();
  CHECK(world.server.body.starts_with("quick\n"));
  CHECK_FALSE(world.server.etag.empty());
}

TEST_CASE("a lease that is put twice by one request is held", "[net][lease]") {
  World world;
  world.server.twice = 1;
  s3::Lease lease(*world.client, "claim", "me\n");
  SECTION("at first") {
    CHECK(lease.put(""));
    CHECK(lease.renew());
  }
  SECTION("at its renewal") {
    world.server.twice = 0;
    CHECK(lease.put(""));
    world.server.twice = 1;
    CHECK(lease.renew());
    CHECK(lease.renew());
  }
  SECTION("when it is taken over") {
    world.server.twice = 0;
    s3::Lease dead(*world.client, "claim", "dead\n");
    REQUIRE(dead.put(""));
    world.server.twice = 1;
    CHECK(lease.put(world.server.etag));
    CHECK_FALSE(dead.renew());
  }
  CHECK(world.server.body.starts_with("me\n"));
}

TEST_CASE("the claim of a killed process is waited for", "[net][lease]") {
  World world;
  s3::Lease dead(*world.client, "claim", "process 7 on a\n");
  REQUIRE(dead.put(""));
  const auto begin = world.server.now;
  const auto claim = s3::take_lease(*world.client, "claim", "process 8 on b\n");
  REQUIRE(claim);
  CHECK(world.server.now - begin >= 30s);
  CHECK(world.server.now - begin <= 35s);
  CHECK(world.server.body.starts_with("process 8 on b\n"));
}

TEST_CASE("a claim whose process lives is not waited for", "[net][lease]") {
  World world;
  s3::Lease alive(*world.client, "claim", "process 7 on a\n");
  REQUIRE(alive.put(""));
  const auto begin = world.server.now;
  world.server.while_waiting = [&] {
    if ((world.server.now - begin) % 10s == 0s) CHECK(alive.renew());
  };
  CHECK_FALSE(s3::take_lease(*world.client, "claim", "process 8 on b\n"));
  CHECK(world.server.now - begin <= 11s);
  CHECK(world.server.body.starts_with("process 7 on a\n"));
}

TEST_CASE("a claim that is released meanwhile is taken at once", "[net][lease]") {
  World world;
  s3::Lease other(*world.client, "claim", "process 7 on a\n");
  REQUIRE(other.put(""));
  world.server.while_waiting = [&] {
    if (world.server.script.waits.size() == 3) other.remove();
  };
  CHECK(s3::take_lease(*world.client, "claim", "process 8 on b\n"));
  CHECK(world.server.script.waits.size() == 3);
}

TEST_CASE("claim_wait bounds the wait, and a longer one does not begin", "[net][lease]") {
  World world(20s);
  s3::Lease dead(*world.client, "claim", "process 7 on a\n");
  REQUIRE(dead.put(""));
  CHECK_FALSE(s3::take_lease(*world.client, "claim", "process 8 on b\n"));
  CHECK(world.server.script.waits.empty());
  world.server.now += 20s;
  CHECK(s3::take_lease(*world.client, "claim", "process 8 on b\n"));
}

TEST_CASE("the holder of a claim is told with the time that is left", "[net][lease]") {
  World world;
  CHECK(s3::lease_holder(*world.client, "claim").empty());
  s3::Lease lease(*world.client, "claim", "process 7 on a\n");
  REQUIRE(lease.put(""));
  world.server.now += 10s;
  CHECK(s3::lease_holder(*world.client, "claim") ==
        "process 7 on a, whose claim runs out in 23 s unless it is renewed");
}
