#include "spec.hpp"

namespace zoo {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::none: return "linear";
    case Activation::relu: return "relu";
    case Activation::leaky_relu: return "leakyrelu";
    case Activation::tanh: return "tanh";
    case Activation::sigmoid: return "sigmoid";
  }
  return "";
}

const char* name_of(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::sgd: return "sgd";
    case Optimizer::momentum: return "momentum";
    case Optimizer::adam: return "adam";
    case Optimizer::adamw: return "adamw";
  }
  return "";
}

const char* name_of(Schedule schedule) {
  switch (schedule) {
    case Schedule::constant: return "constant";
    case Schedule::warm_up_cosine: return "warmup";
    case Schedule::restarts: return "restarts";
    case Schedule::step_decay: return "decay";
    case Schedule::stops_early: return "stops";
  }
  return "";
}

const char* name_of(Init init) {
  switch (init) {
    case Init::he2015: return "he2015";
    case Init::xavier: return "xavier";
    case Init::lecun: return "lecun";
    case Init::uniform: return "uniform";
    case Init::zero: return "zero";
    case Init::constant: return "constant";
  }
  return "";
}

const char* name_of(Saving saving) {
  switch (saving) {
    case Saving::all: return "all";
    case Saving::gradients_weights: return "gradients, weights";
    case Saving::weights: return "weights";
    case Saving::statistics: return "statistics";
    case Saving::reductions: return "reductions";
    case Saving::labels: return "labels";
    case Saving::losses: return "losses alone";
  }
  return "";
}

std::string family_of(const Spec& spec) {
  const std::string shape = spec.convolutional ? "conv" : spec.depth <= 1 ? "1" : spec.depth <= 3 ? "shallow" : "deep";
  return shape + "-" + name_of(spec.activation) + "-" + name_of(spec.optimizer) + "-" + name_of(spec.schedule) + "-" +
         name_of(spec.init);
}

}  // namespace zoo
