#include <tensortap/net/aws/internal/sts.hpp>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("the credentials of a web identity", "[net][web_identity_credentials]") {
  FakeWorld world;
  check_none(web_identity_credentials(world.options()), "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  world.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = world.file("token", "HIDDEN");
  check_failed(web_identity_credentials(world.options()), "AWS_ROLE_ARN is not");
  world.variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  check_failed(web_identity_credentials(world.options()), "https://sts.amazonaws.com did not answer (no server)");
  CHECK(world.requests.size() == 2);
  world.answer = [](const FakeWorld::Request&) {
    return replied(200,
                   "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
                   "<SessionToken>TOKEN</SessionToken><SecretAccessKey>KEY</SecretAccessKey>"
                   "<Expiration>2026-01-31T12:00:00Z</Expiration><AccessKeyId>ID</AccessKeyId></Credentials>"
                   "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>");
  };
  world.variables["AWS_ROLE_SESSION_NAME"] = "me@home";
  check_found(web_identity_credentials(world.options()), "ID", "KEY", "TOKEN", "web identity");
  CHECK_THAT(world.requests.back().body,
             contains("&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=me%40home&WebIdentityToken=HIDDEN"));
  CredentialsOptions options = world.options();
  options.transport = {};
  check_failed(web_identity_credentials(options), "no HTTP transport");
}
