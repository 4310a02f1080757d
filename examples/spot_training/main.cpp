// Trains a small convolutional network on Fashion-MNIST and taps its tensors on the way.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <span>
#include <vector>

#include <zlib.h>
#include <CLI/CLI.hpp>

#include "fashion_mnist.hpp"
#include "network.hpp"
#include "progress_bar.hpp"
#include "report.hpp"
#include "sgd.hpp"
#include "tap.hpp"

namespace spot_training {
namespace {

struct Options {
  std::filesystem::path data = "/usr/share/datasets/fashion-mnist";
  std::filesystem::path out_dir = "run";
  std::size_t batch_size = 100;
  std::size_t epochs = 5;
  float learning_rate = 0.03f;
  std::uint64_t seed = 1;
  std::size_t limit = 60'000;
};

/// Calls `visit(batch)` for the images in this order, `batch_size` at a time; the last batch may be smaller.
template <class Visit>
void for_each_batch(const FashionMnist& data, std::span<const std::size_t> order, std::size_t batch_size,
                    const Visit& visit) {
  for (; !order.empty(); order = order.subspan(std::min(batch_size, order.size())))
    visit(data.batch(order.first(std::min(batch_size, order.size()))));
}

std::vector<std::size_t> positions(std::size_t count) {
  std::vector<std::size_t> result(count);
  std::iota(result.begin(), result.end(), std::size_t{0});
  return result;
}

Scores evaluate(Network& network, const FashionMnist& data, const Options& options) {
  const std::vector<std::size_t> order = positions(std::min(options.limit, data.size()));
  Scores mean;
  for_each_batch(data, order, options.batch_size, [&](const Batch& batch) {
    const Scores scores = network.forward(batch);
    const double share = static_cast<double>(batch.labels.size()) / static_cast<double>(order.size());
    mean.loss += share * scores.loss;
    mean.accuracy += share * scores.accuracy;
  });
  return mean;
}

/// A checksum of all weights and biases: the same for the same seed and options.
unsigned long checksum(const Parameters& parameters) {
  unsigned long crc = crc32(0, nullptr, 0);
  parameters.for_each([&](const char*, const auto& tensor) {
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(tensor.data()), tensor.size() * sizeof(float));
  });
  return crc;
}

void train(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const FashionMnist training(options.data, "train"), test(options.data, "t10k");
  std::vector<std::size_t> order = positions(std::min(options.limit, training.size()));

  Random random(options.seed);
  Network network(random);
  Sgd sgd;
  Tap tap(options.out_dir);

  ProgressBar progress(options.epochs * order.size());
  double training_seconds = 0;
  for (std::size_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const Clock::time_point start = Clock::now();
    random.shuffle(order);
    for_each_batch(training, order, options.batch_size, [&](const Batch& batch) {
      const Scores scores = network.forward(batch);
      network.backward();
      tap.train_step(network, scores);
      // A rate that falls to zero in a straight line: at a constant one the accuracy jumps by a percent at the end.
      sgd.update(network, options.learning_rate * static_cast<float>(1 - progress.share()));
      progress.advance(batch.labels.size(), scores.loss);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    training_seconds += seconds;
    const Scores scores = evaluate(network, test, options);
    tap.evaluation(scores);
    progress.clear();
    std::cout << std::fixed << "epoch " << epoch << ": " << std::setprecision(1) << seconds << " s, test loss "
              << std::setprecision(4) << scores.loss << ", test accuracy " << std::setprecision(2)
              << 100 * scores.accuracy << " %" << std::endl;
  }
  std::cout << "checksum of the weights: " << std::hex << std::setw(8) << std::setfill('0')
            << checksum(network.parameters) << std::dec << std::setfill(' ') << '\n';
  tap.close();
  report(options.out_dir, tap.seconds(), training_seconds - tap.seconds(), std::cout);
}

}  // namespace
}  // namespace spot_training

int main(int argc, char** argv) {
  spot_training::Options options;
  CLI::App app("Trains a small convolutional network on Fashion-MNIST and taps its tensors on the way.");
  app.option_defaults()->always_capture_default();
  app.add_option("--data", options.data, "folder of the four *-ubyte.gz files");
  app.add_option("--out-dir", options.out_dir, "folder for the run");
  app.add_option("--batch-size", options.batch_size, "images per step")->check(CLI::Range(1, 10'000));
  app.add_option("--epochs", options.epochs, "passes over the training images")->check(CLI::Range(1, 1'000));
  app.add_option("--learning-rate", options.learning_rate, "step length of the optimiser")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "start of the random numbers");
  app.add_option("--limit", options.limit, "use only the first N training images and test images")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    spot_training::train(options);
  } catch (const std::exception& error) {
    std::cerr << "spot_training: " << error.what() << '\n';
    return 1;
  }
}
