#include "task.hpp"

#include <cmath>
#include <functional>
#include <stdexcept>

#include "random.hpp"

namespace zoo {

namespace {

constexpr float pi = 3.14159265f;
constexpr std::size_t train_count = 512, evaluation_count = 256;

/// Makes one example: fills its features, and returns its class or target.
using Draw = std::function<float(Random&, float* features)>;

Examples draw_examples(Random& random, std::size_t count, std::size_t features, bool regression, const Draw& draw) {
  Examples result;
  result.inputs.reset({count, features});
  for (std::size_t i = 0; i < count; ++i) {
    const float answer = draw(random, result.inputs.row(i));
    if (regression)
      result.targets.push_back(answer);
    else
      result.labels.push_back(static_cast<std::int64_t>(answer));
  }
  return result;
}

/// Makes a task of points: both parts come from one distribution.
Task points(Random& random, std::size_t classes, std::size_t features, Loss loss, float attainable, const Draw& draw) {
  Task task{.classes = classes, .loss = loss, .attainable = attainable, .train = {}, .evaluation = {}};
  task.train = draw_examples(random, train_count, features, classes == 0, draw);
  task.evaluation = draw_examples(random, evaluation_count, features, classes == 0, draw);
  return task;
}

/// Clusters around centres far from each other. `shares` sums to one.
Task blobs(Random& random, std::size_t features, std::vector<float> shares) {
  std::vector<float> centres(shares.size() * features);
  for (std::size_t c = 0; c < shares.size(); ++c)
    for (std::size_t f = 0; f < features; ++f) {
      const float angle = 2 * pi * static_cast<float>(c) / static_cast<float>(shares.size());
      const float corner = random.chance(0.5f) ? 0.9f : -0.9f;
      centres[c * features + f] = features != 2 ? corner : 1.6f * (f == 0 ? std::cos(angle) : std::sin(angle));
    }
  return points(random, shares.size(), features, Loss::cross_entropy, 0.95f,
                [centres, shares, features](Random& r, float* x) {
                  float left = r.uniform();
                  std::size_t c = 0;
                  while (c + 1 < shares.size() && left >= shares[c]) left -= shares[c++];
                  for (std::size_t f = 0; f < features; ++f) x[f] = centres[c * features + f] + 0.5f * r.normal();
                  return static_cast<float>(c);
                });
}

float moon(Random& r, float* x) {
  const bool lower = r.chance(0.5f);
  const float angle = pi * r.uniform();
  x[0] = (lower ? 1 - std::cos(angle) : std::cos(angle)) - 0.5f + 0.1f * r.normal();
  x[1] = 2 * ((lower ? 0.5f - std::sin(angle) : std::sin(angle)) - 0.25f) + 0.15f * r.normal();
  return lower ? 1.0f : 0.0f;
}

/// Returns a drawer of `rings` rings around one centre.
Draw rings(std::size_t count) {
  return [count](Random& r, float* x) {
    const std::size_t ring = r.below(count);
    const float angle = 2 * pi * r.uniform(), radius = 0.35f + 0.9f * static_cast<float>(ring) + 0.1f * r.normal();
    x[0] = radius * std::cos(angle);
    x[1] = radius * std::sin(angle);
    return static_cast<float>(ring);
  };
}

/// Two exclusive ors, of the signs of two features each.
float xor_4(Random& r, float* x) {
  for (int f = 0; f < 4; ++f) x[f] = (r.chance(0.5f) ? 1.0f : -1.0f) * r.uniform(0.3f, 1.5f);
  return (x[0] * x[1] > 0 ? 1.0f : 0.0f) + (x[2] * x[3] > 0 ? 2.0f : 0.0f);
}

float wave(Random& r, float* x) {
  x[0] = r.uniform(-1.7f, 1.7f);
  return std::sin(2 * x[0]) + 0.4f * x[0] + 0.05f * r.normal();
}

float surface(Random& r, float* x) {
  for (int f = 0; f < 4; ++f) x[f] = r.uniform(-1.7f, 1.7f);
  return 0.8f * x[0] * x[1] + 0.5f * x[2] * x[2] - 0.7f + 0.6f * x[3] + 0.05f * r.normal();
}

/// Sentences of eight words, most of them without a meaning; the class is that of the other words.
float sentence(Random& r, float* x) {
  const std::size_t answer = r.below(3);
  for (int f = 0; f < 8; ++f) x[f] = static_cast<float>(r.chance(0.4f) ? answer * 20 + r.below(20) : 60 + r.below(140));
  return static_cast<float>(answer);
}

Task fashion() {
  Task task{.classes = 10, .side = 14, .attainable = 0.8f, .train = {}, .evaluation = {}};
  task.train = fashion_images("train", 0, 2000);
  task.evaluation = fashion_images("t10k", 0, evaluation_count);
  return task;
}

}  // namespace

Task make_task(const std::string& name, std::uint64_t seed) {
  Random random(seed, "task " + name);
  if (name == "blobs") return blobs(random, 2, {0.34f, 0.33f, 0.33f});
  if (name == "blobs10d") return blobs(random, 10, {0.2f, 0.2f, 0.2f, 0.2f, 0.2f});
  if (name == "imbalanced") return blobs(random, 4, {0.8f, 0.12f, 0.08f});
  if (name == "moons") return points(random, 2, 2, Loss::cross_entropy, 0.95f, moon);
  if (name == "moons-bce") return points(random, 2, 2, Loss::bce, 0.95f, moon);
  if (name == "circles") return points(random, 2, 2, Loss::cross_entropy, 0.97f, rings(2));
  if (name == "circles-bce") return points(random, 2, 2, Loss::bce, 0.97f, rings(2));
  if (name == "rings") return points(random, 3, 2, Loss::cross_entropy, 0.95f, rings(3));
  if (name == "xor") return points(random, 4, 4, Loss::cross_entropy, 0.95f, xor_4);
  if (name == "wave") return points(random, 0, 1, Loss::mse, 0.95f, wave);
  if (name == "wave-l1") return points(random, 0, 1, Loss::l1, 0.85f, wave);
  if (name == "surface") return points(random, 0, 4, Loss::mse, 0.9f, surface);
  if (name == "fashion") return fashion();
  if (name == "text") {
    Task task = points(random, 3, 8, Loss::cross_entropy, 0.9f, sentence);
    task.words = 200;
    return task;
  }
  throw std::invalid_argument("zoo: no task is named " + name);
}

std::vector<std::string> task_names() {
  std::vector<std::string> names = {"blobs", "blobs10d",    "imbalanced", "moons", "moons-bce", "circles", "text",
                                    "rings", "circles-bce", "xor",        "wave",  "wave-l1",   "surface"};
  if (fashion_images("train", 0, 1).size() != 0) names.push_back("fashion");
  return names;
}

}  // namespace zoo
