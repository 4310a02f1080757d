#include "spot_training/training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace spot_training {
namespace {

void write_gzip(const std::filesystem::path& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  gzclose(file);
}

/// Returns `count` images of noise in the format of the data set.
FashionMnist noise(unsigned count) {
  const TemporaryDirectory directory;
  Random random(count);
  const char size = static_cast<char>(count);
  std::string images{0, 0, 8, 3, 0, 0, 0, size, 0, 0, 0, 28, 0, 0, 0, 28}, labels{0, 0, 8, 1, 0, 0, 0, size};
  for (unsigned i = 0; i < count; ++i) {
    labels += static_cast<char>(random.below(10));
    for (int pixel = 0; pixel < 28 * 28; ++pixel) images += static_cast<char>(random.below(256));
  }
  write_gzip(directory / "train-images-idx3-ubyte.gz", images);
  write_gzip(directory / "train-labels-idx1-ubyte.gz", labels);
  return FashionMnist(directory.path(), "train");
}

void ignore(const Network&, const Scores&) {}

/// Trains one batch, or ends the epoch after its last batch.
void advance(Training& training) {
  if (training.epoch_ended())
    training.end_epoch();
  else
    training.step(ignore);
}

const Recipe small{.batch_size = 3, .epochs = 3, .learning_rate = 0.05f, .seed = 5, .limit = 8};

TEST_CASE("Training: a restored checkpoint saves the same bytes", "[examples][training]") {
  const FashionMnist images = noise(9);
  Training one(small, images), other(small, images);
  for (int i = 0; i < 5; ++i) advance(one);
  REQUIRE(one.checkpoint() != other.checkpoint());
  other.restore(one.checkpoint(), "here");
  REQUIRE(other.checkpoint() == one.checkpoint());
  REQUIRE(other.epoch() == 1);
  REQUIRE(other.images_done() == 11);
  REQUIRE(other.images_in_all() == 24);
  REQUIRE(other.batches_per_epoch() == 3);
}

TEST_CASE("Training: ends with the same bits after a stop at any batch", "[examples][training]") {
  const FashionMnist images = noise(9);
  std::vector<std::string> checkpoints;
  Training alone(small, images);
  for (; !alone.ended(); advance(alone)) checkpoints.push_back(alone.checkpoint());
  REQUIRE(checkpoints.size() == 12);  // three batches and an end, three times
  for (const std::string& checkpoint : checkpoints) {
    Training successor(small, images);
    successor.step(ignore);  // restore() replaces the state after this step
    successor.restore(checkpoint, "here");
    while (!successor.ended()) advance(successor);
    REQUIRE(successor.checkpoint() == alone.checkpoint());
  }
}

TEST_CASE("Training: refuses a checkpoint that is damaged anywhere or cut short", "[examples][training]") {
  const FashionMnist images = noise(9);
  Training training(small, images);
  advance(training);
  const std::string sound = training.checkpoint();
  for (std::size_t at = 0; at < sound.size(); at += at < 200 ? 1 : 997) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    REQUIRE_THROWS_AS(training.restore(damaged, "here"), std::runtime_error);
    REQUIRE_THROWS_AS(training.restore(sound.substr(0, at), "here"), std::runtime_error);
  }
  REQUIRE_THROWS_WITH(training.restore(sound.substr(0, sound.size() - 1), "here"),
                      "read: here: damaged or cut short; continue from an earlier checkpoint");
  REQUIRE_THROWS_WITH(training.restore(sound + "x", "here"), contains("damaged or cut short"));
  REQUIRE_THROWS_WITH(training.restore("", "here"), contains("it is no checkpoint"));
  training.restore(sound, "here");
}

TEST_CASE("Training: refuses a checkpoint of another training", "[examples][training]") {
  const FashionMnist images = noise(9);
  const auto refused_by = [&](Recipe other) {
    Training(other, images).restore(Training(small, images).checkpoint(), "here");
  };
  refused_by(small);
  Recipe recipe = small;
  recipe.batch_size = 2;
  REQUIRE_THROWS_WITH(refused_by(recipe), contains("made by another recipe (batch size 3, epochs 3, learning rate "
                                                   "0.0500000007, seed 5, limit 8; here batch size 2, "));
  recipe = small;
  recipe.learning_rate = 0.0500001f;
  REQUIRE_THROWS_WITH(refused_by(recipe), contains("made by another recipe"));
  recipe = small;
  recipe.fault = Fault::vanishing;
  REQUIRE_THROWS_WITH(refused_by(recipe), contains("made by another recipe"));
  const FashionMnist fewer = noise(7);
  REQUIRE_THROWS_WITH(Training(small, fewer).restore(Training(small, images).checkpoint(), "here"),
                      contains("a section has the wrong size (64 bytes, not 56)"));
}

TEST_CASE("Training: refuses invalid numbers even with a valid checksum", "[examples][training]") {
  const FashionMnist images = noise(9);
  const auto checkpoint = [&](std::vector<std::size_t> done, std::size_t last_in_order, const std::string& random,
                              bool longer) {
    CheckpointWriter out;
    out.add(small.text());
    out.add(std::span<const std::size_t>(done));
    std::vector<std::size_t> order = images.positions(small.limit);
    order.back() = last_in_order;
    out.add(std::span<const std::size_t>(order));
    out.add(random);
    const Parameters weights, velocity;
    for (const Parameters* const parameters : {&weights, &velocity})
      for (const auto numbers : parameters->numbers()) out.add(numbers);
    if (longer) out.add("more");
    return std::move(out).finish();
  };
  const std::string random = Random(1).state();
  Training training(small, images);
  training.restore(checkpoint({2, 8}, 8, random, false), "here");
  REQUIRE_THROWS_WITH(training.restore(checkpoint({4, 0}, 8, random, false), "here"), contains("make no sense"));
  REQUIRE_THROWS_WITH(training.restore(checkpoint({0, 9}, 8, random, false), "here"), contains("make no sense"));
  REQUIRE_THROWS_WITH(training.restore(checkpoint({0, 0}, 9, random, false), "here"), contains("make no sense"));
  REQUIRE_THROWS_WITH(training.restore(checkpoint({0, 0}, 8, "1 2 3", false), "here"), contains("make no sense"));
  REQUIRE_THROWS_WITH(training.restore(checkpoint({0, 0}, 8, random, true), "here"), contains("longer"));
  REQUIRE_THROWS_WITH(training.restore(checkpoint({0}, 8, random, false), "here"), contains("wrong size"));
}

/// Returns the steps of a small training in which `holds(network, learning rate)`.
template <class Holds>
std::vector<bool> in_each_step(Fault fault, const Holds& holds) {
  const FashionMnist images = noise(9);
  Training training({.batch_size = 2, .epochs = 1, .limit = 8, .fault = fault}, images);
  std::vector<bool> out;
  while (!training.epoch_ended())
    training.step(
        [&](const Network& network, const Scores&) { out.push_back(holds(network, training.learning_rate())); });
  return out;
}

float largest_of(const Tensor<4>& tensor) {
  float out = 0;
  for (const float number : tensor) out = std::max(out, std::isfinite(number) ? std::abs(number) : 1e30f);
  return out;
}

TEST_CASE("Training: each fault breaks what it names", "[examples][training]") {
  const std::vector<bool> never(4, false), always(4, true);
  const auto vanishes = [](const Network& network, float) { return largest_of(network.gradient.conv1.weight) < 1e-5f; };
  CHECK(in_each_step(Fault::none, vanishes) == never);
  CHECK(in_each_step(Fault::vanishing, vanishes) == always);
  const auto explodes = [](const Network& network, float) { return largest_of(network.gradient.conv1.weight) > 1e3f; };
  CHECK(in_each_step(Fault::none, explodes) == never);
  CHECK(in_each_step(Fault::exploding, explodes).front());
  const auto is_nan = [](const Network& network, float) { return largest_of(network.gradient.conv1.weight) == 1e30f; };
  CHECK(in_each_step(Fault::none, is_nan) == never);
  CHECK(in_each_step(Fault::nan, is_nan) == std::vector<bool>{false, true, true, true});
  const auto is_still = [](const Network&, float rate) { return rate == 0; };
  CHECK(in_each_step(Fault::none, is_still) == never);
  CHECK(in_each_step(Fault::learning_rate_zero, is_still) == always);
  const auto is_dead = [](const Network& network, float) { return largest_of(network.gradient.conv2.weight) == 0; };
  CHECK(in_each_step(Fault::none, is_dead) == never);
  CHECK(in_each_step(Fault::dead, is_dead) == always);
  CHECK(in_each_step(Fault::constant_weights, [](const Network& network, float) {
          return network.parameters.dense2.weight(3, 5) == network.parameters.dense2.weight(7, 1);
        }).front());
  std::vector<std::string> names;
  in_each_step(Fault::saturated, [&](const Network& network, float) {
    network.for_each_activation([&](const std::string& name, const auto&) { names.push_back(name); });
    return true;
  });
  CHECK(names.front() == "conv1.tanh_output");
}

TEST_CASE("Training: wrong labels are those of other images", "[examples][training]") {
  std::vector<std::vector<std::uint8_t>> right, wrong;
  in_each_step(Fault::none, [&](const Network& network, float) { return right.push_back(network.labels()), true; });
  in_each_step(Fault::wrong_labels,
               [&](const Network& network, float) { return wrong.push_back(network.labels()), true; });
  CHECK(right != wrong);
  CHECK(fault_named("wrong_labels")->fault == Fault::wrong_labels);
  CHECK(fault_named("list") == nullptr);
  CHECK_THAT(check_fault("list"), contains("learning_rate_zero  the schedule"));
  CHECK(check_fault("nan").empty());
}

}  // namespace
}  // namespace spot_training
