// What a phase costs: without a sink, with a tracer whose queue has room, and two readings of the clock for comparison.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <tensortap/trace.hpp>

namespace tt = tensortap;

namespace {

constexpr int repetitions = 5;

tt::Hook hook_with(std::shared_ptr<tt::PhaseSink> phases) {
  return tt::Hook(std::make_shared<tt::MemoryStore>(), {.phases = std::move(phases), .enabled = false});
}

void read_the_clock_twice(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
  }
}

void phase_without_sink(benchmark::State& state) {
  const tt::Hook hook = hook_with(nullptr);
  for (auto _ : state) const auto phase = hook.phase("Forward");
}

void phase_with_tracer(benchmark::State& state) {
  const auto tracer = std::make_shared<tt::Tracer>(std::make_shared<tt::MemoryStore>(),
                                                   tt::TracerOptions{.queue_phases = std::size_t{1} << 22});
  const tt::Hook hook = hook_with(tracer);
  for (auto _ : state) const auto phase = hook.phase("Forward");
  tracer->close();
  state.counters["dropped"] = static_cast<double>(tracer->status().dropped);
}

}  // namespace

BENCHMARK(read_the_clock_twice)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(phase_without_sink)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(phase_with_tracer)->Iterations(1'000'000)->Repetitions(repetitions)->UseRealTime();
BENCHMARK_MAIN();
