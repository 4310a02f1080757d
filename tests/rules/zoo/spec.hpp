// The description of one training: what a healthy one chooses, and each way in which it can be broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace zoo {

enum class Activation : std::uint8_t { none, relu, leaky_relu, tanh, sigmoid };
enum class Optimizer : std::uint8_t { sgd, momentum, adam, adamw };
enum class Schedule : std::uint8_t { constant, warm_up_cosine, restarts, step_decay, stops_early };
enum class Init : std::uint8_t { he2015, xavier, lecun, uniform, zero, constant };
enum class Loss : std::uint8_t { cross_entropy, bce, mse, l1 };
/// How the network is written, which decides the names of its tensors.
enum class Naming : std::uint8_t { net, mlp, sequential, nested, functional };
/// What is saved of a run beside its losses.
enum class Saving : std::uint8_t { all, gradients_weights, weights, statistics, reductions, labels, losses };
/// What the saved labels and predictions are.
enum class Extras : std::uint8_t { none, classes, scores };

/// A value that is put in from outside at one step.
struct Injection {
  enum class Place : std::uint8_t { none, weight, gradient, input };
  Place place = Place::none;
  std::size_t step = 0;    ///< the training step
  std::size_t layer = 0;   ///< among the layers with parameters
  std::uint64_t pick = 0;  ///< chooses the element
  bool infinite = false;   ///< infinity, or else NaN
};

struct Spec {
  // The task and the network
  std::string task = "blobs";
  std::size_t depth = 2;  ///< dense layers
  std::size_t width = 16;
  bool convolutional = false;
  Activation activation = Activation::relu;
  Init init = Init::he2015;
  float gain = 1;         ///< multiplies the initial weights
  float hidden_bias = 0;  ///< the initial biases of hidden layers
  float dropout = 0;
  bool zero_output_layer = false;
  bool double_softmax = false;

  // The optimiser
  Optimizer optimizer = Optimizer::adam;
  Schedule schedule = Schedule::constant;
  float rate = 0.005f;
  float momentum = 0.9f;
  float weight_decay = 0;
  float clip_norm = 0;  ///< 0: no clipping
  std::size_t steps = 200;
  std::size_t batch = 32;
  std::size_t accumulate = 1;                  ///< passes per update
  std::size_t pretrained = 0;                  ///< steps before the run begins
  std::vector<std::size_t> fixed_layers = {};  ///< frozen by design: without gradient
  std::size_t unfreeze_at = 0;                 ///< the step at which they are trained; 0: never

  // Data
  std::size_t train_limit = 0;  ///< 0: all examples
  float label_noise = 0;
  float input_scale = 1;

  // Faults
  std::vector<std::size_t> forgotten_layers = {};  ///< have a gradient, but the optimiser does not know them
  std::size_t stops_updating_at = 0;               ///< 0: never
  bool keeps_gradients = false;
  bool sign_flipped = false;
  bool loss_against_zero = false;  ///< mean squared output: the labels do not matter
  float loss_scale = 1;
  bool random_labels = false;
  bool shifted_labels = false;  ///< each batch has the labels of the one before
  bool one_class = false;
  float rare_share = 1;  ///< the share of examples kept of every class but the first
  bool constant_inputs = false;
  bool shuffled_features = false;  ///< each example has its features in another order
  bool repeats_batch = false;
  std::size_t huge_step_at = 0;  ///< a step with 2000 times the rate; 0: none
  std::size_t corrupt_at = 0;    ///< a step with damaged inputs; 0: none
  Injection injection = {};

  // The run
  std::uint64_t seed = 1;
  Naming naming = Naming::net;
  Saving saving = Saving::all;
  std::size_t interval = 5;  ///< of what is saved, in training steps; that of the losses is 1
  bool rare_losses = false;  ///< the losses have the same interval
  Extras extras = Extras::none;
  std::size_t evaluate_every = 20;  ///< 0: never
  std::size_t evaluation_batches = 1;
};

const char* name_of(Activation activation);
const char* name_of(Optimizer optimizer);
const char* name_of(Schedule schedule);
const char* name_of(Init init);
const char* name_of(Saving saving);

/// Returns the names of architecture, optimiser, schedule and initialisation, by which configurations are held out.
std::string family_of(const Spec& spec);

}  // namespace zoo
