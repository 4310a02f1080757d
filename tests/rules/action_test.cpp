#include <tensortap/rules/action.hpp>

#include <sstream>
#include <stdexcept>

#include "catch.hpp"
#include "golden.hpp"
#include "store/temporary_directory.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;

namespace {

const tt::Finding first{.rule = "r", .tensor = "a", .step = {tt::Mode::train, 1, 1}, .message = "bad"};
const tt::Finding second{.rule = "r", .tensor = "b", .step = {tt::Mode::train, 2, 2}, .message = "worse"};

}  // namespace

TEST_CASE("StopTraining asks the loop to stop", "[rules][action]") {
  tt::StopSignal stop;
  tt::StopTraining{stop}(first);
  CHECK(stop.requested());
  CHECK(stop.reason() == tt::StopReason::rule);
}

TEST_CASE("TouchFile creates a file with the first finding", "[rules][action]") {
  const TemporaryDirectory directory;
  const std::string path = (directory / "deep/er/stop").string();
  const tt::TouchFile create{path};
  create(first);
  create(second);
  CHECK(golden::read_file(path) == "r: step 1 (TRAIN 1): \"a\": bad\n");
  CHECK(std::distance(fs::directory_iterator(directory / "deep/er"), fs::directory_iterator()) == 1);

  const auto before = fs::current_path();
  fs::current_path(directory.path());
  tt::TouchFile{"here"}(second);
  fs::current_path(before);
  CHECK(golden::read_file(directory / "here") == "r: step 2 (TRAIN 2): \"b\": worse\n");

  std::ofstream(directory / "file") << "x";
  CHECK_THROWS_AS((tt::TouchFile{(directory / "file/stop").string()}(first)), tt::Error);
  CHECK_THROWS_AS((tt::TouchFile{(directory / "deep/").string()}(first)), tt::Error);
}

TEST_CASE("Print writes one line", "[rules][action]") {
  std::ostringstream out;
  const tt::Print print{out};
  print(first);
  print(second);
  CHECK(out.str() == "r: step 1 (TRAIN 1): \"a\": bad\nr: step 2 (TRAIN 2): \"b\": worse\n");
}

TEST_CASE("all actions are taken, even if one fails", "[rules][action]") {
  std::ostringstream out;
  tt::StopSignal stop;
  const tt::Actions actions = {[](const tt::Finding&) { throw std::runtime_error("one"); },
                               [](const tt::Finding&) { throw std::runtime_error("two"); },  //
                               tt::Print{out}, tt::StopTraining{stop}};
  CHECK_THROWS_WITH(actions.take(first), "one");
  CHECK_FALSE(out.str().empty());
  CHECK(stop.requested());
  tt::Actions().take(first);
  int calls = 0;
  const tt::Actions one = [&](const tt::Finding&) { ++calls; };
  const tt::Actions copy = one;  // NOLINT(performance-unnecessary-copy-initialization)
  copy.take(first);
  CHECK(calls == 1);
}

TEST_CASE("JsonLines appends a line of JSON", "[rules][action]") {
  const TemporaryDirectory directory;
  const tt::JsonLines lines{(directory / "findings.jsonl").string()};
  lines(first);
  lines(second);
  CHECK(golden::read_file(lines.path) == tt::to_json(first) + "\n" + tt::to_json(second) + "\n");
  CHECK_THROWS_AS(tt::JsonLines{(directory / "none/findings.jsonl").string()}(first), tt::Error);
  CHECK_THROWS_WITH(tt::JsonLines{"/dev/full"}(first), contains("No space left"));
}

TEST_CASE("a request stays until the loop takes it", "[rules][action]") {
  const tt::LoopRequest checkpoint;
  const tt::Actions actions = checkpoint;
  CHECK_FALSE(checkpoint.take());
  actions.take(first);
  actions.take(second);
  CHECK(checkpoint.take());
  CHECK_FALSE(checkpoint.take());
}

TEST_CASE("findings ask for snapshots and for more", "[rules][action]") {
  const tt::CaptureRequests requests;
  const tt::Actions actions = {tt::Snapshot{requests}, tt::CaptureMore{requests, {"weights", "biases"}, 7}};
  actions.take(first);
  const auto snapshots = requests.take_snapshots();
  REQUIRE(snapshots.size() == 1);
  CHECK(snapshots[0].step == first.step.global_step);
  CHECK(snapshots[0].reason == first.rule);
  CHECK(snapshots[0].finding == to_json(first));
  const auto more = requests.take_save_more();
  REQUIRE(more.size() == 1);
  CHECK(more[0].collections == std::vector<std::string>{"weights", "biases"});
  CHECK(more[0].steps == 7);
}

TEST_CASE("OnErrors leaves advice out", "[rules][action]") {
  int calls = 0;
  const tt::OnErrors count{[&](const tt::Finding&) { ++calls; }};
  tt::Finding advice = first;
  advice.severity = tt::Severity::advice;
  count(advice);
  CHECK(calls == 0);
  count(first);
  CHECK(calls == 1);
}
