#include <tensortap/net/s3/internal/objects.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#include "buckets.hpp"
#include "catch.hpp"
#include "scripted.hpp"
#include "store/conformance.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("an object too large for one copy request is copied in parts with its metadata",
          "[net][multipart][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const std::string bucket = make_bucket(server);
  auto [options, endpoint] = detail::s3::complete(options_for(server));
  detail::s3::Client client(bucket, endpoint, options);
  S3Store store("s3://" + bucket, options_for(server));
  const std::string noise = conformance::noise((std::size_t{12} << 20) + 345);
  store.put("from +ü", noise);
  CHECK(detail::s3::copy(client, "from +ü", "to", std::uint64_t{5} << 20));
  CHECK(conformance::text(store, "to") == noise);
  CHECK(conformance::text(store, "from +ü") == noise);
  const auto from = detail::s3::head(client, "from +ü");
  const auto to = detail::s3::head(client, "to");
  REQUIRE((from && to));
  CHECK(to->header(detail::s3::crc32c_field) == from->header(detail::s3::crc32c_field));
  CHECK(to->header("etag").ends_with("-3\""));
  CHECK_FALSE(detail::s3::copy(client, "nothing", "to", 1));
  CHECK(detail::s3::list_uploads(client, "").empty());
}

TEST_CASE("an object larger than 5 GiB is moved in parts and stays if a part fails", "[net][multipart]") {
  constexpr std::uint64_t size = (std::uint64_t{5} << 30) + 1;
  Script script;
  bool fails = false;
  script.otherwise = [&](const HttpRequest& request) {
    const std::string& query = request.url.query;
    if (request.method == "HEAD")
      return HttpReply{.status = 200,
                       .headers = {{"content-length", std::to_string(size)},
                                   {"etag", "\"v1\""},
                                   {"content-type", "a/b"},
                                   {"x-amz-meta-mine", "1"}}};
    if (query.starts_with("uploads"))
      return HttpReply{.status = 200,
                       .body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"};
    if (fails && query.starts_with("partNumber=2")) return HttpReply{.status = 412};
    if (request.method == "PUT")
      return HttpReply{.status = 200, .body = "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>"};
    if (request.method == "POST")
      return HttpReply{.status = 200,
                       .body = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"};
    return HttpReply{.status = request.method == "DELETE" ? 204 : 200};
  };
  S3Options options = options_for(script);
  options.part_connections = 1;
  S3Store store("s3://bucket", options);
  fails = GENERATE(false, true);
  CAPTURE(fails);
  if (fails)
    CHECK_THROWS_AS(store.move("a", "b"), Error);
  else
    CHECK(store.move("a", "b"));
  const auto& sent = script.sent;
  REQUIRE(sent.size() == (fails ? 5 : 6));
  CHECK(sent[1].headers.at("x-amz-meta-mine") == "1");
  CHECK(sent[1].headers.at("content-type") == "a/b");
  CHECK(sent[2].headers.at("x-amz-copy-source") == "/bucket/a");
  CHECK(sent[2].headers.at("x-amz-copy-source-if-match") == "\"v1\"");
  CHECK(sent[2].headers.at("x-amz-copy-source-range") == "bytes=0-5368709119");
  CHECK(sent[3].headers.at("x-amz-copy-source-range") == "bytes=5368709120-5368709120");
  CHECK(sent.back().method == "DELETE");
  CHECK(sent.back().target == (fails ? "/bucket/b?uploadId=u" : "/bucket/a"));
}
