#include <tensortap/record/attempt.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/internal/attempts.hpp>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

std::string refusal_of_attempt(const std::string& text) {
  try {
    (void)tt::parse_attempt(text, "attempts/a");
    return "";
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::damaged);
    CHECK_THAT(e.what(), contains("attempt: \"attempts/a\": "));
    return e.what();
  }
}

/// Applies the rule of capture/README.md to the `resumed_at` of all attempts, which are in the order of their numbers.
bool counts_by_definition(const std::vector<std::optional<std::int64_t>>& resumed_at, std::int64_t run,
                          std::int64_t step) {
  for (std::size_t q = 0; q < resumed_at.size(); ++q)
    if (static_cast<std::int64_t>(q) > run && resumed_at[q] && *resumed_at[q] < step) return false;
  return true;
}

}  // namespace

TEST_CASE("an attempt is parsed back to equal values", "[record][attempt]") {
  CHECK(to_json(tt::Attempt{.number = 1, .worker = "worker_0", .resumed_at = 40}) ==
        R"({"run": 1, "worker": "worker_0", "resumed_at": 40})");
  CHECK(to_json(tt::Attempt{.number = 0, .worker = "/job:\"x\"", .resumed_at = -1, .ended = true}) ==
        R"({"run": 0, "worker": "/job:\"x\"", "resumed_at": -1, "ended": true})");
  for (const bool ended : {false, true})
    for (const std::int64_t number : {std::int64_t{0}, std::int64_t{7}, std::int64_t{1} << 60})
      for (const std::string worker : {"worker_0", "", "/job:worker/task:1", "\xc3\xbc"}) {
        const tt::Attempt attempt{.number = number, .worker = worker, .resumed_at = number - 1, .ended = ended};
        const tt::Attempt again = tt::parse_attempt(to_json(attempt), "");
        CHECK(again.number == attempt.number);
        CHECK(again.worker == attempt.worker);
        CHECK(again.resumed_at == attempt.resumed_at);
        CHECK(again.ended == attempt.ended);
      }
}

TEST_CASE("an attempt keeps its run, its losses, and that its worker has left", "[record][attempt]") {
  tt::Attempt attempt{.number = 2, .worker = "worker_1", .resumed_at = 4, .left = true, .run_id = "ab"};
  attempt.losses = {{tt::LossReason::write_failed, 5, 7, 3, 12, 4096}, {tt::LossReason::out_of_memory, 9, 9, 0, 1, 8}};
  attempt.error = "disk \"full\"";
  attempt.thinned = {{tt::Detail::statistics, 3, 9, 4, 0}, {tt::Detail::scalars, 10, 20, 1, 8}};
  attempt.cost = {std::chrono::seconds(60), std::chrono::milliseconds(480), std::chrono::nanoseconds(7)};
  const std::string text = to_json(attempt);
  CHECK_THAT(text,
             contains(R"(, "left": true, "run_id": "ab", "losses": [{"reason": "write_failed", "first_step": 5, )"));
  const tt::Attempt again = tt::parse_attempt(text, "");
  CHECK(again.left);
  CHECK(again.run_id == "ab");
  CHECK(again.losses == attempt.losses);
  CHECK(again.error == attempt.error);
  CHECK(again.thinned == attempt.thinned);
  CHECK(again.cost == attempt.cost);
  const std::string loss = R"({"run": 1, "worker": "w", "resumed_at": 1, "losses": [{"reason": "later", )";
  CHECK(tt::parse_attempt(loss + R"("first_step": 1, "last_step": 1, "steps": 1, "tensors": 1, "bytes": 1}]})", "")
            .losses[0]
            .reason == tt::LossReason::write_failed);
  CHECK_THAT(refusal_of_attempt(loss + "}]}"), contains("not JSON"));
  CHECK_THAT(refusal_of_attempt(loss + R"("x": 1}]})"), contains("key \"first_step\": it is missing"));
}

TEST_CASE("an attempt tells what its hook has cost, and damaged numbers of that are refused", "[record][attempt]") {
  const auto with = [](const std::string& cost) {
    return R"({"run": 1, "worker": "w", "resumed_at": 1, "cost": )" + cost + "}";
  };
  const auto parsed = tt::parse_attempt(
      with(R"({"elapsed_ns": 9223372036854775807, "in_training_ns": 5, "writing_ns": 0, "later": []})"), "");
  CHECK(parsed.cost.elapsed == std::chrono::nanoseconds(std::int64_t{1} << 60));
  CHECK(parsed.cost.in_training == std::chrono::nanoseconds(5));
  CHECK_THAT(refusal_of_attempt(with("5")), contains("key \"cost\""));
  CHECK_THAT(refusal_of_attempt(with("{}")), contains("key \"elapsed_ns\": it is missing"));
  CHECK_THAT(refusal_of_attempt(with(R"({"elapsed_ns": 1, "in_training_ns": -5, "writing_ns": 0})")),
             contains("key \"in_training_ns\": it is negative"));
}

TEST_CASE("the cost of a hook is a share of the time", "[record]") {
  using std::chrono::milliseconds;
  const tt::HookCost cost{milliseconds(100'000), milliseconds(800), milliseconds(123'456)};
  CHECK(cost.share() == 0.008);
  CHECK(to_string(cost) == "0.8 % of the time of training; its writer 123.5 % of a processor");
  CHECK(to_string(tt::HookCost{milliseconds(100'000), milliseconds(49), {}}) ==
        "under 0.1 % of the time of training; its writer 0 % of a processor");
  CHECK(tt::HookCost().share() == 0);
  CHECK(to_string(tt::HookCost()) == "0 % of the time of training; its writer 0 % of a processor");
}

TEST_CASE("workers that have left do not keep a run open", "[record][attempt]") {
  tt::detail::Attempts attempts;
  attempts.add({.number = 0, .worker = "worker_0"});
  attempts.add({.number = 0, .worker = "worker_1"});
  attempts.add({.number = 1, .worker = "worker_2", .left = true});
  CHECK_FALSE(attempts.all_ended(2));
  attempts.add({.number = 0, .worker = "worker_0", .ended = true});
  CHECK_FALSE(attempts.all_ended(2));
  CHECK(attempts.all_ended(1));
  attempts.add({.number = 0, .worker = "worker_1", .ended = true});
  CHECK(attempts.all_ended(2));
  CHECK(attempts.all_ended(3));
}

TEST_CASE("text that is no attempt is refused with a reason", "[record][attempt]") {
  CHECK(refusal_of_attempt(R"({"run": 1, "worker": "w", "resumed_at": -1, "x": [{}], "ended": 5})").empty());
  CHECK_THAT(refusal_of_attempt("[]"), contains("not a JSON object"));
  CHECK_THAT(refusal_of_attempt(R"({"worker": "w", "resumed_at": 1})"), contains("key \"run\": it is missing"));
  CHECK_THAT(refusal_of_attempt(R"({"run": -1, "worker": "w", "resumed_at": 1})"),
             contains("key \"run\": it is negative"));
  CHECK_THAT(refusal_of_attempt(R"({"run": 9223372036854775808, "worker": "w", "resumed_at": 1})"),
             contains("key \"run\": it is not an integer"));
  CHECK_THAT(refusal_of_attempt(R"({"run": 1, "resumed_at": 1})"), contains("key \"worker\": it is missing"));
  CHECK_THAT(refusal_of_attempt(R"({"run": 1, "worker": 5, "resumed_at": 1})"),
             contains("key \"worker\": it is not a string"));
  CHECK_THAT(refusal_of_attempt(R"({"run": 1, "worker": "w"})"), contains("key \"resumed_at\": it is missing"));
  CHECK_THAT(refusal_of_attempt(R"({"run": 1, "worker": "w", "resumed_at": 0.5})"),
             contains("key \"resumed_at\": it is not an integer"));
  CHECK_THAT(refusal_of_attempt(std::string(100'000, '[')), contains("nested too deeply"));
  const std::string whole = to_json(tt::Attempt{.number = 1, .worker = "w", .resumed_at = 2});
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THAT(refusal_of_attempt(whole.substr(0, size)), contains("not JSON ("));
}

TEST_CASE("a step counts unless a later attempt continues before it, in every small history", "[record][attempt]") {
  // Three attempts, each missing or resumed after step -1 … 3.
  int compared = 0;
  for (int a = -2; a <= 3; ++a)
    for (int b = -2; b <= 3; ++b)
      for (int c = -2; c <= 3; ++c) {
        std::vector<std::optional<std::int64_t>> resumed_at;
        tt::detail::Attempts attempts;
        for (const int at : {a, b, c}) {
          const auto run = static_cast<std::int64_t>(resumed_at.size());
          resumed_at.push_back(at >= -1 ? std::optional<std::int64_t>(at) : std::nullopt);
          if (at >= -1) attempts.add({.number = run, .worker = "w", .resumed_at = at});
          attempts.add({.number = 9, .worker = "other", .resumed_at = -1});  // must not affect "w"
        }
        for (std::int64_t run = 0; run <= 4; ++run)
          for (std::int64_t step = 0; step <= 4; ++step) {
            CAPTURE(a, b, c, run, step);
            CHECK(attempts.counts("w", run, step) == counts_by_definition(resumed_at, run, step));
            ++compared;
          }
      }
  CHECK(compared == 6 * 6 * 6 * 25);
}

TEST_CASE("steps that name no attempt, or a worker without one, count", "[record][attempt]") {
  tt::detail::Attempts attempts;
  attempts.add({.number = 3, .worker = "w", .resumed_at = -1});
  CHECK(attempts.counts("w", std::nullopt, 100));
  CHECK(attempts.counts("unknown", 0, 100));
  CHECK_FALSE(attempts.counts("w", 0, 100));
  CHECK(tt::detail::Attempts().counts("w", 0, 0));
}

TEST_CASE("the last attempt is the one with the greatest number", "[record][attempt]") {
  tt::detail::Attempts attempts;
  CHECK(attempts.last("w") == -1);
  attempts.add({.number = 12, .worker = "w", .resumed_at = 3});
  attempts.add({.number = 2, .worker = "w", .resumed_at = 1});
  CHECK(attempts.last("w") == 12);
  CHECK(attempts.last("v") == -1);
}

TEST_CASE("a run has ended when its workers, or all workers with an attempt, have closed their last attempt",
          "[record][attempt]") {
  tt::detail::Attempts attempts;
  attempts.add({.number = 0, .worker = "a", .resumed_at = -1, .ended = true});
  attempts.add({.number = 0, .worker = "b", .resumed_at = -1, .ended = true});
  CHECK(attempts.all_ended(2));
  CHECK(attempts.all_ended(5));
  attempts.add({.number = 0, .worker = "c", .resumed_at = -1});
  CHECK(attempts.all_ended(2));
  CHECK_FALSE(attempts.all_ended(3));
  CHECK_FALSE(attempts.all_ended(5));
  attempts.add({.number = 1, .worker = "a", .resumed_at = 5});  // continues the run
  CHECK_FALSE(attempts.all_ended(2));
  CHECK(attempts.all_ended(1));
  attempts.add({.number = 1, .worker = "a", .resumed_at = 5, .ended = true});
  attempts.add({.number = 0, .worker = "c", .resumed_at = -1, .ended = true});
  CHECK(attempts.all_ended(3));
}

TEST_CASE("an end marker counts unless its attempt has a successor", "[record][attempt]") {
  tt::detail::Attempts attempts;
  attempts.add({.number = 1, .worker = "w", .resumed_at = 5});
  attempts.add({.number = 7, .worker = "v", .resumed_at = 5});
  const auto marker = [](std::int64_t run, const std::string& worker) {
    return to_json(tt::Attempt{.number = run, .worker = worker, .resumed_at = 5, .ended = true});
  };
  CHECK_FALSE(attempts.end_counts(marker(0, "w")));
  CHECK(attempts.end_counts(marker(1, "w")));
  CHECK(attempts.end_counts(marker(2, "w")));
  CHECK_FALSE(attempts.end_counts(marker(6, "v")));
  CHECK(attempts.end_counts(marker(0, "unknown")));
  CHECK(attempts.end_counts(""));  // smdebug's
  CHECK(attempts.end_counts("ended"));
  CHECK(attempts.end_counts("[]"));
}
