// Describes tensors by numbers, without a hook and without files.
//
// All functions read each element once, add in float64 and give the same bits on every processor and with any number of
// threads. They take std::vector, std::span, xtensor, Eigen and torch tensors, or a type of your own (own_tensor.cpp).
#include <iostream>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;

int main() {
  std::vector<float> gradient(100'000), before;
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = static_cast<float>(i % 1000) / 100 - 5;  // -5 … 4.99
  before = gradient;

  const tt::Statistics s = tt::statistics(gradient);
  std::cout << s.count << " elements from " << s.min << " to " << s.max << ", mean " << s.mean() << ", deviation "
            << s.std() << ", " << s.nan << " NaN, " << s.zeros << " zeros\n";
  std::cout << "l2 with two threads: " << tt::l2(gradient, {.threads = 2}) << '\n';
  std::cout << tt::count_between(gradient, -1, 1) << " elements lie in [-1, 1]\n";
  if (const auto median = tt::histogram(gradient).abs_quantile(0.5))
    std::cout << "half of the magnitudes are at most " << median->upper << '\n';

  // Scales several tensors in place, so that their common norm is at most 1.
  std::vector<float> bias(10, 3);
  const std::vector<tt::WritableView> all = {tt::WritableView(gradient), tt::WritableView(bias)};
  std::cout << "the norm was " << tt::clip_grad_norm(all, 1.0);
  std::cout << ", it is " << tt::global_norm(std::vector<tt::TensorView>{tt::as_view(gradient), tt::as_view(bias)});

  const tt::Difference change = tt::difference(gradient, before);
  std::cout << "\nan element changed by at most " << change.max_abs << ", the tensor by " << 100 * change.relative()
            << " %\n";
}
