// A network: its layers in a row, with the names that PyTorch gives them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "layer.hpp"
#include "spec.hpp"
#include "task.hpp"

namespace zoo {

class Network {
 public:
  Network(const Spec& spec, const Task& task);

  /// Returns the outputs for `input`, which `backward` needs until then.
  const Array& forward(const Array& input, bool training);

  /// Adds the gradients of all parameters, from that of the outputs.
  void backward(const Array& output_gradient);

  void clear_gradients();

  /// Returns the layers that have parameters, first to last.
  [[nodiscard]] const std::vector<Layer*>& trained() const { return trained_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }

  /// Returns the input of layer `i` in the last pass.
  [[nodiscard]] const Array& input_of(std::size_t i) const { return i == 0 ? input_ : layers_[i - 1]->output; }
  [[nodiscard]] const Array& output() const { return layers_.back()->output; }

  /// Returns the name of the class of the network: "Net".
  [[nodiscard]] const std::string& class_name() const { return class_name_; }

  /// Returns the name of a parameter: "Net_fc0.weight".
  [[nodiscard]] std::string name_of(const Layer& layer, const Parameter& parameter) const {
    return class_name_ + "_" + layer.name + "." + parameter.name;
  }

 private:
  void add(std::unique_ptr<Layer> layer);
  void add_layers(const Spec& spec, const Task& task);
  void name_layers(Naming naming);
  void set_weights(const Spec& spec);

  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Layer*> trained_;
  std::string class_name_;
  Array input_;
  Random dropout_;
};

}  // namespace zoo
