#include <tensortap/rules/builtin/rank_divergence.hpp>
#include <tensortap/rules/evaluate.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "rules/step_of_map.hpp"
#include "trial/hand_writer.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

using SavedTensors = std::vector<std::pair<std::string, tt::Tensor>>;

/// Writes `steps` steps of several workers.
std::shared_ptr<tt::MemoryStore> write(
    std::size_t workers, std::int64_t steps,
    const std::function<SavedTensors(std::size_t rank, std::int64_t step)>& tensors) {
  auto store = std::make_shared<tt::MemoryStore>();
  for (std::size_t rank = 0; rank < workers; ++rank) {
    const HandWriter writer(store, 0, "rank_" + std::to_string(rank));
    writer.put_attempt(-1);
    writer.put_collections(static_cast<std::int64_t>(workers));
    for (std::int64_t step = 0; step < steps; ++step) writer.put({tt::Mode::train, step, step}, tensors(rank, step));
    writer.close();
  }
  return store;
}

tt::Verdict judged(const std::shared_ptr<tt::MemoryStore>& store, const tt::RankDivergence& rule = {}) {
  return tt::evaluate(tt::Trial(store), {rule});
}

std::vector<std::string> lines(const tt::Verdict& verdict) {
  std::vector<std::string> out;
  for (const tt::Finding& f : verdict.findings)
    out.push_back(std::string(to_string(f.severity)) + " " + std::to_string(f.step.global_step) + " " + f.tensor + " " +
                  f.worker + " " + std::to_string(f.count));
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the worker whose parameters leave the others is named with the first step", "[rules][rank_divergence]") {
  const auto tensors = [](std::size_t rank, std::int64_t step) {
    const double x = static_cast<double>(step) + (rank == 1 && step >= 3 ? 1e-9 : 0);
    const double bias = rank == 2 && step >= 5 ? 9 : 4;
    return SavedTensors{{"a.weight", tensor_of({x, 2})},
                        {"a.bias", tensor_of({bias})},
                        {"gradient/a.weight", tensor_of({static_cast<double>(rank)})},
                        {"loss", tensor_of({static_cast<double>(rank)})}};
  };
  const auto verdict = judged(write(3, 7, tensors));
  CHECK(lines(verdict) == Lines{"error 3 a.weight rank_1 4", "error 5 a.bias rank_2 2"});
  CHECK(verdict.findings[1].value == 5);
  CHECK_THAT(
      verdict.findings[1].message,
      contains("it was equal in all workers, and now differs from that of \"rank_0\"; the L2 norms differ by 5"));
  CHECK(verdict.rules[0].tensors == 6);
  const auto all = judged(write(3, 2, tensors), {.tensor_regex = "loss"});
  CHECK(lines(all) == Lines{"advice 0 loss rank_1 2", "advice 0 loss rank_2 2"});
}

TEST_CASE("equal workers, and parts of a tensor, are no divergence", "[rules][rank_divergence]") {
  const auto equal = [](std::size_t, std::int64_t step) {
    return SavedTensors{{"a.weight", tensor_of({static_cast<double>(step), std::nan("")})}};
  };
  const auto verdict = judged(write(4, 5, equal));
  CHECK(verdict.findings.empty());
  CHECK(verdict.rules[0].status == tt::RuleStatus::no_issues_found);
  const auto sharded = [](std::size_t rank, std::int64_t) {
    return SavedTensors{{"a.weight", tensor_of(std::vector<double>(rank + 1, 1))}};
  };
  CHECK(judged(write(3, 3, sharded)).findings.empty());
  const auto one = judged(write(1, 3, equal));
  CHECK(one.findings.empty());
  CHECK(one.rules[0].status == tt::RuleStatus::error);
  CHECK_THAT(one.rules[0].reason, contains("of several workers"));
}

TEST_CASE("parameters that differ from the first step on are advice", "[rules][rank_divergence]") {
  const auto verdict = judged(write(2, 3, [](std::size_t rank, std::int64_t) {
    return SavedTensors{{"a.weight", tensor_of({static_cast<double>(rank)})}};
  }));
  CHECK(lines(verdict) == Lines{"advice 0 a.weight rank_1 3"});
}

TEST_CASE("a divergence is seen in statistics and reductions", "[rules][rank_divergence]") {
  for (const bool as_statistics : {true, false}) {
    const auto verdict = judged(write(2, 4, [&](std::size_t rank, std::int64_t step) {
      const std::vector<double> elements = {1, rank == 1 && step == 2 ? 3. : 2.};
      if (!as_statistics)
        return SavedTensors{{tt::layout::reduction_record(R::max, "a.weight"), tensor_of({elements[1]})}};
      const auto record = tt::statistics(elements).to_record();
      return SavedTensors{
          {tt::layout::reduction_record(R::statistics, "a.weight"), tensor_of({record.begin(), record.end()})}};
    }));
    CHECK(lines(verdict) == Lines{"error 2 a.weight rank_1 1"});
  }
}

TEST_CASE("tensors are compared by name, in any order, and if a worker lacks some", "[rules][rank_divergence]") {
  const auto verdict = judged(write(3, 4, [](std::size_t rank, std::int64_t step) {
    SavedTensors out = {{"a.weight", tensor_of({1})}, {"b.weight", tensor_of({rank == 2 && step > 1 ? 0. : 2.})}};
    if (rank == 1) std::swap(out[0], out[1]);
    if (rank == 0 && step % 2 == 1) out.erase(out.begin());
    if (rank == 1) out.emplace_back("only.weight", tensor_of({5}));
    return out;
  }));
  CHECK(lines(verdict) == Lines{"error 2 b.weight rank_2 2"});
}
