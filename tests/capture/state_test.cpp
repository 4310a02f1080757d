#include <tensortap/capture/state.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <tensortap/store/file.hpp>
#include <tensortap/store/memory.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
using tt::Mode, tt::State;

namespace {

/// A state with no mode's step but those of TRAIN, EVAL and GLOBAL, as smdebug counts them; negative ones: none.
State state_of(std::int64_t run, std::int64_t saved, std::int64_t seen, std::int64_t train, std::int64_t eval) {
  State out{.attempt = run, .last_saved = saved, .last_seen = seen};
  out.mode_steps[index_of(Mode::global)] = seen;
  out.mode_steps[index_of(Mode::train)] = train;
  if (eval >= 0) out.mode_steps[index_of(Mode::eval)] = eval;
  return out;
}

std::string golden_state(const std::string& path) {
  std::ifstream file(std::filesystem::path(TENSORTAP_TEST_DATA_DIR) / "golden/spot" / path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Returns why `text` is refused; empty if it is accepted. Any other exception than the right Error fails the test.
std::string refusal_of_states(const std::string& text) {
  try {
    (void)tt::parse_states(text, "metadata.json");
    return "";
  } catch (const tt::Error& e) {
    CHECK((e.code() == tt::Errc::damaged || e.code() == tt::Errc::invalid_name));
    return e.what();
  }
}

const std::string required_keys =
    R"("training-run": 1, "latest-global-step-saved": 4, "latest-global-step-seen": 5, "latest-mode-step": {"TRAIN": 5})";

/// One state with what smdebug needs, and `more`.
std::string state_with(const std::string& more) { return "[{" + required_keys + more + "}]"; }

/// One state with the value of `key` replaced.
std::string state_where(const std::string& key, const std::string& value) {
  std::string out = "[{";
  for (const std::string name : {"training-run", "latest-global-step-saved", "latest-global-step-seen"})
    out += "\"" + name + "\": " + (name == key ? value : "1") + ", ";
  return out + R"("latest-mode-step": )" + (key == "latest-mode-step" ? value : "{}") + "}]";
}

std::vector<std::string> names_of(const std::vector<tt::CheckpointFile>& files) {
  std::vector<std::string> out;
  for (const tt::CheckpointFile& file : files) out.push_back(file.name);
  return out;
}

/// A store in memory, and one in a directory.
struct BothStores {
  TemporaryDirectory directory;
  std::vector<std::shared_ptr<tt::Store>> stores = {std::make_shared<tt::MemoryStore>(),
                                                    std::make_shared<tt::FileStore>(directory.path().string())};
};

}  // namespace

TEST_CASE("the states of smdebug's golden runs are parsed", "[capture][state]") {
  const std::vector<State> first = {state_of(0, 2, 3, 3, -1)};
  std::vector<State> after = first;
  after.push_back(state_of(0, 8, 8, 6, 1));
  after.push_back(state_of(0, 8, 9, 7, 1));
  CHECK(tt::parse_states(golden_state("run1.metadata.after.json"), "") == after);
  CHECK(tt::parse_states(golden_state("run1.metadata.before.9.json"), "") == first);
  CHECK(tt::parse_states(golden_state("run2.metadata.before.2.json"), "") == after);
  after.push_back(state_of(1, 10, 11, 9, 1));
  after.push_back(state_of(1, 12, 12, 10, 1));
  CHECK(tt::parse_states(golden_state("run2.metadata.after.json"), "") == after);
  CHECK(tt::parse_states(golden_state("run3.metadata.after.json"), "") == after);
  CHECK(tt::parse_states(golden_state("checkpoints/metadata.json"), "") == after);
}

TEST_CASE("a state is written with smdebug's keys first, then ours", "[capture][state]") {
  State state = state_of(1, 40, 43, 40, 2);
  state.mode = Mode::eval;
  state.checkpoint = "epoch-3";
  state.files = {{"epoch-3/weights.bin", 1234, 5678}, {"epoch-3/\xc3\xbc", 0, 4294967295}};
  const State bare{.attempt = 0, .last_seen = -1};
  CHECK(tt::to_json(std::vector{bare, state}) ==
        R"([{"training-run": 0, "latest-global-step-saved": null, "latest-global-step-seen": -1, )"
        R"("latest-mode-step": {}, "mode": "TRAIN", "checkpoint": "", "files": [], "crc32c": 3858898701}, )"
        R"({"training-run": 1, "latest-global-step-saved": 40, "latest-global-step-seen": 43, )"
        R"("latest-mode-step": {"GLOBAL": 43, "TRAIN": 40, "EVAL": 2}, "mode": "EVAL", "checkpoint": "epoch-3", )"
        R"("files": [{"name": "epoch-3/weights.bin", "size": 1234, "crc32c": 5678}, )"
        R"({"name": "epoch-3/\u00fc", "size": 0, "crc32c": 4294967295}], "crc32c": 2008587048}])");
  state.run_id = "0f";
  state.run = "runs/42";
  CHECK_THAT(tt::to_json(std::vector{state}), contains(R"(], "run-id": "0f", "run": "runs/42", "crc32c": )"));
  CHECK(tt::to_json(std::vector<tt::State>{}) == "[]");
}

TEST_CASE("a state of smdebug keeps its keys and values when it is written again", "[capture][state]") {
  const std::string text = golden_state("run2.metadata.after.json");
  const auto theirs = nlohmann::json::parse(text);
  const auto ours = nlohmann::json::parse(tt::to_json(tt::parse_states(text, "")));
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    CHECK(theirs[i].size() == 4);
    for (const auto& [key, value] : theirs[i].items()) CHECK(ours[i].at(key) == value);
  }
}

TEST_CASE("states are equal after a round trip, by growing step", "[capture][state]") {
  std::vector<State> states;
  for (const Mode mode : tt::all_modes)
    for (const std::int64_t step : {std::int64_t{0}, std::int64_t{7}, std::int64_t{1} << 53}) {
      State state{
          .attempt = step / 2, .last_saved = step > 0 ? std::optional(step - 1) : std::nullopt, .last_seen = step};
      state.mode_steps[index_of(mode)] = step;
      state.mode = mode;
      state.checkpoint = "a/b \"c\"\n\\d";
      for (int file = 0; file < static_cast<int>(mode); ++file)
        state.files.push_back({"f" + std::to_string(file), static_cast<std::uint64_t>(step) * 3,
                               static_cast<std::uint32_t>(step + file)});
      states.push_back(std::move(state));
    }
  std::stable_sort(states.begin(), states.end(),
                   [](const State& a, const State& b) { return a.last_seen < b.last_seen; });
  CHECK(tt::parse_states(tt::to_json(states), "") == states);
  std::vector<State> reversed(states.rbegin(), states.rend());
  const auto again = tt::parse_states(tt::to_json(reversed), "");
  CHECK(again.front().last_seen == 0);
  CHECK(again.back().last_seen == std::int64_t{1} << 53);
  CHECK(std::is_sorted(again.begin(), again.end(),
                       [](const State& a, const State& b) { return a.last_seen < b.last_seen; }));
  CHECK(tt::parse_states("[]", "").empty());
}

TEST_CASE("a state with another number than the one written is not sound, and never intact", "[capture][state]") {
  const tt::MemoryStore store;
  State state = state_of(1, 40, 43, 40, 2);
  state.run_id = "0f";
  state.run = "runs/42";
  const std::string whole = tt::to_json(std::vector{state});
  CHECK(tt::parse_states(whole, "").front() == state);
  CHECK(is_intact(tt::parse_states(whole, "").front(), store));
  int changed = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] < '0' || whole[i] > '9') continue;
    std::string text = whole;
    text[i] = text[i] == '7' ? '8' : '7';
    if (refusal_of_states(text).empty()) {
      const State read = tt::parse_states(text, "").front();
      const bool is_of_a_key = text.find("crc37c") != std::string::npos || text.find("crc72c") != std::string::npos;
      CHECK(read.sound == is_of_a_key);  // without the key there is nothing to compare
      CHECK(is_intact(read, store) == is_of_a_key);
    }
    ++changed;
  }
  CHECK(changed > 20);
}

TEST_CASE("a bad state throws a message that names the key", "[capture][state]") {
  CHECK(refusal_of_states(state_with("")).empty());
  CHECK(refusal_of_states(state_with(R"(, "unknown": [{}], "mode": "FLY")")).empty());
  for (const std::string text : {"{}", "5", "null", "\"x\"", "true", "1e5"}) {
    CAPTURE(text);
    CHECK(refusal_of_states(text) == "state: \"metadata.json\": not a JSON array");
  }
  for (const std::string entry : {"5", "null", "[]", "\"x\""}) {
    CAPTURE(entry);
    CHECK_THAT(refusal_of_states("[" + entry + "]"), contains("the value around it is not an object"));
  }
  for (const std::string key :
       {"training-run", "latest-global-step-saved", "latest-global-step-seen", "latest-mode-step"}) {
    CAPTURE(key);
    auto entry = nlohmann::json::parse("{" + required_keys + "}");
    entry.erase(key);
    CHECK_THAT(refusal_of_states("[" + entry.dump() + "]"), contains("key \"" + key + "\": it is missing"));
    for (const std::string value : {"\"1\"", "1.5", "true", "[]", "[1]", "1e3", "9223372036854775808",
                                    "-9223372036854775809", "18446744073709551616"}) {
      CAPTURE(value);
      CHECK_THAT(refusal_of_states(state_where(key, value)), contains("key \"" + key + "\": it is not an "));
    }
  }
  CHECK_THAT(refusal_of_states(state_where("training-run", "-1")), contains("key \"training-run\": it is negative"));
  CHECK_THAT(refusal_of_states(state_where("training-run", "null")), contains("it is not an integer"));
  CHECK_THAT(refusal_of_states(state_where("latest-mode-step", R"({"TRAIN": "x"})")),
             contains("key \"latest-mode-step\": it is not an integer"));
  CHECK(refusal_of_states(state_where("latest-mode-step", R"({"FLY": "x"})")).empty());
  CHECK_THAT(refusal_of_states(state_with(R"(, "mode": 5)")), contains("key \"mode\": it is not a string"));
  CHECK_THAT(refusal_of_states(state_with(R"(, "checkpoint": [])")),
             contains("key \"checkpoint\": it is not a string"));
  CHECK_THAT(refusal_of_states(state_with(R"(, "files": {})")), contains("key \"files\": it is not an array"));
  CHECK_THAT(refusal_of_states(state_with(R"(, "files": [1])")),
             contains("key \"name\": the value around it is not an object"));
  CHECK_THAT(refusal_of_states(state_with(R"(, "files": [{"name": "a", "size": -1, "crc32c": 0}])")),
             contains("key \"size\": it is negative"));
  CHECK_THAT(refusal_of_states(state_with(R"(, "files": [{"name": "a", "size": 1}])")),
             contains("key \"crc32c\": it is missing"));
}

TEST_CASE("a state with a path outside of the checkpoints is refused", "[capture][state]") {
  for (const std::string path :
       {"../a", "/etc/passwd", "a/../b", "a//b", "a/", ".", "..", "a/.", "\\u0000", "a\\u0000b"}) {
    CAPTURE(path);
    CHECK_THAT(refusal_of_states(state_with(R"(, "checkpoint": ")" + path + "\"")), contains("store: key "));
    CHECK_THAT(refusal_of_states(state_with(R"(, "files": [{"name": ")" + path + R"(", "size": 1, "crc32c": 1}])")),
               contains("store: key "));
  }
  CHECK_THAT(refusal_of_states(state_with(R"(, "files": [{"name": "", "size": 1, "crc32c": 1}])")),
             contains("store: key "));
  CHECK_THAT(refusal_of_states(state_with(R"(, "checkpoint": ")" + std::string(2000, 'a') + "\"")),
             contains("store: key "));
  CHECK(refusal_of_states(state_with(R"(, "checkpoint": "")")).empty());
}

TEST_CASE("a state cut at any byte, or nested too deeply, is refused", "[capture][state]") {
  State state = state_of(1, 40, 43, 40, 2);
  state.files = {{"a", 1, 2}};
  const std::string whole = tt::to_json(std::vector{state, state});
  CHECK(refusal_of_states(whole).empty());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_THAT(refusal_of_states(whole.substr(0, size)), contains("not JSON ("));
  }
  CHECK_THAT(refusal_of_states(std::string(1'000'000, '[')), contains("nested too deeply"));
  CHECK_THAT(refusal_of_states(std::string(40, '[') + std::string(40, ']')), contains("nested too deeply"));
  CHECK_THAT(refusal_of_states(state_with(R"(, "x": )" + std::string(40, '[') + std::string(40, ']'))),
             contains("nested too deeply"));
  CHECK_THAT(refusal_of_states("[\"\xff\"]"), contains("not JSON"));
}

TEST_CASE("any flipped byte of a state gives other states or an error", "[capture][state]") {
  State state = state_of(1, 40, 43, 40, 2);
  state.files = {{"a/b", 1, 2}};
  const std::string whole = tt::to_json(std::vector{state});
  int refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const char c : {'\0', '"', '\\', '-', '9', '.', '/', '[', '}', '\xff'}) {
      std::string text = whole;
      text[i] = c;
      refused += refusal_of_states(text).empty() ? 0 : 1;
    }
  CHECK(refused > static_cast<int>(whole.size()));
}

TEST_CASE("states are read beside the checkpoints; without a file there are none", "[capture][state]") {
  tt::MemoryStore store;
  CHECK(tt::read_states(store).empty());
  const std::vector<State> states = {state_of(0, 2, 3, 3, -1), state_of(1, 5, 6, 6, -1)};
  store.put(tt::state_key, tt::to_json(states));
  CHECK(tt::read_states(store) == states);
  store.put(tt::state_key, "");
  CHECK_THROWS_WITH(tt::read_states(store), contains("state: \"memory/metadata.json\": not JSON (0 bytes)"));
}

TEST_CASE("a file of states beyond the size limit is refused", "[capture][state]") {
  const TemporaryDirectory directory;
  std::ofstream(directory / "metadata.json") << "[]";
  const tt::FileStore store(directory.path().string());
  CHECK(tt::read_states(store).empty());
  std::filesystem::resize_file(directory / "metadata.json", (std::uint64_t{64} << 20) + 1);  // sparse
  CHECK_THROWS_WITH(tt::read_states(store), contains("metadata.json is too large"));
}

TEST_CASE("a checkpoint is one file, or all below a folder", "[capture][state]") {
  const BothStores both;
  for (const auto& store : both.stores) {
    CAPTURE(store->location());
    store->put("epoch-1", "123456789");
    store->put("epoch-10", "x");
    store->put("epoch-2/a", "");
    store->put("epoch-2/b/c", "yz");
    store->put("epoch-2.txt", "no part of it");
    store->put("deep/er/w", "w");
    store->put("deep/er/w.old", "w");

    CHECK(tt::describe_checkpoint(*store, "epoch-1") ==
          std::vector<tt::CheckpointFile>{{"epoch-1", 9, 0xe3069283}});  // the check value of CRC-32C
    CHECK(names_of(tt::describe_checkpoint(*store, "epoch-2")) == std::vector<std::string>{"epoch-2/a", "epoch-2/b/c"});
    CHECK(names_of(tt::describe_checkpoint(*store, "epoch-2/b")) == std::vector<std::string>{"epoch-2/b/c"});
    CHECK(names_of(tt::describe_checkpoint(*store, "deep/er/w")) == std::vector<std::string>{"deep/er/w"});
    CHECK(names_of(tt::describe_checkpoint(*store, "deep")) == std::vector<std::string>{"deep/er/w", "deep/er/w.old"});
    for (const std::string nothing : {"epoch", "epoch-3", "epoch-2/b/d", "deep/e"}) {
      CAPTURE(nothing);
      try {
        (void)tt::describe_checkpoint(*store, nothing);
        FAIL("it was described");
      } catch (const tt::Error& e) {
        CHECK(e.code() == tt::Errc::not_found);
        CHECK_THAT(e.what(), contains("/" + nothing + "\": no such file below checkpoint_dir"));
      }
    }
  }
}

TEST_CASE("a large file of a checkpoint is described in parts, whatever its size", "[capture][state]") {
  const BothStores both;
  constexpr std::size_t part = std::size_t{4} << 20;
  for (const auto& store : both.stores)
    for (const std::size_t size : {part - 1, part, part + 1, 2 * part}) {
      std::string content(size, '\0');
      for (std::size_t i = 0; i < size; i += 1001) content[i] = static_cast<char>(i);
      store->put("w", content);
      const auto file = tt::describe_checkpoint_file(*store, "w");
      REQUIRE(file);
      CHECK(file->size == size);
      CHECK(file->crc32c == tt::crc32c(tt::bytes_of(content)));
    }
  CHECK_FALSE(tt::describe_checkpoint_file(*both.stores[0], "nothing"));
}

TEST_CASE("a state is intact while every file equals the one of the commit", "[capture][state]") {
  const BothStores both;
  for (const auto& store : both.stores) {
    CAPTURE(store->location());
    store->put("c/a", "abc");
    store->put("c/b", "");
    State state{.last_seen = 3, .checkpoint = "c", .files = tt::describe_checkpoint(*store, "c")};
    REQUIRE(state.files.size() == 2);
    CHECK(is_intact(state, *store));
    store->put("c/new", "which was not committed");
    CHECK(is_intact(state, *store));
    store->put("c/a", "abd");  // of the same size
    CHECK_FALSE(is_intact(state, *store));
    store->put("c/a", "abcd");
    CHECK_FALSE(is_intact(state, *store));
    store->put("c/a", "ab");
    CHECK_FALSE(is_intact(state, *store));
    store->put("c/a", "abc");
    CHECK(is_intact(state, *store));
    store->remove("c/b");
    CHECK_FALSE(is_intact(state, *store));
    state.files.clear();
    CHECK(is_intact(state, *store));  // smdebug's states name no files
  }
}
