// Requests to a server that answers by a script.
#include <tensortap/net/s3/internal/client.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/retry.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/internal/upload.hpp>
#include <tensortap/phase.hpp>

#include "catch.hpp"
#include "scripted.hpp"
#include "store/conformance.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;

namespace {

/// Puts an object and returns "" or the message of the error.
std::string put(S3Store& store, IfExists if_exists = IfExists::replace) {
  try {
    return store.put("key", "body", Sync::no, if_exists) ? "" : "it is there";
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("transient failures are retried with growing delays", "[net][client]") {
  Script script;
  script.then(503, "SlowDown")
      .then(500, "InternalError")
      .then_failure(HttpFailure::not_connected)
      .then_failure(HttpFailure::no_reply)
      .then_failure(HttpFailure::cut)
      .then_failure(HttpFailure::timed_out)
      .then(400, "RequestTimeout")
      .then(429, "ThrottlingException")
      .then(200);
  S3Store store("s3://bucket", options_for(script));
  CHECK(put(store) == "");
  CHECK(script.sent.size() == 9);
  CHECK(script.waits ==
        std::vector<std::chrono::nanoseconds>{50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms});
  for (const Sent& sent : script.sent) CHECK(sent.body == "body");
}

TEST_CASE("a sink of phases is told of each call, with its attempts and bytes, and without its key", "[net][client]") {
  struct Sink : PhaseSink {
    void add(const Phase& phase) noexcept override {
      CHECK(phase.begin <= phase.end);
      std::string text(phase.name);
      for (const PhaseNumber& number : phase.numbers)
        text.append(" ").append(number.name).append("=").append(std::to_string(number.value));
      told.push_back(std::move(text));
    }
    std::vector<std::string> told;
  };
  Script script;
  script.then(503, "SlowDown").then_failure(HttpFailure::timed_out).then(200);
  script.then(200, {{"content-length", "0"}}).then(403, {}, "<Error><Code>AccessDenied</Code></Error>");
  script.then(200).then_failure(HttpFailure::not_trusted);
  S3Options options = options_for(script);
  const auto sink = std::make_shared<Sink>();
  options.phases = sink;
  S3Store store("s3://bucket", options);
  CHECK(put(store) == "");
  CHECK(store.size("key") == 0);
  CHECK_THROWS_AS(store.list("prefix/"), Error);
  CHECK_THROWS_AS(store.remove("key"), Error);
  CHECK(script.sent.size() == 7);
  CHECK(sink->told == std::vector<std::string>{"S3 PutObject status=200 attempts=3 bytes_sent=4 bytes_received=0",
                                               "S3 HeadObject status=200 attempts=1 bytes_sent=0 bytes_received=0",
                                               "S3 ListObjectsV2 status=403 attempts=1 bytes_sent=0 bytes_received=40",
                                               "S3 HeadObject status=200 attempts=1 bytes_sent=0 bytes_received=0",
                                               "S3 DeleteObject status=0 attempts=1 bytes_sent=0 bytes_received=0"});
}

TEST_CASE("delays have a limit and are scaled by the jitter", "[net][client]") {
  S3Options options;
  CHECK(options.retry.attempts == 10);
  options.retry.attempts = 1000;
  Retries retries(options.retry);
  CHECK(retries.next(0.5) == 25ms);
  for (int attempt = 3; attempt < 1000; ++attempt) (void)retries.next(1);
  CHECK(retries.next(1) == 20s);
  CHECK_FALSE(retries.next(1).has_value());
  Retries without_delay(S3Options().retry);
  for (int attempt = 2; attempt <= 4; ++attempt) CHECK(without_delay.next(0) == 0ms);
}

TEST_CASE("the delay that a server asks for is respected", "[net][client]") {
  Script script;
  script.then(503, {{"retry-after", "3"}}).then(503, {{"x-amz-retry-after", "1500"}}).then(200);
  S3Store store("s3://bucket", options_for(script));
  CHECK(put(store) == "");
  CHECK(script.waits == std::vector<std::chrono::nanoseconds>{3s, 1500ms});
}

TEST_CASE("each attempt is signed again", "[net][client]") {
  Script script;
  script
      .then([&](const HttpRequest&) {
        script.now += 20min;
        return HttpReply{.status = 503};
      })
      .then(200);
  S3Store store("s3://bucket", options_for(script));
  CHECK(put(store) == "");
  REQUIRE(script.sent.size() == 2);
  CHECK(script.sent[0].headers.at("x-amz-date") == "20261126T000000Z");
  CHECK(script.sent[1].headers.at("x-amz-date") == "20261126T002000Z");
  CHECK(script.sent[0].headers.at("authorization") != script.sent[1].headers.at("authorization"));
}

TEST_CASE("permanent failures are not retried", "[net][client]") {
  for (const auto& [status, code] : std::vector<std::pair<int, std::string>>{{400, "InvalidRequest"},
                                                                             {403, "AccessDenied"},
                                                                             {404, "NoSuchBucket"},
                                                                             {405, "MethodNotAllowed"},
                                                                             {409, "BucketNotEmpty"},
                                                                             {501, "NotImplemented"}}) {
    CAPTURE(status, code);
    Script script;
    script.then(status, code);
    S3Store store("s3://bucket", options_for(script));
    const std::string message = put(store);
    CHECK_THAT(message, contains("s3: PUT s3://bucket/key: the server answers " + std::to_string(status) + " " + code));
    CHECK_THAT(message, contains("attempts: 1, request tx1"));
    CHECK(script.sent.size() == 1);
  }
  Script script;
  script.then_failure(HttpFailure::not_trusted, "its certificate is not trusted");
  S3Store store("s3://bucket", options_for(script));
  CHECK_THAT(put(store), contains("its certificate is not trusted"));
  CHECK(script.sent.size() == 1);
}

TEST_CASE("a server that asks for a long delay is asked for as long as the policy allows", "[net][client]") {
  Script script;
  S3Options options = options_for(script);
  SECTION("with the longest delay of the policy") {
    script.otherwise = [](const HttpRequest&) {
      return HttpReply{
          .status = 503, .headers = {{"retry-after", "100000"}}, .body = "<Error><Code>SlowDown</Code></Error>"};
    };
    options.deadline = 1h;
    options.retry.attempts = 3;
    S3Store store("s3://bucket", options);
    const std::string message = put(store);
    CHECK_THAT(message, contains("503 SlowDown (no attempt is left, the server asks for a delay of 100000 s"));
    CHECK_THAT(message, contains("try again later"));
  }
  SECTION("with its own delays, if the deadline is nearer") {
    options.deadline = 10s;
    script.then(503, {{"retry-after", "100000"}}).then(503, {{"retry-after", "3000"}}).then(200);
    S3Store store("s3://bucket", options);
    CHECK(put(store) == "");
    CHECK(script.waits == std::vector<std::chrono::nanoseconds>{50ms, 100ms});
  }
  SECTION("as a date") {
    script.then(503, {{"date", "Thu, 26 Nov 2026 01:00:00 GMT"}, {"retry-after", "Thu, 26 Nov 2026 01:00:07 GMT"}})
        .then(200);
    S3Store store("s3://bucket", options);
    CHECK(put(store) == "");
    CHECK(script.waits == std::vector<std::chrono::nanoseconds>{7s});
  }
  if (options.deadline == 1h) CHECK(script.waits == std::vector<std::chrono::nanoseconds>{20s, 20s});
}

TEST_CASE("attempts, deadline, budget and stop token end the retries", "[net][client]") {
  Script script;
  script.otherwise = [](const HttpRequest&) { return HttpReply{.status = 503}; };
  S3Options options = options_for(script);

  SECTION("attempts") {
    options.retry.attempts = 4;
    S3Store store("s3://bucket", options);
    CHECK_THAT(put(store), contains("no attempt is left, attempts: 4"));
    CHECK(script.sent.size() == 4);
  }
  SECTION("the deadline") {
    options.deadline = 300ms;
    S3Store store("s3://bucket", options);
    CHECK_THAT(put(store), contains("its deadline would pass"));
    CHECK(script.sent.size() == 4);  // 50, 100 and 200 ms are waited for, 400 are not
  }
  SECTION("the budget, which a success refills") {
    options.retry_budget = 12;
    S3Store store("s3://bucket", options);
    CHECK_THAT(put(store), contains("retry budget of the store is used up"));
    CHECK(script.sent.size() == 3);
    CHECK_THAT(put(store), contains("retry budget of the store is used up"));
    CHECK(script.sent.size() == 4);
    for (int i = 0; i < 8; ++i) script.then(200);
    for (int i = 0; i < 8; ++i) CHECK(put(store) == "");
    CHECK_THAT(put(store), contains("retry budget of the store is used up"));
    CHECK(script.sent.size() == 15);
  }
  SECTION("the stop token") {
    std::stop_source stop;
    options.stop = stop.get_token();
    options.sleep = [&](std::chrono::nanoseconds, const std::stop_token&) { stop.request_stop(); };
    S3Store store("s3://bucket", options);
    const std::string message = put(store);
    CHECK_THAT(message, contains("a stop was requested (attempts: 1)"));
    CHECK_THAT(message, !contains("can be reached"));
    CHECK(script.sent.size() == 1);
  }
}

TEST_CASE("a wrong clock is corrected by the server's", "[net][client]") {
  Script script;
  script.then(403, {{"date", "Thu, 26 Nov 2026 01:00:00 GMT"}}, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
      .then(200);
  S3Store store("s3://bucket", options_for(script));
  CHECK(put(store) == "");
  CHECK(put(store) == "");
  REQUIRE(script.sent.size() == 3);
  CHECK(script.waits.empty());
  CHECK(script.sent[1].headers.at("x-amz-date") == "20261126T010000Z");
  CHECK(script.sent[2].headers.at("x-amz-date") == "20261126T010000Z");
}

TEST_CASE("a wrong clock is corrected by a refusal without a code", "[net][client]") {
  Script script;
  const HttpHeaders an_hour_later{{"date", "Thu, 26 Nov 2026 01:00:00 GMT"}};
  SECTION("of HEAD, which has no body") {
    script.then(403, an_hour_later).then(403, an_hour_later).then(200, {{"content-length", "4"}});
    S3Store store("s3://bucket", options_for(script));
    CHECK(store.size("key") == 4);
    REQUIRE(script.sent.size() == 3);
    CHECK(script.sent[1].method == "GET");  // asks for the cause
    CHECK(script.sent[2].headers.at("x-amz-date") == "20261126T010000Z");
  }
  SECTION("with another code") {
    script.then(403, an_hour_later, "<Error><Code>AccessDenied</Code></Error>").then(200);
    S3Store store("s3://bucket", options_for(script));
    CHECK(put(store) == "");
  }
  SECTION("that does not end") {
    script.otherwise = [&](const HttpRequest&) { return HttpReply{.status = 403, .headers = an_hour_later}; };
    S3Store store("s3://bucket", options_for(script));
    CHECK_THAT(put(store), contains("the server answers 403"));
    CHECK(script.sent.size() == 2);
  }
  SECTION("of a request that was sent before another one corrected it") {
    std::unique_ptr<S3Store> store;
    script
        .then([&](const HttpRequest&) {
          CHECK(put(*store) == "");
          return HttpReply{.status = 403, .headers = an_hour_later};
        })
        .then(403, an_hour_later)
        .then(200)
        .then(200);
    store = std::make_unique<S3Store>("s3://bucket", options_for(script));
    CHECK(put(*store) == "");
  }
  SECTION("not by one that is dated as the request is") {
    script.then(403, {{"date", "Thu, 26 Nov 2026 00:00:20 GMT"}});
    S3Store store("s3://bucket", options_for(script));
    CHECK_THAT(put(store), contains("the server answers 403"));
    CHECK(script.sent.size() == 1);
  }
}

TEST_CASE("GET tells the cause of a refusal of HEAD", "[net][client]") {
  Script script;
  SECTION("to the reader") {
    script.then(403).then(403, {}, "<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>");
    S3Store store("s3://bucket", options_for(script));
    CHECK_THROWS_WITH(store.size("key"), contains("HEAD s3://bucket/key: the server answers 403 InvalidAccessKeyId"));
    REQUIRE(script.sent.size() == 2);
    CHECK(script.sent[1].headers.at("range") == "bytes=0-0");
  }
  SECTION("so that expired credentials are replaced") {
    script.then(400).then(400, "ExpiredToken").then(200, {{"content-length", "4"}});
    S3Store store("s3://bucket", options_for(script));
    CHECK(store.size("key") == 4);
  }
  SECTION("unless it succeeds") {
    script.then(403).then(206, {}, "b");
    S3Store store("s3://bucket", options_for(script));
    CHECK_THROWS_WITH(store.size("key"), contains("the server answers 403 ("));
  }
}

TEST_CASE("each refusal names its way out", "[net][client]") {
  for (const auto& [status, code, way_out] : std::vector<std::tuple<int, std::string, std::string>>{
           {400, "ExpiredToken", "the credentials have expired; get new ones"},
           {403, "AccessDenied", "check the credentials and their permissions"},
           {403, "RequestTimeTooSkewed", "set the clock of this machine"},
           {403, "QuotaExceeded", "raise the limit"},
           {301, "PermanentRedirect", "correct the region and the address of the server"},
           {503, "SlowDown", "try again later"}}) {
    CAPTURE(code);
    Script script;
    script.otherwise = [status = status, code = code](const HttpRequest&) {
      return HttpReply{.status = status, .body = "<Error><Code>" + code + "</Code></Error>"};
    };
    S3Store store("s3://bucket", options_for(script));
    CHECK_THAT(put(store), contains(way_out));
  }
  Script script;
  script.then_failure(HttpFailure::not_trusted).then_failure(HttpFailure::unreadable);
  S3Store store("s3://bucket", options_for(script));
  CHECK_THAT(put(store), contains("AWS_CA_BUNDLE"));
  CHECK_THAT(put(store), contains("send it again when no program changes it"));
  CHECK(script.sent.size() == 2);
}

TEST_CASE("a success that S3 does not send is a failure", "[net][client]") {
  Script script;
  script.is_s3 = false;
  script.otherwise = [](const HttpRequest& request) {
    HttpReply reply{.status = 200, .headers = {{"content-type", "text/html"}}, .body = "<html>log in</html>"};
    if (request.method == "HEAD") reply.body.clear();
    if (request.sink && request.sink(reply, bytes_of(reply.body))) reply.body.clear();
    return reply;
  };
  S3Options options = options_for(script);
  options.retry.attempts = 3;
  S3Store store("s3://bucket", options);
  const auto check = [&](const std::string& cause, const auto& call) {
    CAPTURE(cause);
    script.sent.clear();
    std::string message = "no error";
    try {
      call();
    } catch (const Error& e) {
      message = e.what();
    }
    CHECK_THAT(message, contains("the reply is not one of S3: " + cause) && contains("text/html") &&
                            contains("no attempt is left, attempts: 3") && contains("login page"));
    CHECK(script.sent.size() == 3);
  };
  check("it has no ETag", [&] { store.put("key", "body"); });
  check("it has no ETag", [&] { store.put("key", "body", Sync::yes, IfExists::keep); });
  check("its root is not", [&] { store.put("key", std::string(std::size_t{17} << 20, 'x')); });
  check("it has no ETag", [&] { (void)store.size("key"); });
  check("it has no ETag", [&] { (void)store.claim("key", "me"); });
  check("it has no ETag", [&] { (void)store.move("key", "other"); });
  check("it lacks the range, size or ETag", [&] { (void)store.get("key"); });
  check("its root is not", [&] { (void)store.list(""); });
  check("its root is not", [&] { store.remove_all(std::vector<std::string>{"key"}); });
  check("it is not the reply to a removal", [&] {
    auto [complete, endpoint] = detail::s3::complete(options);
    detail::s3::Client client("bucket", endpoint, complete);
    detail::s3::remove(client, "key");
  });

  script.replies.clear();
  script.then(200).then(200, {{"etag", "\"e\""}});
  CHECK(put(store) == "");
}

TEST_CASE("the parts of an upload and its end are believed only with an ETag", "[net][client]") {
  Script script;
  script.is_s3 = false;
  int bad_parts = 1, bad_ends = 1;
  script.otherwise = [&](const HttpRequest& request) {
    const std::string& query = request.url.query;
    if (query.starts_with("uploads"))
      return HttpReply{.status = 200,
                       .body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"};
    if (request.method == "PUT" && bad_parts-- > 0) return HttpReply{.status = 200, .body = "<html/>"};
    if (request.method == "PUT") return HttpReply{.status = 200, .headers = {{"etag", "\"p\""}}};
    if (bad_ends-- > 0) return HttpReply{.status = 200, .body = "<html/>"};
    return HttpReply{.status = 200,
                     .body = "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"};
  };
  S3Options options = options_for(script);
  options.part_connections = 1;
  options.part_size = std::uint64_t{5} << 20;
  S3Store store("s3://bucket", options);
  CHECK(store.put("key", std::string(std::size_t{81} << 20, 'x')));
  CHECK(script.sent.size() == 1 + 1 + 3 + 1 + 1);
}

TEST_CASE("a gateway's refusal says nothing about an object", "[net][client]") {
  Script script;
  S3Options options = options_for(script);
  options.retry.attempts = 2;
  S3Store store("s3://bucket", options);
  const HttpHeaders html{{"content-type", "text/html; charset=utf-8"}};
  SECTION("404 to GET") {
    script.then(404, html, "<html>Not Found</html>").then(404, "NoSuchKey");
    CHECK_FALSE(store.get("key"));
    CHECK(script.sent.size() == 2);
  }
  SECTION("404 to HEAD") {
    script.then(404, html).then(404, html);
    CHECK_THROWS_WITH(store.size("key"), contains("the reply is not one of S3"));
  }
  SECTION("412 to PUT") {
    script.then(412, html, "<html>").then(200);
    CHECK(put(store, IfExists::keep) == "");
  }
  SECTION("403 to PUT") {
    script.then(403, html, "<html>Blocked by policy</html>");
    CHECK_THAT(put(store), contains("the reply is not one of S3: it has no error code of S3 (status 403, text/html"));
  }
  SECTION("a redirect to a login page") {
    script.then(302, {{"location", "http://login/"}, {"content-type", "text/html"}}, "<html>");
    CHECK_THAT(put(store), contains("login page"));
  }
}

TEST_CASE("a part of another place or version is not taken", "[net][client]") {
  Script script;
  const HttpHeaders first{{"content-range", "bytes 0-3/4"}, {"etag", "\"0-2\""}};
  script.then([&](const HttpRequest& request) {
    HttpReply reply{.status = 206, .headers = first, .failure = HttpFailure::cut, .cause = "the body ended early"};
    (void)request.sink(reply, bytes_of("01"));
    return reply;
  });
  SECTION("another place") { script.then(206, {{"content-range", "bytes 0-1/4"}, {"etag", "\"0-2\""}}, "01"); }
  SECTION("another version") { script.then(206, {{"content-range", "bytes 2-3/4"}, {"etag", "\"0-3\""}}, "xx"); }
  SECTION("no place") { script.then(206, {{"etag", "\"0-2\""}}, "xx"); }
  script.then(206, {{"content-range", "bytes 2-3/4"}, {"etag", "\"0-2\""}}, "23");
  S3Store store("s3://bucket", options_for(script));
  CHECK(text_of(store.get("key", {0, 4}).value()) == "0123");
}

TEST_CASE("no message repeats a secret that a server echoes", "[net][client]") {
  const std::string key = "AKIAEXAMPLEEXAMPLE42", secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                    token = "FwoGZXIvYXdzEBYaDHqa0AP1/eXAMPLE+tOkEn==";
  Script script;
  S3Options options = options_for(script);
  options.credentials = [&] {
    return Credentials{.access_key_id = key, .secret_access_key = secret, .session_token = token};
  };
  const auto all_of = [&](const HttpRequest& request) {
    return request.headers.at("authorization") + " " + request.headers.at("x-amz-security-token") + " " + secret + " " +
           detail::lower_case(token) + " " + percent_encoded(token) + " " + token.substr(3, 20);
  };
  S3Store store("s3://bucket", options);
  std::string message;
  const auto call = [&](const auto& use) {
    try {
      use();
    } catch (const Error& e) {
      message = e.what();
    }
  };
  SECTION("in the message of an error") {
    script.then([&](const HttpRequest& request) {
      return HttpReply{.status = 403,
                       .headers = {{"x-amz-id-2", token}, {"x-amz-request-id", token}},
                       .body = "<Error><Code>Denied" + token + "</Code><Message>" + all_of(request) +
                               "</Message><RequestId>tx17 " + key + "</RequestId></Error>"};
    });
    message = put(store);
    CHECK_THAT(message, contains("tx17"));
  }
  SECTION("in a reply that is malformed") {
    script.otherwise = [&](const HttpRequest& request) {
      return HttpReply{.status = 200, .body = "<r" + request.headers.at("x-amz-security-token").substr(0, 30) + "/>"};
    };
    script.otherwise = [&](const HttpRequest&) {
      return HttpReply{.status = 200,
                       .body = "<ListBucketResult><Contents><Key>" + token + "</Key><Size>" + secret +
                               "</Size></Contents></ListBucketResult>"};
    };
    call([&] { (void)store.list(""); });
  }
  SECTION("in the reply to a removal") {
    script.then(200, {},
                "<DeleteResult><Error><Key>k</Key><Code>No</Code><Message>" + token + key +
                    "</Message></Error></DeleteResult>");
    call([&] { store.remove_all(std::vector<std::string>{"k"}); });
  }
  REQUIRE(!message.empty());
  CHECK_THAT(message, contains("(hidden)"));
  const std::string folded = detail::lower_case(message);
  for (const std::string& one : {key, secret, token, percent_encoded(token)})
    for (std::size_t at = 0; at + 12 <= one.size(); ++at)
      CHECK(folded.find(detail::lower_case(one.substr(at, 12))) == std::string::npos);
  CHECK_THAT(message, !contains("Signature=0") && !contains("Signature=a"));
  const std::string sent = script.sent.at(0).headers.at("authorization");
  CHECK(message.find(sent.substr(sent.size() - 64, 20)) == std::string::npos);
}

TEST_CASE("a server that never agrees with its own clock is not asked forever", "[net][client]") {
  Script script;
  script.otherwise = [](const HttpRequest&) {
    return HttpReply{.status = 403,
                     .headers = {{"date", "Thu, 26 Nov 2026 01:00:00 GMT"}},
                     .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>"};
  };
  S3Store store("s3://bucket", options_for(script));
  CHECK_THAT(put(store), contains("403 RequestTimeTooSkewed"));
  CHECK(script.sent.size() == 4);
}

TEST_CASE("a bucket in another region is found and its requests are signed for that region", "[net][client]") {
  Script script;
  SECTION("by a header field") { script.then(301, {{"x-amz-bucket-region", "eu-west-1"}}); }
  SECTION("by the text of the error") {
    script.then(400, {}, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>");
  }
  SECTION("with a redirect to a host") {
    script.then(307, {{"x-amz-bucket-region", "eu-west-1"}, {"location", "https://elsewhere.example.com/key"}});
  }
  S3Options options = options_for(script);
  options.endpoint_url.clear();
  S3Store store("s3://bucket", options);
  CHECK(put(store) == "");
  CHECK(put(store) == "");
  REQUIRE(script.sent.size() == 3);
  CHECK(script.sent[0].host == "bucket.s3.us-east-1.amazonaws.com");
  CHECK(script.sent[1].host == "bucket.s3.eu-west-1.amazonaws.com");
  CHECK(script.sent[2].host == "bucket.s3.eu-west-1.amazonaws.com");
  CHECK_THAT(script.sent[1].headers.at("authorization"), contains("/eu-west-1/s3/aws4_request"));
}

TEST_CASE("requests in progress when the region is found are sent there, too", "[net][client]") {
  Script script;
  S3Options options = options_for(script);
  options.endpoint_url.clear();
  std::unique_ptr<S3Store> store;
  script
      .then([&](const HttpRequest&) {  // meanwhile another one finds it
        CHECK(put(*store) == "");
        return HttpReply{.status = 301, .headers = {{"x-amz-bucket-region", "eu-west-1"}}};
      })
      .then(301, {{"x-amz-bucket-region", "eu-west-1"}})
      .then(200)
      .then(200);
  store = std::make_unique<S3Store>("s3://bucket", options);
  CHECK(put(*store) == "");
  CHECK(script.sent.size() == 4);
}

TEST_CASE("a redirect to another host is not followed", "[net][client]") {
  for (const std::string region : {"", "evil.example.com/x", "a/../b"}) {
    Script script;
    script.then(307, {{"location", "https://elsewhere.example.com/key"}, {"x-amz-bucket-region", region}});
    S3Store store("s3://bucket", options_for(script));
    CHECK_THAT(put(store), contains("the server answers 307"));
    CHECK(script.sent.size() == 1);
  }
}

TEST_CASE("expired credentials are replaced", "[net][client]") {
  Script script;
  script.then(400, "ExpiredToken").then(200);
  S3Options options = options_for(script);
  int asked = 0;
  options.credentials = [&] {
    return Credentials{
        .access_key_id = "KEY" + std::to_string(++asked), .secret_access_key = "s", .session_token = "t"};
  };
  S3Store store("s3://bucket", options);
  CHECK(put(store) == "");
  REQUIRE(script.sent.size() == 2);
  CHECK_THAT(script.sent[0].headers.at("authorization"), contains("Credential=KEY1/"));
  CHECK_THAT(script.sent[1].headers.at("authorization"), contains("Credential=KEY2/"));
  CHECK(script.sent[1].headers.at("x-amz-security-token") == "t");
}

TEST_CASE("an object that exists already may come from an attempt whose reply was lost", "[net][client]") {
  Script script;
  const auto head = [&](bool ours) {
    return [&script, ours](const HttpRequest&) {
      const std::string token = script.sent[0].headers.at("x-amz-meta-tensortap-put");
      return HttpReply{.status = 200, .headers = {{"x-amz-meta-tensortap-put", ours ? token : "another"}}};
    };
  };
  SECTION("it does") {
    script.then_failure(HttpFailure::no_reply).then(412, "PreconditionFailed").then(head(true));
    S3Store store("s3://bucket", options_for(script));
    CHECK(put(store, IfExists::keep) == "");
  }
  SECTION("it is another one") {
    script.then_failure(HttpFailure::no_reply).then(412, "PreconditionFailed").then(head(false));
    S3Store store("s3://bucket", options_for(script));
    CHECK(put(store, IfExists::keep) == "it is there");
  }
  SECTION("even at the first attempt, if something between repeated the request") {
    script.then(412, "PreconditionFailed").then(head(true));
    S3Store store("s3://bucket", options_for(script));
    CHECK(put(store, IfExists::keep) == "");
    CHECK(script.sent.size() == 2);
  }
  SECTION("another one at the first attempt") {
    script.then(412, "PreconditionFailed").then(head(false));
    S3Store store("s3://bucket", options_for(script));
    CHECK(put(store, IfExists::keep) == "it is there");
  }
  CHECK(script.sent[0].headers.at("if-none-match") == "*");
}

TEST_CASE("an upload that something between completed twice is complete", "[net][client]") {
  Script script;
  script.otherwise = [&](const HttpRequest& request) {
    const std::string& query = request.url.query;
    if (request.method == "POST" && query.starts_with("uploads"))
      return HttpReply{.status = 200,
                       .body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"};
    if (request.method == "HEAD" && query.empty() && script.sent.size() > 1)
      return HttpReply{
          .status = 200,
          .headers = {{"content-length", "11000000000"},
                      {"x-amz-meta-tensortap-put", script.sent[1].headers.at("x-amz-meta-tensortap-put")}}};
    if (request.method == "HEAD") return HttpReply{.status = 200, .headers = {{"content-length", "11000000000"}}};
    if (request.method == "PUT")
      return HttpReply{.status = 200, .body = "<CopyPartResult><ETag>p</ETag></CopyPartResult>"};
    if (request.method == "POST") return HttpReply{.status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>"};
    return HttpReply{.status = 204};
  };
  S3Store store("s3://bucket", options_for(script));
  CHECK(store.move("a", "b"));
  CHECK(script.sent.back().target == "/bucket/a");  // removed
}

TEST_CASE("the bytes of an object are compared with its checksum", "[net][client]") {
  const HttpHeaders fields{{"content-range", "bytes 0-3/4"}, {"etag", "\"841a2d689ad86bd1611447453c22c6fc\""}};
  const auto with_crc = [&](std::string crc) {
    HttpHeaders out = fields;
    out["x-amz-meta-tensortap-crc32c"] = std::move(crc);
    out["etag"] = "\"0-2\"";
    return out;
  };
  Script script;
  S3Store store("s3://bucket", options_for(script));
  SECTION("the server's MD5") {
    script.then(206, fields, "bodY").then(206, fields, "body");
    CHECK(conformance::text(store, "key") == "body");
    CHECK(script.sent.size() == 2);
  }
  SECTION("ours") {
    const Bytes body = bytes_of("body");
    const std::string crc = detail::s3::crc32c_text(std::span(&body, 1));
    script.then(206, with_crc("00000000"), "body").then(206, with_crc(crc), "body");
    CHECK(conformance::text(store, "key") == "body");
    CHECK(script.sent.size() == 2);
  }
  SECTION("several times") {
    for (int i = 0; i < 4; ++i) script.then(206, fields, "bodY");
    CHECK_THROWS_AS(store.get("key"), Error);
    CHECK(script.sent.size() == 4);
  }
  SECTION("the ETag of an object encrypted with a service key is ignored") {
    HttpHeaders encrypted = fields;
    encrypted["x-amz-server-side-encryption"] = "aws:kms";
    script.then(206, encrypted, "bodY");
    CHECK(conformance::text(store, "key") == "bodY");
  }
}

TEST_CASE("a body that was cut continues where it ended, in the same version", "[net][client]") {
  const HttpHeaders fields{{"content-range", "bytes 0-9/10"}, {"etag", "\"0-2\""}};
  Script script;
  script.then([&](const HttpRequest& request) {
    HttpReply reply{.status = 206, .headers = fields, .failure = HttpFailure::cut, .cause = "the body ended early"};
    (void)request.sink(reply, bytes_of("0123"));
    return reply;
  });
  S3Store store("s3://bucket", options_for(script));
  SECTION("the same version") {
    script.then(206, {{"content-range", "bytes 4-9/10"}, {"etag", "\"0-2\""}}, "456789");
    CHECK(conformance::text(store, "key") == "0123456789");
    CHECK(script.sent.at(1).headers.at("range").starts_with("bytes=4-"));
    CHECK(script.sent.at(1).headers.at("if-match") == "\"0-2\"");
  }
  SECTION("a replaced object is read from its start") {
    script.then(412, "PreconditionFailed").then(206, {{"content-range", "bytes 0-2/3"}, {"etag", "\"1-2\""}}, "new");
    CHECK(conformance::text(store, "key") == "new");
  }
}

TEST_CASE("a whole object is requested without a range and continued with one", "[net][client]") {
  Script script;
  const HttpHeaders fields{{"content-length", "10"}, {"etag", "\"0-2\""}};
  S3Store store("s3://bucket", options_for(script));
  SECTION("whole") {
    script.then(200, fields, "0123456789");
    CHECK(conformance::text(store, "key") == "0123456789");
    CHECK_FALSE(script.sent.at(0).headers.contains("range"));
  }
  SECTION("empty") {
    script.then(200, {{"content-length", "0"}, {"etag", "\"e\""}});
    CHECK(conformance::text(store, "key") == "");
  }
  SECTION("cut, then a server that ignores the range") {
    script.then([&](const HttpRequest& request) {
      HttpReply reply{.status = 200, .headers = fields, .failure = HttpFailure::cut, .cause = "the body ended early"};
      (void)request.sink(reply, bytes_of("0123"));
      return reply;
    });
    script.then(200, fields, "0123456789")
        .then(206, {{"content-range", "bytes 4-9/10"}, {"etag", "\"0-2\""}}, "456789");
    CHECK(conformance::text(store, "key") == "0123456789");
    CHECK(script.sent.at(1).headers.at("range").starts_with("bytes=4-"));
  }
  SECTION("a small range") {
    script.then(206, {{"content-range", "bytes 0-3/10"}, {"etag", "\"0-2\""}}, "0123");
    CHECK(text_of(store.get("key", {0, 4}).value()) == "0123");
    CHECK(script.sent.at(0).headers.at("range") == "bytes=0-3");
  }
  SECTION("no length") {
    script.otherwise = [](const HttpRequest& request) {
      HttpReply reply{.status = 200, .headers = {{"etag", "\"0-2\""}}};
      if (!request.sink(reply, bytes_of("01"))) reply.body = "01";
      return reply;
    };
    CHECK_THROWS_WITH(store.get("key"), contains("lacks the range, size or ETag of the object"));
  }
}

TEST_CASE("malformed replies are failures", "[net][client]") {
  Script script;
  S3Options options = options_for(script);
  options.retry.attempts = 2;
  S3Store store("s3://bucket", options);
  const auto message = [&](const auto& call) {
    try {
      call();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  SECTION("not XML") {
    script.then(200, {}, "<ListBucketResult><Cont").then(200, {}, "");
    CHECK_THAT(message([&] { (void)store.list(""); }), contains("it is not XML"));
    CHECK(script.sent.size() == 2);
  }
  SECTION("not XML at the first attempt") {
    script.then(200, {}, "<html>").then(200, {}, "<ListBucketResult></ListBucketResult>");
    CHECK(store.list("").empty());
  }
  SECTION("deeply nested XML") {
    std::string deep = "<ListBucketResult>";
    for (int i = 0; i < 100'000; ++i) deep += "<a>";
    script.then(200, {}, deep).then(200, {}, deep);
    CHECK_THAT(message([&] { (void)store.list(""); }), contains("nested too deeply"));
  }
  SECTION("entities are not expanded") {
    const std::string bomb =
        "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><ListBucketResult><Contents><Key>k&a;</Key><Size>1</Size></Contents>"
        "</ListBucketResult>";
    script.then(200, {}, bomb);
    const auto listed = store.list("");
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].key == "k&a;");
  }
  SECTION("a listing whose pages repeat") {
    script.otherwise = [](const HttpRequest&) {
      return HttpReply{.status = 200,
                       .body =
                           "<ListBucketResult><Contents><Key>k</Key><Size>1</Size></Contents><IsTruncated>true"
                           "</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>"};
    };
    CHECK_THAT(message([&] { (void)store.list(""); }), contains("repeat"));
    CHECK(script.sent.size() == 2);
  }
  SECTION("an endless listing of empty pages") {
    script.otherwise = [](const HttpRequest&) {
      return HttpReply{.status = 200,
                       .body =
                           "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                           "</NextContinuationToken></ListBucketResult>"};
    };
    CHECK_THAT(message([&] { (void)store.list(""); }), contains("repeat"));
  }
  SECTION("keys that no store accepts are skipped") {
    script.then(
        200, {},
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>..%2Fetc</Key><Size>1</Size></Contents>"
        "<Contents><Key>%2Fabs</Key><Size>1</Size></Contents><Contents><Key>a%2F%2Fb</Key><Size>1</Size>"
        "</Contents><Contents><Key>fine+name</Key><Size>1</Size></Contents></ListBucketResult>");
    CHECK(conformance::listing(store, "") == "fine name 1");
  }
  SECTION("200, but the copy failed") {
    script.then(200, {{"content-length", "1"}, {"etag", "\"e\""}})
        .then(200, {}, "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>")
        .then(200, {}, "<CopyObjectResult></CopyObjectResult>")
        .then(200, {{"content-length", "1"}, {"etag", "\"e\""}})
        .then(200, {}, "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>")
        .then(204);
    CHECK_THROWS_WITH(store.move("a", "b"), contains("it has no ETag"));
    CHECK(store.move("a", "b"));
    CHECK(script.sent.size() == 6);
  }
  SECTION("a reply without a size") {
    CHECK_THAT(message([&] { (void)store.size("a"); }), contains("has no size of the object"));
  }
}

TEST_CASE("large objects are sent in parts, which are dropped if one fails for good", "[net][client]") {
  Script script;
  std::size_t parts = 0;
  script.otherwise = [&](const HttpRequest& request) {
    const std::string& query = request.url.query;
    if (request.method == "POST" && query.starts_with("uploads"))
      return HttpReply{
          .status = 200,
          .body = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>"};
    if (request.method == "PUT" && query.starts_with("partNumber=3&")) return HttpReply{.status = 403};
    if (request.method == "PUT") ++parts;
    return HttpReply{.status = request.method == "DELETE" ? 204 : 200, .headers = {{"etag", "\"e\""}}};
  };
  S3Options options = options_for(script);
  options.part_size = std::uint64_t{5} << 20;
  options.part_connections = 1;
  S3Store store("s3://bucket", options);
  CHECK_THROWS_AS(store.put("key", std::string(std::size_t{100} << 20, 'x')), Error);
  CHECK(parts == 2);
  CHECK(script.sent.back().method == "DELETE");
  CHECK(script.sent.back().target == "/bucket/key?uploadId=u%2F1");
}

TEST_CASE("an upload whose final reply was lost is complete", "[net][client]") {
  Script script;
  int completes = 0;
  script.otherwise = [&](const HttpRequest& request) {
    const std::string& query = request.url.query;
    if (request.method == "POST" && query.starts_with("uploads"))
      return HttpReply{.status = 200,
                       .body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"};
    if (request.method == "HEAD")
      return HttpReply{
          .status = 200,
          .headers = {{"x-amz-meta-tensortap-put", script.sent[0].headers.at("x-amz-meta-tensortap-put")}}};
    if (request.method == "POST" && ++completes == 1)
      return HttpReply{.failure = HttpFailure::no_reply, .cause = "lost"};
    if (request.method == "POST") return HttpReply{.status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>"};
    return HttpReply{.status = 200, .headers = {{"etag", "\"e\""}}};
  };
  S3Store store("s3://bucket", options_for(script));
  CHECK(store.put("key", std::string(std::size_t{17} << 20, 'x')));
  CHECK(completes == 2);
}

TEST_CASE("parts grow with the object so that there are at most 10,000", "[net][client]") {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  CHECK(detail::s3::part_size_for(100 * mebibyte, 8 * mebibyte) == 8 * mebibyte);
  CHECK(detail::s3::part_size_for(80'000 * mebibyte, 8 * mebibyte) == 8 * mebibyte);
  CHECK(detail::s3::part_size_for(80'001 * mebibyte, 8 * mebibyte) == 9 * mebibyte);
  CHECK(detail::s3::part_size_for(5 * 1024 * 1024 * mebibyte, 8 * mebibyte) == 525 * mebibyte);
}

TEST_CASE("invalid options are refused", "[net][client]") {
  Script script;
  const auto refused = [&](const auto& change) {
    S3Options options = options_for(script);
    change(options);
    CHECK_THROWS_AS(S3Store("s3://bucket", options), Error);
  };
  refused([](S3Options& options) { options.part_size = 1000; });
  refused([](S3Options& options) { options.connections = 0; });
  refused([](S3Options& options) { options.retry.attempts = 0; });
  refused([](S3Options& options) { options.endpoint_url = "127.0.0.1:80"; });
  refused([](S3Options& options) { options.endpoint_url = "http://host/?a=b"; });
  refused([](S3Options& options) { options.claim_wait = -1s; });
  for (const char* region : {"us east", "us-east-1 ", "-x", "evil.example.com/", "\xc3\xa9"})
    refused([&](S3Options& options) { options.region = region; });
  for (const std::string address : {"s3://", "s3://ab", "s3:///key", "s3://bad bucket/", "s3://bucket/../x",
                                    "s3://a..b/", "s3://bucket//x", "http://bucket"}) {
    CAPTURE(address);
    CHECK_THROWS_AS(S3Store(address, options_for(script)), Error);
  }
}
