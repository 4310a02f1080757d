// Taps a training whose tensors are lent by DLPack, as PyTorch, JAX and TVM lend them, and lends a saved tensor out.
//
// The added lines are those with `hook`. No element is copied but those that are saved.
#include <dlpack/dlpack.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <tensortap/adapters/dlpack.hpp>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

namespace tt = tensortap;

namespace {

/// Stands for a framework: a vector of floats with DLPack's description.
class Lent {
 public:
  explicit Lent(std::size_t size) : elements_(size), shape_{static_cast<std::int64_t>(size)} {
    managed_.dl_tensor = {elements_.data(), {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, shape_.data(), nullptr, 0};
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  float& operator[](std::size_t i) { return elements_[i]; }
  [[nodiscard]] const DLManagedTensor& managed() const { return managed_; }

 private:
  std::vector<float> elements_;
  std::array<std::int64_t, 1> shape_;
  DLManagedTensor managed_ = {};
};

}  // namespace

int main() {
  Lent weight(3), gradient(3);
  const std::array<float, 3> truth = {1, -2, 0.5F};

  tt::Hook hook("runs/dlpack", {.save = tt::every(25)});
  for (int step = 0; step < 200; ++step) {
    hook.begin_step();
    float loss = 0;
    for (std::size_t i = 0; i < 3; ++i) gradient[i] = 0;
    for (int row = 0; row < 64; ++row) {
      const auto x = static_cast<float>(row);
      const std::array<float, 3> input = {std::sin(x), std::cos(2 * x), 1};
      float error = 0;
      for (std::size_t i = 0; i < 3; ++i) error += (weight[i] - truth[i]) * input[i];
      for (std::size_t i = 0; i < 3; ++i) gradient[i] += error * input[i] / 64;
      loss += error * error / 64;
    }
    for (std::size_t i = 0; i < 3; ++i) weight[i] -= 0.3F * gradient[i];
    hook.save("loss", loss);
    hook.save("weight", weight.managed());
    hook.save("gradient/weight", gradient.managed());
  }
  hook.close();

  const tt::Trial trial("runs/dlpack");
  const tt::TensorHistory loss = trial.tensor("loss");
  for (const auto step : loss.steps()) std::cout << "step " << step << ": loss " << loss.value(step)->number(0) << '\n';
  const tt::DlpackTensor out = tt::to_dlpack(*trial.tensor("weight").value(175));  // `out.release()` hands it on
  const auto* const elements = static_cast<const float*>(out->dl_tensor.data);
  std::cout << "weight: " << elements[0] << ' ' << elements[1] << ' ' << elements[2] << '\n';
}
