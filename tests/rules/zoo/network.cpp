#include "network.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace zoo {

namespace {

float deviation_of(Init init, const Parameter& parameter) {
  const auto in = static_cast<float>(parameter.fan_in), out = static_cast<float>(parameter.fan_out);
  switch (init) {
    case Init::he2015: return std::sqrt(2 / in);
    case Init::xavier: return std::sqrt(2 / (in + out));
    case Init::lecun: return std::sqrt(1 / in);
    case Init::uniform: return 1 / std::sqrt(3 * in);
    case Init::zero:
    case Init::constant: break;
  }
  return 0;
}

}  // namespace

Network::Network(const Spec& spec, const Task& task) : dropout_(spec.seed, "dropout") {
  add_layers(spec, task);
  name_layers(spec.naming);
  set_weights(spec);
}

void Network::add(std::unique_ptr<Layer> layer) {
  if (!layer->parameters.empty()) trained_.push_back(layer.get());
  layers_.push_back(std::move(layer));
}

void Network::add_layers(const Spec& spec, const Task& task) {
  std::size_t width = task.train.inputs.row_size();
  if (spec.convolutional) {
    for (const auto& [in, out] : {std::pair<std::size_t, std::size_t>{1, 4}, {4, 8}}) {
      add(make_convolution(in, out));
      if (spec.activation != Activation::none) add(make_activation(spec.activation));
      add(make_max_pool());
    }
    add(make_flatten());
    width = 8 * 3 * 3;
  } else if (task.words != 0) {
    add(make_embedding(task.words, spec.width));
    width = spec.width;
  }
  for (std::size_t i = 1; i < spec.depth; ++i) {
    add(make_dense(width, spec.width));
    if (spec.activation != Activation::none) add(make_activation(spec.activation));
    if (spec.dropout > 0) add(make_dropout(spec.dropout));
    width = spec.width;
  }
  add(make_dense(width, task.loss == Loss::bce ? 1 : std::max<std::size_t>(task.classes, 1)));
  if (spec.double_softmax) add(make_softmax());
}

void Network::name_layers(Naming naming) {
  class_name_ = naming == Naming::net          ? "Net"
                : naming == Naming::mlp        ? "MLP"
                : naming == Naming::nested     ? "Classifier"
                : naming == Naming::functional ? "Model"
                                               : "Sequential";
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = *layers_[i];
    const std::string number = std::to_string(seen[layer.kind]++), place = std::to_string(i);
    const bool last = &layer == trained_.back();
    switch (naming) {
      case Naming::net: layer.name = layer.kind + number; break;
      case Naming::mlp:
        layer.name = last ? "output" : layer.kind == "fc" ? "hidden." + number : layer.kind + number;
        break;
      case Naming::sequential: layer.name = place; break;
      case Naming::nested: layer.name = last ? "head" : "body." + place; break;
      case Naming::functional: layer.name = layer.parameters.empty() ? "" : layer.kind + number; break;
    }
  }
}

void Network::set_weights(const Spec& spec) {
  Random random(spec.seed, "weights");
  for (Layer* const layer : trained_) {
    const bool last = layer == trained_.back();
    Parameter& weight = layer->parameters[0];
    if (layer->kind == "embedding") {
      for (float& value : weight.value.values) value = spec.gain * random.normal();
      continue;
    }
    const float deviation = spec.gain * deviation_of(spec.init, weight);
    for (float& value : weight.value.values) {
      value = spec.init == Init::uniform ? deviation * 1.7320508f * random.uniform(-1, 1) : deviation * random.normal();
      if (spec.init == Init::constant) value = 0.1f * spec.gain;
      if (last && spec.zero_output_layer) value = 0;
    }
    if (!last)
      std::fill(layer->parameters[1].value.values.begin(), layer->parameters[1].value.values.end(), spec.hidden_bias);
  }
}

const Array& Network::forward(const Array& input, bool training) {
  input_ = input;
  for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i]->forward(input_of(i), training, dropout_);
  return output();
}

void Network::backward(const Array& output_gradient) {
  const Array* gradient = &output_gradient;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    layers_[i]->backward(input_of(i), *gradient);
    gradient = &layers_[i]->input_gradient;
  }
}

void Network::clear_gradients() {
  for (Layer* const layer : trained_)
    for (Parameter& parameter : layer->parameters) parameter.gradient.reset(parameter.gradient.shape);
}

}  // namespace zoo
