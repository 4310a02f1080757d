// Compares what our hook writes with what Python smdebug wrote of the same tensors.
#include <cmath>
#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "golden.hpp"

namespace tt = tensortap;
using nlohmann::json;
using R = tt::Reduction;

namespace {

/// The inputs of the run whose elements smdebug did not keep: tensors that have the reductions it saved.
std::map<std::string, std::map<std::int64_t, tt::Tensor>> reconstructed_inputs() {
  std::map<std::string, std::map<std::int64_t, tt::Tensor>> out;
  const json file = json::parse(golden::read_file(golden::directory() / ".." / "reductions_inputs.json"));
  for (const auto& [name, steps] : file.items())
    for (const auto& [step, input] : steps.items()) {
      const auto dtype_name = input.at("dtype").get<std::string>();
      auto dtype = tt::DType::f32;
      for (std::size_t i = 0; i < tt::dtype_count; ++i)
        if (tt::to_string(static_cast<tt::DType>(i)) == dtype_name) dtype = static_cast<tt::DType>(i);
      tt::Tensor tensor(dtype, input.at("shape").get<tt::Tensor::Shape>());
      const auto hex = input.at("hex").get<std::string>();
      REQUIRE(hex.size() == 2 * tensor.bytes().size());
      for (std::size_t i = 0; i < tensor.bytes().size(); ++i)
        tensor.bytes()[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
      out[name][std::stoll(step)] = std::move(tensor);
    }
  return out;
}

/// One step of a golden run: the tensors that the training loop showed to the hook.
struct GoldenStep {
  tt::Step step;
  std::vector<std::pair<std::string, tt::Tensor>> tensors;
};

struct GoldenRun {
  std::vector<GoldenStep> steps;
  std::deque<double> wall_times;
  tt::CollectionsFile collections;
};

/// What to do with records of reductions: show them to the hook as the tensors they are called, or let it compute them.
enum class Replayed { shown, computed };

/// Returns the run of one worker. A tensor with only a saved shape comes from `inputs`, or is zero.
GoldenRun replay_of(const golden::Files& files, const std::string& worker, Replayed reduced,
                    const std::map<std::string, std::map<std::int64_t, tt::Tensor>>& inputs = {}) {
  GoldenRun run;
  for (const auto& [key, text] : files) {
    if (const auto name = tt::layout::parse_collections_key(key); name == worker)
      run.collections = tt::parse_collections(text, key);
    const auto name = tt::layout::parse_index_key(key);
    if (!name || name->worker != worker) continue;
    const tt::IndexFile index = tt::parse_index(text, key);
    GoldenStep step{{index.mode, index.mode_step, name->global_step}, {}};
    std::set<std::string> recorded;
    if (!index.event_file.empty())
      for (auto& record : golden::records_of(files.at(index.event_file))) {
        run.wall_times.push_back(record.event.info.wall_time);
        const std::string tag = record.event.info.tag;
        if (reduced == Replayed::computed && tt::layout::parse_reduction_record(tag)) continue;
        recorded.insert(tag);
        step.tensors.emplace_back(tag, std::move(record.event.tensor));
      }
    for (const auto& shape : index.shapes) {
      if (recorded.contains(shape.name)) continue;
      const auto input = inputs.find(shape.name);
      step.tensors.emplace_back(shape.name, input != inputs.end() && input->second.contains(step.step.global_step)
                                                ? input->second.at(step.step.global_step)
                                                : tt::Tensor(tt::DType::f32, shape.shape));
    }
    run.steps.push_back(std::move(step));
  }
  std::sort(run.steps.begin(), run.steps.end(),
            [](const auto& a, const auto& b) { return a.step.global_step < b.step.global_step; });
  return run;
}

std::set<std::string> workers_of(const golden::Files& files) {
  std::set<std::string> workers;
  for (const auto& [key, text] : files)
    if (const auto worker = tt::layout::parse_collections_key(key)) workers.insert(*worker);
  return workers;
}

/// A hook configured as the golden run was.
std::unique_ptr<tt::Hook> hook_for(const std::shared_ptr<tt::Store>& store, const std::string& worker, GoldenRun run) {
  for (tt::Collection& collection : run.collections.collections)
    if (!collection.include_regex.empty()) collection.tensor_names.clear();  // the hook must find them by itself
  auto wall_times = std::make_shared<std::deque<double>>(run.wall_times);
  tt::HookOptions options{.collections = run.collections.collections,
                          .save = tt::every(1),
                          .worker = worker,
                          .num_workers = run.collections.num_workers,
                          .process_facts = false,
                          .index_extras = false,
                          .strip_output_numbers = true,
                          .wall_time = [wall_times] {
                            if (wall_times->empty()) return 0.0;
                            const double now = wall_times->front();
                            wall_times->pop_front();
                            return now;
                          }};
  return std::make_unique<tt::Hook>(store, options);
}

/// Shows the tensors of the golden run's workers to hooks, which write into the store.
void write_again(const std::shared_ptr<tt::Store>& store, const std::map<std::string, GoldenRun>& workers, bool close) {
  std::vector<std::unique_ptr<tt::Hook>> hooks;
  for (const auto& [worker, run] : workers) hooks.push_back(hook_for(store, worker, run));
  for (std::size_t i = 0; const auto& [worker, run] : workers) {
    for (const GoldenStep& step : run.steps) {
      hooks[i]->begin_step(step.step);
      for (const auto& [name, tensor] : step.tensors) hooks[i]->save(name, tensor);
    }
    ++i;
  }
  if (close)
    for (const auto& hook : hooks) hook->close();  // the last ends the run
}

/// The directory of written runs for readers in other languages, if there is one.
void leave_for_others(const tt::Store& store, const std::string& run) {
  const char* directory = std::getenv("TENSORTAP_WRITTEN_RUNS");
  if (directory == nullptr) return;
  std::string name = run;
  std::replace(name.begin(), name.end(), '/', '.');
  std::filesystem::remove_all(std::filesystem::path(directory) / name);
  tt::FileStore files((std::filesystem::path(directory) / name).string());
  for (const auto& object : store.list("")) files.put(object.key, tt::text_of(*store.get(object.key)));
}

std::string text_at(const tt::Store& store, const std::string& key) {
  const auto bytes = store.get(key);
  return bytes ? std::string(tt::text_of(*bytes)) : "(missing)";
}

/// Collections as JSON, without smdebug's flag of TensorBoard. A hook writes its configuration where smdebug's bare
/// file writer leaves null.
json comparable_collections(const std::string& text, bool by_a_hook) {
  json root = json::parse(text);
  for (auto& [name, collection] : root["collections"].items()) CHECK(collection.erase("save_histogram") == 1);
  if (!by_a_hook)
    for (auto& [name, collection] : root["collections"].items()) {
      collection.erase("tensor_names");
      collection.erase("save_config");
      collection.erase("reduction_config");
    }
  return root;
}

double vector_norm(const tt::Tensor& tensor, R norm) {
  double sum = 0;
  for (std::size_t i = 0; i < tensor.size(); ++i)
    sum += norm == R::l1 ? std::abs(tensor.number(i)) : tensor.number(i) * tensor.number(i);
  return norm == R::l1 ? sum : std::sqrt(sum);
}

struct Case {
  std::string run;
  bool by_a_hook;  // smdebug's hook wrote it; else its bare file writer, which fills in no collections
};

}  // namespace

TEST_CASE("events and index equal those of smdebug byte for byte", "[capture][golden][written]") {
  const auto golden_run = GENERATE(
      Case{"basic", true}, Case{"save_all", true}, Case{"modes", true}, Case{"prefix_boundary", false},
      Case{"xgboost_like", true}, Case{"dtypes", false}, Case{"names", false}, Case{"shape_only", true},
      Case{"workers_one", true}, Case{"workers_running", true}, Case{"workers_ended", true}, Case{"tf_devices", false});
  INFO(golden_run.run);
  const auto files = golden::files_of(golden_run.run);
  const bool ended = files.contains("training_job_end.ts");
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto workers = workers_of(files);
  REQUIRE(!workers.empty());
  std::map<std::string, GoldenRun> replays;
  for (const std::string& worker : workers) replays[worker] = replay_of(files, worker, Replayed::shown);
  write_again(store, replays, ended);

  std::size_t compared = 0;
  for (const auto& [key, content] : files) {
    if (key.ends_with(".tmp") || key == "claim.smd") continue;
    INFO(key);
    if (tt::layout::parse_collections_key(key)) {
      CHECK(comparable_collections(text_at(*store, key), golden_run.by_a_hook) ==
            comparable_collections(content, golden_run.by_a_hook));
    } else {
      CHECK(text_at(*store, key) == content);
    }
    ++compared;
  }
  // And nothing else, but what says which attempts there were.
  CHECK(store->list("").size() - store->list(tt::layout::attempts_prefix).size() == compared);
  leave_for_others(*store, golden_run.run);
}

TEST_CASE("reductions equal those of smdebug except for the order of sums", "[capture][golden][written]") {
  const auto run = GENERATE(std::string("reductions"), std::string("reductions_and_raw"));
  INFO(run);
  const auto files = golden::files_of(run);
  const GoldenRun shown = replay_of(files, "worker_0", Replayed::computed, reconstructed_inputs());
  const auto store = std::make_shared<tt::MemoryStore>();
  write_again(store, {{"worker_0", shown}}, true);

  std::size_t compared = 0;
  for (const GoldenStep& step : shown.steps) {
    const std::string key = tt::layout::event_key(step.step.global_step, "worker_0");
    INFO(key);
    std::map<std::string, tt::Tensor> inputs(step.tensors.begin(), step.tensors.end());
    std::map<std::string, tt::Tensor> ours;
    for (auto& record : golden::records_of(text_at(*store, key)))
      ours[record.event.info.tag] = std::move(record.event.tensor);
    for (const auto& record : golden::records_of(files.at(key))) {
      const std::string& tag = record.event.info.tag;
      INFO(tag);
      REQUIRE(ours.contains(tag));
      const tt::Tensor& mine = ours.at(tag);
      const tt::Tensor& theirs = record.event.tensor;
      REQUIRE(mine.dtype() == theirs.dtype());
      REQUIRE(mine.shape() == theirs.shape());
      ++compared;
      const auto name = tt::layout::parse_reduction_record(tag);
      const auto reduction = name ? tt::parse_reduction(name->reduction) : std::nullopt;
      const auto input = name ? inputs.find(std::string(name->tensor)) : inputs.end();
      const bool of_a_matrix = input != inputs.end() && input->second.rank() == 2;
      if (!reduction || plain(*reduction) == R::min || plain(*reduction) == R::max) {
        CHECK(std::equal(mine.bytes().begin(), mine.bytes().end(), theirs.bytes().begin()));
      } else if (is_norm(*reduction) && of_a_matrix) {  // numpy's is a matrix norm, ours the vector norm of every shape
        CHECK(mine.number(0) == Approx(vector_norm(input->second, plain(*reduction))).epsilon(1e-6));
      } else if (std::isnan(theirs.number(0))) {
        CHECK(std::isnan(mine.number(0)));
      } else {  // numpy rounds a half after each product
        const double tolerance = theirs.dtype() == tt::DType::f16 ? 0x1p-9 : 1e-6;
        CHECK(mine.number(0) == Approx(theirs.number(0)).epsilon(tolerance).margin(1e-7));
      }
    }
  }
  CHECK(compared > 20);
  leave_for_others(*store, run);
}

TEST_CASE("smdebug can ignore our own keys and objects", "[capture][golden][written]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(
        store,
        {.collections = {
             {.name = "all", .save = tt::every(2) | tt::at({1}), .reductions = {R::statistics, R::l2}},
             {.name = "losses", .include_regex = "loss$", .save = tt::every(1) & tt::during(tt::Mode::train)},
             {.name = "mine", .include_regex = "x", .save = tt::SaveConfig::when([](const tt::Step&) { return true; })},
             {.name = "few", .include_regex = "x", .save = tt::at({0, 3})}}});
    for (int i = 0; i < 5; ++i) {
      hook.begin_step(i == 3 ? tt::Mode::eval : tt::Mode::train);
      hook.save("train/loss", 1.5F * static_cast<float>(i));
      hook.save("x", std::vector<double>{1, 2, static_cast<double>(i)});
      hook.save("größe", static_cast<std::int64_t>(i));
    }
    hook.close();
  }
  CHECK(tt::Trial(store).tensor("x").statistics(2)->max == 2);
  CHECK(text_at(*store, tt::layout::index_key(0, "worker_0")).find("\"crc32c\": ") != std::string::npos);
  leave_for_others(*store, "ours");
}
