// A small program to train in tests of jobs. It takes its configuration from the environment, commits a checkpoint
// every few steps, and can end in several ways. Arguments: --name value, as SageMaker passes hyperparameters.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef TENSORTAP_JOB_NET
#include <tensortap/net.hpp>  // a run in a bucket
#else
#include <tensortap/tensortap.hpp>
#endif

namespace tt = tensortap;

namespace {

/// The arguments by name.
class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values_[argv[i]] = argv[i + 1];
  }
  [[nodiscard]] long number(const char* name, long otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : std::stol(found->second);
  }

 private:
  std::map<std::string, std::string> values_;
};

/// Returns true the first time that a job asks for it: the file stays in the working directory.
bool is_first_time(const std::string& what) {
  const char* const folder = std::getenv("TENSORTAP_TEST_DIR");
  const std::string path = std::string(folder == nullptr ? "." : folder) + "/" + what;
  if (::access(path.c_str(), F_OK) == 0) return false;
  std::ofstream(path) << "done\n";
  return true;
}

/// Several workers, which wait for each other before a commit, as an exchange of gradients makes them.
class Workers {
 public:
  explicit Workers(const tt::StopSignal& stop)
      : stop_(stop),
        rank_(number("RANK", 0)),
        count_(number("WORLD_SIZE", 1)),
        attempt_(number("TENSORTAP_JOB_ATTEMPT", 0)) {}

  [[nodiscard]] bool is_chief() const noexcept { return rank_ == 0; }
  [[nodiscard]] long count() const noexcept { return count_; }

  /// Returns false if a stop is requested before all workers are there.
  [[nodiscard]] bool meet(const std::string& where) const {
    if (count_ == 1) return true;
    std::ofstream(place(where, rank_)) << "here\n";
    for (long other = 0; other < count_; ++other)
      while (::access(place(where, other).c_str(), F_OK) != 0) {
        if (stop_.requested()) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    return true;
  }

 private:
  static long number(const char* name, long otherwise) {
    const char* const value = std::getenv(name);
    return value == nullptr ? otherwise : std::stol(value);
  }
  [[nodiscard]] std::string place(const std::string& where, long rank) const {
    const char* const folder = std::getenv("TENSORTAP_TEST_DIR");
    return std::string(folder == nullptr ? "." : folder) + "/meeting-" + std::to_string(attempt_) + "-" + where + "-" +
           std::to_string(rank);
  }

  const tt::StopSignal stop_;
  const long rank_, count_, attempt_;
};

int train(const Arguments& arguments) {
  const long steps = arguments.number("--steps", 50);
  const long commit_every = arguments.number("--commit-every", 10);
  tt::Interruption notice({.signal_numbers = {SIGTERM}});
  const Workers workers(notice.signal());
  const bool is_chief = workers.is_chief();
  tt::Hook hook = tt::Hook::from_environment({.stop = notice.signal()});
  const std::string directory = std::string(std::getenv("SAGEMAKER_BASE_DIR")) + "/checkpoints";
  std::unique_ptr<tt::CheckpointFiles> checkpoints;
  if (is_chief) checkpoints = std::make_unique<tt::CheckpointFiles>(directory, tt::CheckpointFilesOptions{.keep = 2});
  long weight = 0;
  if (const auto& at = hook.resumed(); at && !(std::ifstream(at->checkpoint) >> weight))
    throw std::runtime_error("cannot read " + at->checkpoint);
  std::cout << "begins at step " << hook.next_step() << " with weight " << weight << std::endl;
  const auto commit = [&] {
    if (!is_chief) hook.flush();
    const std::string step = std::to_string(hook.global_step());
    if (!workers.meet("before-" + step)) return false;
    if (!is_chief) return workers.meet("after-" + step);
    hook.commit(checkpoints->save(hook.global_step(), [&](const std::string& path) {
      std::ofstream file(path);
      return static_cast<bool>(file << weight << std::flush);
    }));
    return workers.meet("after-" + step);
  };
  constexpr int interrupted = 75;
  while (hook.next_step() < steps) {
    hook.begin_step();
    const long step = hook.step();
    if (step == arguments.number("--kill-at", -1)) ::raise(SIGKILL);
    if (step == arguments.number("--kill-once-at", -1) && is_first_time("killed")) ::raise(SIGKILL);
    if (step == arguments.number("--fail-at", -1)) return 3;
    if (step == arguments.number("--fail-once-at", -1) && is_first_time("failed")) return 3;
    if (step == arguments.number("--hang-once-at", -1) && is_first_time("hung")) ::pause();
    ++weight;
    hook.save("loss", 1.0 / static_cast<double>(step + 1));
    const float scale = step < arguments.number("--vanish-at", 1'000'000) ? 1.0F : 1e-30F;
    hook.save("gradient/w", std::vector<float>{scale, -scale});
    std::this_thread::sleep_for(std::chrono::milliseconds(arguments.number("--delay", 2)));
    if (notice.signal().requested()) {
      if (workers.count() == 1) commit();
      std::cout << "interrupted after step " << step << std::endl;
      return interrupted;
    }
    if ((step + 1) % commit_every == 0 && !commit()) return interrupted;
  }
  if (!commit()) return interrupted;
  hook.close();
  if (is_chief) std::ofstream(std::string(std::getenv("SM_MODEL_DIR")) + "/model.txt") << weight << '\n';
  std::ofstream(std::string(std::getenv("SM_OUTPUT_DATA_DIR")) + "/result.txt") << weight << '\n';
  std::cout << "ends with weight " << weight << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return train(Arguments(argc, argv));
  } catch (const std::exception& e) {
    std::ofstream(std::string(std::getenv("SM_OUTPUT_FAILURE"))) << e.what();
    std::cerr << e.what() << std::endl;
    return 1;
  }
}
