// The configuration of a hook from outside: smdebug's JSON, and the environment of a training job.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"

namespace tt = tensortap;
using Catch::Matchers::Contains;

namespace {

using Variables = std::map<std::string, std::string>;

tt::HookConfiguration configured_by(Variables variables) {
  return tt::HookConfiguration::from_environment([variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

const tt::Collection* collection_in(const tt::HookConfiguration& from, std::string_view name) {
  for (const auto* list : {&from.options.collections, &from.not_saved})
    for (const tt::Collection& one : *list)
      if (one.name == name) return &one;
  return nullptr;
}

std::vector<std::string> names_of(const std::vector<tt::Collection>& collections) {
  std::vector<std::string> out;
  for (const tt::Collection& one : collections) out.push_back(one.name);
  return out;
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// A new directory, removed by the destructor.
struct ConfigurationFolder {
  ConfigurationFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tensortap_configuration_XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path = name;
  }
  ConfigurationFolder(const ConfigurationFolder&) = delete;
  ConfigurationFolder& operator=(const ConfigurationFolder&) = delete;
  ~ConfigurationFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("a configuration: the collections are those that smdebug makes of the same file", "[configuration]") {
  const auto folder = std::filesystem::path(TENSORTAP_TEST_DATA_DIR) / "golden" / "json_config";
  const auto configuration = tt::HookConfiguration::from_json((folder / "debughookconfig.json").string());
  CHECK(configuration.warnings.empty());
  CHECK(configuration.out_dir == "OUT_DIR");
  CHECK(names_of(configuration.options.collections) ==
        std::vector<std::string>{"default", "gradients", "losses", "mine", "weights"});
  std::ifstream file(folder / "collections" / "000000000" / "worker_0_collections.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto expected = tt::parse_collections(text, "golden");
  REQUIRE(expected.collections.size() == 7);
  for (const tt::Collection& golden : expected.collections) {
    CAPTURE(golden.name);
    const tt::Collection* const ours = collection_in(configuration, golden.name);
    REQUIRE(ours != nullptr);
    CHECK(ours->save.value_or(configuration.options.save) == golden.save);
    CHECK(ours->reductions == golden.reductions);
    CHECK(ours->saves_raw() == golden.saves_raw());
    CHECK(ours->save_shape == golden.save_shape);
    if (ours->include_regex.given()) CHECK(ours->include_regex == golden.include_regex);
  }
}

TEST_CASE("a configuration: keys of modes and of collections come before others", "[configuration]") {
  const auto with = [](const std::string& hook, const std::string& collection) {
    const auto found = tt::HookConfiguration::from_json(
        "{\"HookParameters\": {" + hook + "}, \"CollectionConfigurations\": [{\"CollectionName\": \"weights\", " +
        "\"CollectionParameters\": {" + collection + "}}]}");
    const tt::Collection* const weights = collection_in(found, "weights");
    const tt::SaveConfig save = weights->save.value_or(found.options.save);
    return std::vector<std::int64_t>{save[tt::Mode::train].front().interval, save[tt::Mode::eval].front().interval};
  };
  CHECK(with("", "") == std::vector<std::int64_t>{500, 500});
  CHECK(with("\"save_interval\": \"4\"", "") == std::vector<std::int64_t>{4, 4});
  CHECK(with("\"save_interval\": 4, \"eval.save_interval\": 2", "") == std::vector<std::int64_t>{4, 2});
  CHECK(with("\"train.save_interval\": 4", "\"save_interval\": 3") == std::vector<std::int64_t>{3, 3});
  CHECK(with("\"train.save_interval\": 4", "\"eval.save_interval\": 3") == std::vector<std::int64_t>{4, 3});
  CHECK(with("", "\"eval.save_interval\": 3, \"save_interval\": 9") == std::vector<std::int64_t>{9, 3});
  CHECK(with("\"save_interval\": 2.9", "") == std::vector<std::int64_t>{2, 2});
  CHECK(with("\"save_interval\": \" +7 \"", "") == std::vector<std::int64_t>{7, 7});
  CHECK(with("\"save_interval\": 3", "\"save_interval\": null") == std::vector<std::int64_t>{500, 500});
}

TEST_CASE("a configuration: which collections are saved", "[configuration]") {
  const auto saved = [](const std::string& text) {
    return names_of(tt::HookConfiguration::from_json(text).options.collections);
  };
  using Names = std::vector<std::string>;
  CHECK(saved("{}") == Names{"losses"});
  CHECK(saved(R"({"HookParameters": null, "CollectionConfigurations": null})") == Names{"losses"});
  CHECK(saved(R"({"HookParameters": {"include_regex": "relu, tanh"}})") == Names{"default", "losses"});
  CHECK(saved(R"({"HookParameters": {"save_all": "true"}})") ==
        Names{"all", "biases", "gradients", "losses", "weights"});
  CHECK(saved(R"({"HookParameters": {"save_all": false}, "CollectionConfigurations": [{"CollectionName": "all"}]})") ==
        Names{"all", "biases", "gradients", "losses", "weights"});
  CHECK(saved(R"({"CollectionConfigurations": [{"CollectionName": "metrics"}, {"CollectionName": "relu_input"}]})") ==
        Names{"losses", "relu_input"});
}

TEST_CASE("a configuration: which parts are saved", "[configuration]") {
  const auto parts = [](const std::string& hook, const std::string& name = "weights") {
    const auto found = tt::HookConfiguration::from_json(
        "{\"HookParameters\": {" + hook + "}, \"CollectionConfigurations\": [{\"CollectionName\": \"weights\"}]}");
    return *collection_in(found, name);
  };
  CHECK(parts("").saves_raw());
  CHECK(parts("\"reductions\": \"l2_norm, abs_mean\"").reductions ==
        tt::Reductions{tt::Reduction::l2, tt::Reduction::abs_mean});
  CHECK_FALSE(parts("\"reductions\": \"l2_norm\"").saves_raw());
  CHECK(parts("\"reductions\": \"l2_norm\", \"save_raw_tensor\": \"True\"").saves_raw());
  CHECK(parts("\"reductions\": \"l2_norm\"", "losses").saves_raw());
  CHECK(parts("\"reductions\": \"l2_norm\"", "losses").reductions.empty());
  CHECK_FALSE(parts("\"save_shape\": true").saves_raw());
  CHECK(parts("\"save_shape\": true").save_shape);
  CHECK(parts("\"save_raw_tensor\": false").saves_raw());
  CHECK_FALSE(parts("\"reductions\": \"\"").saves_raw());
}

TEST_CASE("a configuration: gradients are not saved in EVAL and PREDICT", "[configuration]") {
  for (const std::string parameters : {"\"save_interval\": 1", "\"save_interval\": 1, \"include_regex\": \"extra\""}) {
    CAPTURE(parameters);
    const auto found = tt::HookConfiguration::from_json(
        "{\"CollectionConfigurations\": [{\"CollectionName\": \"gradients\", \"CollectionParameters\": {" + parameters +
        "}}]}");
    const auto store = std::make_shared<tt::MemoryStore>();
    tt::Hook hook(store, found.options);
    for (const tt::Mode mode : {tt::Mode::train, tt::Mode::eval, tt::Mode::predict}) {
      hook.begin_step(mode);
      hook.save("gradient/w", 1.0F);
    }
    hook.close();
    CHECK(tt::Trial(store).tensor("gradient/w").steps() == std::vector<std::int64_t>{0});
  }
}

TEST_CASE("a configuration: what is wrong is told with file, line and key", "[configuration]") {
  struct Damaged {
    const char* text;
    std::vector<const char*> says;
  };
  const std::string collections = "{\n\"CollectionConfigurations\": [\n";
  const std::vector<Damaged> all = {
      {"{", {"line 1", "not JSON"}},
      {"{\"a\": 1,}", {"line 1", "not JSON"}},
      {"{\n\"LocalPath\": \"x\"\n\"S3Path\": \"y\"}", {"line 3", "not JSON"}},
      {"{\"LocalPath\": \"x\"} tail", {"not JSON"}},
      {"{\"LocalPath\": \"x", {"not JSON"}},
      {"{\"LocalPath\": \"\xff\"}", {"not JSON"}},
      {"{\"LocalPath\": 5}", {"LocalPath", "text", "5"}},
      {"{\"LocalPath\": \"\"}", {"LocalPath", "empty"}},
      {"{\n\n\"HookParameters\": []}", {"line 3", "HookParameters", "object"}},
      {"{\n\"HookParameters\": {\n\"save_interval\": \"ten\"}}", {"line 3", "HookParameters.save_interval", "\"ten\""}},
      {"{\"HookParameters\": {\"save_interval\": 0}}", {"save_interval", "at least 1"}},
      {"{\"HookParameters\": {\"save_interval\": \"0\"}}", {"save_interval", "at least 1"}},
      {"{\"HookParameters\": {\"eval.save_interval\": -3}}", {"eval.save_interval", "-3"}},
      {"{\"HookParameters\": {\"save_interval\": true}}", {"save_interval", "integer", "true"}},
      {"{\"HookParameters\": {\"save_interval\": 1e30}}", {"save_interval", "too large"}},
      {"{\"HookParameters\": {\"save_interval\": 18446744073709551615}}", {"save_interval", "too large"}},
      {"{\"HookParameters\": {\"save_interval\": \"99999999999999999999\"}}", {"save_interval", "integer"}},
      {"{\"HookParameters\": {\"save_interval\": \"2.5\"}}", {"save_interval", "integer"}},
      {"{\"HookParameters\": {\"start_step\": {}}}", {"start_step", "integer"}},
      {"{\"HookParameters\": {\"save_steps\": \"\"}}", {"save_steps", "list of integers"}},
      {"{\"HookParameters\": {\"save_steps\": \"1,two\"}}", {"save_steps", "1,two"}},
      {"{\"HookParameters\": {\"reductions\": \"min,medain\"}}", {"reductions", "medain"}},
      {"{\"HookParameters\": {\"reductions\": \"l2_nrom\"}}", {"reductions", "did you mean \"l2_norm\""}},
      {"{\"HookParameters\": {\"reductions\": 3}}", {"reductions", "text"}},
      {"{\"HookParameters\": {\"save_all\": \"TRUE\"}}", {"save_all", "true or false", "TRUE"}},
      {"{\"HookParameters\": {\"save_all\": 1}}", {"save_all", "true or false"}},
      {"{\"HookParameters\": {\"include_workers\": \"some\"}}", {"include_workers", "one", "all"}},
      {"{\"HookParameters\": {\"include_regex\": \"(\"}}", {"include_regex", "("}},
      {"{\"HookParameters\": {\"export_tensorboard\": \"yes\"}}", {"export_tensorboard", "true or false"}},
      {"{\"CollectionConfigurations\": {}}", {"CollectionConfigurations", "array"}},
      {"{\n\"CollectionConfigurations\": [\n{}]}", {"line 3", "CollectionConfigurations[0]", "CollectionName"}},
      {"{\"CollectionConfigurations\": [{\"CollectionName\": 1}]}", {"CollectionName", "text"}},
      {"{\"CollectionConfigurations\": [{\"CollectionName\": \"\"}]}", {"CollectionName", "empty"}},
      {"{\n\"CollectionConfigurations\": [\n{\n\"CollectionName\": \"weigths\"}]}",
       {"line 4", "did you mean \"weights\""}},
      {"{\"CollectionConfigurations\": [{\"CollectionName\": \"a\", \"CollectionParameters\": 3}]}",
       {"CollectionParameters", "object"}},
      {"{\"CollectionConfigurations\": [{\"CollectionName\": \"weights\", \"CollectionParameters\": "
       "{\"save_histogram\": "
       "\"no\"}}]}",
       {"save_histogram", "true or false"}},
  };
  for (const Damaged& one : all) {
    CAPTURE(one.text);
    std::string message;
    try {
      (void)tt::HookConfiguration::from_json(one.text);
    } catch (const tt::Error& e) {
      message = e.what();
      CHECK(e.code() == tt::Errc::invalid_option);
    }
    CHECK_THAT(message, Contains("hook configuration: \"the text\""));
    for (const char* const part : one.says) CHECK_THAT(message, Contains(part));
  }
  CHECK_THROWS_WITH(tt::HookConfiguration::from_json("no/such/file.json"), Contains("no/such/file.json"));
  CHECK_THROWS_WITH(tt::HookConfiguration::from_json(std::string(40, '[')), Contains("cannot be read"));
  std::string deep = "{\"a\": ";
  for (int i = 0; i < 100; ++i) deep += "[";
  CHECK_THROWS_WITH(tt::HookConfiguration::from_json(deep), Contains("nested"));
  CHECK_THROWS_WITH(tt::HookConfiguration::from_json("{" + std::string(2 << 20, ' ')), Contains("bytes"));
}

TEST_CASE("a configuration: keys that are not known are warned of, with the nearest one", "[configuration]") {
  const auto found = tt::HookConfiguration::from_json(
      "{\n\"LocalPaht\": \"x\",\n\"HookParameters\": {\"save_intervall\": 3, \"train.save_intervl\": 1, \"dry_run\": "
      "true},\n\"CollectionConfigurations\": [{\"CollectionName\": \"weights\", \"Parameters\": "
      "{}}],\n\"HookParameters\": {\"save_intervall\": 3}}");
  std::string all;
  for (const std::string& warning : found.warnings) all += warning + '\n';
  CHECK_THAT(all, Contains("line 2: LocalPaht: the key is not known; did you mean \"LocalPath\"?"));
  CHECK_THAT(all, Contains("HookParameters.save_intervall: the key is not known; did you mean \"save_interval\"?"));
  CHECK_THAT(all, Contains("CollectionConfigurations[0].Parameters"));
  CHECK_THAT(all, Contains("HookParameters: the key comes twice"));
}

TEST_CASE("a configuration: written as JSON and read again, it is the same", "[configuration]") {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp)
  const auto draw = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto step_keys = [&] {
    std::string out;
    for (const char* const mode : {"", "train.", "eval.", "predict.", "global."}) {
      if (draw(3) == 0) out += ",\"" + std::string(mode) + "save_interval\":" + std::to_string(1 + draw(50));
      if (draw(4) == 0) out += ",\"" + std::string(mode) + "start_step\":\"" + std::to_string(draw(20)) + "\"";
      if (draw(4) == 0) out += ",\"" + std::string(mode) + "end_step\":" + std::to_string(draw(200));
      if (draw(4) == 0) out += ",\"" + std::string(mode) + "save_steps\":\"3, " + std::to_string(draw(9)) + "\"";
    }
    if (draw(3) == 0) out += ",\"reductions\":\"min,abs_l2_norm\"";
    if (draw(4) == 0) out += ",\"save_shape\":true";
    return out;
  };
  for (int i = 0; i < 500; ++i) {
    std::string text = "{\"LocalPath\":\"runs/1\",\"HookParameters\":{\"include_workers\":\"all\"" + step_keys();
    if (draw(4) == 0) text += ",\"save_all\":true";
    if (draw(4) == 0) text += ",\"tensorboard_dir\":\"tb\"";
    if (draw(3) == 0) text += ",\"include_regex\":\"relu,tanh\"";
    text += "},\"CollectionConfigurations\":[";
    bool first = true;
    for (const char* const name : {"weights", "gradients", "mine", "losses", "all"}) {
      if (draw(2) == 0) continue;
      text += std::string(first ? "" : ",") + "{\"CollectionName\":\"" + name + "\",\"CollectionParameters\":{" +
              "\"save_histogram\":true";
      if (name == std::string("mine") || draw(4) == 0) text += ",\"include_regex\":\"x{1},[0-9]$\"";
      text += step_keys() + "}}";
      first = false;
    }
    text += "]}";
    CAPTURE(text);
    const auto once = tt::HookConfiguration::from_json(text);
    const auto twice = tt::HookConfiguration::from_json(once.to_json());
    CHECK(twice.options.collections == once.options.collections);
    CHECK(twice.options.save == once.options.save);
    CHECK(twice.out_dir == once.out_dir);
    CHECK(twice.include_workers == once.include_workers);
    CHECK(twice.options.tensorboard_dir == once.options.tensorboard_dir);
    CHECK(twice.parts == once.parts);
    CHECK(twice.to_json() == once.to_json());
    CHECK(twice.warnings.empty());
  }
}

TEST_CASE("the keys of TensorBoard are smdebug's", "[configuration]") {
  const auto options = [](const std::string& keys) {
    return tt::HookConfiguration::from_json(R"({"LocalPath": "run", "HookParameters": {)" + keys + "}}").options;
  };
  CHECK_FALSE(options("").tensorboard);
  CHECK(options(R"("export_tensorboard": "True")").tensorboard);
  CHECK(options(R"("export_tensorboard": true)").tensorboard_dir.empty());
  CHECK(options(R"("tensorboard_dir": "board")").tensorboard_dir == "board");
  CHECK_FALSE(options(R"("export_tensorboard": true, "run_files": false)").run_files);
  tt::HookOptions program;
  program.tensorboard = true;
  const auto said = tt::HookConfiguration::from_json(R"({"HookParameters": {"export_tensorboard": false}})");
  CHECK_FALSE(said.over(program).tensorboard);
  CHECK(tt::HookConfiguration::from_json("{}").over(program).tensorboard);
}

TEST_CASE("the environment of a job: files and variables", "[configuration]") {
  const ConfigurationFolder folder;
  const auto base = folder.path / "ml";
  const auto config = base / "input" / "config";
  write_text(config / "debughookconfig.json",
             R"({"LocalPath": "here", "HookParameters": {"include_workers": "all", "tensorboard_dir": "own"}})");
  write_text(config / "checkpointconfig.json", R"({"LocalPath": "/checkpoints"})");
  write_text(config / "tensorboardoutputconfig.json", R"({"LocalPath": "/tensorboard"})");
  Variables job = {{"SAGEMAKER_BASE_DIR", base.string()}};

  auto found = configured_by(job);
  CHECK(found.options.enabled);
  CHECK(found.out_dir == "here");
  CHECK(found.options.checkpoint_dir == "/checkpoints");
  CHECK(found.options.tensorboard_dir == "own");
  CHECK(found.options.worker == "worker_0");

  job["TRAINING_JOB_NAME"] = "a-job";
  CHECK(configured_by(job).options.tensorboard_dir == "/tensorboard");
  job["TENSORTAP_JOB_ATTEMPT"] = "0";  // then the file is always there
  CHECK(configured_by(job).options.tensorboard_dir == "/tensorboard");
  write_text(config / "debughookconfig.json", R"({"LocalPath": "here", "HookParameters": {"include_workers": "all"}})");
  CHECK(configured_by(job).options.tensorboard_dir.empty());
  job.erase("TENSORTAP_JOB_ATTEMPT");
  CHECK(configured_by(job).options.tensorboard_dir == "/tensorboard");
  std::filesystem::remove(config / "tensorboardoutputconfig.json");
  CHECK(configured_by(job).options.tensorboard_dir.empty());

  write_text(folder.path / "other.json", R"({"LocalPath": "there"})");
  job["SMDEBUG_CONFIG_FILE_PATH"] = (folder.path / "other.json").string();
  CHECK(configured_by(job).out_dir == "there");

  for (const char* const off : {"0", "false", "False"}) {
    job["USE_SMDEBUG"] = off;
    CHECK_FALSE(configured_by(job).options.enabled);
  }
  job["USE_SMDEBUG"] = "1";
  CHECK(configured_by(job).options.enabled);

  job["SMDEBUG_CONFIG_FILE_PATH"] = (folder.path / "none.json").string();
  found = configured_by(job);
  CHECK_FALSE(found.options.enabled);
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0], Contains("none.json"));
}

TEST_CASE("the environment of a job: which worker this is", "[configuration]") {
  const ConfigurationFolder folder;
  const std::string all = (folder.path / "all.json").string();
  const std::string one = (folder.path / "one.json").string();
  write_text(all, R"({"HookParameters": {"include_workers": "all"}})");
  write_text(one, "{}");
  const std::vector<Variables> launchers = {
      {{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}},
      {{"PMI_RANK", "2"}, {"PMI_SIZE", "4"}},
      {{"SLURM_PROCID", "2"}, {"SLURM_NTASKS", "8"}, {"SLURM_STEP_NUM_TASKS", "4"}},
      {{"RANK", "2"}, {"WORLD_SIZE", "4"}},
      {{"SM_HOSTS", R"(["algo-4", "algo-1","algo-2","algo-3"])"}, {"SM_CURRENT_HOST", "algo-3"}}};
  for (Variables variables : launchers) {
    CAPTURE(variables.begin()->first);
    variables["SMDEBUG_CONFIG_FILE_PATH"] = all;
    auto found = configured_by(variables);
    CHECK(found.options.worker == "worker_2");
    CHECK(found.options.num_workers == 4);
    CHECK(found.options.enabled);
    variables["SMDEBUG_CONFIG_FILE_PATH"] = one;
    found = configured_by(variables);
    CHECK_FALSE(found.options.enabled);
    CHECK(found.options.num_workers == 1);
  }
  CHECK(configured_by({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}, {"SMDEBUG_CONFIG_FILE_PATH", all}})
            .options.num_workers == 1);  // a batch script
  const auto found = configured_by({{"RANK", "4"}, {"WORLD_SIZE", "4"}, {"SMDEBUG_CONFIG_FILE_PATH", all}});
  CHECK(found.options.worker == "worker_0");
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0], Contains("RANK"));
}

TEST_CASE("the place of a process, without a configuration", "[configuration]") {
  const auto place = [](Variables variables) {
    return tt::WorkerPlace::from_environment([variables = std::move(variables)](const char* name) -> const char* {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
  };
  CHECK_FALSE(place({}));
  CHECK_FALSE(place({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}));  // a batch script
  CHECK_FALSE(place({{"OMPI_COMM_WORLD_RANK", "2"}}));
  const auto third =
      place({{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}, {"RANK", "0"}, {"WORLD_SIZE", "1"}});
  REQUIRE(third);
  CHECK(third->rank == 2);
  CHECK(third->count == 4);
  CHECK(third->worker() == "worker_2");
  CHECK(tt::WorkerPlace().worker() == "worker_0");
  CHECK_THROWS_WITH(place({{"RANK", "4"}, {"WORLD_SIZE", "4"}}), Contains("RANK"));
  CHECK_THROWS_WITH(place({{"PMI_RANK", "-1"}, {"PMI_SIZE", "4"}}), Contains("PMI_RANK"));
}

namespace {

/// Options in which everything that has a key of its own differs from the defaults.
tt::HookOptions unusual_options() {
  tt::HookOptions out;
  out.budget = 0.0125;
  out.budget_spares_rules = false;
  out.cost_interval = std::chrono::minutes(5);
  out.retention = {.steps = 100, .bytes = std::uint64_t{1} << 40};
  out.process_facts = false;
  out.pack = true;
  out.pack_time = std::chrono::milliseconds(1500);
  out.pack_bytes = 12345;
  out.events_per_file = 7;
  out.durability = tt::Durability::step;
  out.on_failure = tt::OnFailure::stop;
  out.on_resume = tt::OnResume::keep;
  out.start_over = out.resume_ended = out.watch_checkpoints = true;
  out.run_id = "a \u00e4 \" run";
  out.queue_bytes = std::numeric_limits<std::uint64_t>::max();
  out.when_full = tt::WhenFull::drop;
  out.block_timeout = std::chrono::nanoseconds(1);
  out.max_step_bytes = 99;
  out.retry = {.attempts = 3,
               .for_at_most = std::chrono::nanoseconds(1'234'567'891),
               .first_delay = std::chrono::milliseconds(20),
               .longest_delay = std::chrono::minutes(2)};
  out.commit_timeout = std::chrono::nanoseconds::max();
  out.close_timeout = std::chrono::hours(24);
  out.destroy_timeout = std::chrono::nanoseconds(0);
  out.recorder = {.steps = 20, .collections = {"a,b", "weights"}, .max_bytes = 1 << 20, .max_snapshots = 9};
  out.index_extras = false;
  out.strip_output_numbers = true;
  return out;
}

void check_equal(const tt::HookOptions& a, const tt::HookOptions& b) {
  CHECK(a.budget == b.budget);
  CHECK(a.budget_spares_rules == b.budget_spares_rules);
  CHECK(a.cost_interval == b.cost_interval);
  CHECK(a.retention.steps == b.retention.steps);
  CHECK(a.retention.bytes == b.retention.bytes);
  CHECK(a.process_facts == b.process_facts);
  CHECK(a.pack == b.pack);
  CHECK(a.pack_time == b.pack_time);
  CHECK(a.pack_bytes == b.pack_bytes);
  CHECK(a.events_per_file == b.events_per_file);
  CHECK(a.durability == b.durability);
  CHECK(a.on_failure == b.on_failure);
  CHECK(a.on_resume == b.on_resume);
  CHECK(a.start_over == b.start_over);
  CHECK(a.resume_ended == b.resume_ended);
  CHECK(a.run_id == b.run_id);
  CHECK(a.watch_checkpoints == b.watch_checkpoints);
  CHECK(a.queue_bytes == b.queue_bytes);
  CHECK(a.when_full == b.when_full);
  CHECK(a.block_timeout == b.block_timeout);
  CHECK(a.max_step_bytes == b.max_step_bytes);
  CHECK(a.retry.attempts == b.retry.attempts);
  CHECK(a.retry.for_at_most == b.retry.for_at_most);
  CHECK(a.retry.first_delay == b.retry.first_delay);
  CHECK(a.retry.longest_delay == b.retry.longest_delay);
  CHECK(a.commit_timeout == b.commit_timeout);
  CHECK(a.close_timeout == b.close_timeout);
  CHECK(a.destroy_timeout == b.destroy_timeout);
  CHECK(a.recorder.steps == b.recorder.steps);
  CHECK(a.recorder.collections == b.recorder.collections);
  CHECK(a.recorder.max_bytes == b.recorder.max_bytes);
  CHECK(a.recorder.max_snapshots == b.recorder.max_snapshots);
  CHECK(a.index_extras == b.index_extras);
  CHECK(a.strip_output_numbers == b.strip_output_numbers);
}

}  // namespace

TEST_CASE("a configuration: how the hook writes, and what it may cost, as JSON and back", "[configuration]") {
  for (tt::HookOptions options : {unusual_options(), tt::HookOptions()}) {
    auto from = tt::HookConfiguration::from_json("{}");
    options.collections = from.options.collections;
    from.options = options;
    const auto again = tt::HookConfiguration::from_json(from.to_json());
    check_equal(again.options, options);
    check_equal(again.over({}), options);
    CHECK(again.warnings.empty());
    CHECK(again.to_json() == from.to_json());
  }
  CHECK_THAT(tt::HookConfiguration().to_json(), !Contains("budget") && !Contains("pack") && !Contains("retry"));
}

TEST_CASE("a configuration: options of the hook may be texts, as in an estimator of SageMaker", "[configuration]") {
  const auto from = tt::HookOptions::from_json(
      R"({"HookParameters": {"budget": "0.01", "pack": "true", "pack_time": "2.5", "pack_bytes": "4096",
          "recorder_collections": "weights, biases", "when_full": "drop"}})");
  CHECK(from.budget == 0.01);
  CHECK(from.pack);
  CHECK(from.pack_time == std::chrono::milliseconds(2500));
  CHECK(from.pack_bytes == 4096);
  CHECK(from.recorder.collections == std::vector<std::string>{"weights", "biases"});
  CHECK(from.when_full == tt::WhenFull::drop);
}

TEST_CASE("a configuration: a default that is said counts before what the program says", "[configuration]") {
  const auto from = tt::HookConfiguration::from_json(R"({"HookParameters": {"pack": false, "pack_time": 30}})");
  const tt::HookOptions base{.budget = 0.5, .pack = true, .pack_time = std::chrono::seconds(1)};
  const tt::HookOptions both = from.over(base);
  CHECK_FALSE(both.pack);
  CHECK(both.pack_time == std::chrono::seconds(30));
  CHECK(both.budget == 0.5);
  const auto again = tt::HookConfiguration::from_json(from.to_json());
  CHECK_FALSE(again.over(base).pack);
}

TEST_CASE("a configuration: an option of the hook that cannot be is told with its line", "[configuration]") {
  for (const char* const one :
       {R"("budget": 1)", R"("budget": 0)", R"("budget": "1 %")", R"("budget": [])", R"("pack": 1)",
        R"("pack_time": -1)", R"("pack_bytes": -1)", R"("pack_bytes": "many")", R"("retention_steps": 0)",
        R"("durability": "always")", R"("when_full": 1)", R"("retry_attempts": 0)", R"("recorder_collections": [1])",
        R"("recorder_steps": -1)", R"("run_id": 7)"}) {
    CAPTURE(one);
    const std::string key = std::string(one).substr(1, std::string(one).find(':') - 2);
    CHECK_THROWS_WITH(tt::HookConfiguration::from_json("{\"HookParameters\": {\n " + std::string(one) + "}}"),
                      Contains("line 2") && Contains("HookParameters." + key));
  }
  const auto typo = tt::HookConfiguration::from_json(R"({"HookParameters": {"budgett": 1}})");
  REQUIRE(typo.warnings.size() == 1);
  CHECK_THAT(typo.warnings[0], Contains("did you mean \"budget\"?"));
}

TEST_CASE("options from outside: they replace what the program says, and nothing else", "[configuration]") {
  auto from = tt::HookConfiguration::from_json(R"({"HookParameters": {"save_interval": 3}})");
  tt::HookOptions base;
  base.worker = "worker_7";
  base.num_workers = 9;
  base.collections = {{.name = "weights"}};
  base.checkpoint_dir = "mine";
  base.events_per_file = 5;
  tt::HookOptions both = from.over(base);
  CHECK(names_of(both.collections) == std::vector<std::string>{"losses"});
  CHECK(both.save == tt::every(3));
  CHECK(both.worker == "worker_7");
  CHECK(both.num_workers == 9);
  CHECK(both.checkpoint_dir == "mine");
  CHECK(both.events_per_file == 5);
  base.enabled = false;
  CHECK_FALSE(from.over(base).enabled);
  CHECK(tt::HookOptions::from_json(R"({"HookParameters": {"save_interval": 3}})").save == tt::every(3));
}
