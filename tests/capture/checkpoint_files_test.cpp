#include <tensortap/capture/checkpoint_files.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>
#include <vector>

#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

/// Returns the names in `directory`, sorted.
Names names_in(const fs::path& directory) {
  Names out;
  for (const auto& entry : fs::directory_iterator(directory)) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

/// Returns a function that writes `text` at the path that it is given.
auto writes(const std::string& text) {
  return [text](const std::string& path) { std::ofstream(path) << text; };
}

std::string text_at(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("checkpoints are named by step, appear whole, and the last ones are kept", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  const fs::path folder = directory / "new/checkpoints";
  tt::CheckpointFiles checkpoints(folder.string());
  for (const int step : {4, 9, 14, 100}) {
    const std::string path = checkpoints.save(step, [&](const std::string& at) {
      CHECK(at.ends_with(".tmp"));
      CHECK(fs::path(at).parent_path() == folder);
      std::ofstream(at) << step;
    });
    CHECK(fs::path(path).parent_path() == folder);
    CHECK(text_at(path) == std::to_string(step));
  }
  CHECK(names_in(folder) == Names{"step-000000000009", "step-000000000014", "step-000000000100"});
  CHECK(checkpoints.paths().size() == 3);
  CHECK(checkpoints.paths().back() == (folder / "step-000000000100").string());
}

TEST_CASE("an earlier checkpoint is never replaced", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  tt::CheckpointFiles checkpoints(directory.path().string(), {.keep = 2, .prefix = "model-", .suffix = ".bin"});
  const std::string first = checkpoints.save(5, writes("1"));
  const std::string second = checkpoints.save(5, writes("2"));
  CHECK(text_at(first) == "1");
  CHECK(text_at(second) == "2");
  (void)checkpoints.save(5, writes("3"));
  CHECK(names_in(directory.path()) == Names{"model-000000000005.1.bin", "model-000000000005.2.bin"});
}

TEST_CASE("a checkpoint may be a directory", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  tt::CheckpointFiles checkpoints(directory.path().string(), {.keep = 2});
  for (const int step : {1, 2, 3})
    (void)checkpoints.save(step, [](const std::string& path) {
      fs::create_directories(path + "/deep");
      std::ofstream(path + "/deep/weights") << "w";
    });
  CHECK(names_in(directory.path()) == Names{"step-000000000002", "step-000000000003"});
  CHECK(text_at(directory / "step-000000000003/deep/weights") == "w");
}

TEST_CASE("a checkpoint that fails leaves nothing, and the others stay", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  tt::CheckpointFiles checkpoints(directory.path().string());
  (void)checkpoints.save(1, writes("1"));
  CHECK_THROWS_AS(checkpoints.save(2,
                                   [](const std::string& path) {
                                     std::ofstream(path) << "half";
                                     throw std::runtime_error("no memory");
                                   }),
                  std::runtime_error);
  const auto returns_false = [](const std::string& path) { return std::ofstream(path) << "half", false; };
  CHECK_THROWS_WITH(checkpoints.save(2, returns_false), contains("the callback returned false"));
  CHECK_THROWS_WITH(checkpoints.save(2, returns_false), contains(" bytes are free on its disk"));
  CHECK_THROWS_WITH(checkpoints.save(2, [](const std::string&) {}), contains("the callback has not written it"));
  CHECK(names_in(directory.path()) == Names{"step-000000000001"});
}

TEST_CASE("files that a killed process left are removed, and those of others are not", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  const Names others = {"best", "metadata.json", "step-000000000900", "step-1", "step-000000000001.pt", "x.7-1.tmp"};
  for (const std::string& name : others) std::ofstream(directory / name) << "x";
  std::ofstream(directory / "step-000000000007.123-0.tmp") << "half";
  fs::create_directories(directory / "step-000000000008.123-1.tmp");
  tt::CheckpointFiles checkpoints(directory.path().string(), {.keep = 2});
  for (const int step : {10, 11, 12}) (void)checkpoints.save(step, writes("x"));
  Names expected = others;
  expected.insert(expected.end(), {"step-000000000011", "step-000000000012"});
  std::sort(expected.begin(), expected.end());
  CHECK(names_in(directory.path()) == expected);  // step 900 is of another training, which may need it
}

TEST_CASE("a process that dies between save and commit loses no commit", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  const std::string folder = (directory / "checkpoints").string();
  const auto options = [&] { return tt::HookOptions{.save = tt::every(1), .checkpoint_dir = folder}; };
  {
    tt::Hook hook((directory / "run").string(), options());
    tt::CheckpointFiles checkpoints(folder, {.keep = 2});
    train_steps(hook, 3);
    hook.commit(checkpoints.save(hook.global_step(), writes("3")));
    train_steps(hook, 3);
    (void)checkpoints.save(hook.global_step(), writes("not committed"));
  }
  tt::Hook hook((directory / "run").string(), options());
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->global_step == 2);
  CHECK(text_at(hook.resumed()->checkpoint) == "3");
}

TEST_CASE("many processes that die between save and commit lose no commit", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  const std::string folder = (directory / "checkpoints").string();
  const tt::HookOptions options{.save = tt::every(1), .checkpoint_dir = folder};
  tt::CheckpointFiles checkpoints(folder, {.keep = 2});
  std::string committed;
  {
    tt::Hook hook(run, options);
    hook.begin_step();
    committed = checkpoints.save(hook.global_step(), writes("committed"));
    hook.commit(committed);
  }
  for (int i = 0; i < 5; ++i) {
    tt::Hook hook(run, options);
    REQUIRE(hook.resumed());
    CHECK(hook.resumed()->checkpoint == committed);
    hook.begin_step();
    checkpoints.save(hook.global_step(), writes("not committed"));
  }
  CHECK(text_at(committed) == "committed");
  CHECK(names_in(folder).size() == 4);  // metadata.json, the committed one, and the last two
}

TEST_CASE("options of checkpoint files that cannot work are refused", "[capture][checkpoint_files]") {
  const TemporaryDirectory directory;
  CHECK_THROWS_WITH(tt::CheckpointFiles("x", {.keep = 1}), contains("keep at least 2"));
  CHECK_THROWS_WITH(tt::CheckpointFiles("x", {.prefix = "a/b"}), contains("use no '/'"));
  CHECK_THROWS_WITH(tt::CheckpointFiles("x", {.suffix = ".tmp"}), contains("no \".tmp\""));
  std::ofstream(directory / "file") << "x";
  tt::CheckpointFiles checkpoints((directory / "file").string());
  CHECK_THROWS_WITH(checkpoints.save(1, writes("x")), contains("it is not a directory"));
}
