#include <tensortap/net/s3/internal/endpoint.hpp>

#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "scripted.hpp"
#include "store/temporary_directory.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("a bucket is addressed in the style of its server", "[net][endpoint]") {
  S3Endpoint aws{.region = "eu-central-1"};
  CHECK(aws.of("bucket", "a b/c+d").authority() == "bucket.s3.eu-central-1.amazonaws.com");
  CHECK(aws.of("bucket", "a b/c+d").path == "/a%20b/c%2Bd");
  CHECK(aws.of("with.dots", "k").authority() == "s3.eu-central-1.amazonaws.com");
  CHECK(aws.of("with.dots", "k").path == "/with.dots/k");
  CHECK(S3Endpoint{.region = "cn-north-1"}.of("bucket", "").host == "bucket.s3.cn-north-1.amazonaws.com.cn");
  const S3Endpoint own{.url = parse_url("http://[::1]:9000/s3/"), .region = "r", .path_style = true};
  CHECK(own.of("bucket", "k").authority() == "[::1]:9000");
  CHECK(own.of("bucket", "k").path == "/s3/bucket/k");
  CHECK(own.of("bucket", "").target() == "/s3/bucket");  // as the AWS clients sign and send it
  CHECK(own.of("bucket", "").path != own.of("bucket", "/").path);
  CHECK(aws.of("bucket", "").path == "/");
  CHECK(aws.of("with.dots", "").path == "/with.dots");
}

TEST_CASE("the name of a bucket has 3 to 63 characters", "[net][endpoint]") {
  CHECK(parse_s3_address("s3://abc").bucket == "abc");
  CHECK(parse_s3_address("s3://" + std::string(63, 'a') + "/x").prefix == "x");
  for (const std::string& bucket : {std::string("ab"), std::string("a"), std::string(64, 'a')})
    CHECK_THROWS_WITH(parse_s3_address("s3://" + bucket), contains("with 3 to 63 letters, digits"));
}

TEST_CASE("configured endpoints are ignored as botocore ignores them", "[net][endpoint]") {
  const TemporaryDirectory directory;
  const auto endpoint = [&](const std::string& profile, std::map<std::string, std::string> variables,
                            std::string option = {}) {
    const std::string config = (directory / "config").string();
    std::ofstream(config) << profile;
    variables["AWS_CONFIG_FILE"] = config;
    variables["AWS_SHARED_CREDENTIALS_FILE"] = "/no/such/file";
    Script script;
    S3Options options = options_for(script);
    options.endpoint_url = std::move(option);
    options.environment = [&](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    return detail::s3::complete(options).first.endpoint_url;
  };
  const std::string profile = "[default]\nendpoint_url = http://profile\n";
  const std::string ignoring = profile + "ignore_configured_endpoint_urls = true\n";
  const std::pair<const std::string, std::string> url{"AWS_ENDPOINT_URL", "http://variable"};
  const auto ignore = [](const char* value) {
    return std::pair<const std::string, std::string>{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", value};
  };
  CHECK(endpoint(profile, {}) == "http://profile");
  CHECK(endpoint(profile, {url}) == "http://variable");
  CHECK(endpoint(profile, {url, {"AWS_ENDPOINT_URL_S3", "http://s3"}}) == "http://s3");
  for (const char* value : {"true", "True", "TRUE"}) {
    CHECK(endpoint(profile, {ignore(value)}).empty());
    CHECK(endpoint(profile, {ignore(value), url, {"AWS_ENDPOINT_URL_S3", "http://s3"}}).empty());
    CHECK(endpoint(profile, {ignore(value), url}, "http://option") == "http://option");
  }
  for (const char* value : {"false", "1", "yes"}) CHECK(endpoint(profile, {ignore(value), url}) == "http://variable");
  CHECK(endpoint(ignoring, {}).empty());
  CHECK(endpoint(ignoring, {url}).empty());
  CHECK(endpoint(ignoring, {ignore("false"), url}) == "http://variable");
  CHECK(endpoint("[default]\nignore_configured_endpoint_urls = True\n", {url}).empty());
}
