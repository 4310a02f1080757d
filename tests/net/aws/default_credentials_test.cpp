#include <tensortap/net/aws/default_credentials.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

std::string refusal(const CredentialsOptions& options) {
  try {
    (void)find_credentials(options);
  } catch (const Error& e) {
    CHECK_THAT(e.what(), !contains(secret));
    return e.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("without credentials the error has the cause of each provider", "[net][default_credentials]") {
  FakeWorld world;
  const std::string home = world.directory.path().string();
  CHECK(
      refusal(world.options()) ==
      "credentials: none found: environment: AWS_ACCESS_KEY_ID is not set; profile default: no such profile in \"" +
          home + "/.aws/config\" (no such file), \"" + home +
          "/.aws/credentials\" (no such file); web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; container: "
          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set; instance: http://169.254.169.254 did not "
          "answer (no server); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile");
}

TEST_CASE("the providers are asked in AWS's order", "[net][default_credentials]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request& request) {
    if (request.url.starts_with("http://169.254.170.2/"))
      return replied(200, R"({"AccessKeyId": "TASK", "SecretAccessKey": "KEY"})");
    if (request.url.ends_with("/token")) return replied(200, "HIDDEN");
    if (request.url.ends_with("/security-credentials/")) return replied(200, "name");
    if (request.url.ends_with("/name")) return replied(200, R"({"AccessKeyId": "MACHINE", "SecretAccessKey": "KEY"})");
    return replied(200,
                   "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>WEB"
                   "</AccessKeyId><SecretAccessKey>KEY</SecretAccessKey><Expiration>2026-01-31T12:00:00Z</Expiration>"
                   "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>");
  };
  const auto id = [&](const CredentialsOptions& options) { return default_credentials(options)().access_key_id; };
  CHECK(id(world.options()) == "MACHINE");
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x";
  CHECK(id(world.options()) == "TASK");
  world.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = world.file("token", "HIDDEN");
  world.variables["AWS_ROLE_ARN"] = "arn";
  CHECK(id(world.options()) == "WEB");
  (void)world.file(".aws/credentials",
                   "[default]\naws_access_key_id = PROFILE\naws_secret_access_key = KEY\n"
                   "[b]\naws_access_key_id = B\naws_secret_access_key = KEY\n");
  CHECK(id(world.options()) == "PROFILE");
  world.variables["AWS_ACCESS_KEY_ID"] = "ENV";
  world.variables["AWS_SECRET_ACCESS_KEY"] = "KEY";
  world.variables["AWS_PROFILE"] = "b";
  CHECK(id(world.options()) == "ENV");
  CredentialsOptions options = world.options();
  options.profile = "b";  // named in the program: before the environment
  CHECK(id(options) == "B");
  options.given = Credentials{.access_key_id = "GIVEN", .secret_access_key = "KEY"};
  CHECK(id(options) == "GIVEN");
  options.given->secret_access_key.clear();
  CHECK_THAT(refusal(options), contains("credentials: given: no secret access key"));
}

TEST_CASE("a configured provider that fails ends the search", "[net][default_credentials]") {
  FakeWorld world;
  (void)world.file(".aws/credentials", "[default]\naws_access_key_id = PROFILE\naws_secret_access_key = KEY\n");
  world.variables["AWS_ACCESS_KEY_ID"] = "ENV";
  CHECK_THAT(refusal(world.options()),
             contains("environment: AWS_ACCESS_KEY_ID is set, but") && !contains("profile default"));
  world.variables.erase("AWS_ACCESS_KEY_ID");
  world.variables["AWS_PROFILE"] = "b";
  CHECK_THAT(refusal(world.options()), contains("profile b: no such profile") && !contains("web identity"));
  world.variables.erase("AWS_PROFILE");
  (void)world.file(".aws/credentials", "");
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x";
  CHECK_THAT(refusal(world.options()),
             contains("container: http://169.254.170.2 did not answer") && !contains("instance"));
}

TEST_CASE("the chain needs no transport for local credentials", "[net][default_credentials]") {
  FakeWorld world;
  CredentialsOptions options = world.options();
  options.transport = {};
  CHECK_THAT(refusal(options), contains("instance: no HTTP transport was given"));
  world.variables["AWS_ACCESS_KEY_ID"] = "ENV";
  world.variables["AWS_SECRET_ACCESS_KEY"] = "KEY";
  CHECK(find_credentials(options).source == "environment");
}
