#include <tensortap/net/aws/internal/providers.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

constexpr const char* roles = "/latest/meta-data/iam/security-credentials/";

/// The metadata service of a machine with a role, at `base`.
struct Machine {
  std::string base = "http://169.254.169.254";
  int tokens = 0;
  int refused = 0;  // so many of the first requests with a token are answered by 401

  HttpReply operator()(const FakeWorld::Request& request) {
    if (request.method == "PUT") {
      CHECK(request.url == base + "/latest/api/token");
      CHECK(request.headers.at("x-aws-ec2-metadata-token-ttl-seconds") == "21600");
      return replied(200, "HIDDEN" + std::to_string(++tokens));
    }
    CHECK(request.method == "GET");
    if (refused-- > 0) return replied(401);
    CHECK(request.headers.at("x-aws-ec2-metadata-token") == "HIDDEN" + std::to_string(tokens));
    if (request.url == base + roles) return replied(200, "my role\n");
    CHECK(request.url == base + roles + "my%20role");
    return replied(200, R"({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ID", "SecretAccessKey": "KEY",
                        "Token": "TOKEN", "Expiration": "2026-01-31T12:00:00Z"})");
  }
};

}  // namespace

TEST_CASE("a machine's metadata service returns the credentials of its role", "[net][instance_credentials]") {
  FakeWorld world;
  world.answer = Machine{};
  const auto answer = instance_credentials(world.options());
  check_found(answer, "ID", "KEY", "TOKEN", "instance");
  CHECK(answer.credentials->expires == time_of_iso8601("2026-01-31T12:00:00Z"));
  REQUIRE(world.requests.size() == 3);
  for (const auto& request : world.requests) CHECK(request.left <= std::chrono::seconds(1));
}

TEST_CASE("the endpoint of the metadata service is configurable, with or without a slash",
          "[net][instance_credentials]") {
  for (const std::string slash : {"", "/", "//"}) {
    FakeWorld world;
    world.answer = Machine{.base = "http://127.0.0.1:1338/mock"};
    world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1338/mock" + slash;
    check_found(instance_credentials(world.options()), "ID", "KEY", "TOKEN", "instance");
  }
  FakeWorld world;
  world.answer = Machine{.base = "http://[fd00:ec2::254]"};
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6";
  check_found(instance_credentials(world.options()), "ID", "KEY", "TOKEN", "instance");
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv5";
  check_failed(instance_credentials(world.options()), "neither IPv4 nor IPv6");
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "ipv4";
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "HIDDEN";
  check_failed(instance_credentials(world.options()), "is not a URL");
}

TEST_CASE("the metadata service can be disabled", "[net][instance_credentials]") {
  FakeWorld world;
  world.answer = Machine{};
  world.variables["AWS_EC2_METADATA_DISABLED"] = "True";
  check_none(instance_credentials(world.options()), "AWS_EC2_METADATA_DISABLED is true");
  CHECK(world.requests.empty());
  world.variables["AWS_EC2_METADATA_DISABLED"] = "false";
  CHECK(instance_credentials(world.options()).credentials.has_value());
  CredentialsOptions options = world.options();
  options.transport = {};
  check_none(instance_credentials(options), "no HTTP transport");
}

TEST_CASE("a refused session token of the metadata service is replaced once", "[net][instance_credentials]") {
  for (const int refused : {1, 2}) {
    FakeWorld world;
    world.answer = Machine{.refused = refused};
    const auto answer = instance_credentials(world.options());
    CHECK(answer.credentials.has_value() == (refused == 1));
    if (refused == 2) check_failed(answer, "answered with status 401");
  }
}

TEST_CASE("a machine without a role has no credentials, and a malformed reply is a failure",
          "[net][instance_credentials]") {
  FakeWorld world;
  check_none(instance_credentials(world.options()), "http://169.254.169.254 did not answer (no server)");
  CHECK(world.requests.size() == 2);
  Machine machine;
  const auto replaced = [&](const std::string& url_end, HttpReply reply) {
    world.answer = [&machine, url_end, reply](const FakeWorld::Request& request) {
      return request.url.ends_with(url_end) ? reply : machine(request);
    };
    return instance_credentials(world.options());
  };
  check_none(replaced("/token", replied(403)), "answered with status 403");
  check_none(replaced("/token", replied(200)), "malformed session token");
  check_none(replaced("/token", replied(200, "HIDDEN\r\nx: y")), "malformed session token");
  check_none(replaced("security-credentials/", replied(404)), "this machine has no role");
  check_failed(replaced("security-credentials/", replied(500)), "answered with status 500");
  check_failed(replaced("security-credentials/", replied(200, "\n")), "has no name");
  check_failed(replaced("my%20role", replied(404)), "answered with status 404");
  check_failed(replaced("my%20role", replied(200, R"({"Code": "Failed", "Token": "HIDDEN"})")), "\"Failed\"");
}
