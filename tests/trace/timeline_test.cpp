#include <tensortap/trace/timeline.hpp>

#include <cmath>
#include <fstream>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/store/memory.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/trace/merged_timeline.hpp>

#include "catch.hpp"
#include "golden.hpp"

using namespace tensortap;
using nlohmann::json;

namespace {

/// Returns what smdebug's readers see in the golden trace.
json smdebug_sees() {
  std::ifstream file(golden::directory() / "timeline.profiler.json");
  return json::parse(file).at("profiler");
}

Timeline golden_timeline(const TimelineQuery& query = {}) {
  return read_timeline(*open_store((golden::directory() / "timeline").string()), query);
}

Timeline timeline_of(const std::map<std::string, std::string>& files) {
  MemoryStore store;
  for (const auto& [key, text] : files) store.put(key, text);
  return read_timeline(store);
}

constexpr const char* pevents_key = "framework/pevents/2023111422/1700000002000000_7-algo-1_pythontimeline.json";

/// Returns the lines of a merged trace, in an order that does not depend on threads' numbers or on that of metrics of
/// one time, which smdebug takes from hashes.
std::multiset<std::string> comparable(const std::string& text) {
  std::map<std::pair<int, std::int64_t>, std::string> threads;
  const json lines = json::parse(text);
  for (const json& line : lines)
    if (line.at("name") == "thread_name") threads[{line.at("pid"), line.at("tid")}] = line.at("args").at("name");
  std::multiset<std::string> out;
  for (json line : lines) {
    if (const auto thread = line.find("tid"); thread != line.end() && *thread != 0)
      *thread = threads.at({line.at("pid"), *thread});
    if (line.at("name") == "sys_metrics_bottlenecks" && line.at("ph") == "i") {
      json values;  // smdebug forgets an underscore in the first name
      for (const auto& [name, value] : line.at("args").items()) {
        std::string whole = name;
        if (const auto at = whole.find("algo-1"); at > 0 && whole[at - 1] != '_') whole.insert(at, "_");
        values[whole] = value;
      }
      line["args"] = values;
    }
    out.insert(line.dump());
  }
  return out;
}

}  // namespace

TEST_CASE("a trace of smdebug is read as its readers read it", "[trace][golden]") {
  const Timeline timeline = golden_timeline();
  CHECK(timeline.damage.empty());
  const json expected = smdebug_sees();
  REQUIRE(timeline.events.size() == expected.at("framework").size());
  for (std::size_t i = 0; i < timeline.events.size(); ++i) {
    const TraceEvent& event = timeline.events[i];
    const json& one = expected.at("framework")[i];
    CHECK(event.start == one[0]);
    CHECK(event.duration == one[1]);
    CHECK(event.phase == one[2]);
    CHECK(event.name == one[3]);
    CHECK(json::parse(event.arguments) == one[5]);
    CHECK(std::to_string(event.step.value()) == one[5].at("step_num"));
    CHECK(event.node == one[6]);
  }
  REQUIRE(timeline.metrics.size() == expected.at("system").size());
  std::multiset<std::string> seen, wanted;
  for (const SystemMetric& metric : timeline.metrics)
    seen.insert(json{metric.time, metric.type, metric.name, metric.dimension, metric.value, metric.node}.dump());
  for (json one : expected.at("system")) {
    one[0] = std::llround(one[0].get<double>() * 1e6);
    wanted.insert(json{one[0], one[1], one[2], one[3], one[4], one[5]}.dump());
  }
  CHECK(seen == wanted);
}

TEST_CASE("a merged trace says what smdebug's says", "[trace][golden]") {
  std::ostringstream out;
  write_merged_timeline(golden_timeline(), out);
  CHECK(comparable(out.str()) == comparable(smdebug_sees().at("merged_text")));
}

TEST_CASE("events of some time, and of some files", "[trace]") {
  const Timeline some = golden_timeline({.begin = 1700000001040000, .end = 1700000001050000});
  std::vector<std::int64_t> starts;
  for (const TraceEvent& event : some.events) starts.push_back(event.start);
  CHECK(starts == std::vector<std::int64_t>{1700000001031000, 1700000001044000, 1700000001044999, 1700000001049000});
  CHECK(some.metrics.empty());
  CHECK(golden_timeline({.file_suffix = "model_timeline.json"}).events.empty());
  CHECK(golden_timeline({.end = 1500000000000000}).events.empty());
  CHECK(golden_timeline({.begin = 1900000000000000}).events.empty());
}

TEST_CASE("events of two marks, in each other and on several threads", "[trace]") {
  const Timeline timeline = timeline_of({{pevents_key, R"([
{"name": "process_name", "ph": "M", "pid": 0, "args": {"start_time_since_epoch_in_micros": 1000}},
{"name": "process_name", "ph": "M", "pid": 3, "args": {"name": "Horovod"}},
{"ph": "B", "name": "outer", "pid": 3, "tid": 1, "ts": 10},
{"ph": "B", "name": "inner", "pid": 3, "tid": 1, "ts": 12.9},
{"ph": "B", "name": "other", "pid": 3, "tid": 2, "ts": 13},
{"ph": "E", "pid": 3, "tid": 1, "ts": 20},
{"ph": "i", "name": "mark", "pid": 3, "ts": 21, "s": "g"},
{"ph": "E", "pid": 3, "tid": 1, "ts": 30},
{"ph": "E", "pid": 3, "tid": 9, "ts": 31},
]
)"}});
  CHECK(timeline.damage.empty());
  CHECK(timeline.unfinished == 1);
  REQUIRE(timeline.events.size() == 2);
  CHECK(timeline.events[0].name == "outer");
  CHECK(timeline.events[0].start == 1010);
  CHECK(timeline.events[0].duration == 20);
  CHECK(timeline.events[0].phase == "Horovod");
  CHECK(timeline.events[1].name == "inner");
  CHECK(timeline.events[1].duration == 8);
  CHECK(timeline.events[1].node == "algo-1-7");
}

TEST_CASE("damaged lines are counted and skipped", "[trace]") {
  const std::string good = R"({"name": "a", "ph": "X", "pid": 1, "ts": 1, "dur": 2})";
  for (const char* const bad : {
           "{",
           "null",
           "17",
           "\"text\"",
           "[[[",
           "{\"ph\": 3}",
           "{\"ph\": \"X\"}",
           "{\"ph\": \"X\", \"ts\": \"now\"}",
           "{\"ph\": \"X\", \"ts\": 1e300}",
           "{\"ph\": \"X\", \"ts\": 1, \"dur\": -1}",
           "{\"ph\": \"X\", \"ts\": NaN}",
           "{\"ph\": \"X\", \"ts\": 1, \"name\": 7}",
           "{\"ph\": \"X\", \"ts\": 1, \"name\": \"\xff\"}",
       }) {
    INFO(bad);
    const Timeline timeline = timeline_of({{pevents_key, "[\n" + good + ",\n" + bad + ",\n" + good + "\n]"}});
    CHECK(timeline.events.size() == 2);
    CHECK(timeline.damaged_lines == 1);
    REQUIRE(timeline.damage.size() == 1);
    CHECK(timeline.damage[0].where == pevents_key);
    CHECK(timeline.damage[0].cause.starts_with("line 3: "));
  }
  const std::string deep(100'000, '[');
  CHECK(timeline_of({{pevents_key, "{\"a\": " + deep + "\n" + good + "\n"}}).events.size() == 1);
  CHECK(timeline_of({{pevents_key, good + ",\n{\"name\": \"a\", \"ph\""}}).damaged_lines ==
        0);  // its writer was killed
  CHECK(timeline_of({{pevents_key, ""}}).damage.empty());
}

TEST_CASE("other files in a trace are named", "[trace]") {
  const Timeline timeline = timeline_of({{"framework/pevents/2023111422/notes.txt", "x"},
                                         {"framework/pevents/2023111422/1_2-h_trace.json.gz", "x"},
                                         {"system/incremental/2023111422/x.algo-1.json", "x"},
                                         {"system/incremental/2023111422/1700000040.algo-1.json",
                                          R"({"Type": "cpu", "Dimension": "D", "Value": "7", "Timestamp": 1})"
                                          "\n"
                                          R"({"Type": "cpu", "Dimension": "D", "Value": 7, "Timestamp": -1})"
                                          "\n"
                                          R"({"Type": "cpu", "Dimension": "D", "Value": 7, "Timestamp": 1.5})"
                                          "\n"}});
  CHECK(timeline.damage.size() == 4);
  CHECK(timeline.damaged_lines == 3);
  REQUIRE(timeline.metrics.size() == 1);
  CHECK(timeline.metrics[0].time == 1'500'000);
}

TEST_CASE("any text in a merged trace", "[trace]") {
  Timeline timeline;
  timeline.events.push_back({.start = 5, .duration = 1, .phase = "a\"b\n", .name = "</script>\u2028", .node = "n"});
  timeline.metrics.push_back({.time = 4, .value = 1e300, .type = "gpu", .name = "g\\", .dimension = "GPUUtilization"});
  std::ostringstream out;
  out.imbue(std::locale(std::locale::classic(), new std::numpunct<char>));
  write_merged_timeline(timeline, out);
  const json lines = json::parse(out.str());
  CHECK(lines.back().at("name") == "</script>\u2028");
  write_merged_timeline({}, out);
}
