// Malicious runs: the reader refuses and lists damaged objects and reads the others.
#include <tensortap/tensortap.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "record/encode_event.hpp"
#include "store/temporary_directory.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;
namespace wire = tensortap::detail::wire;

namespace {

const std::string worker = "worker_0";

/// Returns the record of a tensor of one float.
std::string record_of(const std::string& name, float value) {
  const auto encoded = encode_event({.tag = name, .step = {}, .wall_time = 0}, tt::as_view(value));
  return encoded.head + std::string(reinterpret_cast<const char*>(&value), sizeof value) + encoded.tail;
}

/// Returns a record with `message` as its payload.
std::string framed(const std::string& message) {
  const auto header = tt::tfrecord::header(message.size());
  return std::string(tt::text_of(header)) + message + std::string(tt::text_of(tt::tfrecord::events_footer));
}

void put_index(tt::Store& store, std::int64_t step, const std::string& text) {
  store.put(tt::layout::index_key(step, worker), text);
}
void put_index(tt::Store& store, std::int64_t step, const tt::IndexFile& index) {
  put_index(store, step, to_json(index));
}

/// Writes step `step` with `record` as tensor `name`. Returns its index.
tt::IndexFile put_step(tt::Store& store, std::int64_t step, const std::string& record,
                       const std::string& name = "loss") {
  const tt::IndexFile index{.mode = tt::Mode::train,
                            .mode_step = step,
                            .event_file = tt::layout::event_key(step, worker),
                            .tensors = {{.name = name, .start = 0, .length = record.size()}},
                            .shapes = {}};
  store.put(index.event_file, record);
  put_index(store, step, index);
  return index;
}

tt::IndexFile put_step(tt::Store& store, std::int64_t step) {
  return put_step(store, step, record_of("loss", static_cast<float>(step)));
}

/// Returns a run of three sound steps; tests damage step 1.
std::shared_ptr<tt::MemoryStore> healthy_run() {
  auto store = std::make_shared<tt::MemoryStore>();
  for (std::int64_t step = 0; step < 3; ++step) put_step(*store, step);
  store->put(tt::layout::collections_key(worker),
             to_json(tt::CollectionsFile{{{.name = "losses", .include_regex = "loss$"}}, 1}));
  store->put(tt::layout::end_marker, "");
  return store;
}

/// Writes the run of `healthy_run` to a directory.
void write_healthy_run(const fs::path& directory) {
  const auto memory = healthy_run();
  tt::FileStore files(directory.string());
  for (const auto& object : memory->list("")) files.put(object.key, tt::text_of(*memory->get(object.key)));
}

std::string damage_of(const tt::Trial& trial) {
  std::string out;
  for (const auto& damage : trial.damage()) out += damage.where + ": " + damage.cause + "\n";
  return out;
}

/// Checks that steps 0 and 2 of `trial` can be read.
void check_rest(const tt::Trial& trial) {
  for (const std::int64_t step : {0, 2}) {
    const auto value = trial.tensor("loss").value(step);
    REQUIRE(value);
    CHECK(value->number(0) == static_cast<double>(step));
  }
}

/// Checks that step 1 of "loss" cannot be read, that the only damage holds `cause`, and that other steps can be read.
void check_spoilt(const tt::Trial& trial, const std::string& cause) {
  if (trial.tensor("loss").steps().size() == 3) CHECK_FALSE(trial.tensor("loss").value(1));
  CHECK_THAT(damage_of(trial), contains(cause));
  CHECK(trial.damage().size() == 1);
  check_rest(trial);
}

/// Returns an Event with a TensorProto of floats with these extents and this content.
std::string event_with_shape(const std::vector<std::int64_t>& extents, const std::string& content) {
  std::string shape;
  for (const std::int64_t extent : extents) {
    std::string dim;
    wire::put_integer(dim, 1, extent);
    wire::put_bytes(shape, 2, dim);
  }
  std::string tensor;
  wire::put_integer(tensor, 1, 1);
  wire::put_bytes(tensor, 2, shape);
  wire::put_bytes(tensor, 4, content);
  std::string value;
  wire::put_bytes(value, 1, "loss");
  wire::put_bytes(value, 8, tensor);
  std::string summary;
  wire::put_bytes(summary, 1, value);
  std::string event;
  wire::put_bytes(event, 5, summary);
  return event;
}

/// A store that lies about the keys that a test chooses.
class LyingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Store::get;
  std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
    if (key == out_of_memory) throw std::bad_alloc();
    if (key == vanished) return std::nullopt;
    if (key == huge) return std::vector<std::byte>(std::min<std::uint64_t>(range.length, 16u << 20));
    return ForwardingStore::get(key, range);
  }
  std::optional<std::uint64_t> size(std::string_view key) const override {
    return key == huge ? std::uint64_t{1} << 60 : ForwardingStore::size(key);
  }

  std::string out_of_memory;
  std::string vanished;
  std::string huge;
};

}  // namespace

TEST_CASE("a healthy run has no damage", "[trial][hostile]") {
  const tt::Trial trial(healthy_run());
  check_rest(trial);
  CHECK(trial.tensor("loss").value(1)->number(0) == 1);
  CHECK(trial.damage().empty());
}

TEST_CASE("an events file outside the run is never opened", "[trial][hostile]") {
  const TemporaryDirectory directory;
  write_healthy_run(directory / "run");
  std::ofstream(directory / "outside") << record_of("loss", 1);
  const std::string absolute = (directory / "outside").string();
  for (const std::string& name :
       {std::string("../outside"), std::string("events/../../outside"), absolute, "events/" + absolute,
        std::string("events//x"), std::string("events/"), std::string("./events/x"), std::string("events/."),
        std::string("events\0x", 8), std::string("events/") + std::string(2000, 'x')}) {
    CAPTURE(name);
    tt::FileStore store(directory / "run");
    auto index = put_step(store, 1);
    index.event_file = name;
    put_index(store, 1, index);
    check_spoilt(tt::Trial((directory / "run").string()), "index/000000000/000000000001_worker_0.json: store: key ");
  }
}

TEST_CASE("an events file outside events/ is never opened", "[trial][hostile]") {
  for (const std::string name :
       {"collections/000000000/worker_0_collections.json", "outside", "Events/x", "training_job_end.ts"}) {
    const auto store = healthy_run();
    auto index = put_step(*store, 1);
    index.event_file = name;
    put_index(*store, 1, index);
    check_spoilt(tt::Trial(store), "event_file_name is not below events/ (\"" + name + "\")");
  }
}

TEST_CASE("an events file is never read through a symbolic link", "[trial][hostile]") {
  const TemporaryDirectory directory;
  const fs::path run = directory / "run";
  write_healthy_run(run);
  const fs::path step = run / "events/000000000001";
  SECTION("to a file") {
    fs::rename(step / "000000000001_worker_0.tfevents", directory / "outside");
    fs::create_symlink(directory / "outside", step / "000000000001_worker_0.tfevents");
  }
  SECTION("to the directory of the step") {
    fs::rename(step, directory / "outside");
    fs::create_directory_symlink(directory / "outside", step);
  }
  check_spoilt(tt::Trial(run.string()), "symbolic links inside a run are not followed");
}

TEST_CASE("an index is never read through a symbolic link", "[trial][hostile]") {
  const TemporaryDirectory directory;
  const fs::path run = directory / "run";
  write_healthy_run(run);
  fs::rename(run / "index", directory / "outside");
  SECTION("to the whole of it") {
    fs::create_directory_symlink(directory / "outside", run / "index");
    const tt::Trial trial(run.string());  // its collections file is sound
    CHECK(trial.steps().empty());
    REQUIRE(trial.damage().size() == 1);
    CHECK_THAT(trial.damage()[0].cause, contains("symbolic links inside a run are not followed"));
    fs::remove_all(run / "collections");
    fs::remove(run / tt::layout::end_marker);
    CHECK_THROWS_WITH(tt::Trial(run.string()), contains("no object of the run can be read"));
  }
  SECTION("to one file") {
    fs::create_directories(run / "index/000000000");
    for (const std::string file : {"000000000000_worker_0.json", "000000000002_worker_0.json"})
      fs::copy_file(directory / "outside/000000000" / file, run / "index/000000000" / file);
    fs::create_symlink(directory / "outside/000000000/000000000001_worker_0.json",
                       run / "index/000000000/000000000001_worker_0.json");
    const tt::Trial trial(run.string());
    CHECK(trial.steps() == std::vector<std::int64_t>{0, 2});
    check_rest(trial);
  }
}

TEST_CASE("nothing is written through a symbolic link", "[trial][hostile]") {
  const TemporaryDirectory directory;
  for (const std::string folder : {"events", "index"}) {
    CAPTURE(folder);
    const fs::path run = directory / folder;
    const fs::path outside = directory / (folder + "_outside");
    fs::create_directories(outside);
    tt::Hook hook(run.string(), {.collections = {{.name = "all"}}, .save = tt::every(1), .retry = {.attempts = 1}});
    fs::create_directory_symlink(outside, run / folder);
    hook.begin_step();
    hook.save("loss", 1.0F);
    CHECK_THROWS_WITH(hook.close(), contains("symbolic links inside a run are not followed"));
    CHECK(fs::is_empty(outside));
  }
}

TEST_CASE("a record beyond the end of the events file is refused", "[trial][hostile]") {
  const auto spoilt = [](std::uint64_t start, std::uint64_t length, const std::string& cause) {
    CAPTURE(start, length);
    const auto store = healthy_run();
    auto index = put_step(*store, 1);
    index.tensors[0].start = start;
    index.tensors[0].length = length;
    put_index(*store, 1, index);
    const tt::Trial trial(store);
    check_spoilt(trial, cause);
    CHECK_THAT(damage_of(trial),
               contains("tensor \"loss\", step 1: record: \"events/000000000001/000000000001_worker_0.tfevents\": "));
  };
  const std::uint64_t size = record_of("loss", 1).size();
  const std::uint64_t most = INT64_MAX;
  spoilt(0, size + 1,
         "it ends before the record at 0 (" + std::to_string(size) + " of " + std::to_string(size + 1) + " bytes)");
  spoilt(1, size, "it ends before the record at 1");
  spoilt(size, size, "it ends before the record at " + std::to_string(size) + " (0 of ");
  spoilt(most, size, "it ends before the record at 9223372036854775807 (0 of ");
  spoilt(most, most, "it ends before the record at 9223372036854775807 (0 of 9223372036854775807 bytes)");
  spoilt(0, std::uint64_t{1} << 60, "it ends before the record at 0");
  spoilt(0, 0, "cut off (0 bytes are left)");
  spoilt(size, 0, "cut off (0 bytes are left)");
  spoilt(0, 15, "cut off (15 bytes are left)");
  spoilt(0, size - 1, "cut off");
}

TEST_CASE("a record beyond the end of an events file in a directory is refused", "[trial][hostile]") {
  const TemporaryDirectory directory;
  write_healthy_run(directory / "run");
  tt::FileStore store(directory / "run");
  auto index = put_step(store, 1);
  index.tensors[0].start = INT64_MAX;
  index.tensors[0].length = std::uint64_t{1} << 60;
  put_index(store, 1, index);
  check_spoilt(tt::Trial((directory / "run").string()), "it ends before the record at 9223372036854775807");
}

TEST_CASE("a range that holds several records is refused", "[trial][hostile]") {
  const auto store = healthy_run();
  put_step(*store, 1, record_of("loss", 1) + record_of("loss", 1));
  check_spoilt(tt::Trial(store), "its length differs from the index");
}

TEST_CASE("a record of another tensor is refused", "[trial][hostile]") {
  const auto store = healthy_run();
  put_step(*store, 1, record_of("gain\x1b", 1));
  check_spoilt(tt::Trial(store), "it holds another tensor (\"gain\\x1b\")");
}

TEST_CASE("a record with a length of 2^60 bytes is refused", "[trial][hostile]") {
  constexpr std::uint64_t huge = std::uint64_t{1} << 60;
  SECTION("in its frame") {
    const auto store = healthy_run();
    std::string record = record_of("loss", 1);
    record.replace(0, tt::tfrecord::header_size, tt::text_of(tt::tfrecord::header(huge)));
    put_step(*store, 1, record);
    check_spoilt(tt::Trial(store), "cut off (payload of 1152921504606846976 bytes");
  }
  SECTION("in each of its messages") {
    const std::string sound = event_with_shape({1}, "abcd");
    std::size_t tried = 0;
    for (std::size_t at = 0; at < sound.size(); ++at) {  // some of the bytes are lengths
      const auto store = healthy_run();
      std::string message = sound.substr(0, at);
      wire::put_varint(message, huge);
      message += sound.substr(at + 1);
      put_step(*store, 1, framed(message));
      const tt::Trial trial(store);
      if (!trial.tensor("loss").value(1)) CHECK_THAT(damage_of(trial), contains("tensor \"loss\", step 1: "));
      check_rest(trial);
      ++tried;
    }
    CHECK(tried > 20);
  }
  SECTION("in its shape") {
    const auto store = healthy_run();
    put_step(*store, 1, framed(event_with_shape({std::int64_t{1} << 58}, "abcd")));
    check_spoilt(tt::Trial(store), "its elements do not fill its shape (1 of 288230376151711744 elements)");
  }
}

TEST_CASE("a shape whose product overflows is refused", "[trial][hostile]") {
  const std::int64_t large = std::int64_t{1} << 32;
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{large, large}, {INT64_MAX, 2}, {large, large, 0}, {-1}, {-1, -1}}) {
    const auto store = healthy_run();
    put_step(*store, 1, framed(event_with_shape(shape, "abcd")));
    check_spoilt(tt::Trial(store), "shape is negative or its size overflows");
  }
}

TEST_CASE("a record that exceeds the memory is refused", "[trial][hostile]") {
  const auto store = std::make_shared<LyingStore>(healthy_run());
  store->out_of_memory = tt::layout::event_key(1, worker);
  check_spoilt(tt::Trial(store), "tensor \"loss\", step 1: std::bad_alloc");
}

TEST_CASE("the checksum in the index detects a replaced payload", "[trial][hostile]") {
  const auto store = healthy_run();
  const std::string record = record_of("loss", 1);
  auto index = put_step(*store, 1, record);
  index.tensors[0].crc32c = tt::crc32c(tt::tfrecord::payload(tt::bytes_of(record), ""));
  put_index(*store, 1, index);
  CHECK(tt::Trial(store).tensor("loss").value(1)->number(0) == 1);
  store->put(index.event_file, record_of("loss", 1.5F));
  check_spoilt(tt::Trial(store), "the payload's checksum does not match");
}

TEST_CASE("a malformed index is refused", "[trial][hostile]") {
  const std::string sound = to_json(put_step(*healthy_run(), 1));
  const auto with_start = [&](const std::string& start) {
    const std::string key = "\"start_idx\": ";
    std::string text = sound;
    return text.replace(text.find(key) + key.size(), 1, start);
  };
  const auto spoilt = [](const std::string& text, const std::string& cause) {
    const auto store = healthy_run();
    put_index(*store, 1, text);
    check_spoilt(
        tt::Trial(store),
        "index/000000000/000000000001_worker_0.json: index: \"index/000000000/000000000001_worker_0.json\": " + cause);
  };
  spoilt("", "not JSON (0 bytes)");
  spoilt(sound.substr(0, sound.size() / 2), "not JSON");
  for (const std::string literal : {"NaN", "Infinity", "-Infinity"}) spoilt(with_start(literal), "not JSON");
  spoilt(with_start("-1"), "key \"start_idx\": it is negative");
  spoilt(with_start("1e300"), "key \"start_idx\": it is not an integer");
  spoilt(with_start("99999999999999999999"), "key \"start_idx\": it is not an integer");
  spoilt(with_start(std::string(100'000, '[')), "nested too deeply");
  spoilt(with_start(std::string(100'000, '[') + std::string(100'000, ']')), "nested too deeply");
  spoilt("[" + sound + "]", "not a JSON object");
}

TEST_CASE("an index of 2^60 bytes and a missing index are damage", "[trial][hostile]") {
  const auto store = std::make_shared<LyingStore>(healthy_run());
  SECTION("2^60 bytes") {
    store->huge = tt::layout::index_key(1, worker);
    check_spoilt(tt::Trial(store), store->huge + ": too large (1152921504606846976 bytes)");
  }
  SECTION("vanished") {
    store->vanished = tt::layout::index_key(1, worker);
    check_spoilt(tt::Trial(store), store->vanished + ": it is listed but does not exist");
  }
}

TEST_CASE("an object that does not fit into memory is damage of itself alone", "[trial][hostile]") {
  const auto store = std::make_shared<LyingStore>(healthy_run());
  SECTION("an index") {
    store->out_of_memory = tt::layout::index_key(1, worker);
    check_spoilt(tt::Trial(store), store->out_of_memory + ": it does not fit into memory");
  }
  SECTION("the collections") {
    store->out_of_memory = tt::layout::collections_key(worker);
    const tt::Trial trial(store);
    CHECK_THAT(damage_of(trial), contains("it does not fit into memory"));
    CHECK(trial.tensor("loss").value(1)->number(0) == 1);
  }
  SECTION("an attempt") {
    store->put(tt::layout::attempt_key(0, worker), "{}");
    store->out_of_memory = tt::layout::attempt_key(0, worker);
    const tt::Trial trial(store);
    CHECK_THAT(damage_of(trial), contains("it does not fit into memory"));
    CHECK(trial.tensor("loss").value(1)->number(0) == 1);
  }
}

TEST_CASE("a JSON file with too many values or bytes is refused before it is parsed", "[trial][hostile]") {
  const auto store = healthy_run();
  const std::string sound = to_json(put_step(*store, 1));
  std::string zeros = "0";
  for (int i = 0; i < 5'000'000; ++i) zeros += ",0";
  SECTION("an index of values") {
    put_index(*store, 1, "{\"x\": [" + zeros + "], " + sound.substr(1));
    check_spoilt(tt::Trial(store), "it holds too many values");
  }
  SECTION("an index of blanks") {
    put_index(*store, 1, std::string(tt::layout::text_limit, ' ') + sound);
    check_spoilt(tt::Trial(store), "too large (67");
  }
  SECTION("the collections") {
    store->put(tt::layout::collections_key(worker), "{\"x\": [" + zeros + "], \"collections\": {}}");
    const tt::Trial trial(store);
    CHECK_THAT(damage_of(trial), contains("it holds too many values"));
    CHECK(trial.tensor("loss").value(1)->number(0) == 1);
  }
  SECTION("an attempt") {
    store->put(tt::layout::attempt_key(0, worker), "{\"x\": [" + zeros + "]}");
    const tt::Trial trial(store);
    CHECK_THAT(damage_of(trial), contains("it holds too many values"));
    CHECK(trial.tensor("loss").value(1)->number(0) == 1);
  }
}

TEST_CASE("a shape of more axes than any tensor has is refused", "[trial][hostile]") {
  const auto store = healthy_run();
  auto index = put_step(*store, 1);
  index.shapes.push_back({.name = "s", .original_name = "s", .shape = std::vector<std::int64_t>(65, 1)});
  put_index(*store, 1, index);
  check_spoilt(tt::Trial(store), "key \"shape\": it has more than 64 axes");
}

TEST_CASE("a million unknown keys are ignored", "[trial][hostile]") {
  const auto store = healthy_run();
  auto index = to_json(put_step(*store, 1));
  std::string keys;
  for (int i = 0; i < 1'000'000; ++i) keys += "\"" + std::to_string(i) + "\": 0, ";
  put_index(*store, 1, "{" + keys + index.substr(1));
  const tt::Trial trial(store);
  check_rest(trial);
  CHECK(trial.tensor("loss").value(1)->number(0) == 1);
}

TEST_CASE("100,000 tensors in one step are listed", "[trial][hostile]") {
  const auto store = healthy_run();
  auto index = put_step(*store, 1);
  for (int i = 0; i < 100'000; ++i) index.tensors.push_back({.name = "t" + std::to_string(i), .start = 0, .length = 1});
  put_index(*store, 1, index);
  const tt::Trial trial(store);
  CHECK(trial.tensors().size() == 100'001);
  check_rest(trial);
}

TEST_CASE("damage is listed once, and the list is bounded", "[trial][hostile]") {
  const auto store = healthy_run();
  auto index = put_step(*store, 1);
  for (int i = 0; i < 12'000; ++i) index.tensors.push_back({.name = "t" + std::to_string(i), .start = 0, .length = 1});
  put_index(*store, 1, index);
  const tt::Trial trial(store);
  CHECK_FALSE(trial.tensor("t0").value(1));
  CHECK_FALSE(trial.tensor("t0").value(1));
  CHECK(trial.damage().size() == 1);
  for (const auto& tensor : trial.tensors()) (void)tensor.value(1);
  CHECK(trial.damage().size() == 10'000);
  check_rest(trial);
}

TEST_CASE("names with control characters are read as they are and printed escaped", "[trial][hostile]") {
  const std::string name = "a\x1b[31m\nb\x7f\xc2\x9b";
  const auto store = healthy_run();
  put_step(*store, 3, record_of(name, 3), name);
  put_step(*store, 4, "not a record of any kind", name);
  store->put("index/000000000/000000000005_w\x1b[2J.json", "{}");
  const tt::Trial trial(store);
  CHECK(trial.tensor(name).name() == name);
  CHECK(trial.tensor(name).value(3)->number(0) == 3);
  CHECK_FALSE(trial.tensor(name).value(4));
  const std::string damage = damage_of(trial);
  CHECK_THAT(damage, contains(R"(tensor "a\x1b[31m\nb\x7f\x9b", step 4: )"));
  CHECK_THAT(damage, contains(R"(index/000000000/000000000005_w\x1b[2J.json: )"));
  for (const char c : damage) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
  CHECK_THROWS_WITH(trial.tensor("\x1b[2J"), contains(R"(no tensor is named "\x1b[2J")"));
  check_rest(trial);
}

TEST_CASE("a damaged collections file does not hide the tensors", "[trial][hostile]") {
  for (const std::string text : {"", "{", "{\"collections\": 5}", "NaN", R"({"collections": {"\u001b": 5}})"}) {
    CAPTURE(text);
    const auto store = healthy_run();
    store->put(tt::layout::collections_key(worker), text);
    const tt::Trial trial(store);
    CHECK(trial.collections().empty());
    CHECK_THAT(damage_of(trial), contains("collections/000000000/worker_0_collections.json: collections: "));
    check_rest(trial);
  }
}

TEST_CASE("a stored pattern that is invalid or too slow is not run", "[trial][hostile]") {
  const std::vector<std::string> patterns = {
      "(?<=a)loss", "(", "(?i)loss", "(a?){30000}", "(?=.*(?=.*(?=.*b)))", std::string(2000, 'a'), "(?P<x>l)oss"};
  for (const std::string& pattern : patterns) {
    CAPTURE(pattern);
    const auto store = healthy_run();
    store->put(
        tt::layout::collections_key(worker),
        to_json(tt::CollectionsFile{{{.name = "c\x1b", .include_regex = {pattern}, .tensor_names = {"loss"}}}, 1}));
    const tt::Trial trial(store);
    const auto tensors = trial.tensors({.collection = "c\x1b"});
    REQUIRE(tensors.size() == 1);  // by its listed name
    CHECK(tensors[0].name() == "loss");
    CHECK_THAT(damage_of(trial), contains("collection \"c\\x1b\": pattern: "));
    check_rest(trial);
  }
}

TEST_CASE("steps and keys at the limits of 64-bit numbers are read", "[trial][hostile]") {
  const auto store = healthy_run();
  put_step(*store, INT64_MAX, record_of("loss", 7));
  store->put("index/000000000/9223372036854775808_worker_0.json", "{}");
  store->put("index/000000000/-00000000001_worker_0.json", "{}");
  const tt::Trial trial(store);
  CHECK(trial.steps() == std::vector<std::int64_t>{0, 1, 2, INT64_MAX});
  CHECK(trial.tensor("loss").value(INT64_MAX)->number(0) == 7);
  CHECK(trial.damage().empty());
}

TEST_CASE("temporary objects are not part of a run", "[trial][hostile]") {
  const auto store = healthy_run();
  store->put("index/000000000/000000000001_worker_0.json.tmp", "half");
  store->put("index/000000000/000000000007_worker_0.json.12-3.tmp", "half");
  store->put("collections/000000000/worker_1_collections.json.tmp", "half");
  const tt::Trial trial(store);
  CHECK(trial.steps() == std::vector<std::int64_t>{0, 1, 2});
  CHECK(trial.workers() == std::vector<std::string>{"worker_0"});
  CHECK(trial.damage().empty());
}
