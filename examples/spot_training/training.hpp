// A training that can stop after any batch and continue on another machine, with the same bits at the end.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "checkpoint.hpp"
#include "fashion_mnist.hpp"
#include "fault.hpp"
#include "network.hpp"
#include "sgd.hpp"

namespace spot_training {

/// The settings that, with the images, determine each bit of the result.
struct Recipe {
  std::size_t batch_size = 100;
  std::size_t epochs = 5;
  float learning_rate = 0.03f;
  std::uint64_t seed = 1;
  std::size_t limit = 60'000;  ///< uses only the first training images and test images
  Fault fault = Fault::none;   ///< what is wrong with the training

  /// Returns all settings in one line.
  std::string text() const {
    std::ostringstream out;
    out.precision(9);  // digits that distinguish any two floats
    out << "batch size " << batch_size << ", epochs " << epochs << ", learning rate " << learning_rate << ", seed "
        << seed << ", limit " << limit;
    for (const FaultDescription& one : faults)
      if (one.fault == fault) out << ", fault " << one.name;
    return out.str();
  }
};

/// The training of a `Network`, or of another class with its members: mpi_training has one for several processes.
template <class AnyNetwork>
class TrainingOf {
 public:
  /// Lifetime: `images` is borrowed.
  TrainingOf(const Recipe& recipe, const FashionMnist& images)
      : recipe_(recipe),
        images_(images),
        random_(recipe.seed),
        network_(random_, std::thread::hardware_concurrency(), activation_of(recipe.fault)),
        order_(images.positions(recipe.limit)) {
    random_.shuffle(order_);
    break_parameters();
  }

  const AnyNetwork& network() const { return network_; }
  AnyNetwork& network() { return network_; }
  std::size_t epoch() const { return epoch_; }  ///< finished epochs
  bool epoch_ended() const { return position_ == order_.size(); }
  bool ended() const { return epoch_ == recipe_.epochs; }

  std::size_t images_done() const { return epoch_ * order_.size() + position_; }
  std::size_t images_in_all() const { return recipe_.epochs * order_.size(); }
  std::size_t batches_per_epoch() const { return (order_.size() + recipe_.batch_size - 1) / recipe_.batch_size; }

  /// Learns from the next batch of the epoch and returns its scores. Calls `look(network, scores)` after backward and
  /// before the update: the weights then belong to the gradients. What `phase(name)` returns lives during a phase.
  template <class Look, class PhaseOf>
  Scores step(const Look& look, const PhaseOf& phase) {
    const auto batch =
        std::span(order_).subspan(position_).first(std::min(recipe_.batch_size, order_.size() - position_));
    const Scores scores = [&] {
      [[maybe_unused]] const auto forward = phase("Forward");
      return network_.forward(batch_of(batch));
    }();
    {
      [[maybe_unused]] const auto backward = phase("Backward");
      network_.backward();
    }
    look(network_, scores);
    [[maybe_unused]] const auto update = phase("Optimizer");
    sgd_.update(network_, learning_rate());
    position_ += batch.size();
    return scores;
  }

  /// The same, without phases.
  template <class Look>
  Scores step(const Look& look) {
    return step(look, [](const char*) { return nullptr; });
  }

  /// Returns the learning rate of the next update. It falls linearly to zero: with a constant rate, the final accuracy
  /// varies by one percent.
  float learning_rate() const {
    if (recipe_.fault == Fault::learning_rate_zero)  // the quotient of two integers
      return recipe_.learning_rate * static_cast<float>(images_done() / images_in_all());
    return recipe_.learning_rate * static_cast<float>(1 - share_done());
  }

  /// Returns the scores on the images of a test.
  Scores evaluate(const FashionMnist& test) {
    const std::vector<std::size_t> order = test.positions(recipe_.limit);
    Scores mean;
    for (std::size_t done = 0; done < order.size(); done += recipe_.batch_size) {
      const auto batch = std::span(order).subspan(done).first(std::min(recipe_.batch_size, order.size() - done));
      const Scores scores = network_.forward(test.batch(batch));
      const double share = static_cast<double>(batch.size()) / static_cast<double>(order.size());
      mean.loss += share * scores.loss;
      mean.accuracy += share * scores.accuracy;
    }
    return mean;
  }

  void end_epoch() {
    random_.shuffle(order_);
    position_ = 0;
    ++epoch_;
  }

  /// Returns the state of the training. A training of the same recipe that restores it makes the same next step.
  std::string checkpoint() const {
    CheckpointWriter out;
    out.add(recipe_.text());
    out.add(std::span<const std::size_t>(std::array{epoch_, position_}));
    out.add(std::span<const std::size_t>(order_));
    out.add(random_.state());
    for (const Parameters* const parameters : {&network_.parameters, &sgd_.velocity})
      for (const auto numbers : parameters->numbers()) out.add(numbers);
    return std::move(out).finish();
  }

  /// Restores the state from `bytes`; `path` appears in messages. Throws: std::runtime_error if they are damaged or
  /// belong to another training; then this object must not be used any more.
  void restore(std::string_view bytes, const std::filesystem::path& path) {
    CheckpointReader in(bytes, path);
    if (const std::string recipe(in.section()); recipe != recipe_.text())
      in.fail("made by another recipe (" + recipe + "; here " + recipe_.text() + ")", "give the same options");
    std::array<std::size_t, 2> done{};
    in.read(std::span<std::size_t>(done));
    in.read(std::span(order_));
    const bool sound = random_.restore(std::string(in.section()));
    for (Parameters* const parameters : {&network_.parameters, &sgd_.velocity})
      for (const auto numbers : parameters->numbers()) in.read(numbers);
    in.expect_end();
    epoch_ = done[0];
    position_ = done[1];
    const auto beyond = [&](std::size_t position) { return position >= images_.size(); };
    if (!sound || epoch_ > recipe_.epochs || position_ > order_.size() ||
        std::any_of(order_.begin(), order_.end(), beyond))
      in.fail("its numbers make no sense", "continue from an earlier checkpoint");
  }

 private:
  double share_done() const { return static_cast<double>(images_done()) / static_cast<double>(images_in_all()); }

  static Activation activation_of(Fault fault) {
    return fault == Fault::vanishing   ? Activation::sigmoid
           : fault == Fault::saturated ? Activation::tanh
                                       : Activation::relu;
  }

  /// Sets the initial parameters of some faults.
  void break_parameters() {
    Parameters& all = network_.parameters;
    if (recipe_.fault == Fault::dead)
      for (Tensor<1>* const bias : {&all.conv1.bias, &all.conv2.bias, &all.dense1.bias, &all.dense2.bias})
        bias->fill(-10.0f);
    for (const auto numbers : all.numbers())
      for (float& number : numbers) {
        if (recipe_.fault == Fault::vanishing) number *= 0.1f;
        if (recipe_.fault == Fault::exploding) number *= 10;
        if (recipe_.fault == Fault::saturated) number *= 20;
        if (recipe_.fault == Fault::constant_weights) number = number == 0 ? 0 : 0.01f;  // the biases are 0
      }
  }

  /// Returns the images of a batch, prepared wrongly by some faults.
  Batch batch_of(std::span<const std::size_t> positions) const {
    Batch batch = images_.batch(positions);
    if (recipe_.fault == Fault::wrong_labels)
      for (std::size_t i = 0; i < positions.size(); ++i) batch.labels[i] = images_.label(position_ + i);
    if (recipe_.fault == Fault::nan) divide_by_deviation(batch);
    return batch;
  }

  /// Divides each image by the deviation of its pixels. A blank image comes after a quarter of the training.
  void divide_by_deviation(Batch& batch) const {
    constexpr std::size_t pixels = 28 * 28;
    const std::span<float> all(batch.images.data(), batch.images.size());
    if (share_done() >= 0.25) std::fill_n(all.begin(), pixels, 0.0f);
    for (std::size_t image = 0; image < batch.labels.size(); ++image) {
      const auto numbers = all.subspan(image * pixels, pixels);
      const float mean = std::accumulate(numbers.begin(), numbers.end(), 0.0f) / pixels;
      float squares = 0;
      for (const float number : numbers) squares += (number - mean) * (number - mean);
      for (float& number : numbers) number = (number - mean) / std::sqrt(squares / pixels);
    }
  }

  Recipe recipe_;
  const FashionMnist& images_;
  Random random_;
  AnyNetwork network_;
  Sgd sgd_;
  std::vector<std::size_t> order_;        // of the images in this epoch
  std::size_t epoch_ = 0, position_ = 0;  // finished epochs; finished images of this epoch
};

using Training = TrainingOf<Network>;

}  // namespace spot_training
