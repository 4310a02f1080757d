// Facts about a run: what the options say, what the process knows, and what readers see of them.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include <tensortap/capture/internal/process_facts.hpp>
#include <tensortap/record/internal/process_fact.hpp>
#include <tensortap/tensortap.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;

namespace {

using Facts = std::map<std::string, std::string>;

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// Saves one step with `options`.
void save_one_step(const std::shared_ptr<tt::MemoryStore>& store, tt::HookOptions options) {
  options.save = tt::every(1);
  tt::Hook hook(store, std::move(options));
  hook.begin_step();
  hook.save("x", 1);
  hook.close();
}

}  // namespace

TEST_CASE("a run tells its facts, and those of its process", "[capture][facts]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  save_one_step(store, {.facts = {{"seed", "7"}, {"host", "mine"}, {"text", "a \"b\"\n\xc3\xbc"}, {"api_token", "x"}},
                        .wall_time = [] { return 1e9; }});
  const Facts facts = tt::Trial(store).facts();
  CHECK(facts.at("seed") == "7");
  CHECK(facts.at("host") == "mine");  // what the options say stays
  CHECK(facts.at("text") == "a \"b\"\n\xc3\xbc");
  CHECK(facts.at("api_token") == "*****");
  CHECK(facts.at("tensortap") == TENSORTAP_VERSION);
  CHECK(facts.at("started") == "2001-09-09T01:46:40Z");
  CHECK_THAT(facts.at("command"), contains(::program_invocation_short_name));
  CHECK_FALSE(facts.at("compiler").empty());
}

TEST_CASE("each fact of a process has a name by which readers know it from others", "[capture][facts]") {
  const auto& known = tt::detail::process_fact::all;
  const Facts facts = tt::detail::facts_of_attempt({});
  CHECK(facts.size() >= known.size() - 1);  // the working directory may be in no repository
  for (const auto& [name, value] : facts) CHECK(std::find(known.begin(), known.end(), name) != known.end());
}

TEST_CASE("without the facts of its process a run has those of its options alone", "[capture][facts]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  save_one_step(store, {.facts = {{"seed", "7"}}, .process_facts = false});
  CHECK(tt::Trial(store).facts() == Facts{{"seed", "7"}});
  const auto bare = std::make_shared<tt::MemoryStore>();
  save_one_step(bare, {.process_facts = false});
  CHECK(tt::Trial(bare).facts().empty());
  CHECK(bare->get(tt::layout::attempt_key(0, "worker_0")));
}

TEST_CASE("of several attempts and workers the last attempt and the first worker tell", "[capture][facts]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto put = [&](std::int64_t number, const std::string& worker, const Facts& facts) {
    store->put(tt::layout::attempt_key(number, worker),
               to_json(tt::Attempt{.number = number, .worker = worker, .facts = facts}));
  };
  put(0, "worker_0", {{"host", "a"}, {"once", "1"}});
  put(1, "worker_0", {{"host", "b"}});
  put(0, "worker_1", {{"host", "c"}, {"rank", "1"}});
  CHECK(tt::Trial(store).facts() == Facts{{"host", "b"}, {"once", "1"}, {"rank", "1"}});
}

TEST_CASE("facts without a name, of other bytes or too large are refused", "[capture][facts]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  for (const Facts& facts : {Facts{{"", "x"}}, Facts{{"\xff", "x"}}, Facts{{"x", "\xff"}}})
    CHECK_THROWS_WITH(tt::Hook(store, {.facts = facts}), contains("facts"));
  CHECK_THROWS_WITH(tt::Hook(store, {.facts = {{"x", std::string(300'000, 'y')}}}), contains("256 KiB"));
}

TEST_CASE("the revision of git is found without git", "[capture][facts]") {
  const TemporaryDirectory dir;
  const std::string one(40, '1'), two(40, '2');
  const std::filesystem::path git = dir.path() / "repository" / ".git";
  CHECK(tt::detail::git_revision(dir.path()).empty());
  write_file(git / "HEAD", one + "\n");
  CHECK(tt::detail::git_revision(dir.path() / "repository") == one);
  std::filesystem::create_directories(dir.path() / "repository" / "a" / "b");
  CHECK(tt::detail::git_revision(dir.path() / "repository" / "a" / "b") == one);
  write_file(git / "HEAD", "ref: refs/heads/main\n");
  CHECK(tt::detail::git_revision(dir.path() / "repository").empty());  // a repository without a commit
  write_file(git / "packed-refs",
             "# pack-refs with: peeled\n" + one + " refs/heads/other\n" + two + " refs/heads/main\n");
  CHECK(tt::detail::git_revision(dir.path() / "repository") == two);
  write_file(git / "refs" / "heads" / "main", one + "\n");
  CHECK(tt::detail::git_revision(dir.path() / "repository") == one);
  write_file(git / "HEAD", "no revision, as far as can be seen\n");
  CHECK(tt::detail::git_revision(dir.path() / "repository").empty());

  // A second work tree has a file in place of the folder.
  write_file(git / "worktrees" / "second" / "HEAD", "ref: refs/heads/main\n");
  write_file(git / "worktrees" / "second" / "commondir", "../..\n");
  write_file(dir.path() / "second" / ".git", "gitdir: " + (git / "worktrees" / "second").string() + "\n");
  CHECK(tt::detail::git_revision(dir.path() / "second") == one);
}

TEST_CASE("the hyperparameters of a training job become facts", "[capture][facts]") {
  const TemporaryDirectory dir;
  const std::filesystem::path folder = dir.path() / "input" / "config";
  write_file(folder / "debughookconfig.json", R"({"LocalPath": "run"})");
  const auto facts_of = [&](std::vector<std::string>& warnings) {
    const auto configuration = tt::HookConfiguration::from_environment([&](const char* name) -> const char* {
      return std::string(name) == "SAGEMAKER_BASE_DIR" ? dir.path().c_str() : nullptr;
    });
    warnings = configuration.warnings;
    return configuration.over({.facts = {{"seed", "1"}}}).facts;
  };
  std::vector<std::string> warnings;
  CHECK(facts_of(warnings) == Facts{{"seed", "1"}});
  write_file(folder / "hyperparameters.json", R"({"lr": "0.1", "epochs": 5, "sagemaker_program": "x.py"})");
  CHECK(facts_of(warnings) == Facts{{"hyperparameters/epochs", "5"}, {"hyperparameters/lr", "0.1"}, {"seed", "1"}});
  CHECK(warnings.empty());
  write_file(folder / "hyperparameters.json", R"({"lr": )");
  CHECK(facts_of(warnings) == Facts{{"seed", "1"}});
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], contains("not JSON"));
}
