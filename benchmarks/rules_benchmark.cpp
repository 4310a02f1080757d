// Measures what the built-in rules cost in the training process: nanoseconds for each tensor and rule, on statistics
// that were already taken, and how often judging a step allocates memory once all tensors are known.
//
//   build/benchmarks/rules_benchmark --benchmark_filter=all

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <tensortap/tensortap.hpp>

#include "allocation_count.hpp"

namespace {

namespace tt = tensortap;

constexpr std::size_t layers = 250;        // each with a weight, its gradient, a bias and an output
constexpr std::int64_t known_after = 300;  // steps after which windows are full

/// The steps of a training that goes well, of which statistics were taken.
class LearningStep final : public tt::StepView {
 public:
  LearningStep() {
    std::vector<float> elements(1024);
    for (std::size_t i = 0; i < elements.size(); ++i)
      elements[i] = 0.1f * static_cast<float>(static_cast<int>(i * 7919 % 201) - 100) / 100;
    statistics_ = tt::statistics(elements);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const std::string name = "net.layer" + std::to_string(layer);
      for (const std::string& tensor :
           {name + ".weight", "gradient/" + name + ".weight", name + ".bias", name + "_relu_output_0"})
        add(tensor);
    }
    add("CrossEntropyLoss_output_0");
  }

  void next() { ++number_; }

  std::size_t size() const { return names_.size(); }

  [[nodiscard]] tt::Step step() const override {
    return {.mode = tt::Mode::train, .mode_step = number_, .global_step = number_};
  }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    return collection.empty() ? names_ : std::vector<std::string>();
  }
  void for_each(const Visit& visit) const override {
    for (const std::string& name : names_) visit(name);
  }
  [[nodiscard]] std::optional<tt::Tensor> value(std::string_view tensor) const override {
    if (!is_loss(tensor)) return std::nullopt;
    return tt::Tensor(tt::as_view(loss()));
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view tensor, tt::Reduction r) const override {
    const auto known = statistics(tensor);
    return known ? tt::reduction_of(*known, r) : std::nullopt;
  }
  [[nodiscard]] std::optional<tt::Statistics> statistics(std::string_view tensor) const override {
    if (is_loss(tensor)) return tt::statistics(tt::as_view(loss()));
    tt::Statistics out = statistics_;
    out.sum *= 1 + 1e-3 * static_cast<double>(number_ % 97);  // as if it changed
    return out;
  }

 private:
  void add(std::string name) { names_.push_back(std::move(name)); }
  static bool is_loss(std::string_view tensor) { return tensor.ends_with("Loss_output_0"); }
  [[nodiscard]] double loss() const { return 2.3 / (1 + 0.01 * static_cast<double>(number_)); }

  std::vector<std::string> names_;
  tt::Statistics statistics_;
  std::int64_t number_ = 0;
};

/// Judges steps with these rules. The time that the step itself takes to answer is part of it.
void judge(benchmark::State& state, std::vector<tt::Rule> rules) {
  const auto count = static_cast<double>(rules.size());
  LearningStep step;
  const tt::Judge judge(std::move(rules));
  for (std::int64_t i = 0; i < known_after; ++i, step.next()) judge(step);
  std::uint64_t allocated = 0;
  std::clock_t judging = 0;
  for (auto _ : state) {
    const std::uint64_t before = allocations;
    const std::clock_t start = std::clock();  // of this processor alone
    judge(step);
    judging += std::clock() - start;
    allocated += allocations - before;
    step.next();
  }
  const auto steps = static_cast<double>(std::max<std::int64_t>(state.iterations(), 1));
  state.counters["ns_per_tensor_and_rule"] =
      1e9 * static_cast<double>(judging) / CLOCKS_PER_SEC / steps / static_cast<double>(step.size()) / count;
  state.counters["allocations_per_step"] = static_cast<double>(allocated) / steps;
  state.counters["bytes_of_state_per_tensor"] =
      static_cast<double>(judge.state().size()) / static_cast<double>(step.size());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("all_rules", judge, tt::all_rules())->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark(
      "no_rule", judge,
      std::vector<tt::Rule>{tt::Rule("nothing", [](const tt::JudgedStep&) { return std::vector<tt::Finding>(); })})
      ->Unit(benchmark::kMicrosecond);
  for (const tt::Rule& rule : tt::all_rules())
    benchmark::RegisterBenchmark(rule.name().c_str(), judge, std::vector<tt::Rule>{rule})
        ->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
