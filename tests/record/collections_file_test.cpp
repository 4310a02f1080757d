#include <tensortap/record/collections_file.hpp>

#include <string>

#include <nlohmann/json.hpp>
#include <tensortap/error.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "select/random_save_config.hpp"

namespace tt = tensortap;
using nlohmann::json;
using R = tt::Reduction;
using tt::Mode;

namespace {

/// Returns a file with one collection of this text.
std::string file_of(const std::string& collection) {
  return R"({"collections": {"a": )" + collection + R"(}, "_meta": {"num_workers": 1}})";
}

tt::Collection parse_one(const std::string& collection) {
  return tt::parse_collections(file_of(collection), "").collections.at(0);
}

/// Returns the reason why a file is refused. Empty: it is accepted.
std::string refusal_of_collections(const std::string& text) {
  try {
    (void)tt::parse_collections(text, "collections/c");
    return "";
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::damaged);
    CHECK_THAT(e.what(), contains("collections: \"collections/c\": "));
    return e.what();
  }
}

/// Returns the JSON object written for `collection`.
json written(const tt::Collection& collection) {
  return json::parse(to_json(tt::CollectionsFile{{collection}, 1})).at("collections").at(collection.name);
}

}  // namespace

TEST_CASE("the collections of the golden runs are written back with equal JSON, but for the flag of TensorBoard",
          "[record][collections_file]") {
  const auto without_histograms = [](const std::string& text) {
    json root = json::parse(text);
    for (auto& [name, collection] : root["collections"].items()) CHECK(collection.erase("save_histogram") == 1);
    return root;
  };
  int compared = 0;
  for (const auto& run : golden::runs())
    for (const auto& [key, text] : golden::files_of(run)) {
      if (!tt::layout::parse_collections_key(key)) continue;
      CAPTURE(run, key);
      CHECK(without_histograms(to_json(tt::parse_collections(text, key))) == without_histograms(text));
      ++compared;
    }
  CHECK(compared > 20);
}

TEST_CASE("a file is equal to Python's, in ASCII", "[record][collections_file]") {
  const tt::CollectionsFile file{
      {{.name = "gr\xc3\xbc\xc3\x9f"
                "e",
        .include_regex = {"^a", "b\\.c$"},
        .tensor_names = {"x", "y"},
        .save = ((tt::every(10) & tt::from(5) & tt::until(50)) | tt::at({1, 2})) & tt::during(Mode::eval),
        .reductions = {R::l2, R::min}}},
      3};
  CHECK_THAT(to_json(file), contains(R"("gr\u00fc\u00dfe")"));
  CHECK(json::parse(to_json(file)) == json::parse(R"({"collections": {"gr\u00fc\u00dfe": {
    "name": "gr\u00fc\u00dfe", "include_regex": ["^a", "b\\.c$"], "tensor_names": ["x", "y"],
    "reduction_config": {"save_raw_tensor": false, "reductions": "min,l2_norm", "save_shape": false},
    "save_config": {"TRAIN": null, "EVAL": {"save_interval": 10, "save_steps": [1, 2], "start_step": 5, "end_step": 50},
                    "PREDICT": null, "GLOBAL": null},
    "save_histogram": true}}, "_meta": {"num_workers": 3}})"));
}

TEST_CASE("a file is parsed back to equal values", "[record][collections_file]") {
  const tt::Collection collection{
      .name = "mine",
      .include_regex = {"a", "b"},
      .tensor_names = {"c\nd"},
      .save = (tt::every(7) & tt::during(Mode::train)) | (tt::every(1) & tt::from(3) & tt::during(Mode::predict)),
      .reductions = {R::mean, R::abs_l1, R::statistics, R::units, R::classes},
      .save_raw_tensor = true,
      .save_shape = true};
  const auto again = tt::parse_collections(to_json(tt::CollectionsFile{{collection}, 8}), "");
  CHECK(again.num_workers == 8);
  REQUIRE(again.collections.size() == 1);
  const auto& read = again.collections[0];
  CHECK(read.name == collection.name);
  CHECK(read.include_regex == collection.include_regex);
  CHECK(read.tensor_names == collection.tensor_names);
  CHECK(read.reductions == collection.reductions);
  CHECK(read.save_raw_tensor == true);
  CHECK(read.save_shape);
  REQUIRE(read.save);
  for (const Mode mode : tt::all_modes)
    for (std::int64_t step = 0; step < 30; ++step)
      CHECK(read.save->includes({mode, step, 0}) == collection.save->includes({mode, step, 0}));
}

TEST_CASE("reductions have their names in configurations", "[record][collections_file]") {
  tt::Reductions all;
  for (std::size_t i = 0; i < tt::reduction_count; ++i) all.insert(static_cast<R>(i));
  const std::string spelled =
      "min,max,mean,std,variance,sum,prod,l1_norm,l2_norm,abs_min,abs_max,abs_mean,abs_std,abs_variance,abs_sum,abs_"
      "prod,"
      "abs_l1_norm,abs_l2_norm";
  CHECK(written({.name = "a", .reductions = all})["reduction_config"]["reductions"] == spelled);
  CHECK(parse_one(R"({"reduction_config": {"reductions": ")" + spelled + R"("}})").reductions == all);
}

TEST_CASE("statistics have a key of their own, which smdebug ignores", "[record][collections_file]") {
  const json collection = written({.name = "a", .reductions = {R::min, R::statistics}});
  CHECK(collection["reduction_config"]["reductions"] == "min");
  CHECK(collection["statistics"] == true);
  CHECK_FALSE(written({.name = "a", .reductions = {R::min}}).contains("statistics"));
  CHECK(parse_one(R"({"statistics": true})").reductions == tt::Reductions{R::statistics});
  CHECK(parse_one(R"({"units": true, "classes": true})").reductions == tt::Reductions{R::units, R::classes});
  CHECK(parse_one(R"({"statistics": false})").reductions.empty());
  CHECK_THAT(refusal_of_collections(file_of(R"({"statistics": "yes"})")),
             contains("key \"statistics\": it is neither true nor false"));
}

TEST_CASE("steps alone are written as an interval that ends before it starts", "[record][collections_file]") {
  const json config = written({.name = "a", .save = tt::at({2, 1})})["save_config"]["TRAIN"];
  CHECK(config == json::parse(R"({"save_interval": 500, "save_steps": [1, 2], "start_step": 0, "end_step": 0})"));
  const auto read = parse_one(R"({"save_config": {"TRAIN": )" + config.dump() + "}}");
  CHECK(read.save->includes({Mode::train, 1, 0}));
  CHECK(read.save->includes({Mode::train, 2, 0}));
  CHECK_FALSE(read.save->includes({Mode::train, 0, 0}));
  CHECK_FALSE(read.save->includes({Mode::train, 500, 0}));
}

TEST_CASE("every step is an interval of 1", "[record][collections_file]") {
  const json every_step = json::parse(R"({"save_interval": 1, "save_steps": [], "start_step": 0, "end_step": null})");
  CHECK(written({.name = "a", .save = tt::SaveConfig()})["save_config"]["GLOBAL"] == every_step);
}

TEST_CASE("configurations of one clause have smdebug's form", "[record][collections_file]") {
  const auto text = [](const tt::SaveConfig& config) {
    const json collection = written({.name = "a", .save = config});
    CHECK_FALSE(collection.contains("save_clauses"));
    return collection["save_config"]["TRAIN"].dump();
  };
  CHECK(text(tt::every(10)) == R"({"end_step":null,"save_interval":10,"save_steps":[],"start_step":0})");
  CHECK(text(tt::from(5)) == R"({"end_step":null,"save_interval":1,"save_steps":[],"start_step":5})");
  CHECK(text(tt::until(7)) == R"({"end_step":7,"save_interval":1,"save_steps":[],"start_step":0})");
  CHECK(text(tt::every(10) & tt::from(10) & tt::until(10)) ==
        R"({"end_step":10,"save_interval":10,"save_steps":[],"start_step":10})");
  CHECK(text(tt::every(10) & tt::until(0)) == R"({"end_step":0,"save_interval":10,"save_steps":[],"start_step":0})");
  CHECK(text(tt::every(10) | tt::at({10, 1})) ==
        R"({"end_step":null,"save_interval":10,"save_steps":[1,10],"start_step":0})");
  CHECK(text((tt::every(10) & tt::from(5)) | tt::at({1}) | tt::at({2, 1})) ==
        R"({"end_step":null,"save_interval":10,"save_steps":[1,2],"start_step":5})");
  CHECK(text((tt::from(10) & tt::until(10)) | tt::at({1})) ==
        R"({"end_step":10,"save_interval":1,"save_steps":[1],"start_step":10})");
  CHECK(text(tt::at({1}) & tt::during(Mode::train)) ==
        R"({"end_step":0,"save_interval":500,"save_steps":[1],"start_step":0})");
  CHECK(text(tt::at({1}) & tt::during(Mode::eval)) == "null");
  CHECK(text(tt::every(20) | tt::every(10)) ==
        R"({"end_step":null,"save_interval":10,"save_steps":[],"start_step":0})");
}

TEST_CASE("other unions are a key of our own beside smdebug's form of a superset", "[record][collections_file]") {
  const tt::SaveConfig config =
      ((tt::every(100) & tt::until(1000)) | (tt::every(150) & tt::from(300)) | tt::at({7})) & tt::during(Mode::eval);
  const json collection = written({.name = "a", .save = config});
  CHECK(collection["save_config"] == json::parse(R"({"TRAIN": null, "PREDICT": null, "GLOBAL": null, "EVAL":
    {"save_interval": 50, "save_steps": [7], "start_step": 0, "end_step": null}})"));
  CHECK(collection["save_clauses"] == json::parse(R"({"EVAL": [
    {"save_interval": 100, "save_steps": [7], "start_step": 0, "end_step": 1000},
    {"save_interval": 150, "save_steps": [], "start_step": 300, "end_step": null}]})"));
  CHECK(parse_one(collection.dump()).save == config);
}

TEST_CASE("every configuration without a predicate comes back, and its text too", "[record][collections_file]") {
  RandomSaveConfigs random(5, false);
  int unions = 0;
  for (int i = 0; i < 1000; ++i) {
    CAPTURE(i);
    const tt::SaveConfig config = random(1 + i % 4).config;
    const std::string text = to_json(tt::CollectionsFile{{{.name = "a", .save = config}}, 1});
    const tt::CollectionsFile again = tt::parse_collections(text, "");
    CHECK(to_json(again) == text);
    const json collection = json::parse(text).at("collections").at("a");
    unions += collection.contains("save_clauses") ? 1 : 0;
    const auto superset = parse_one(json{{"save_config", collection["save_config"]}}.dump()).save;
    for (const Mode mode : tt::all_modes)
      for (std::int64_t step = 0; step < 100; ++step) {
        const tt::Step at{mode, step, 0};
        if (again.collections[0].save->includes(at) != config.includes(at)) FAIL("a step differs");
        if (config.includes(at) && !superset->includes(at)) FAIL("smdebug's form lacks a step");
      }
  }
  CHECK(unions > 100);
}

TEST_CASE("configurations without a form in the file are null", "[record][collections_file]") {
  CHECK(written({.name = "a"})["save_config"].is_null());
  CHECK(written({.name = "a"})["reduction_config"].is_null());
  CHECK(written({.name = "a", .save = tt::SaveConfig::when([](const tt::Step&) { return true; })})["save_config"]
            .is_null());
  CHECK(written({.name = "a", .save = tt::SaveConfig::never()})["save_config"] ==
        json::parse(R"({"TRAIN": null, "EVAL": null, "PREDICT": null, "GLOBAL": null})"));
}

TEST_CASE("keys that are null or missing leave their fields empty", "[record][collections_file]") {
  for (
      const std::string text :
      {"{}",
       R"({"include_regex": null, "tensor_names": null, "reduction_config": null, "save_config": null, "save_histogram": null})"}) {
    const auto collection = parse_one(text);
    CHECK(collection.name == "a");
    CHECK(collection.include_regex.empty());
    CHECK(collection.tensor_names.empty());
    CHECK_FALSE(collection.save);
    CHECK(collection.reductions.empty());
    CHECK_FALSE(collection.save_raw_tensor);
  }
  const auto modes = parse_one(R"({"save_config": {"TRAIN": {}, "EVAL": null}})");
  CHECK(modes.save->includes({Mode::train, 500, 0}));
  CHECK_FALSE(modes.save->includes({Mode::train, 499, 0}));
  CHECK_FALSE(modes.save->includes({Mode::eval, 0, 0}));
  CHECK_FALSE(modes.save->includes({Mode::predict, 0, 0}));
  const auto reductions = parse_one(R"({"reduction_config": {}})");
  CHECK(reductions.save_raw_tensor == false);
}

TEST_CASE("a file without _meta counts one worker", "[record][collections_file]") {
  CHECK(tt::parse_collections(R"({"collections": {}})", "").num_workers == 1);
  CHECK(tt::parse_collections(R"({"collections": {}, "_meta": {}})", "").num_workers == 1);
  CHECK(tt::parse_collections(R"({"collections": {}, "_meta": {"num_workers": 4}})", "").num_workers == 4);
}

TEST_CASE("smdebug's flag of TensorBoard is ignored", "[record][collections_file]") {
  for (const char* const flag : {"true", "false", "null", "1"})
    CHECK(refusal_of_collections(file_of(R"({"save_histogram": )" + std::string(flag) + "}")).empty());
}

TEST_CASE("collections with unknown keys are read", "[record][collections_file]") {
  CHECK(refusal_of_collections(R"({"collections": {"a": {"x": [1]}}, "_meta": {"y": 1}, "z": {}})").empty());
}

TEST_CASE("a pattern that no library can run is read", "[record][collections_file]") {
  CHECK(parse_one(R"({"include_regex": ["(?<=a)(", ""]})").include_regex.list() ==
        std::vector<std::string>{"(?<=a)(", ""});
}

TEST_CASE("a value of the wrong kind is named", "[record][collections_file]") {
  CHECK(refusal_of_collections(file_of("{}")).empty());
  CHECK_THAT(refusal_of_collections("{}"), contains("key \"collections\": it is missing"));
  CHECK_THAT(refusal_of_collections(R"({"collections": []})"), contains("key \"collections\": it is not an object"));
  CHECK_THAT(refusal_of_collections(R"({"collections": {}, "_meta": 1})"),
             contains("key \"_meta\": it is not an object"));
  CHECK_THAT(refusal_of_collections(R"({"collections": {}, "_meta": {"num_workers": -1}})"),
             contains("key \"num_workers\": it is negative"));
  CHECK_THAT(refusal_of_collections(R"({"collections": {}, "_meta": {"num_workers": 1.5}})"),
             contains("key \"num_workers\": it is not an integer"));
  CHECK_THAT(refusal_of_collections(file_of("5")), contains("key \"a\": it is not an object"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"name": 5})")), contains("key \"name\": it is not a string"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"include_regex": "x"})")),
             contains("key \"include_regex\": it is not an array"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"tensor_names": [1]})")),
             contains("key \"tensor_names\": an element is not a string"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"reduction_config": []})")),
             contains("key \"reduction_config\": it is not an object"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"reduction_config": {"save_shape": "true"}})")),
             contains("key \"save_shape\": it is neither true nor false"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"reduction_config": {"reductions": "min,median"}})")),
             contains("key \"reductions\": no reduction is called \"median\""));
  CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": 1})")),
             contains("key \"save_config\": it is not an object"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": {"EVAL": 1}})")),
             contains("key \"EVAL\": it is not an object"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": {}, "save_clauses": []})")),
             contains("key \"save_clauses\": it is not an object"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": {}, "save_clauses": {"EVAL": {}}})")),
             contains("key \"EVAL\": it is not an array"));
  CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": {}, "save_clauses": {"EVAL": [1]}})")),
             contains("key \"save_clauses\": it is not an object"));
  for (const std::string number : {"1.5", "\"1\"", "true", "9223372036854775808", "18446744073709551615"})
    for (const std::string key : {"save_interval", "start_step", "end_step"}) {
      CAPTURE(number, key);
      CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": {"EVAL": {")" + key + R"(": )" + number + "}}}")),
                 contains("key \"" + key + "\": it is not an integer"));
      CHECK_THAT(refusal_of_collections(file_of(R"({"save_config": {"EVAL": {"save_steps": [0, )" + number + "]}}}")),
                 contains("key \"save_steps\": it is not an integer"));
    }
}

TEST_CASE("a name in a message is printed escaped", "[record][collections_file]") {
  CHECK_THAT(refusal_of_collections(R"({"collections": {"\u001b[31m\n": 5}})"),
             contains(R"(key "\x1b[31m\n": it is not an object)"));
}

TEST_CASE("files nested too deeply and NaN literals are refused", "[record][collections_file]") {
  CHECK_THAT(refusal_of_collections(file_of(std::string(100, '[') + std::string(100, ']'))),
             contains("nested too deeply"));
  CHECK_THAT(refusal_of_collections(file_of("NaN")), contains("not JSON"));
}
