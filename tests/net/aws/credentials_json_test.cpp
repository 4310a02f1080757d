#include <tensortap/net/aws/internal/providers.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using detail::credentials_of_json;

TEST_CASE("credentials in the JSON of a program are parsed", "[net][credentials_json]") {
  const auto answer = credentials_of_json(
      R"({"Version": 1, "AccessKeyId": "ID", "SecretAccessKey": "KEY", "SessionToken": "TOKEN",
          "Expiration": "2026-01-31T12:00:00Z", "AccountId": "1"})",
      "here", true);
  check_found(answer, "ID", "KEY", "TOKEN", "here");
  CHECK(answer.credentials->expires == time_of_iso8601("2026-01-31T12:00:00Z"));
}

TEST_CASE("credentials in the JSON of a metadata service are parsed", "[net][credentials_json]") {
  const auto answer = credentials_of_json(
      R"({"Code": "Success", "AccessKeyId": "ID", "SecretAccessKey": "KEY", "Token": "TOKEN", "SessionToken": "other"})",
      "here", false);
  check_found(answer, "ID", "KEY", "TOKEN", "here");
  CHECK_FALSE(answer.credentials->expires.has_value());
}

TEST_CASE("malformed JSON of credentials is refused and not repeated", "[net][credentials_json]") {
  const auto refused = [](const std::string& text, const std::string& cause, bool needs_version = false) {
    CAPTURE(text.substr(0, 100));
    check_failed(credentials_of_json(text, "here", needs_version), cause);
  };
  refused("", "not a JSON object");
  refused("HIDDEN", "not a JSON object");
  refused(R"(["HIDDEN"])", "not a JSON object");
  refused(R"({"AccessKeyId": "HIDDEN)", "not a JSON object");
  refused(std::string(100'000, '['), "nested too deeply");
  refused("\"" + std::string(100'000, 'x') + "\"", "too long");
  refused(R"({"AccessKeyId": "ID", "SecretAccessKey": "HIDDEN"})", "Version is not 1", true);
  refused(R"({"Version": "1", "AccessKeyId": "ID", "SecretAccessKey": "HIDDEN"})", "Version is not 1", true);
  refused(R"({"Version": 2, "AccessKeyId": "ID", "SecretAccessKey": "HIDDEN"})", "Version is not 1", true);
  refused(R"({"SecretAccessKey": "HIDDEN"})", "no access key");
  refused(R"({"AccessKeyId": 7, "SecretAccessKey": "HIDDEN"})", "no access key");
  refused(R"({"AccessKeyId": "ID", "SecretAccessKey": ["HIDDEN"]})", "no secret access key");
  refused(R"({"AccessKeyId": "ID", "SecretAccessKey": "HIDDEN\r\n"})", "the secret access key has white space");
  refused(R"({"AccessKeyId": "ID", "SecretAccessKey": "HIDDEN", "Token": "HIDDEN x"})", "the session token has");
  refused(R"({"AccessKeyId": "ID", "SecretAccessKey": "HIDDEN", "Expiration": "HIDDEN"})", "Expiration is not a time");
  refused(R"({"Code": "AssumeRoleUnauthorized\u001b", "AccessKeyId": "HIDDEN"})", R"("AssumeRoleUnauthorized\x1b")");
}
