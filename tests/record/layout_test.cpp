#include <tensortap/record/layout.hpp>

#include <optional>
#include <string>
#include <utility>

#include "catch.hpp"

namespace tt = tensortap;
namespace layout = tensortap::layout;

TEST_CASE("keys are equal to smdebug's", "[record][layout]") {
  CHECK(layout::event_key(3, "worker_0") == "events/000000000003/000000000003_worker_0.tfevents");
  CHECK(layout::index_key(3, "worker_0") == "index/000000000/000000000003_worker_0.json");
  CHECK(layout::index_key(999, "worker_0") == "index/000000000/000000000999_worker_0.json");
  CHECK(layout::index_key(1000, "worker_0") == "index/000000001/000000001000_worker_0.json");
  CHECK(layout::collections_key("worker_0") == "collections/000000000/worker_0_collections.json");
}

TEST_CASE("steps of more than twelve digits make longer names", "[record][layout]") {
  CHECK(layout::event_key(999'999'999'999, "w") == "events/999999999999/999999999999_w.tfevents");
  CHECK(layout::event_key(1'000'000'000'000, "w") == "events/1000000000000/1000000000000_w.tfevents");
  CHECK(layout::index_key(1'000'000'000'000, "w") == "index/1000000000/1000000000000_w.json");
  CHECK(layout::index_key(INT64_MAX, "w") == "index/9223372036854775/9223372036854775807_w.json");
}

TEST_CASE("device names are names of workers", "[record][layout]") {
  const std::string device = "/job:worker/replica:0/task:1/device:GPU:0";
  CHECK(layout::worker_in_file_name(device) == "_job-worker_replica-0_task-1_device-GPU-0");
  CHECK(layout::event_key(0, device) ==
        "events/000000000000/000000000000__job-worker_replica-0_task-1_device-GPU-0.tfevents");
  CHECK(layout::worker_from_file_name("_job-worker_replica-0_task-1_device-GPU-0") == device);
  CHECK(layout::worker_from_file_name("worker_0-a") == "worker_0-a");
}

TEST_CASE("the keys of index files contain the step and the worker", "[record][layout]") {
  for (const std::int64_t step :
       {std::int64_t{0}, std::int64_t{7}, std::int64_t{123'456}, std::int64_t{1'000'000'000'000}, INT64_MAX})
    for (const std::string worker : {"worker_0", "w", "rank-3", "/job:worker/replica:0/task:1/device:GPU:0"}) {
      CAPTURE(step, worker);
      const auto name = layout::parse_index_key(layout::index_key(step, worker));
      REQUIRE(name);
      CHECK(name->global_step == step);
      CHECK(name->worker == worker);
    }
}

TEST_CASE("keys of other objects are not parsed as keys of index files", "[record][layout]") {
  for (const std::string key : {"",
                                "index/",
                                "index/000000000/",
                                "index/000000000/000000000000_worker_0.json.tmp",
                                "index/000000000/000000000000_worker_0.tmp",
                                "index/000000000/000000000000_worker_0.json.12-3.tmp",
                                "index/000000000/000000000000.json",
                                "index/000000000/000000000000_.json",
                                "index/000000000/_worker_0.json",
                                "index/000000000/worker_0.json",
                                "index/000000000/-00000000001_worker_0.json",
                                "index/000000000/-0_worker_0.json",
                                "index/000000000/+1_worker_0.json",
                                "index/000000000/1.5_worker_0.json",
                                "index/000000000/ 1_worker_0.json",
                                "index/000000000/0x1_worker_0.json",
                                "index/000000000/9223372036854775808_worker_0.json",
                                "index/000000000/000000000000_worker_0.csv",
                                "indexes/000000000/000000000000_worker_0.json",
                                "events/000000000000/000000000000_worker_0.json",
                                "collections/000000000/worker_0_collections.json",
                                "index/.json",
                                ".json"}) {
    CAPTURE(key);
    CHECK_FALSE(layout::parse_index_key(key));
  }
}

TEST_CASE("the keys of events files contain the step and the worker", "[record][layout]") {
  for (const std::int64_t step : {std::int64_t{0}, std::int64_t{7}, std::int64_t{1'000'000'000'000}, INT64_MAX})
    for (const std::string worker : {"worker_0", "w", "/job:worker/replica:0/task:1/device:GPU:0"}) {
      CAPTURE(step, worker);
      const auto name = layout::parse_event_key(layout::event_key(step, worker));
      REQUIRE(name);
      CHECK(name->global_step == step);
      CHECK(name->worker == worker);
      CHECK_FALSE(layout::parse_event_key(layout::index_key(step, worker)));
      CHECK_FALSE(layout::parse_index_key(layout::event_key(step, worker)));
    }
  for (const std::string key :
       {"", "events/", ".tfevents", "events/.tfevents", "events/000000000000/000000000000.tfevents",
        "events/000000000000/000000000000_.tfevents", "events/000000000000/_worker_0.tfevents",
        "events/000000000000/-0_worker_0.tfevents", "events/000000000000/000000000000_worker_0.json",
        "events/000000000000/000000000000_worker_0.tfevents.tmp",
        "events/000000000000/9223372036854775808_worker_0.tfevents",
        "superseded/000000001/events/000000000000/000000000000_worker_0.tfevents",
        "tensorboard/TRAIN/000000000000_worker_0.tfevents"}) {
    CAPTURE(key);
    CHECK_FALSE(layout::parse_event_key(key));
  }
}

TEST_CASE("attempts, claims and superseded objects have keys of their own", "[record][layout]") {
  CHECK(layout::attempt_key(0, "worker_0") == "attempts/000000000_worker_0.json");
  CHECK(layout::attempt_key(12, "/job:worker/task:1") == "attempts/000000012__job-worker_task-1.json");
  CHECK(layout::attempt_key(1'000'000'000, "w") == "attempts/1000000000_w.json");
  CHECK(layout::superseded_key(3, layout::index_key(1000, "w")) ==
        "superseded/000000003/index/000000001/000000001000_w.json");
  CHECK(layout::superseded_key(3, "a") != layout::superseded_key(4, "a"));
  CHECK(layout::claim_key(1, "worker_0") == "claim.smd");
  CHECK(layout::claim_key(1, "worker_1") == "claim.smd");
  CHECK(layout::claim_key(2, "worker_0") == "claim_worker_0.smd");
  CHECK(layout::claim_key(2, "/job:worker/task:1") == "claim__job-worker_task-1.smd");
  CHECK(layout::snapshot_name(7, "DeadRelu", "worker_0") == "000000000007_DeadRelu_worker_0");
  CHECK(layout::snapshot_name(7, "../a b\n\xC3\xA4", "/job:a") == "000000000007_..-a-b---__job-a");
  CHECK(layout::snapshot_name(7, std::string(1000, 'x'), std::string(200, 'w')).size() < 255);  // a name in a directory
  for (const std::string& key : {layout::attempt_key(0, "w"), layout::claim_key(2, "w"),
                                 layout::superseded_key(3, layout::index_key(1000, "w"))}) {
    CAPTURE(key);
    CHECK_FALSE(layout::parse_index_key(key));
    CHECK_FALSE(layout::parse_event_key(key));
    CHECK_FALSE(layout::parse_collections_key(key));
  }
}

TEST_CASE("the keys of collections files contain the worker", "[record][layout]") {
  for (const std::string worker : {"worker_0", "w", "/job:worker/task:1"})
    CHECK(layout::parse_collections_key(layout::collections_key(worker)) == worker);
  for (const std::string key :
       {"", "collections/000000000/", "collections/000000000/_collections.json",
        "collections/000000000/worker_0_collections.json.tmp", "collections/000000000/worker_0.json",
        "collections/000000001/worker_0_collections.json", "collections/000000000/deeper/worker_0_collections.json"}) {
    CAPTURE(key);
    CHECK_FALSE(layout::parse_collections_key(key));
  }
}

TEST_CASE("the names of stored reductions are equal to smdebug's", "[record][layout]") {
  using R = tt::Reduction;
  CHECK(layout::reduction_record(R::mean, "a/b") == "smdebug/reductions/mean/a/b");
  CHECK(layout::reduction_record(R::abs_l2, "a") == "smdebug/reductions/abs_l2/a");
  CHECK(layout::reduction_record(R::statistics, "a") == "smdebug/reductions/statistics/a");
}

TEST_CASE("the names of stored reductions are parsed into reduction and tensor", "[record][layout]") {
  const auto parts = [](std::string_view record) -> std::optional<std::pair<std::string, std::string>> {
    const auto name = layout::parse_reduction_record(record);
    if (!name) return std::nullopt;
    return std::pair{std::string(name->reduction), std::string(name->tensor)};
  };
  using Parts = std::pair<std::string, std::string>;
  for (std::size_t i = 0; i <= tt::reduction_count; ++i) {
    const auto r = static_cast<tt::Reduction>(i);
    CHECK(parts(layout::reduction_record(r, "a/b:0")) == Parts{tt::to_string(r), "a/b:0"});
    CHECK(tt::parse_reduction(tt::to_string(r)) == r);
  }
  CHECK(parts("smdebug/reductions/median/a") == Parts{"median", "a"});
  CHECK(parts("scope/smdebug/reductions/min/inner") == Parts{"min", "inner"});
  CHECK(parts("smdebug/reductions/min/smdebug/reductions/max/a") == Parts{"min", "smdebug/reductions/max/a"});
  CHECK(parts("smdebug/reductions/min/") == Parts{"min", ""});
  CHECK_FALSE(parts("smdebug/reductions/min"));
  CHECK_FALSE(parts("smdebug/reduction/min/a"));
  CHECK_FALSE(parts("mean/a"));
  CHECK_FALSE(parts(""));
}
