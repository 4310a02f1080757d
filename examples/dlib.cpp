// Taps a network of dlib that learns to tell whether a point is in a circle.
//
// The added lines are those with `hook` and `tap`. dlib trains on a thread of its own: the tap waits for it only in the
// steps that save something.
#include <dlib/dnn.h>

#include <iostream>
#include <random>
#include <tensortap/adapters/dlib.hpp>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;
using R = tt::Reduction;

using Net = dlib::loss_multiclass_log<
    dlib::fc<2, dlib::relu<dlib::fc<16, dlib::relu<dlib::fc<16, dlib::input<dlib::matrix<float>>>>>>>>;

int main() {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Net net;
  dlib::dnn_trainer<Net> trainer(net, dlib::sgd(0.0001F, 0.9F));
  trainer.set_learning_rate(0.05);

  tt::Hook hook("runs/dlib", {.collections = {
                                  {.name = "losses", .save = tt::every(50)},
                                  {.name = "weights", .save = tt::every(100)},
                                  {.name = "gradients", .save = tt::every(50), .reductions = {R::abs_mean, R::l2}},
                              }});
  tt::DlibTap tap(hook, trainer);
  std::vector<dlib::matrix<float>> points(64, dlib::matrix<float>(2, 1));
  std::vector<unsigned long> labels(points.size());
  for (int step = 0; step < 400; ++step) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i] = uniform(generator), uniform(generator);
      labels[i] = dlib::length_squared(points[i]) < 0.5F ? 1 : 0;
    }
    trainer.train_one_step(points, labels);
    tap.after_step();
  }
  hook.close();

  const tt::Trial trial("runs/dlib");
  const tt::TensorHistory loss = trial.tensor("average_loss");
  for (const auto step : loss.steps()) std::cout << "step " << step << ": loss " << loss.value(step)->number(0) << '\n';
  for (const tt::TensorHistory& tensor : trial.tensors({.collection = "gradients"}))
    std::cout << tensor.name() << ": l2 " << tensor.reduction(0, R::l2).value_or(0) << " in step 0, "
              << tensor.reduction(350, R::l2).value_or(0) << " in step 350\n";
  return loss.value(350)->number(0) < 0.5 * loss.value(0)->number(0) ? 0 : 1;
}
