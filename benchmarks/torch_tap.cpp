// Measures what a tap adds to the steps of a small convolutional network with libtorch, 64 images in a step.
//
// usage: torch_tap [PAIRS] [THREADS]     1000 pairs of steps; torch's threads, 1
//
// What a tap adds does not depend on the number of images, unless it saves layers. It is measured with one image, where
// it is not lost in the noise of the network: steps with and without the tap alternate, on two copies of the network.
// The clock is that of the thread that trains, which other programs disturb less than that on the wall. Prints
// microseconds by medians, where the steps that are due and those that are not have their own, joined by their numbers;
// their ratio to the time of a step of 64 images; and the processor time of the hook's writer, which has a thread of
// its own.
#include <tensortap/adapters/torch.hpp>

#include <time.h>
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

namespace tt = tensortap;

namespace {

struct NetImpl : torch::nn::Module {
  torch::Tensor forward(torch::Tensor x) {
    x = torch::max_pool2d(tt::call(relu1, conv1(x)), 2);
    x = torch::max_pool2d(tt::call(relu2, conv2(x)), 2);
    return fc2(tt::call(relu3, fc1(x.flatten(1))));
  }
  torch::nn::Conv2d conv1 = register_module("conv1", torch::nn::Conv2d(1, 16, 5));
  torch::nn::Conv2d conv2 = register_module("conv2", torch::nn::Conv2d(16, 32, 5));
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(512, 128));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(128, 10));
  torch::nn::ReLU relu1 = register_module("relu1", torch::nn::ReLU());
  torch::nn::ReLU relu2 = register_module("relu2", torch::nn::ReLU());
  torch::nn::ReLU relu3 = register_module("relu3", torch::nn::ReLU());
};
TORCH_MODULE(Net);

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The times of one kind of steps.
struct Times {
  std::vector<double> steps = {};

  template <class Work>
  void add(const Work& work) {
    const double before = seconds(CLOCK_THREAD_CPUTIME_ID);
    work();
    steps.push_back(seconds(CLOCK_THREAD_CPUTIME_ID) - before);
  }
  [[nodiscard]] double median() {
    if (steps.empty()) return 0;
    std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2), steps.end());
    return steps[steps.size() / 2];
  }
};

/// A network in training, with or without a tap.
class Training {
 public:
  Training(std::int64_t images, tt::Hook* hook)
      : images_(torch::rand({images, 1, 28, 28})),
        labels_(torch::randint(10, {images})),
        optimizer_(net_->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9)) {
    if (hook != nullptr)
      tap_ = std::make_unique<tt::TorchTap<NetImpl>>(tt::tap(*hook, net_, {.optimizer = &optimizer_}));
  }

  void step() {
    if (tap_) tap_->begin_step();
    optimizer_.zero_grad();
    const torch::Tensor output = tap_ ? tap_->forward(images_) : net_->forward(images_);
    const torch::Tensor loss = tap_ ? tap_->loss(criterion_, output, labels_) : criterion_(output, labels_);
    loss.backward();
    optimizer_.step();
  }

 private:
  torch::Tensor images_, labels_;
  Net net_;
  torch::nn::CrossEntropyLoss criterion_;
  torch::optim::SGD optimizer_;
  std::unique_ptr<tt::TorchTap<NetImpl>> tap_;
};

void measure(const char* title, tt::HookOptions options, std::int64_t interval, int pairs, std::int64_t images,
             double step) {
  const std::string run = std::filesystem::temp_directory_path() / "tensortap_torch_tap";
  std::filesystem::remove_all(run);
  {
    options.save = tt::every(interval);
    tt::Hook hook(run, options);
    Training plain(images, nullptr), tapped(images, &hook);
    Times without, due, not_due;
    const double process = seconds(CLOCK_PROCESS_CPUTIME_ID), thread = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < pairs; ++i) {
      Times& with = i % interval == 0 ? due : not_due;
      if (i % 2 == 0) without.add([&] { plain.step(); });
      with.add([&] { tapped.step(); });
      if (i % 2 == 1) without.add([&] { plain.step(); });
    }
    hook.close();
    const double writer =
        (seconds(CLOCK_PROCESS_CPUTIME_ID) - process - seconds(CLOCK_THREAD_CPUTIME_ID) + thread) / pairs;
    const double shares = static_cast<double>(due.steps.size()) / pairs;
    const double added = shares * due.median() + (1 - shares) * not_due.median() - without.median();
    std::printf("%-40s %4d images: %8.1f us + %6.1f (due: %6.1f)  ratio %.4f  writer %6.1f us\n", title,
                static_cast<int>(images), 1e6 * without.median(), 1e6 * added, 1e6 * (due.median() - without.median()),
                1 + added / step, 1e6 * writer);
    std::fflush(stdout);
  }
  std::filesystem::remove_all(run);
}

}  // namespace

int main(int argc, char** argv) {
  const int pairs = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 1000;
  at::set_num_threads(argc > 2 ? std::max(std::atoi(argv[2]), 1) : 1);
  torch::manual_seed(0);
  Training plain(64, nullptr);
  Times without;
  for (int i = 0; i < 100; ++i) without.add([&] { plain.step(); });
  const double step = without.median();
  std::printf("a step of 64 images without a tap: %.2f ms\n", 1e3 * step);
  const tt::Collection losses = {.name = "losses", .save = tt::every(1)};
  const tt::Collection statistics = {.name = "gradients", .reductions = {tt::Reduction::statistics}};
  const tt::Collection state = {.name = "state", .include_regex = "^(Net_[^/]*[.]|gradient/|optimizer/)"};
  const auto with = [](std::vector<tt::Collection> collections, bool pack = false) {
    tt::HookOptions out;
    out.collections = std::move(collections);
    out.pack = pack;
    return out;
  };
  measure("nothing is ever due", with({{.name = "all", .save = tt::at({1 << 30})}}), 100, pairs, 1, step);
  measure("weights, gradients, momentum, every 100", with({state}), 100, pairs, 1, step);
  measure("the same, and losses every step", with({state, losses}), 100, pairs, 1, step);
  measure("statistics of gradients, every step", with({statistics}), 1, pairs, 1, step);
  measure("the same, packed", with({statistics}, true), 1, pairs, 1, step);
  measure("all, 10 MB of layers too, every 100", with({{.name = "all"}}), 100, std::max(pairs / 5, 1), 64, step);
}
