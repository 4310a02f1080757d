// What tensortap sees of the training, and what that costs.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "network.hpp"

namespace spot_training {

namespace tt = tensortap;

class Tap {
 public:
  explicit Tap(const std::filesystem::path& out_dir) : hook_(out_dir.string(), {.collections = collections()}) {}

  /// One step of training, after backward and before the update: the weights are those that gave these gradients.
  void train_step(const Network& network, const Scores& scores) {
    const Stopwatch stopwatch(seconds_);
    hook_.begin_step(tt::Mode::train);
    save(scores);
    network.parameters.for_each([&](const std::string& name, const auto& tensor) { hook_.save(name, tensor); });
    network.gradient.for_each(
        [&](const std::string& name, const auto& tensor) { hook_.save("gradient/" + name, tensor); });
    if (hook_.due("relu_output"))
      network.for_each_activation([&](const std::string& name, const auto& tensor) { hook_.save(name, tensor); });
  }

  /// One pass over the test images.
  void evaluation(const Scores& scores) {
    hook_.begin_step(tt::Mode::eval);
    save(scores);
  }

  /// The run has ended; throws the first failed write.
  void close() {
    const Stopwatch stopwatch(seconds_);
    hook_.close();
  }

  /// The time spent on training steps and close.
  double seconds() const { return seconds_; }

 private:
  /// Adds the time of its life to a sum.
  class Stopwatch {
   public:
    explicit Stopwatch(double& sum) : sum_(sum) {}
    ~Stopwatch() { sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

   private:
    double& sum_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  };

  /// Numbers about the tensors often, the tensors themselves now and then. Where no pattern is given, the name has one.
  static std::vector<tt::Collection> collections() {
    using R = tt::Reduction;
    const tt::Reductions numbers = {R::min, R::max, R::mean, R::std, R::l2, R::abs_mean};
    return {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
            {.name = "metrics", .include_regex = "accuracy$", .save = tt::every(1)},
            {.name = "weights", .save = tt::every(100), .reductions = numbers},
            {.name = "biases", .save = tt::every(100), .reductions = numbers},
            {.name = "gradients", .save = tt::every(100), .reductions = numbers},
            {.name = "relu_output", .save = tt::every(100), .reductions = numbers},
            {.name = "weights_raw", .include_regex = "^(?!gradient).*weight", .save = tt::every(500)},
            {.name = "biases_raw", .include_regex = "^(?!gradient).*bias", .save = tt::every(500)},
            {.name = "gradients_raw", .include_regex = "^gradient", .save = tt::every(500)}};
  }

  void save(const Scores& scores) {
    hook_.save("loss", scores.loss);
    hook_.save("accuracy", scores.accuracy);
  }

  tt::Hook hook_;
  double seconds_ = 0;
};

}  // namespace spot_training
