#include <tensortap/net/aws/internal/providers.hpp>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("the environment's variables are credentials", "[net][environment_credentials]") {
  FakeWorld world;
  check_none(environment_credentials(world.options()), "AWS_ACCESS_KEY_ID is not set");
  world.variables["AWS_SECRET_ACCESS_KEY"] = "HIDDEN";
  check_none(environment_credentials(world.options()), "AWS_ACCESS_KEY_ID is not set");
  world.variables["AWS_ACCESS_KEY_ID"] = "ID";
  check_found(environment_credentials(world.options()), "ID", "HIDDEN", "", "environment");
  world.variables["AWS_SESSION_TOKEN"] = "TOKEN";
  check_found(environment_credentials(world.options()), "ID", "HIDDEN", "TOKEN", "environment");
}

TEST_CASE("half of the environment's variables is a failure", "[net][environment_credentials]") {
  FakeWorld world;
  world.variables["AWS_ACCESS_KEY_ID"] = "ID";
  check_failed(environment_credentials(world.options()), "AWS_SECRET_ACCESS_KEY is not");
  world.variables["AWS_SECRET_ACCESS_KEY"] = "HIDDEN\n";
  check_failed(environment_credentials(world.options()), "white space");
}

TEST_CASE("the default environment is that of the process", "[net][environment_credentials]") {
  ::setenv("AWS_ACCESS_KEY_ID", "ID", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "KEY", 1);
  check_found(environment_credentials({}), "ID", "KEY", "", "environment");
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  check_none(environment_credentials({}), "AWS_ACCESS_KEY_ID is not set");
}
