#include <tensortap/net/aws/internal/sts.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

std::string reply_xml(const std::string& action, const std::string& expires = "2026-01-31T12:00:00Z") {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result><Credentials><AccessKeyId>ID</AccessKeyId><SecretAccessKey>KEY</SecretAccessKey>"
         "<SessionToken>TOKEN==</SessionToken><Expiration>" +
         expires + "</Expiration></Credentials></" + action + "Result></" + action + "Response>";
}

const Credentials signer{.access_key_id = "SIGNER", .secret_access_key = "HIDDEN", .session_token = "HIDDEN"};
const detail::AssumedRole role{.arn = "arn:aws:iam::1:role/r"};

detail::ProviderResult assumed(FakeWorld& world, const detail::AssumedRole& of = role) {
  return detail::assumed_role(world.options(), detail::profile_files(world.options()), "default", of, signer, "here");
}

}  // namespace

TEST_CASE("STS gets a signed request for a role", "[net][sts]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request&) { return replied(200, reply_xml("AssumeRole")); };
  const auto answer = assumed(world, {.arn = "arn:aws:iam::1:role/r", .external_id = "a b", .duration_seconds = "900"});
  check_found(answer, "ID", "KEY", "TOKEN==", "here");
  CHECK(answer.credentials->expires == time_of_iso8601("2026-01-31T12:00:00Z"));
  REQUIRE(world.requests.size() == 1);
  const auto& request = world.requests[0];
  CHECK(request.method == "POST");
  CHECK(request.url == "https://sts.amazonaws.com/");
  CHECK(request.body ==
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
        "&RoleSessionName=tensortap-1767268800&ExternalId=a%20b&DurationSeconds=900");
  CHECK(request.headers.at("content-type") == "application/x-www-form-urlencoded");
  CHECK(request.headers.at("x-amz-security-token") == "HIDDEN");
  CHECK_THAT(request.headers.at("authorization"), contains("Credential=SIGNER/20260101/us-east-1/sts/aws4_request"));
  CHECK(request.left <= std::chrono::seconds(10));
}

TEST_CASE("the endpoint of STS comes from the region, the environment or the profile", "[net][sts]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request&) { return replied(200, reply_xml("AssumeRole")); };
  const auto asked = [&] {
    CHECK(assumed(world).credentials.has_value());
    return world.requests.back().url;
  };
  (void)world.file(".aws/config", "[default]\nregion = eu-west-1\n");
  CHECK(asked() == "https://sts.eu-west-1.amazonaws.com/");
  CHECK_THAT(world.requests.back().headers.at("authorization"), contains("/eu-west-1/sts/"));
  world.variables["AWS_DEFAULT_REGION"] = "cn-north-1";
  CHECK(asked() == "https://sts.cn-north-1.amazonaws.com.cn/");
  world.variables["AWS_REGION"] = "us-west-2";
  CHECK(asked() == "https://sts.us-west-2.amazonaws.com/");
  (void)world.file(".aws/config", "[default]\nservices = s\n[services s]\nsts =\n  endpoint_url = https://sts.here\n");
  CHECK(asked() == "https://sts.here/");
  world.variables["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:7480";
  CHECK(asked() == "http://127.0.0.1:7480/");
}

TEST_CASE("STS is not asked over an unsafe connection", "[net][sts]") {
  FakeWorld world;
  world.variables["AWS_REGION"] = "x.evil.com/";
  check_failed(assumed(world), "the region \"x.evil.com/\" is malformed");
  world.variables["AWS_REGION"] = "us-east-1";
  world.variables["AWS_ENDPOINT_URL_STS"] = "http://sts.example.com";
  check_failed(assumed(world), "http:// to \"sts.example.com\" is not safe");
  world.variables["AWS_ENDPOINT_URL_STS"] = "https://user:HIDDEN@sts.example.com";
  check_failed(assumed(world), "is not a URL");
  CHECK(world.requests.empty());
}

TEST_CASE("a refusal of STS is reported by its code alone", "[net][sts]") {
  FakeWorld world;
  const auto refused = [&](int status, const std::string& body, const std::string& cause) {
    CAPTURE(body.substr(0, 200));
    world.answer = [&](const FakeWorld::Request&) { return replied(status, body); };
    check_failed(assumed(world), cause);
  };
  refused(403,
          "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>HIDDEN</Message></Error></"
          "ErrorResponse>",
          "https://sts.amazonaws.com answered with status 403 (AccessDenied)");
  refused(403, "<ErrorResponse><Error><Code>HIDDEN or not</Code></Error></ErrorResponse>", "answered with status 403");
  refused(400, "HIDDEN", "answered with status 400");
  refused(200, "HIDDEN", "has no credentials");
  refused(200, "", "has no credentials");
  refused(200, reply_xml("AssumeRoleWithSAML"), "has no credentials");
  refused(200, "<AssumeRoleResponse><AssumeRoleResult><Credentials>", "has no credentials");
  refused(200, reply_xml("AssumeRole", "HIDDEN"), "is not a time");
  std::string deep;
  for (int i = 0; i < 16'000; ++i) deep += "<a>";
  refused(200, deep, "has no credentials");
  std::string empty = reply_xml("AssumeRole");
  empty.replace(empty.find(">KEY<"), 5, "><");
  refused(200, empty, "no secret access key");
}

TEST_CASE("a wrong clock is corrected by the reply of STS", "[net][sts]") {
  FakeWorld world;
  world.answer = [&](const FakeWorld::Request&) {
    if (world.requests.size() > 1) return replied(200, reply_xml("AssumeRole"));
    tensortap::HttpReply reply =
        replied(403, "<ErrorResponse><Error><Code>RequestExpired</Code></Error></ErrorResponse>");
    reply.headers["date"] = "Thu, 01 Jan 2026 15:00:00 GMT";
    return reply;
  };
  check_found(assumed(world), "ID", "KEY", "TOKEN==", "here");
  REQUIRE(world.requests.size() == 2);
  CHECK(world.requests[0].headers.at("x-amz-date") == "20260101T120000Z");
  CHECK(world.requests[1].headers.at("x-amz-date") == "20260101T150000Z");
}

TEST_CASE("an identity token is read each time and sent unsigned", "[net][sts]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request&) { return replied(200, reply_xml("AssumeRoleWithWebIdentity")); };
  const auto asked = [&](const std::string& token) {
    return detail::assumed_role_with_token(world.options(), {}, "default", role, world.file("token", token), "here");
  };
  check_found(asked("first+/="), "ID", "KEY", "TOKEN==", "here");
  CHECK_THAT(world.requests.back().body,
             contains("Action=AssumeRoleWithWebIdentity&") && contains("&WebIdentityToken=first%2B%2F%3D"));
  CHECK(world.requests.back().headers.count("authorization") == 0);
  (void)asked("second\n");
  CHECK(world.requests.back().body.ends_with("&WebIdentityToken=second"));
  check_failed(asked(" \n"), "is empty");
  check_failed(asked(std::string(100'000, 'x')), "it is longer than");
  check_failed(detail::assumed_role_with_token(world.options(), {}, "default", role, "/no/such/file", "here"),
               "No such file");
}
