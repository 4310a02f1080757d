/// Trains a small convolutional network on Fashion-MNIST and taps its tensors on the way.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <CLI/CLI.hpp>
#include <zlib.h>

#include "fashion_mnist.hpp"
#include "network.hpp"
#include "progress_bar.hpp"
#include "saved_table.hpp"
#include "sgd.hpp"
#include "tap.hpp"

namespace spot_training {
namespace {

struct Options {
  std::filesystem::path data = "/usr/share/datasets/fashion-mnist";
  std::filesystem::path out_dir = "run";
  std::size_t batch_size = 100;
  std::size_t epochs = 5;
  float learning_rate = 0.02f;
  std::uint64_t seed = 1;
  std::size_t limit = std::numeric_limits<std::size_t>::max();
};

/// Calls `visit(batch)` for the images in this order, `batch_size` at a time; the last batch may be smaller.
template <class Visit>
void for_each_batch(const FashionMnist& data, std::span<const std::size_t> order, std::size_t batch_size, const Visit& visit) {
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
      // Falls to zero in a straight line: the same accuracy in half the epochs that a constant rate takes.
      sgd.update(network, options.learning_rate * static_cast<float>(1 - progress.share()));
      progress.advance(batch.labels.size(), scores.loss);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    training_seconds += seconds;
    const Scores scores = evaluate(network, test, options);
    tap.evaluation(scores);
    progress.clear();
    std::printf("epoch %zu: %.1f s, test loss %.4f, test accuracy %.2f %%\n", epoch, seconds, scores.loss, 100 * scores.accuracy);
    std::fflush(stdout);
  }
  std::printf("weights: crc32 %08lx\n", checksum(network.parameters));
  tap.close();

  std::printf("\nsaved in %s\n", options.out_dir.c_str());
  print_saved(options.out_dir);
  std::printf("\nthe hook took %.2f s, %.1f %% of the time of the training steps\n", tap.seconds(),
              100 * tap.seconds() / (training_seconds - tap.seconds()));
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
  app.add_option("--epochs", options.epochs, "passes over the training images")->check(CLI::Range(0, 1'000));
  app.add_option("--learning-rate", options.learning_rate, "step length of the optimiser")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "start of the random numbers");
  app.add_option("--limit", options.limit, "use only the first N training images and test images")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    spot_training::train(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
