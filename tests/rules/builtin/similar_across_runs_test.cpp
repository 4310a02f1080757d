#include <tensortap/rules/builtin/similar_across_runs.hpp>
#include <tensortap/rules/evaluate.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"
#include "rules/step_of_map.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// Writes a run of weights that differ from those of other runs by `difference`, from step 2 on.
std::string write(const TemporaryDirectory& directory, const std::string& name, double difference,
                  const tt::Reductions& reductions = {}, int steps = 5) {
  const std::string path = (directory / name).string();
  tt::Hook hook(path, {.collections = {{.name = "weights", .reductions = reductions}}, .save = tt::every(1)});
  for (int i = 0; i < steps; ++i) {
    hook.begin_step();
    hook.save("a.weight", std::vector<double>{1, static_cast<double>(i), 0});
    hook.save("b.weight", std::vector<double>{2, static_cast<double>(i) + (i >= 2 ? difference : 0), 5});
  }
  hook.close();
  return path;
}

tt::Verdict compared(const std::string& run, const tt::SimilarAcrossRuns& rule) {
  return tt::evaluate(tt::Trial(run), {rule});
}

}  // namespace

TEST_CASE("tensors that differ from those of another run are found", "[rules][similar_across_runs]") {
  const TemporaryDirectory directory;
  const std::string a = write(directory, "a", 0);
  const std::string b = write(directory, "b", 0.5);
  const auto verdict = compared(a, {.other_trials = b});
  REQUIRE(verdict.findings.size() == 1);
  const tt::Finding& finding = verdict.findings[0];
  CHECK(finding.tensor == "b.weight");
  CHECK(finding.severity == tt::Severity::advice);
  CHECK(finding.step.global_step == 2);
  CHECK(finding.last_step == 4);
  CHECK(finding.count == 3);
  CHECK(finding.value == 0.5);
  CHECK_THAT(finding.message, contains("1 of 3 elements differ, by at most 0.5, from "));
  CHECK(verdict.rules[0].status == tt::RuleStatus::issues_found);
  CHECK(compared(a, {.other_trials = b, .tensor_regex = "^a"}).findings.empty());
  CHECK(compared(a, {.other_trials = b, .collection_names = "weights"}).findings.size() == 1);
}

TEST_CASE("equal runs are no finding, and neither is what one of them lacks", "[rules][similar_across_runs]") {
  const TemporaryDirectory directory;
  const std::string a = write(directory, "a", 0);
  const std::string same = write(directory, "same", 0, {}, 3);
  const std::string other = write(directory, "other", 1);
  const auto equal = compared(a, {.other_trials = same});
  CHECK(equal.findings.empty());
  CHECK(equal.rules[0].status == tt::RuleStatus::no_issues_found);
  CHECK(compared(a, {.other_trials = same + "," + other}).findings.size() == 1);
  CHECK(compared(a, {}).rules[0].status == tt::RuleStatus::error);  // there is nothing to compare with
  const auto missing = compared(a, {.other_trials = (directory / "nothing").string()});
  REQUIRE(missing.findings.size() == 1);
  CHECK(missing.findings[0].failed);
}

TEST_CASE("runs of statistics or reductions are compared by them", "[rules][similar_across_runs]") {
  const TemporaryDirectory directory;
  int n = 0;
  for (const tt::Reductions& reductions : {tt::Reductions{R::statistics}, tt::Reductions{R::mean, R::max}}) {
    const std::string a = write(directory, "a" + std::to_string(++n), 0, reductions);
    const std::string b = write(directory, "b" + std::to_string(n), 3, reductions);
    const auto verdict = compared(a, {.other_trials = b});
    REQUIRE(verdict.findings.size() == 1);
    CHECK(verdict.findings[0].tensor == "b.weight");
    CHECK(verdict.findings[0].step.global_step == 2);
    CHECK(compared(a, {.other_trials = a}).findings.empty());
  }
}
