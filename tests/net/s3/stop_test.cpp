#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <tensortap/net.hpp>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

/// Answers as S3 does to a multipart upload, and lets `before` look at each request first.
tt::S3Options options_with(const std::function<void(const tt::HttpRequest&)>& before) {
  tt::S3Options options{.region = "us-east-1", .part_size = 5 << 20};
  options.credentials = [] { return tt::Credentials{.access_key_id = "AKIDEXAMPLE", .secret_access_key = "secret"}; };
  options.transport = [before](const tt::HttpRequest& request) -> tt::HttpReply {
    before(request);
    if (request.stop.stop_requested()) return {.failure = tt::HttpFailure::stopped, .cause = "stopped"};
    if (request.method == "POST")
      return {.status = 200,
              .body =
                  "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>42</UploadId>"
                  "</InitiateMultipartUploadResult>"};
    if (request.method == "GET")
      return {.status = 200,
              .body =
                  "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>runs/k</Key>"
                  "<UploadId>42</UploadId><Initiated>2026-11-29T01:02:03.000Z</Initiated></Upload>"
                  "</ListMultipartUploadsResult>"};
    return {.status = request.method == "DELETE" ? 204 : 200, .headers = {{"etag", "\"1\""}}};
  };
  return options;
}

}  // namespace

TEST_CASE("an upload that is stopped is dropped on the server", "[net][s3_store]") {
  std::stop_source stop;
  std::mutex mutex;
  std::vector<std::string> dropped;
  tt::S3Options options = options_with([&](const tt::HttpRequest& request) {
    const std::lock_guard lock(mutex);
    if (request.method == "PUT") stop.request_stop();
    if (request.method == "DELETE") dropped.push_back(request.url.query);
  });
  options.stop = stop.get_token();
  tt::S3Store store("s3://bucket/runs", options);
  CHECK_THROWS_WITH(store.put("k", std::string(std::size_t{20} << 20, 'x')), contains("a stop was requested"));
  REQUIRE(dropped.size() == 1);
  CHECK_THAT(dropped[0], contains("uploadId=42"));
}

TEST_CASE("unfinished uploads are listed with their time, and dropped", "[net][s3_store]") {
  std::vector<std::string> requests;
  tt::S3Store store("s3://bucket/runs", options_with([&](const tt::HttpRequest& request) {
                      requests.push_back(request.method + " " + request.url.path + "?" + request.url.query);
                    }));
  const auto uploads = store.uploads("");
  REQUIRE(uploads.size() == 1);
  CHECK(uploads[0].key == "k");
  CHECK(uploads[0].id == "42");
  CHECK(uploads[0].begun.time_since_epoch().count() == 1795914123);
  store.drop(uploads[0]);
  REQUIRE(requests.size() == 2);
  CHECK_THAT(requests[0], contains("uploads") && contains("prefix=runs"));
  CHECK_THAT(requests[1], contains("DELETE ") && contains("runs/k?") && contains("uploadId=42"));
}
