// Measures the time that a hook takes from the training thread, and the speed of writing its files. Each number is a
// median. The files are in $TMPDIR or /tmp.
//
//   build/benchmarks/capture_benchmark --benchmark_filter=saved

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <tensortap/tensortap.hpp>

#include "allocation_count.hpp"

namespace {

namespace fs = std::filesystem;
namespace tt = tensortap;
using Clock = std::chrono::steady_clock;
using Tensor = std::vector<float>;

constexpr std::size_t tensors_per_step = 100;
constexpr std::size_t small_bytes = 4 << 10;
constexpr int repetitions = 9;

/// A new directory, removed by the destructor.
class Folder {
 public:
  Folder() : name_((fs::temp_directory_path() / "tensortap_benchmark_XXXXXX").string()) {
    if (::mkdtemp(name_.data()) == nullptr) throw std::runtime_error("mkdtemp: " + name_ + ": failed");
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(name_); }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

std::vector<std::string> tensor_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back("encoder.layer" + std::to_string(i) + ".weight");
  return names;
}

/// Returns numbers like gradients: small, of both signs, all different.
Tensor tensor_of(std::size_t bytes) {
  Tensor tensor(bytes / sizeof(float));
  float number = 0.5f;
  for (float& x : tensor) {
    number = 3.9f * number * (1 - number);
    x = number - 0.5f;
  }
  return tensor;
}

tt::HookOptions without_sync() {
  tt::HookOptions options;
  options.durability = tt::Durability::none;
  return options;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Of this process. Other processes do not disturb it.
double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

// A step that is not saved.

/// Calls `save` for 100 tensors in turn, in a step that saves none of them.
void save_each(benchmark::State& state, tt::HookOptions options) {
  const Folder folder;
  tt::Hook hook(folder.name(), std::move(options));
  const auto names = tensor_names(tensors_per_step);
  const Tensor tensor = tensor_of(small_bytes);
  for (int step = 0; step < 2; ++step) {  // the first step is saved
    hook.begin_step();
    for (const auto& name : names) hook.save(name, tensor);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    hook.save(names[i], tensor);
    if (++i == names.size()) i = 0;
  }
}

void save_when_nothing_is_due(benchmark::State& state) {
  save_each(state, without_sync());
  state.SetLabel("smdebug 220-280 ns");
}

void save_when_another_collection_is_due(benchmark::State& state) {
  tt::HookOptions options = without_sync();
  options.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}, {.name = "weights"}};
  save_each(state, std::move(options));
  state.SetLabel("smdebug 220-280 ns");
}

void save_when_disabled(benchmark::State& state) {
  tt::HookOptions options;
  options.enabled = false;
  save_each(state, std::move(options));
}

void due(benchmark::State& state) {
  const Folder folder;
  tt::Hook hook(folder.name(), without_sync());
  hook.begin_step();
  for (auto _ : state) benchmark::DoNotOptimize(hook.due("all"));
}

void begin_step_not_saved(benchmark::State& state) {
  const Folder folder;
  tt::HookOptions options = without_sync();
  options.save = tt::SaveConfig::never();
  tt::Hook hook(folder.name(), std::move(options));
  for (auto _ : state) hook.begin_step();
}

void begin_step_when_disabled(benchmark::State& state) {
  tt::Hook hook("disabled", {.enabled = false});
  for (auto _ : state) hook.begin_step();
}

// A step that is saved.

/// Measures the time of the training thread for each tensor: it begins a step, saves 100 tensors and hands the step
/// over. Outside the measured time, the writer thread writes while this thread computes, as in a training: a processor
/// that has slept is slow.
void save_step(benchmark::State& state, tt::Reductions reductions) {
  const Folder folder;
  tt::HookOptions options = without_sync();
  options.collections = {{.name = "all", .save = tt::every(2), .reductions = reductions}};
  tt::Hook hook(folder.name(), std::move(options));
  const auto names = tensor_names(tensors_per_step);
  std::vector<Tensor> tensors(names.size(), tensor_of(small_bytes));
  const auto compute_all = [&] {
    for (Tensor& tensor : tensors)
      for (float& x : tensor) x = -x;
    benchmark::ClobberMemory();
  };
  const auto save_all = [&] {
    hook.begin_step();
    for (std::size_t i = 0; i < names.size(); ++i) hook.save(names[i], tensors[i]);
    hook.begin_step();  // saves nothing, but hands over the step before
  };
  for (int warm_up = 0; warm_up < 4; ++warm_up) {
    save_all();
    hook.flush();
  }
  std::uint64_t allocated = 0;
  for (auto _ : state) {
    do compute_all();
    while (hook.status().steps_queued > 0);
    const std::uint64_t before = allocations;
    const auto start = Clock::now();
    save_all();
    state.SetIterationTime(seconds_since(start) / static_cast<double>(names.size()));
    allocated += allocations - before;
  }
  state.counters["allocations_per_step"] =
      static_cast<double>(allocated) / static_cast<double>(std::max<std::int64_t>(state.iterations(), 1));
}

void save_raw(benchmark::State& state) {
  save_step(state, {});
  state.SetLabel("at most 500 ns; smdebug 90 us");
}

void save_18_reductions(benchmark::State& state) {
  tt::Reductions all;
  for (std::size_t i = 0; i < tt::reduction_count; ++i) all.insert(static_cast<tt::Reduction>(i));
  save_step(state, all);
  state.SetLabel("smdebug 2080 us");
}

void save_statistics(benchmark::State& state) {
  save_step(state, {tt::Reduction::statistics});
  state.SetLabel("smdebug 2080 us, for 18 reductions");
}

// Files.

/// Writes the same bytes in the same pieces without a hook: to a temporary file that is renamed at the end.
void write_plainly(const std::string& path, std::span<const Tensor> tensors) {
  const std::string temporary = path + ".tmp";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  bool written = file >= 0;
  for (const Tensor& tensor : tensors)
    for (auto left = std::as_bytes(std::span(tensor)); written && !left.empty();) {
      const ssize_t n = ::write(file, left.data(), left.size());
      written = n > 0;
      if (written) left = left.subspan(static_cast<std::size_t>(n));
    }
  written = (file >= 0 && ::close(file) == 0) && written;
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0)
    throw std::runtime_error("write: " + path + ": failed; is the disk full?");
}

/// Saves steps and flushes them, and writes the same bytes without a hook, in turns whose order alternates. The writer
/// starts with the first large tensor; small ones are written when their step is completely copied.
void write_steps(benchmark::State& state) {
  const auto tensor_bytes = static_cast<std::size_t>(state.range(0));
  const auto count = static_cast<std::size_t>(state.range(1));
  const auto steps = state.range(2);
  const Folder folder;
  tt::HookOptions options = without_sync();
  options.save = tt::every(1);
  tt::Hook hook(folder.name() + "/run", std::move(options));
  const auto names = tensor_names(count);
  const std::vector<Tensor> tensors(count, tensor_of(tensor_bytes));

  const auto with_hook = [&] {
    const auto start = Clock::now();
    for (auto step = steps; step > 0; --step) {
      hook.begin_step();
      for (std::size_t i = 0; i < count; ++i) hook.save(names[i], tensors[i]);
    }
    hook.flush();
    const double seconds = seconds_since(start);
    fs::remove_all(folder.name() + "/run/events");
    fs::remove_all(folder.name() + "/run/index");
    return seconds;
  };
  const auto without = [&] {
    const auto start = Clock::now();
    for (auto step = steps; step > 0; --step) write_plainly(folder.name() + "/plain/" + std::to_string(step), tensors);
    const double seconds = seconds_since(start);
    fs::remove_all(folder.name() + "/plain");
    fs::create_directory(folder.name() + "/plain");
    return seconds;
  };
  fs::create_directory(folder.name() + "/plain");
  for (int warm_up = 0; warm_up < 3; ++warm_up) {
    with_hook();
    without();
  }
  std::vector<double> hook_seconds, plain_seconds, ratios;
  for (auto _ : state) {
    const bool hook_first = ratios.size() % 2 == 0;
    if (hook_first) hook_seconds.push_back(with_hook());
    plain_seconds.push_back(without());
    if (!hook_first) hook_seconds.push_back(with_hook());
    ratios.push_back(plain_seconds.back() / hook_seconds.back());
    state.SetIterationTime(hook_seconds.back());
  }
  const auto bytes = static_cast<double>(tensor_bytes * count) * static_cast<double>(steps);
  state.counters["hook_bytes_per_second"] = bytes / median(hook_seconds);
  state.counters["plain_bytes_per_second"] = bytes / median(plain_seconds);
  state.counters["ratio"] = median(ratios);
  state.SetLabel(tensor_bytes == 64 << 20 ? "ratio at least 0.8; smdebug 2e8 B/s" : "smdebug 2e8 B/s");
}

// TensorBoard.

/// Saves 100 tensors of `state.range(0)` elements in each of 10 steps for TensorBoard alone, and flushes them. Measures
/// the processor time of all threads for each value: that of a save, and of what the writer makes of it.
void values_for_tensorboard(benchmark::State& state) {
  constexpr int steps = 10;
  const Tensor tensor = tensor_of(static_cast<std::size_t>(state.range(0)) * sizeof(float));
  const auto names = tensor_names(tensors_per_step);
  const Folder folder;
  tt::HookOptions options = without_sync();
  options.save = tt::every(1);
  options.tensorboard = true;
  options.run_files = false;
  tt::Hook hook(folder.name(), std::move(options));
  for (auto _ : state) {
    const double start = processor_seconds();
    for (int step = 0; step < steps; ++step) {
      hook.begin_step();
      for (const auto& name : names) hook.save(name, tensor);
    }
    hook.flush();
    state.SetIterationTime((processor_seconds() - start) / steps / static_cast<double>(names.size()));
  }
}

/// A training whose steps compute for about 2 ms.
class Training {
 public:
  Training() {
    const auto start = Clock::now();
    for (int i = 0; i < 100; ++i) pass();
    passes_ = std::max(1, static_cast<int>(100 * 2e-3 / seconds_since(start)));
  }
  void compute() {
    for (int i = 0; i < passes_; ++i) pass();
  }

 private:
  void pass() {
    for (float& x : numbers_) x = 3.9f * x * (1 - x);
    benchmark::ClobberMemory();
  }

  Tensor numbers_ = Tensor(16 << 10, 0.3f);
  int passes_ = 1;
};

/// Trains with a hook that saves 200 tensors at every step, and without one, in turns whose order alternates.
void train(benchmark::State& state, bool has_budget, bool tensorboard) {
  const int steps = 500;
  const auto names = tensor_names(200);
  const std::vector<Tensor> tensors(names.size(), tensor_of(small_bytes));
  Training training;
  tt::HookStatus status;
  const auto with_hook = [&] {
    const Folder folder;
    tt::HookOptions options = without_sync();
    options.save = tt::every(1);
    if (has_budget) options.budget = 0.01;
    options.tensorboard = tensorboard;
    tt::Hook hook(folder.name(), std::move(options));
    const auto start = Clock::now();
    for (int step = 0; step < steps; ++step) {
      hook.begin_step();
      training.compute();
      hook.save("loss", 0.5);
      for (std::size_t i = 0; i < names.size(); ++i) hook.save(names[i], tensors[i]);
    }
    const double seconds = seconds_since(start);
    hook.close();
    status = hook.status();
    return seconds;
  };
  const auto without = [&] {
    const auto start = Clock::now();
    for (int step = 0; step < steps; ++step) training.compute();
    return seconds_since(start);
  };
  std::vector<double> ratios;
  for (auto _ : state) {
    double with = 0;
    const bool hook_first = ratios.size() % 2 == 0;
    if (hook_first) with = with_hook();
    const double alone = without();
    if (!hook_first) with = with_hook();
    ratios.push_back(with / alone);
    state.SetIterationTime(with);
  }
  state.counters["ratio"] = median(ratios);
  state.counters["steps_saved"] = static_cast<double>(status.steps_saved);
  state.counters["thinnings"] = static_cast<double>(status.thinned.size());
  if (has_budget) state.SetLabel("ratio at most 1.01");
}

void train_without_budget(benchmark::State& state) { train(state, false, false); }
void train_with_tensorboard(benchmark::State& state) { train(state, false, true); }
void train_with_budget_of_1_percent(benchmark::State& state) { train(state, true, false); }
void train_with_budget_and_tensorboard(benchmark::State& state) { train(state, true, true); }

/// Prints a line for each benchmark: the median of its repetitions, its counters, and the limit to compare with.
class Table final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    line("", "median", "", "to compare");
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        line(run.benchmark_name(), "failed", "", run.error_message);
        continue;
      }
      if (run.repetitions > 1 && run.aggregate_name != "median") continue;
      std::ostringstream time, counted;
      const double nanoseconds = run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit) * 1e9;
      if (run.repetitions > 1)  // otherwise the number is a mean
        time << std::fixed << std::setprecision(nanoseconds < 100 ? 1 : 0) << nanoseconds << " ns";
      counted << std::setprecision(3);
      for (const auto& [name, counter] : run.counters) counted << name << ' ' << counter.value << "  ";
      line(run.run_name.function_name, time.str(), counted.str(), run.report_label);
    }
  }

 private:
  static void line(const std::string& name, const std::string& time, const std::string& counted,
                   const std::string& compare) {
    std::cout << std::left << std::setw(37) << name << std::right << std::setw(10) << time << "   " << std::left
              << std::setw(82) << counted << compare << std::endl;
  }
};

BENCHMARK(save_when_nothing_is_due)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(save_when_another_collection_is_due)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(save_when_disabled)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(due)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(begin_step_not_saved)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(begin_step_when_disabled)->Repetitions(repetitions)->UseRealTime();
BENCHMARK(save_raw)->Iterations(200)->Repetitions(repetitions)->UseManualTime();
BENCHMARK(save_18_reductions)->Iterations(200)->Repetitions(repetitions)->UseManualTime();
BENCHMARK(save_statistics)->Iterations(200)->Repetitions(repetitions)->UseManualTime();
BENCHMARK(write_steps)->Name("write_4KiB_x_512")->Args({4 << 10, 512, 1})->Iterations(101)->UseManualTime();
BENCHMARK(write_steps)->Name("write_1MiB_x_64")->Args({1 << 20, 64, 1})->Iterations(21)->UseManualTime();
BENCHMARK(write_steps)->Name("write_64MiB_x_4")->Args({64 << 20, 4, 1})->Iterations(11)->UseManualTime();
BENCHMARK(write_steps)->Name("write_64MiB_x_4_in_4_steps")->Args({64 << 20, 4, 4})->Iterations(9)->UseManualTime();
BENCHMARK(values_for_tensorboard)
    ->Name("tensorboard_scalar")
    ->Arg(1)
    ->Iterations(20)
    ->Repetitions(repetitions)
    ->UseManualTime();
BENCHMARK(values_for_tensorboard)
    ->Name("tensorboard_histogram_1024")
    ->Arg(1024)
    ->Iterations(5)
    ->Repetitions(repetitions)
    ->UseManualTime();
BENCHMARK(values_for_tensorboard)
    ->Name("tensorboard_histogram_65536")
    ->Arg(65536)
    ->Iterations(1)
    ->Repetitions(repetitions)
    ->UseManualTime();
BENCHMARK(train_without_budget)->Iterations(11)->UseManualTime();
BENCHMARK(train_with_tensorboard)->Iterations(11)->UseManualTime();
BENCHMARK(train_with_budget_of_1_percent)->Iterations(11)->UseManualTime();
BENCHMARK(train_with_budget_and_tensorboard)->Iterations(11)->UseManualTime();

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  Table table;
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
  return 0;
}
