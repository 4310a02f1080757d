#include <tensortap/capture_requests.hpp>

#include <cstdint>
#include <thread>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("requests are taken once, in their order, by any copy of the handle", "[capture_requests]") {
  const tt::CaptureRequests rule;
  const tt::CaptureRequests hook = rule;
  CHECK(hook.take_snapshots().empty());
  CHECK(rule.add(tt::SnapshotRequest{7, "a", "{}"}));
  CHECK(rule.add(tt::SnapshotRequest{5, "b", ""}));
  CHECK(rule.add(tt::SaveMoreRequest{{"weights"}, 3}));
  const auto snapshots = hook.take_snapshots();
  REQUIRE(snapshots.size() == 2);
  CHECK(snapshots[0].step == 7);
  CHECK(snapshots[1].reason == "b");
  CHECK(rule.take_snapshots().empty());
  REQUIRE(hook.take_save_more().size() == 1);
  CHECK(hook.take_save_more().empty());
}

TEST_CASE("requests that no hook takes do not grow without bound", "[capture_requests]") {
  const tt::CaptureRequests requests;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::int64_t i = 0; i < 100; ++i) requests.add(tt::SnapshotRequest{i, "", ""});
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(requests.refused() == 400 - 256);
  CHECK(requests.take_snapshots().size() == 256);
  CHECK(requests.add(tt::SnapshotRequest{}));
}
