#include <tensortap/net/aws/internal/profile_credentials.hpp>

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "net/s3/fake_world.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using Words = std::vector<std::string>;

namespace {

/// Runs a shell script of these lines with `arguments`.
detail::ProviderResult run(FakeWorld& world, const std::string& lines, const std::string& arguments = "",
                           std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
  const std::string path = world.file("a program", "#!/bin/sh\n" + lines + "\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  CredentialsOptions options = world.options();
  options.process_timeout = timeout;
  return detail::process_credentials(options, "\"" + path + "\" " + arguments, "here");
}

constexpr const char* credentials = R"({"Version": 1, "AccessKeyId": "ID", "SecretAccessKey": "KEY"})";

}  // namespace

TEST_CASE("a command is split into words without a shell", "[net][credential_process]") {
  CHECK(detail::command_words("") == Words());
  CHECK(detail::command_words(" a\tbc  d ") == Words{"a", "bc", "d"});
  CHECK(detail::command_words(R"("/a b/c" --x="d e" "")") == Words{"/a b/c", "--x=d e", ""});
  CHECK(detail::command_words(R"('a "b" \' "c 'd' \" \\ \e" f\ g)") == Words{R"(a "b" \)", R"(c 'd' " \ \e)", "f g"});
  CHECK(detail::command_words("a; $(b) | c > d & `e` ~ *") ==
        Words{"a;", "$(b)", "|", "c", ">", "d", "&", "`e`", "~", "*"});
  CHECK_FALSE(detail::command_words("a \"b").has_value());
  CHECK_FALSE(detail::command_words("a 'b").has_value());
  CHECK_FALSE(detail::command_words("a\\").has_value());
}

TEST_CASE("the output of a credential_process is parsed", "[net][credential_process]") {
  FakeWorld world;
  check_found(run(world, std::string("echo '") + credentials + "'"), "ID", "KEY", "", "here");
  // Arguments arrive unchanged, without expansion; the input is empty.
  const std::string lines = R"(read line && exit 7
printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "%s"}' "$1" "$2" "$#")";
  check_found(run(world, lines, R"($HOME "a;b>c")"), "$HOME", "a;b>c", "2", "here");
}

TEST_CASE("a credential_process is found by PATH", "[net][credential_process]") {
  FakeWorld world;
  check_failed(detail::process_credentials(world.options(), "sh -c 'exit 5'", "here"),
               "credential_process \"sh\" ended with status 5");
}

TEST_CASE("a credential_process that fails is reported by its name alone", "[net][credential_process]") {
  FakeWorld world;
  check_failed(run(world, "exit 3", "HIDDEN"), "ended with status 3");
  check_failed(run(world, std::string("echo '") + credentials + "'; exit 1", "HIDDEN"), "ended with status 1");
  check_failed(run(world, "kill -9 $$", "HIDDEN"), "was ended by signal 9");
  check_failed(run(world, "echo HIDDEN", "HIDDEN"), "not a JSON object");
  check_failed(run(world, "true", "HIDDEN"), "not a JSON object");
  check_failed(run(world, "while :; do echo HIDDENHIDDENHIDDENHIDDENHIDDENHIDDENHIDDENHIDDEN; done"), "wrote too much");
  check_failed(detail::process_credentials(world.options(), "/no/such/program HIDDEN", "here"),
               "credential_process \"/no/such/program\" cannot be run: No such file");
  check_failed(detail::process_credentials(world.options(), "x \"HIDDEN", "here"), "a quote that is not closed");
  check_failed(detail::process_credentials(world.options(), "  ", "here"), "is empty");
  check_failed(detail::process_credentials(world.options(), "\"\" HIDDEN", "here"), "is empty");
  check_failed(detail::process_credentials(world.options(), std::string("x\0y", 3), "here"), "is not a command");
}

TEST_CASE("a credential_process that hangs is killed with its children", "[net][credential_process]") {
  FakeWorld world;
  const std::string pids = (world.directory / "pids").string();
  const auto begin = std::chrono::steady_clock::now();
  // The timeout must leave a busy machine the time to start the shell.
  check_failed(run(world, "sleep 1000 & echo $! > '" + pids + "'; wait", "", std::chrono::milliseconds(700)),
               "did not end within 700 ms");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  std::ifstream file(pids);
  pid_t sleeper = 0;
  if (!(file >> sleeper)) return;  // it did not come so far
  bool gone = false;
  for (int i = 0; i < 2000 && !gone; ++i) {
    std::ifstream status("/proc/" + std::to_string(sleeper) + "/stat");
    std::string text;
    gone = !std::getline(status, text) || text.find(") Z") != std::string::npos;  // a zombie if no process reaps it
    if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(gone);
}

TEST_CASE("a credential_process that hangs after closing its output is killed", "[net][credential_process]") {
  FakeWorld world;
  check_failed(run(world, "exec >&- ; exec sleep 1000", "", std::chrono::milliseconds(100)),
               "did not end within 100 ms");
}

TEST_CASE("a child that a credential_process leaves running is not waited for", "[net][credential_process]") {
  FakeWorld world;
  const std::string pid = (world.directory / "pid").string();
  const auto begin = std::chrono::steady_clock::now();
  check_found(run(world, "sleep 1000 & echo $! > '" + pid + "'; echo '" + credentials + "'"), "ID", "KEY", "", "here");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(15));
  pid_t sleeper = 0;
  std::ifstream(pid) >> sleeper;
  REQUIRE(sleeper > 1);
  ::kill(sleeper, SIGKILL);
}

TEST_CASE("a credential_process starts with no signal blocked or ignored", "[net][credential_process]") {
  FakeWorld world;
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto answer = run(world, "kill $$; echo '" + std::string(credentials) + "'");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  check_failed(answer, "was ended by signal 15");
}
