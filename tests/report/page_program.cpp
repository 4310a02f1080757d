// Writes runs for page_test.py: page_program DIRECTORY makes healthy, broken, interrupted, empty and one with hostile
// names; page_program DIRECTORY large STEPS makes one of STEPS steps of 50 tensors.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <tensortap/tensortap.hpp>
#include <tuple>
#include <utility>
#include <vector>

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

using Matrix = std::vector<float>;  // row-major

tt::TensorView view_of(const Matrix& matrix, std::size_t columns) {
  const std::array<std::int64_t, 2> shape = {static_cast<std::int64_t>(matrix.size() / columns),
                                             static_cast<std::int64_t>(columns)};
  return {matrix.data(), tt::DType::f32, shape};
}

/// A network of three layers, on points in two classes.
class Network {
 public:
  explicit Network(float scale) {
    for (std::size_t l = 0; l < layers; ++l) {
      weights_[l].resize(sizes[l] * sizes[l + 1]);
      for (float& w : weights_[l]) w = scale * normal_(random_) / std::sqrt(static_cast<float>(sizes[l]));
      biases_[l].resize(sizes[l + 1]);
    }
  }

  /// Learns from a batch if `rate` is not 0. Saves what it computes.
  void step(tt::Hook& hook, float rate, const std::string& name) {
    Matrix x(batch * sizes[0]);
    std::vector<std::int64_t> labels(batch);
    for (std::size_t i = 0; i < batch; ++i) {
      labels[i] = static_cast<std::int64_t>(random_() % 2);
      const float angle = 3 * normal_(random_);
      for (std::size_t k = 0; k < sizes[0]; ++k)
        x[i * sizes[0] + k] =
            std::sin(angle + static_cast<float>(k)) * (labels[i] == 0 ? 1.0F : 0.4F) + 0.2F * normal_(random_);
    }
    std::array<Matrix, layers + 1> outputs;
    outputs[0] = x;
    for (std::size_t l = 0; l < layers; ++l) {
      outputs[l + 1].resize(batch * sizes[l + 1]);
      for (std::size_t i = 0; i < batch; ++i)
        for (std::size_t o = 0; o < sizes[l + 1]; ++o) {
          float sum = biases_[l][o];
          for (std::size_t k = 0; k < sizes[l]; ++k)
            sum += outputs[l][i * sizes[l] + k] * weights_[l][k * sizes[l + 1] + o];
          outputs[l + 1][i * sizes[l + 1] + o] = l + 1 < layers && sum < 0 ? 0 : sum;
        }
      if (l + 1 < layers) hook.save("relu" + std::to_string(l + 1) + "_output", view_of(outputs[l + 1], sizes[l + 1]));
    }
    Matrix delta = outputs[layers];
    double loss = 0, correct = 0;
    for (std::size_t i = 0; i < batch; ++i) {
      float& a = delta[2 * i];
      float& b = delta[2 * i + 1];
      const float largest = std::max(a, b), total = std::exp(a - largest) + std::exp(b - largest);
      const float truth = labels[i] == 0 ? a : b;
      loss -= (truth - largest - std::log(total)) / batch;
      correct += (b > a) == (labels[i] == 1) ? 1.0 / batch : 0;
      a = (std::exp(a - largest) / total - (labels[i] == 0 ? 1.0F : 0.0F)) / batch;
      b = (std::exp(b - largest) / total - (labels[i] == 1 ? 1.0F : 0.0F)) / batch;
    }
    hook.save("loss", static_cast<float>(loss));
    hook.save("accuracy", correct);
    if (rate == 0) return;
    hook.save(name, rate);
    for (std::size_t l = layers; l-- > 0;) {
      Matrix gradient(weights_[l].size()), before(batch * sizes[l]), bias(sizes[l + 1]);
      for (std::size_t i = 0; i < batch; ++i)
        for (std::size_t o = 0; o < sizes[l + 1]; ++o) {
          const float d = delta[i * sizes[l + 1] + o];
          bias[o] += d;
          for (std::size_t k = 0; k < sizes[l]; ++k) {
            gradient[k * sizes[l + 1] + o] += d * outputs[l][i * sizes[l] + k];
            if (l == 0 || outputs[l][i * sizes[l] + k] > 0)
              before[i * sizes[l] + k] += d * weights_[l][k * sizes[l + 1] + o];
          }
        }
      const std::string layer = "layer" + std::to_string(l + 1);
      hook.save(layer + ".weight.grad", view_of(gradient, sizes[l + 1]));
      hook.save(layer + ".weight", view_of(weights_[l], sizes[l + 1]));
      hook.save(layer + ".bias", biases_[l]);
      for (std::size_t k = 0; k < gradient.size(); ++k) weights_[l][k] -= rate * gradient[k];
      for (std::size_t o = 0; o < bias.size(); ++o) biases_[l][o] -= rate * bias[o];
      delta = before;
    }
  }

 private:
  static constexpr std::size_t layers = 3, batch = 32;
  static constexpr std::array<std::size_t, layers + 1> sizes = {8, 24, 24, 2};

  std::array<Matrix, layers> weights_, biases_;
  std::mt19937 random_{17};
  std::normal_distribution<float> normal_;
};

tt::HookOptions options_of(double& now) {
  tt::HookOptions options;
  options.collections = {
      {.name = "gradients", .save = tt::every(1), .reductions = {R::statistics}},
      {.name = "weights", .save = tt::every(10)},
      {.name = "biases", .save = tt::every(10)},
      {.name = "relu", .include_regex = "relu", .save = tt::every(10), .reductions = {R::statistics, R::units}},
      {.name = "numbers", .include_regex = {"^loss$", "^accuracy$", "^learning_rate$"}, .save = tt::every(1)}};
  options.facts = {{"seed", "17"}, {"hyperparameters/optimizer", "sgd"}};
  options.process_facts = false;
  options.wall_time = [&now] { return now += 0.01; };
  return options;
}

void train(const std::string& directory, std::int64_t steps, float rate, float scale) {
  double now = 1.7e9;
  tt::Hook hook(directory, options_of(now));
  Network network(scale);
  for (std::int64_t i = 0; i < steps; ++i) {
    hook.begin_step();
    network.step(hook, rate, "learning_rate");
    if (i % 20 != 19) continue;
    hook.begin_step(tt::Mode::eval);
    network.step(hook, 0, "");
  }
  hook.close();
}

/// Two workers, the first of which is interrupted twice.
void train_in_attempts(const std::string& directory) {
  const std::string checkpoints = directory + "_checkpoints";
  std::filesystem::create_directories(checkpoints);
  for (const auto& [worker, attempt, end] : {std::tuple("worker_1", 0, 120), std::tuple("worker_0", 0, 47),
                                             std::tuple("worker_0", 1, 95), std::tuple("worker_0", 2, 120)}) {
    double now = 1.7e9 + 300.0 * attempt;
    tt::HookOptions options = options_of(now);
    options.worker = worker;
    options.num_workers = 2;
    if (options.worker == "worker_0") options.checkpoint_dir = checkpoints;
    tt::Hook hook(directory, std::move(options));
    Network network(1);
    while (hook.next_step() < end) {
      hook.begin_step();
      network.step(hook, 0.2F, "learning_rate");
      if (hook.step() % 20 != 19 || std::string(worker) != "worker_0") continue;
      const std::string file = checkpoints + "/" + std::to_string(hook.step());
      std::ofstream(file) << hook.step();
      hook.commit(file);
    }
    if (end == 120 && std::string(worker) == "worker_0") hook.close();  // it ends the run of both
  }
}

void save_hostile_names(const std::string& directory) {
  double now = 1.7e9;
  tt::Hook hook(directory, {.save = tt::every(1),
                            .facts = {{"note</script><script>alert(1)</script>", "\"><img src=x onerror=alert(2)>"}},
                            .process_facts = false,
                            .wall_time = [&now] { return now += 1; }});
  for (int i = 0; i < 30; ++i) {
    hook.begin_step();
    for (const char* const name :
         {"</script><script>alert(3)</script>", "<!--<script>", "\"'><img src=x onerror=alert(4)>",
          "a\xe2\x80\xa8"
          "b\xe2\x80\xa9"
          "c",
          "\xe2\x80\xae"
          "reversed",
          "new\nline", "${x}`y`\\u003c", "loss</title>", "constructor", "__proto__"})
      hook.save(name, 1.0 / (i + 1));
    hook.save("weight</td>", std::vector<float>{1, 2, static_cast<float>(i)});
    hook.save("loss&amp;", i < 20 ? 1.0 / (i + 1) : std::nan(""));
  }
  hook.close();
}

void save_many(const std::string& directory, std::int64_t steps) {
  double now = 1.7e9;
  tt::Hook hook(directory, {.collections = {{.name = "all", .reductions = {R::statistics}}},
                            .save = tt::every(1),
                            .process_facts = false,
                            .pack = true,
                            .wall_time = [&now] { return now += 0.1; }});
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(64);
  for (std::int64_t i = 0; i < steps; ++i) {
    hook.begin_step();
    hook.save("loss", 2 * std::exp(-static_cast<float>(i) / 3000) + 0.05F * std::abs(normal(random)));
    for (int layer = 0; layer < 24; ++layer) {
      for (float& x : values) x = normal(random) * std::exp(static_cast<float>(-layer) / 8);
      hook.save("layer" + std::to_string(layer) + ".weight.grad", values);
      for (float& x : values) x += static_cast<float>(i) * 1e-5F;
      hook.save("layer" + std::to_string(layer) + ".weight", values);
    }
    hook.save("accuracy", 1 - std::exp(-static_cast<float>(i) / 2000));
  }
  hook.close();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string directory = arguments[1];
  if (count > 3) {
    save_many(directory + "/large", std::atoll(arguments[3]));
    return 0;
  }
  train(directory + "/healthy", 400, 0.3F, 1.4F);
  train(directory + "/broken", 200, 60, 6);
  train_in_attempts(directory + "/interrupted");
  save_hostile_names(directory + "/<b>hostile & name");
  tt::Hook(directory + "/empty", {.process_facts = false}).close();
}
