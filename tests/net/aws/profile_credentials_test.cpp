#include <tensortap/net/aws/internal/profile_credentials.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

constexpr const char* role_xml =
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId>"
    "<SecretAccessKey>KEY</SecretAccessKey><SessionToken>TOKEN</SessionToken><Expiration>2026-01-31T12:00:00Z</"
    "Expiration>"
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>";

detail::ProviderResult of(FakeWorld& world, const std::string& config, const std::string& profile = "") {
  CAPTURE(config);
  (void)world.file(".aws/config", config);
  CredentialsOptions options = world.options();
  options.profile = profile;
  return profile_credentials(options);
}

}  // namespace

TEST_CASE("a profile with keys has credentials", "[net][profile_credentials]") {
  FakeWorld world;
  check_none(profile_credentials(world.options()),
             "no such profile in \"" + world.directory.path().string() + "/.aws/config\" (no such file)");
  (void)world.file(".aws/credentials",
                   "[default]\naws_access_key_id = ID\naws_secret_access_key = KEY\n"
                   "[b]\naws_access_key_id = ID2\naws_secret_access_key = KEY2\naws_session_token = TOKEN2\n");
  check_found(profile_credentials(world.options()), "ID", "KEY", "", "profile default");
  world.variables["AWS_PROFILE"] = "b";
  check_found(profile_credentials(world.options()), "ID2", "KEY2", "TOKEN2", "profile b");
  check_found(of(world, "", "default"), "ID", "KEY", "", "profile default");
  check_failed(of(world, "", "no\nsuch"), "no such profile in");
  // The credentials file wins over the other.
  check_found(of(world,
                 "[default]\naws_access_key_id = X\naws_secret_access_key = Y\n[profile c]\naws_access_key_id = "
                 "ID3\naws_secret_access_key = KEY3\n",
                 "default"),
              "ID", "KEY", "", "profile default");
  check_found(of(world, "[profile c]\naws_access_key_id = ID3\naws_secret_access_key = KEY3\n", "c"), "ID3", "KEY3", "",
              "profile c");
}

TEST_CASE("a profile without credentials has none, and one with half of them fails", "[net][profile_credentials]") {
  FakeWorld world;
  check_none(of(world, "[default]\nregion = eu-west-1\n"), "it has no credentials");
  check_none(of(world, "[profile a]\nregion = eu-west-1\n", "a"), "it has no credentials");
  check_failed(of(world, "[default]\naws_access_key_id = ID\n"), "no aws_secret_access_key");
  check_failed(of(world, "[default]\naws_access_key_id = ID\naws_secret_access_key = HIDDEN x\n"), "white space");
  check_failed(of(world, "[default]\nsso_session = s\nsso_account_id = 1\n"), "SSO, which is not supported");
}

TEST_CASE("a profile's credential_process is run", "[net][profile_credentials]") {
  FakeWorld world;
  check_found(of(world,
                 "[default]\ncredential_process = printf '{\"Version\": 1, \"AccessKeyId\": \"%s\", "
                 "\"SecretAccessKey\": \"KEY\"}' ID\n"),
              "ID", "KEY", "", "profile default");
  check_failed(of(world, "[default]\ncredential_process = false HIDDEN\n"),
               "credential_process \"false\" ended with status 1");
}

TEST_CASE("a profile's role is assumed with the credentials of its source profile", "[net][profile_credentials]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request&) { return replied(200, role_xml); };
  const std::string base = "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = HIDDEN\n";
  check_found(of(world,
                 base + "[profile r]\nrole_arn = arn\nsource_profile = base\nrole_session_name = me\nexternal_id = "
                        "x\nregion = eu-west-1\n",
                 "r"),
              "ROLE", "KEY", "TOKEN", "profile r");
  CHECK_THAT(world.requests.back().headers.at("authorization"), contains("Credential=BASE/"));
  CHECK(world.requests.back().url == "https://sts.eu-west-1.amazonaws.com/");
  CHECK_THAT(world.requests.back().body, contains("&RoleArn=arn&RoleSessionName=me&ExternalId=x"));

  // A role whose source is another role.
  check_found(
      of(world,
         base +
             "[profile r]\nrole_arn = arn\nsource_profile = s\n[profile s]\nrole_arn = arn2\nsource_profile = base\n",
         "r"),
      "ROLE", "KEY", "TOKEN", "profile r");
  CHECK_THAT(world.requests.back().headers.at("authorization"), contains("Credential=ROLE/"));
  // A role whose source is the keys beside it.
  check_found(
      of(world,
         "[profile r]\nrole_arn = arn\nsource_profile = r\naws_access_key_id = SELF\naws_secret_access_key = HIDDEN\n",
         "r"),
      "ROLE", "KEY", "TOKEN", "profile r");
  CHECK_THAT(world.requests.back().headers.at("authorization"), contains("Credential=SELF/"));
}

TEST_CASE("a profile's role is assumed with the credentials of its credential_source", "[net][profile_credentials]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request& request) {
    if (request.url.starts_with("http://169.254.170.2/"))
      return replied(200, R"({"AccessKeyId": "TASK", "SecretAccessKey": "HIDDEN"})");
    if (request.url.ends_with("/token")) return replied(200, "HIDDEN");
    if (request.url.ends_with("/security-credentials/")) return replied(200, "name");
    if (request.url.ends_with("/name"))
      return replied(200, R"({"AccessKeyId": "MACHINE", "SecretAccessKey": "HIDDEN"})");
    return replied(200, role_xml);
  };
  world.variables["AWS_ACCESS_KEY_ID"] = "ENV";
  world.variables["AWS_SECRET_ACCESS_KEY"] = "HIDDEN";
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x";
  for (const auto& [kind, id] :
       {std::pair("Environment", "ENV"), {"EcsContainer", "TASK"}, {"Ec2InstanceMetadata", "MACHINE"}}) {
    check_found(of(world, std::string("[default]\nrole_arn = arn\ncredential_source = ") + kind + "\n"), "ROLE", "KEY",
                "TOKEN", "profile default");
    CHECK_THAT(world.requests.back().headers.at("authorization"), contains(std::string("Credential=") + id + "/"));
  }
}

TEST_CASE("a profile's role is assumed with an identity token", "[net][profile_credentials]") {
  FakeWorld world;
  world.answer = [](const FakeWorld::Request&) {
    std::string xml = role_xml;
    for (const std::string name : {"AssumeRoleResponse", "AssumeRoleResult"})
      for (std::size_t at = xml.find(name); at != std::string::npos; at = xml.find(name, at + 30))
        xml.insert(at + 10, "WithWebIdentity");
    return replied(200, xml);
  };
  check_found(of(world, "[default]\nrole_arn = arn\nweb_identity_token_file = " + world.file("token", "T") + "\n"),
              "ROLE", "KEY", "TOKEN", "profile default");
  CHECK(world.requests.back().body.ends_with("&WebIdentityToken=T"));
}

TEST_CASE("a profile's role that cannot be assumed is a failure with a cause", "[net][profile_credentials]") {
  FakeWorld world;
  check_failed(of(world, "[default]\nrole_arn = arn\n"), "needs either source_profile or credential_source");
  check_failed(of(world, "[default]\nrole_arn = arn\nsource_profile = b\ncredential_source = Environment\n"),
               "needs either");
  check_failed(of(world, "[default]\nrole_arn = arn\ncredential_source = Moon\n"), "no credential_source \"Moon\"");
  check_failed(of(world, "[default]\nrole_arn = arn\ncredential_source = Environment\n"),
               "credential_source Environment: AWS_ACCESS_KEY_ID is not set");
  check_failed(of(world, "[default]\nrole_arn = arn\nsource_profile = b\n"), "source_profile b: no such profile");
  check_failed(of(world, "[default]\nrole_arn = arn\nsource_profile = default\n"),
               "source_profile default: it has no credentials");
  check_failed(of(world, "[default]\nrole_arn = arn\nmfa_serial = x\nsource_profile = b\n"), "mfa_serial");
  check_failed(
      of(world, "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\nsource_profile = default\n"),
      "too many roles");
  CHECK(world.requests.empty());
}
