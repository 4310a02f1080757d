// Requests to a server that answers by a script.
#include <tensortap/net/s3/internal/client.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <tensortap/internal/retry.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
#include <tensortap/net/s3/internal/lease.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/internal/upload.hpp>

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
    CHECK_THAT(put(store), contains("a stop was requested"));
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
  SECTION("not at the first attempt") {
    script.then(412, "PreconditionFailed");
    S3Store store("s3://bucket", options_for(script));
    CHECK(put(store, IfExists::keep) == "it is there");
    CHECK(script.sent.size() == 1);
  }
  CHECK(script.sent[0].headers.at("if-none-match") == "*");
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
        .then(204);
    CHECK(store.move("a", "b"));
    CHECK(script.sent.size() == 4);
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

TEST_CASE("a server that requires ETags without quotes gets them", "[net][client]") {
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
  for (const std::string address : {"s3://", "s3://ab", "s3:///key", "s3://bad bucket/", "s3://bucket/../x",
                                    "s3://a..b/", "s3://bucket//x", "http://bucket"}) {
    CAPTURE(address);
    CHECK_THROWS_AS(S3Store(address, options_for(script)), Error);
  }
}

TEST_CASE("a bucket is addressed in the style of its server", "[net][client]") {
  S3Endpoint aws{.region = "eu-central-1"};
  CHECK(aws.of("bucket", "a b/c+d").authority() == "bucket.s3.eu-central-1.amazonaws.com");
  CHECK(aws.of("bucket", "a b/c+d").path == "/a%20b/c%2Bd");
  CHECK(aws.of("with.dots", "k").authority() == "s3.eu-central-1.amazonaws.com");
  CHECK(aws.of("with.dots", "k").path == "/with.dots/k");
  CHECK(S3Endpoint{.region = "cn-north-1"}.of("bucket", "").host == "bucket.s3.cn-north-1.amazonaws.com.cn");
  const S3Endpoint own{.url = parse_url("http://[::1]:9000/s3/"), .region = "r", .path_style = true};
  CHECK(own.of("bucket", "k").authority() == "[::1]:9000");
  CHECK(own.of("bucket", "k").path == "/s3/bucket/k");
}
