#include <tensortap/rules/run_command.hpp>

#include <chrono>
#include <string>

#include "catch.hpp"
#include "golden.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

const tt::Finding finding{.rule = "r", .tensor = "$(touch here) `x` \"a\"", .step = {tt::Mode::train, 1, 1}};

}  // namespace

TEST_CASE("a command gets the finding on its standard input, as JSON", "[rules][action]") {
  const TemporaryDirectory directory;
  const std::string path = (directory / "got").string();
  tt::RunCommand{{"tee", path}}(finding);
  CHECK(golden::read_file(path) == tt::to_json(finding) + "\n");
  tt::RunCommand{{"true"}}(finding);  // does not read it
}

TEST_CASE("a command that fails, hangs or does not exist is an error", "[rules][action]") {
  CHECK_THROWS_WITH((tt::RunCommand{{"sh", "-c", "exit 3"}}(finding)), contains("it ended with code 3"));
  CHECK_THROWS_WITH((tt::RunCommand{{"sh", "-c", "kill -9 $$"}}(finding)), contains("by signal 9"));
  CHECK_THROWS_WITH((tt::RunCommand{{"/no/such/program"}}(finding)), contains("No such file"));
  CHECK_THROWS_WITH((tt::RunCommand{{}}(finding)), contains("names no program"));
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH((tt::RunCommand{{"sh", "-c", "sleep 60 & wait"}, 100ms}(finding)), contains("took too long"));
  CHECK(std::chrono::steady_clock::now() - begin < 20s);
}
