// A faulty network between the store and a real server: each call succeeds, or fails with a cause by its deadline.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/net/s3/s3_store.hpp>

#include "buckets.hpp"
#include "catch.hpp"
#include "faults.hpp"
#include "store/conformance.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

namespace {

constexpr auto deadline = 3s;

/// Returns options with short timeouts, for the server behind the proxy.
S3Options impatient(const S3Server& server, const FaultProxy& faults) {
  S3Options options = options_for(server);
  options.endpoint_url = faults.endpoint;
  options.deadline = deadline;
  options.part_size = std::uint64_t{5} << 20;
  options.retry.first_delay = 5ms;
  options.http.idle_timeout = 400ms;
  return options;
}

/// Calls and returns "" or the message of the error. Checks the time, with a margin for a busy machine.
template <class Call>
std::string outcome(const Call& call) {
  const auto begin = Clock::now();
  std::string message;
  try {
    call();
  } catch (const Error& e) {
    message = e.what();
  }
  CAPTURE(message);
  CHECK(Clock::now() - begin < 2 * deadline);
  return message;
}

}  // namespace

TEST_CASE("objects survive transient faults", "[net][faults][radosgw]") {
  const S3Server server = S3Server::from_environment();
  FaultProxy faults;
  S3Store store("s3://" + make_bucket(server), impatient(server, faults));
  const std::string content = conformance::noise(300'000);
  const std::vector<json> plans = {
      {{{"times", 4}, {"fault", "slow_down"}}},
      {{{"times", 2}, {"fault", "slow_down"}, {"early", true}}},
      {{{"times", 3}, {"fault", "internal_error"}}},
      {{{"fault", "reset"}, {"when", "head"}}},
      {{{"method", "PUT"}, {"fault", "reset"}, {"when", "body"}, {"after", 100'000}}},
      {{{"method", "PUT"}, {"fault", "reset"}, {"when", "request"}}},
      {{{"method", "PUT"}, {"times", 2}, {"fault", "lost_reply"}}},
      {{{"method", "GET"}, {"fault", "cut"}, {"after", 1}}},
      {{{"method", "GET"}, {"times", 3}, {"fault", "cut"}, {"after", 100'000}, {"clean", true}}},
      {{{"method", "GET"}, {"fault", "corrupt"}, {"at", 12'345}}},
      {{{"method", "GET"}, {"fault", "stall"}, {"after", 200'000}}},
      {{{"times", 2}, {"fault", "close_idle"}}},
      {{{"times", 2}, {"fault", "close_after"}}},
      {{{"fault", "not_http"}}},
      {{{"fault", "skewed"}}},
      {{{"fault", "expired_token"}}},
      {{{"method", "PUT"}, {"fault", "no_continue"}}},
      {{{"times", 2}, {"fault", "delay"}, {"seconds", 0.1}}},
  };
  for (const json& plan : plans) {
    CAPTURE(plan.dump());
    faults.plan(plan);
    CHECK(outcome([&] { store.put("a/key", content); }) == "");
    std::optional<std::string> got;
    CHECK(outcome([&] { got = conformance::text(store, "a/key"); }) == "");
    CHECK((got == content));
    CHECK(faults.count(plan[0].at("fault")) > 0);
    CHECK(outcome([&] { CHECK(store.remove("a/key")); }) == "");
  }
}

TEST_CASE("put with keep reports correctly whether it put the object", "[net][faults][radosgw]") {
  const S3Server server = S3Server::from_environment();
  FaultProxy faults;
  S3Store store("s3://" + make_bucket(server), impatient(server, faults));
  faults.plan({{{"method", "PUT"}, {"times", 2}, {"fault", "lost_reply"}}});
  CHECK(store.put("key", "mine", Sync::yes, IfExists::keep));
  faults.plan({{{"method", "PUT"}, {"times", 1}, {"fault", "lost_reply"}}});
  CHECK_FALSE(store.put("key", "yours", Sync::yes, IfExists::keep));
  CHECK(conformance::text(store, "key") == "mine");
}

TEST_CASE("multipart uploads complete or leave nothing", "[net][faults][radosgw]") {
  const S3Server server = S3Server::from_environment();
  FaultProxy faults;
  S3Options options = impatient(server, faults);
  S3Store store("s3://" + make_bucket(server), options);
  const std::string content = conformance::noise(std::size_t{13} << 20);
  for (const json& plan : std::vector<json>{
           {{{"path", "partNumber=2"}, {"fault", "lost_reply"}}},
           {{{"path", "partNumber=1"}, {"times", 2}, {"fault", "reset"}, {"when", "body"}, {"after", 1'000'000}}},
           {{{"method", "POST"}, {"path", "uploadId="}, {"fault", "lost_reply"}}},
           {{{"method", "POST"}, {"path", "uploadId="}, {"fault", "error_in_200"}, {"spaces", 100}}},
           {{{"method", "POST"}, {"path", "uploads"}, {"fault", "slow_down"}}},
           {{{"method", "POST"}, {"path", "uploads"}, {"fault", "xml"}, {"kind", "malformed"}}},
       }) {
    CAPTURE(plan.dump());
    faults.plan(plan);
    CHECK(outcome([&] { store.put("large", content); }) == "");
    faults.plan(json::array());
    CHECK((conformance::text(store, "large") == content));
    (void)store.remove("large");
  }
  faults.plan(
      {{{"path", "partNumber=2"}, {"times", -1}, {"fault", "status"}, {"code", 403}, {"error", "AccessDenied"}}});
  CHECK_THAT(outcome([&] { store.put("large", content); }), contains("the server answers 403 AccessDenied"));
  faults.plan(json::array());
  CHECK_FALSE(store.get("large"));
  CHECK(store.remove_unfinished([](std::string_view key) { return key == "large"; }) == 0);
}

TEST_CASE("permanent faults end by the deadline with an error that names the cause", "[net][faults][radosgw]") {
  const S3Server server = S3Server::from_environment();
  FaultProxy faults;
  const std::string bucket = "s3://" + make_bucket(server);
  S3Store store(bucket, impatient(server, faults));
  const auto list = [&] { return outcome([&] { (void)store.list(""); }); };
  const auto get = [&] { return outcome([&] { (void)store.get("key"); }); };
  store.put("key", conformance::noise(100'000));
  const auto always = [&](json fault) {
    fault["times"] = -1;
    faults.plan(json::array({std::move(fault)}));
  };
  always({{"fault", "slow_down"}});
  CHECK_THAT(get(), contains("the server answers 503 SlowDown"));
  always({{"fault", "reset"}});
  CHECK_THAT(get(), contains("check that the server can be reached"));
  always({{"fault", "stall"}, {"after", 0}});
  CHECK_THAT(get(), contains("check that the server can be reached"));
  always({{"fault", "trickle"}, {"bytes_per_second", 1000}});
  CHECK_THAT(get(), contains("check that the server can be reached"));
  always({{"fault", "corrupt"}, {"at", 5}});
  CHECK_THAT(get(), contains("the received bytes differ from the stored ones"));
  always({{"fault", "endless_header"}});
  CHECK_THAT(get(), contains("s3: GET " + bucket));
  always({{"fault", "endless_body"}});
  CHECK_THAT(list(), contains("s3: GET " + bucket));
  always({{"fault", "xml"}, {"kind", "malformed"}});
  CHECK_THAT(list(), contains("it is not XML"));
  always({{"fault", "xml"}, {"kind", "deep"}, {"size", 10'000}});
  CHECK_THAT(list(), contains("nested too deeply"));
  always({{"fault", "xml"}, {"kind", "long"}});
  CHECK_THAT(list(), contains("s3: GET " + bucket));
  always({{"fault", "redirect"}, {"elsewhere", true}, {"code", 307}, {"region", ""}});
  CHECK_THAT(get(), contains("the server answers 307"));
  for (const json& request : faults.requests()) CHECK_FALSE(request.value("elsewhere", false));
  faults.plan(json::array());
  CHECK(get() == "");
}

namespace {

/// Makes `count` operations in sixteen threads while every fifth request fails. Prints a summary.
void check_storm(int count) {
  const S3Server server = S3Server::from_environment();
  FaultProxy faults;
  S3Options options = impatient(server, faults);
  options.deadline = 5s;
  options.retry_budget = 1'000'000;
  options.retry.attempts = 20;
  S3Store store("s3://" + make_bucket(server), options);
  faults.plan({{{"probability", 0.2},
                {"faults",
                 {{{"fault", "slow_down"}},
                  {{"fault", "internal_error"}},
                  {{"fault", "reset"}, {"when", "head"}},
                  {{"fault", "reset"}, {"when", "request"}},
                  {{"fault", "lost_reply"}},
                  {{"fault", "cut"}, {"after", 100}},
                  {{"fault", "corrupt"}, {"at", 50}},
                  {{"fault", "close_idle"}}}}}});
  std::atomic<int> failed = 0, corrupt = 0, late = 0;
  const auto begin = Clock::now();
  const auto body = [](std::size_t i) {
    return "object " + std::to_string(i) + " " + std::string(2'000 + i % 3'000, 'x');
  };
  parallel_for(static_cast<std::size_t>(count) / 2, 16, [&](std::size_t i) {
    const std::string key = "storm/" + std::to_string(i);
    const auto start = Clock::now();
    try {
      store.put(key, body(i));
      const auto middle = Clock::now();
      if (conformance::text(store, key) != body(i)) ++corrupt;
      if (middle - start > 2 * options.deadline || Clock::now() - middle > 2 * options.deadline) ++late;
    } catch (const Error& e) {
      ++failed;
      WARN(e.what());
    }
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::uint64_t requests = store.requests();
  const json seen = faults.requests();
  const auto met = std::count_if(seen.begin(), seen.end(), [](const json& r) { return !r.at("fault").is_null(); });
  faults.plan(json::array());
  int lost = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count) / 2; ++i)
    if (conformance::text(store, "storm/" + std::to_string(i)) != body(i)) ++lost;
  std::cout << count << " operations, " << requests << " requests, " << met << " faults, " << seconds
            << " s: " << failed << " failed, " << lost << " lost, " << corrupt << " corrupt, " << late << " late\n";
  CHECK(failed == 0);
  CHECK(lost == 0);
  CHECK(corrupt == 0);
  CHECK(late == 0);
  CHECK(requests > static_cast<std::uint64_t>(count) * 21 / 20);
  CHECK(static_cast<std::uint64_t>(met) > requests / 6);
}

}  // namespace

// TENSORTAP_STORM=10000 makes it long.
TEST_CASE("a storm of faults loses no object", "[net][faults][radosgw]") {
  const char* const count = std::getenv("TENSORTAP_STORM");
  check_storm(count == nullptr ? 600 : std::stoi(count));
}
