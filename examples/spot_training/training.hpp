// A training that can stop after any batch and continue on another machine, with the same bits at the end.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint.hpp"
#include "fashion_mnist.hpp"
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
  bool vanishing = false;      ///< injects a fault: after a quarter of all images, gradients are almost zero

  /// Returns all settings in one line.
  std::string text() const {
    std::ostringstream out;
    out.precision(9);  // digits that distinguish any two floats
    out << "batch size " << batch_size << ", epochs " << epochs << ", learning rate " << learning_rate << ", seed "
        << seed << ", limit " << limit << (vanishing ? ", vanishing gradients" : "");
    return out.str();
  }
};

class Training {
 public:
  /// Lifetime: `images` is borrowed.
  Training(const Recipe& recipe, const FashionMnist& images)
      : recipe_(recipe),
        images_(images),
        random_(recipe.seed),
        network_(random_),
        order_(images.positions(recipe.limit)) {
    random_.shuffle(order_);
  }

  const Network& network() const { return network_; }
  std::size_t epoch() const { return epoch_; }  ///< finished epochs
  bool epoch_ended() const { return position_ == order_.size(); }
  bool ended() const { return epoch_ == recipe_.epochs; }

  std::size_t images_done() const { return epoch_ * order_.size() + position_; }
  std::size_t images_in_all() const { return recipe_.epochs * order_.size(); }
  std::size_t batches_per_epoch() const { return (order_.size() + recipe_.batch_size - 1) / recipe_.batch_size; }

  /// Learns from the next batch of the epoch and returns its scores. Calls `look(network, scores)` after backward and
  /// before the update: the weights then belong to the gradients.
  template <class Look>
  Scores step(const Look& look) {
    // The rate falls linearly to zero. With a constant rate, the final accuracy varies by one percent.
    const double share = static_cast<double>(images_done()) / static_cast<double>(images_in_all());
    const auto batch =
        std::span(order_).subspan(position_).first(std::min(recipe_.batch_size, order_.size() - position_));
    const Scores scores = network_.forward(images_.batch(batch));
    network_.backward();
    if (recipe_.vanishing && share >= 0.25)
      for (const auto numbers : network_.gradient.numbers())
        for (float& number : numbers) number *= 1e-9f;
    look(network_, scores);
    sgd_.update(network_, recipe_.learning_rate * static_cast<float>(1 - share));
    position_ += batch.size();
    return scores;
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
  Recipe recipe_;
  const FashionMnist& images_;
  Random random_;
  Network network_;
  Sgd sgd_;
  std::vector<std::size_t> order_;        // of the images in this epoch
  std::size_t epoch_ = 0, position_ = 0;  // finished epochs; finished images of this epoch
};

}  // namespace spot_training
