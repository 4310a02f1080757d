#include <tensortap/rules/internal/dealing.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

/// Returns how many of these pairs each shard has, and checks that each belongs to one.
std::vector<std::size_t> dealt(std::int64_t shards, const std::vector<std::string>& workers, std::size_t rules) {
  std::vector<std::size_t> out(static_cast<std::size_t>(shards));
  for (const std::string& worker : workers)
    for (std::size_t rule = 0; rule < rules; ++rule) {
      int owners = 0;
      for (std::int64_t i = 0; i < shards; ++i) {
        const tt::detail::Dealing dealing({i, shards}, static_cast<std::int64_t>(workers.size()));
        if (!dealing.has(worker, rule, false)) continue;
        ++owners;
        ++out[static_cast<std::size_t>(i)];
      }
      CHECK(owners == 1);
    }
  return out;
}

std::vector<std::string> workers_named(const std::string& prefix, std::int64_t count) {
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(prefix + std::to_string(i));
  return out;
}

}  // namespace

TEST_CASE("each rule of each worker is dealt to one shard, in equal shares", "[rules][dealing]") {
  constexpr std::size_t rules = 35;
  for (const std::int64_t shards : {1, 2, 3, 7, 64})
    for (const std::int64_t workers : {1, 2, 3, 7, 8, 64}) {
      CAPTURE(shards, workers);
      const auto shares = dealt(shards, workers_named("worker_", workers), rules);
      const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
      const std::int64_t groups = std::min(shards, workers);
      if (shards % groups == 0 && workers % groups == 0) CHECK(*most - *least <= 1U * (workers >= shards ? 0 : 1));
      const auto workers_of_one = static_cast<std::size_t>((workers + shards - 1) / shards);
      CHECK(*most <= rules * workers_of_one);
    }
}

TEST_CASE("names of workers without a number are dealt, too", "[rules][dealing]") {
  for (const std::string prefix : {"algo-1-node", "_9999999999999999999999", ""})
    for (const std::int64_t shards : {2, 3, 7})
      for (const std::int64_t workers : {1, 3, 10}) (void)dealt(shards, workers_named(prefix, workers), 5);
  (void)dealt(3, {"", "left", "right", "\xff\n"}, 5);
}

TEST_CASE("a rule that compares workers belongs to one shard for all of them", "[rules][dealing]") {
  for (std::int64_t i = 0; i < 3; ++i) {
    const tt::detail::Dealing dealing({i, 3}, 8);
    for (std::size_t rule = 0; rule < 9; ++rule)
      for (const std::string& worker : workers_named("worker_", 8))
        CHECK(dealing.has(worker, rule, true) == (rule % 3 == static_cast<std::size_t>(i)));
  }
}

TEST_CASE("a worker belongs to one shard as a whole if there are enough workers", "[rules][dealing]") {
  for (std::int64_t i = 0; i < 3; ++i) {
    const tt::detail::Dealing dealing({i, 3}, 8);
    for (std::int64_t worker = 0; worker < 8; ++worker)
      for (std::size_t rule = 0; rule < 9; ++rule)
        CHECK(dealing.has("worker_" + std::to_string(worker), rule, false) == (worker % 3 == i));
  }
}
