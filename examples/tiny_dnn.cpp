// Taps a convolutional network of tiny-dnn that learns to tell horizontal from vertical stripes.
//
// The added lines are those with `hook` and `tap`; the training gets the tap for its optimizer, and a loss function
// that the tap sees. A layer that is not due costs a look-up for each of its tensors.
#include <tiny_dnn/tiny_dnn.h>

#include <iostream>
#include <random>
#include <tensortap/adapters/tiny_dnn.hpp>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;
using R = tt::Reduction;

int main() {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> noise(-0.5F, 0.5F);
  std::vector<tiny_dnn::vec_t> images(400, tiny_dnn::vec_t(64));
  std::vector<tiny_dnn::label_t> labels(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    labels[i] = static_cast<tiny_dnn::label_t>(generator() % 2);
    const std::size_t phase = generator() % 2;
    for (std::size_t row = 0; row < 8; ++row)
      for (std::size_t column = 0; column < 8; ++column)
        images[i][8 * row + column] =
            ((labels[i] == 0 ? row : column) + phase) % 2 == 0 ? 0.5F + noise(generator) : noise(generator);
  }
  tiny_dnn::network<tiny_dnn::sequential> net;
  net << tiny_dnn::convolutional_layer<tiny_dnn::relu>(8, 8, 3, 1, 4)
      << tiny_dnn::max_pooling_layer<tiny_dnn::identity>(6, 6, 4, 2)
      << tiny_dnn::fully_connected_layer<tiny_dnn::softmax>(36, 2);
  tiny_dnn::adagrad optimizer;

  tt::Hook hook("runs/tiny_dnn", {.collections = {
                                      {.name = "losses", .save = tt::every(1)},
                                      {.name = "weights", .save = tt::every(50)},
                                      {.name = "gradients", .save = tt::every(10), .reductions = {R::abs_mean, R::l2}},
                                  }});
  tt::TinyDnnTap tap(hook, net, optimizer);
  net.train<tt::TinyDnnLoss<tiny_dnn::cross_entropy_multiclass>>(tap, images, labels, 20, 5);
  hook.close();

  const tt::Trial trial("runs/tiny_dnn");
  const tt::TensorHistory loss = trial.tensor("loss");
  for (const std::int64_t step : {0, 50, 99})
    std::cout << "step " << step << ": loss " << loss.value(step)->number(0) << '\n';
  for (const tt::TensorHistory& tensor : trial.tensors({.collection = "gradients"}))
    std::cout << tensor.name() << ": l2 " << tensor.reduction(0, R::l2).value_or(0) << " in step 0, "
              << tensor.reduction(90, R::l2).value_or(0) << " in step 90\n";
  return loss.value(99)->number(0) < loss.value(0)->number(0) ? 0 : 1;
}
