#include <tensortap/net/aws/internal/profile_file.hpp>

#include <string>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

detail::ProfileFiles read(const std::string& text, bool has_credentials = false) {
  detail::ProfileFiles files;
  detail::read_profiles(text, has_credentials, files);
  return files;
}

}  // namespace

TEST_CASE("profiles are read as AWS's tools read them", "[net][profile_file]") {
  const auto files = read(
      "\xef\xbb\xbf# a comment\r\n"
      "stray = 1\r\n"
      "[default]\r\n"
      "Region = eu-west-1   # where\r\n"
      "; another\n"
      "\n"
      "[profile \"my name\"]\n"
      "region=us-east-1\n"
      "note = a#b;c=d\n"
      "services = local\n"
      "s3 =\n"
      "  max_concurrent_requests = 20\n"
      "  addressing_style = path\n"
      "output = json\n"
      "[ services   local ]\n"
      "s3 =\n"
      "  endpoint_url = http://127.0.0.1:7480\n"
      "sts =\n"
      "\tendpoint_url = http://127.0.0.1:7481\n"
      "[other]\n"
      "region = nowhere\n"
      "[broken\n"
      "region = nowhere\n");
  CHECK(files.value("profile default", "region") == "eu-west-1");
  CHECK(files.value("profile my name", "region") == "us-east-1");
  CHECK(files.value("profile my name", "note") == "a#b;c=d");
  CHECK(files.value("profile my name", "s3.max_concurrent_requests") == "20");
  CHECK(files.value("profile my name", "s3.addressing_style") == "path");
  CHECK(files.value("profile my name", "output") == "json");
  CHECK(files.value("services local", "s3.endpoint_url") == "http://127.0.0.1:7480");
  CHECK(files.value("services local", "sts.endpoint_url") == "http://127.0.0.1:7481");
  CHECK(files.value("profile other", "region") == "");
  CHECK(files.value("profile default", "stray") == "");
  CHECK(detail::endpoint_url_of(files, "my name", "s3") == "http://127.0.0.1:7480");
}

TEST_CASE("the credentials file names profiles without the word profile", "[net][profile_file]") {
  const auto files = read("[a]\n  aws_access_key_id = x\n  aws_secret_access_key = y\n[ b ]\nregion = z", true);
  CHECK(files.value("profile a", "aws_access_key_id") == "x");
  CHECK(files.value("profile a", "aws_secret_access_key") == "y");
  CHECK(files.value("profile b", "region") == "z");
}

TEST_CASE("malformed lines in profile files are ignored", "[net][profile_file]") {
  for (const std::string text :
       {"", "[", "[]", "]", "=", "[a]\n=\n = x\n  y = z", "[a]\n\tx\n\ty\nz", "[profile]\nx = y",
        "[a]\nx = y\n  going on\n  x = z\n", "\n\n[a\n]", "[profile \"]\nx=y", "[a]\nx= #\n y=1"}) {
    CAPTURE(text);
    (void)read(text);
    (void)read(text, true);
    (void)read(std::string(3, '\0') + text);
  }
  CHECK(read("[default]\nx = y\n  going on\n").value("profile default", "x") == "y\ngoing on");
}

TEST_CASE("region and endpoint come from the requested profile", "[net][profile_file]") {
  FakeWorld world;
  CHECK_FALSE(profile_region(world.options()).has_value());
  CHECK(configured_endpoint_url(world.options(), "s3").empty());
  (void)world.file(".aws/config",
                   "[default]\nregion = one\nendpoint_url = http://all\n"
                   "[profile b]\nregion = two\nservices = s\nendpoint_url = http://all\n[services s]\ns3 =\n "
                   "endpoint_url = http://s3\n");
  (void)world.file(".aws/credentials", "[b]\nregion = three\n");
  CHECK(profile_region(world.options()) == "one");
  CHECK(configured_endpoint_url(world.options(), "s3") == "http://all");
  world.variables["AWS_PROFILE"] = "b";
  CHECK(profile_region(world.options()) == "three");
  CHECK(configured_endpoint_url(world.options(), "s3") == "http://s3");
  CHECK(configured_endpoint_url(world.options(), "sts") == "http://all");
  world.variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  CHECK(configured_endpoint_url(world.options(), "s3").empty());
  CredentialsOptions options = world.options();
  options.profile = "default";
  CHECK(profile_region(options) == "one");
  world.variables["AWS_CONFIG_FILE"] = world.file("elsewhere", "[default]\nregion = four\n");
  CHECK(profile_region(options) == "four");
  world.variables["AWS_CONFIG_FILE"] = "~/elsewhere";
  CHECK(profile_region(options) == "four");
}

TEST_CASE("profile files that cannot be read count as empty and are named", "[net][profile_file]") {
  FakeWorld world;
  world.variables["AWS_CONFIG_FILE"] = world.directory.path().string();
  world.variables["AWS_SHARED_CREDENTIALS_FILE"] = world.file("large", std::string((1 << 20) + 1, '\n'));
  const auto files = detail::profile_files(world.options());
  CHECK(files.sections.empty());
  CHECK_THAT(files.where, contains("it is not a regular file") && contains("it is longer than 1048576 bytes"));
  world.variables["AWS_CONFIG_FILE"] = world.file("f", "") + "/below";
  CHECK_THAT(detail::profile_files(world.options()).where, contains("no such file"));
}
