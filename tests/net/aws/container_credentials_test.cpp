#include <tensortap/net/aws/internal/providers.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

HttpReply good(const FakeWorld::Request&) {
  return replied(200, R"({"AccessKeyId": "ID", "SecretAccessKey": "KEY", "Token": "TOKEN", "RoleArn": "arn",
                      "Expiration": "2026-01-31T12:00:00Z"})");
}

}  // namespace

TEST_CASE("a container on ECS gets the credentials of its task", "[net][container_credentials]") {
  FakeWorld world;
  world.answer = good;
  check_none(container_credentials(world.options()), "are not set");
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/x?y=z";
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://elsewhere/";
  const auto answer = container_credentials(world.options());
  check_found(answer, "ID", "KEY", "TOKEN", "container");
  CHECK(answer.credentials->expires == time_of_iso8601("2026-01-31T12:00:00Z"));
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0].url == "http://169.254.170.2/v2/credentials/x?y=z");
  CHECK(world.requests[0].headers.count("authorization") == 0);
  CHECK(world.requests[0].left <= std::chrono::seconds(1));
}

TEST_CASE("container credentials over http come only from this machine, ECS or EKS", "[net][container_credentials]") {
  for (const std::string host : {"localhost", "127.0.0.1:8080", "127.1.2.3", "[::1]:9", "169.254.170.2",
                                 "169.254.170.23", "[fd00:ec2::23]", "[fd00:0ec2:0:0:0:0:0:23]"}) {
    CAPTURE(host);
    FakeWorld world;
    world.answer = good;
    world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + host + "/creds";
    check_found(container_credentials(world.options()), "ID", "KEY", "TOKEN", "container");
  }
  for (const std::string host :
       {"example.com", "169.254.170.3", "169.254.169.254", "127.evil.com", "127.0.0.1.evil.com", "10.0.0.1",
        "[fd00:ec2::254]", "[::ffff:10.0.0.1]", "localhost.evil.com", "128.0.0.1", "2130706433"}) {
    CAPTURE(host);
    FakeWorld world;
    world.answer = good;
    world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + host + "/HIDDEN";
    check_failed(container_credentials(world.options()), "is not safe; use https://");
    CHECK(world.requests.empty());
    world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "https://" + host + "/HIDDEN";
    check_found(container_credentials(world.options()), "ID", "KEY", "TOKEN", "container");
  }
}

TEST_CASE("a malformed URL of container credentials is refused and not repeated", "[net][container_credentials]") {
  FakeWorld world;
  world.answer = good;
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "ftp://HIDDEN";
  check_failed(container_credentials(world.options()), "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL");
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "https://user:HIDDEN@host/";
  check_failed(container_credentials(world.options()), "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL");
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@example.com/HIDDEN";
  check_failed(container_credentials(world.options()), "does not begin with '/'");
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/HIDDEN\r\nx: y";
  check_failed(container_credentials(world.options()), "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a URL");
  CHECK(world.requests.empty());
}

TEST_CASE("a container's authorization token is sent and its file is read each time", "[net][container_credentials]") {
  FakeWorld world;
  world.answer = good;
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.23/v1/credentials";
  world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Basic abc";
  (void)container_credentials(world.options());
  CHECK(world.requests.back().headers.at("authorization") == "Basic abc");

  world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = world.file("token", "first");
  (void)container_credentials(world.options());
  CHECK(world.requests.back().headers.at("authorization") == "first");
  (void)world.file("token", "second\n");
  (void)container_credentials(world.options());
  CHECK(world.requests.back().headers.at("authorization") == "second");
}

TEST_CASE("an authorization token that would end its header field is refused", "[net][container_credentials]") {
  FakeWorld world;
  world.answer = good;
  world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.23/v1/credentials";
  for (const std::string token : {"HIDDEN\r\nx-evil: 1", "HIDDEN\nx", "\nHIDDEN\n\n", "HIDDEN\x7f"}) {
    world.variables.erase("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token;
    check_failed(container_credentials(world.options()), "line ends or control characters");
    world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = world.file("token", token);
    check_failed(container_credentials(world.options()), "line ends or control characters");
  }
  world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "HIDDEN\n";
  world.variables.erase("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  check_failed(container_credentials(world.options()), "line ends or control characters");
  world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/no/such/file";
  check_failed(container_credentials(world.options()), "No such file");
  CHECK(world.requests.empty());
}

TEST_CASE("a request to a container's service is repeated once if that may help", "[net][container_credentials]") {
  FakeWorld world;
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/HIDDEN";
  const auto attempts = [&](HttpReply reply, const std::string& cause) {
    world.requests.clear();
    world.answer = [&](const FakeWorld::Request&) { return reply; };
    check_failed(container_credentials(world.options()), cause);
    return world.requests.size();
  };
  CHECK(attempts(broken(HttpFailure::timed_out, "no byte moved"),
                 "http://169.254.170.2 did not answer (no byte moved)") == 2);
  CHECK(attempts(replied(500, "HIDDEN"), "http://169.254.170.2 answered with status 500") == 2);
  CHECK(attempts(replied(429), "answered with status 429") == 2);
  CHECK(attempts(replied(403, "HIDDEN"), "answered with status 403") == 1);
  CHECK(attempts(replied(302), "answered with status 302") == 1);
  CHECK(attempts(replied(200, "HIDDEN"), "not a JSON object") == 1);
  CHECK(attempts(broken(HttpFailure::cut, "cut"), "did not answer (cut)") == 2);

  CredentialsOptions options = world.options();
  options.transport = {};
  check_failed(container_credentials(options), "no HTTP transport");
}
