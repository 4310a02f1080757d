// Taps a training with tiny-dnn: the loss, and each layer's parameters, gradients and outputs. The tap stands in for
// the optimizer, which it calls: tiny-dnn forgets the gradients of a batch once the optimizer has them.
//
//   tensortap::TinyDnnTap tap(hook, net, optimizer);
//   net.train<tensortap::TinyDnnLoss<tiny_dnn::mse>>(tap, inputs, labels, batch_size, epochs);
#pragma once

#include <tiny_dnn/tiny_dnn.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail::tinydnn {

using Number = ::tiny_dnn::float_t;

/// Returns the short name of a kind of layer: "conv", "fc", "pool", "bn", or tiny-dnn's with "_" for "-".
inline std::string short_name(std::string kind) {
  if (kind == "fully-connected") return "fc";
  if (kind == "max-pool" || kind == "ave-pool") return "pool";
  if (kind == "batch-norm") return "bn";
  std::replace(kind.begin(), kind.end(), '-', '_');
  return kind;
}

/// The outputs of one layer for the samples of a batch, each of which has memory of its own. They are copied when the
/// hook asks for a view.
struct Outputs {
  const ::tiny_dnn::tensor_t& samples;
  ::tiny_dnn::index3d<::tiny_dnn::serial_size_t> shape;
  std::vector<Number>& copies;

  friend TensorView tensortap_view(const Outputs& outputs) {
    outputs.copies.clear();
    for (const ::tiny_dnn::vec_t& sample : outputs.samples)
      outputs.copies.insert(outputs.copies.end(), sample.begin(), sample.end());
    const auto rows = static_cast<std::int64_t>(outputs.samples.size());
    const auto width = static_cast<std::int64_t>(outputs.shape.width_);
    const std::int64_t matrix[2] = {rows, width};
    const std::int64_t images[4] = {rows, static_cast<std::int64_t>(outputs.shape.depth_),
                                    static_cast<std::int64_t>(outputs.shape.height_), width};
    const bool is_matrix = outputs.shape.height_ == 1 && outputs.shape.depth_ == 1;
    return {outputs.copies.data(), *dtype_v<Number>,
            is_matrix ? TensorView::Extents(matrix) : TensorView::Extents(images)};
  }
};

/// The sum of the losses of the samples of a batch. A loss function has no state in tiny-dnn: this is that of the tap
/// that trains on the thread.
struct LossSum {
  double sum = 0;
  std::size_t samples = 0;
};
inline thread_local LossSum loss_of_thread;

}  // namespace detail::tinydnn

/// tiny-dnn's loss function `Loss`, whose values the tap sees. It computes the loss beside its derivative, for each
/// sample.
template <class Loss>
struct TinyDnnLoss {
  static detail::tinydnn::Number f(const ::tiny_dnn::vec_t& y, const ::tiny_dnn::vec_t& t) { return Loss::f(y, t); }
  static ::tiny_dnn::vec_t df(const ::tiny_dnn::vec_t& y, const ::tiny_dnn::vec_t& t) {
    detail::tinydnn::loss_of_thread.sum += static_cast<double>(Loss::f(y, t));
    ++detail::tinydnn::loss_of_thread.samples;
    return Loss::df(y, t);
  }
};

/// The optimizer of a training with tiny-dnn, with a tap. Layers are named by their kind and its number from the input:
/// conv1, pool1, conv2, fc1.
///
/// - `loss`: f64 [1], the mean over the samples of the batch; with TinyDnnLoss
/// - `conv1.weight` [out, in, height, width], `fc1.weight` [in, out], `fc1.bias` [out]: before the update
/// - `gradient/conv1.weight` …: the mean over the samples, as the optimizer gets it
/// - `conv1_output_0` [samples, depth, height, width] or [samples, n]: after the activation
///
/// Each batch is a step. It begins with the update of the first parameter that is not frozen, and has all its tensors
/// once the last one is updated. The collections losses, weights, biases and gradients find these names.
/// Lifetime: hook, network and optimizer outlive the tap. Threads: one training for each tap, on one thread.
template <class Network, class Optimizer>
class TinyDnnTap final : public ::tiny_dnn::optimizer {
 public:
  TinyDnnTap(Hook& hook, Network& network, Optimizer& inner) : hook_(hook), network_(network), optimizer_(inner) {
    std::map<std::string, int> count;
    for (std::size_t i = 0; i < network_.layer_size(); ++i) {
      const std::string name = detail::tinydnn::short_name(network_[i]->layer_type());
      names_.push_back(name + std::to_string(++count[name]));
    }
    detail::tinydnn::loss_of_thread = {};
  }
  TinyDnnTap(const TinyDnnTap&) = delete;
  TinyDnnTap& operator=(const TinyDnnTap&) = delete;
  ~TinyDnnTap() override = default;

  /// Saves a parameter and its gradient, and passes them on. tiny-dnn calls it. Throws: what Hook::save throws.
  void update(const ::tiny_dnn::vec_t& gradient, ::tiny_dnn::vec_t& value, bool parallelize) override {
    if (!is_in_step_) begin_step();
    const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                    [&](const Parameter& parameter) { return parameter.value == &value; });
    if (found != parameters_.end()) {
      hook_.save(found->name, view_of(value, found->shape));
      hook_.save("gradient/" + found->name, view_of(gradient, found->shape));
    }
    optimizer_.update(gradient, value, parallelize);
    if (found != parameters_.end() && found + 1 == parameters_.end()) end_step();
  }

  /// Resets the optimizer. tiny-dnn calls it at the begin of a training.
  void reset() override {
    is_in_step_ = false;
    detail::tinydnn::loss_of_thread = {};
    optimizer_.reset();
  }

 private:
  struct Parameter {
    const ::tiny_dnn::vec_t* value;
    std::string name;
    std::vector<std::int64_t> shape;
  };

  static TensorView view_of(const ::tiny_dnn::vec_t& elements, const std::vector<std::int64_t>& shape) {
    return {elements.data(), *dtype_v<detail::tinydnn::Number>, shape};
  }

  void begin_step() {
    hook_.begin_step();
    is_in_step_ = true;
    parameters_.clear();  // their addresses change when a network is loaded, and layers may be frozen
    for (std::size_t i = 0; i < network_.layer_size(); ++i) {
      auto& layer = *network_[i];
      if (!layer.trainable()) continue;
      const auto kinds = layer.in_types();
      const auto values = layer.weights();
      std::size_t weights = 0, biases = 0, at = 0;
      for (std::size_t input = 0; input < kinds.size() && at < values.size(); ++input) {
        if (!::tiny_dnn::is_trainable_weight(kinds[input])) continue;
        const bool is_bias = kinds[input] == ::tiny_dnn::vector_type::bias;
        const std::size_t number = is_bias ? biases++ : weights++;
        std::string name = names_[i] + (is_bias ? ".bias" : ".weight");
        if (number > 0) name += std::to_string(number);
        auto shape = shape_of(layer, layer.in_shape()[input], values[at]->size(), is_bias);
        parameters_.push_back({values[at], std::move(name), std::move(shape)});
        ++at;
      }
    }
  }

  void end_step() {
    detail::tinydnn::LossSum& loss = detail::tinydnn::loss_of_thread;
    if (loss.samples > 0) hook_.save("loss", loss.sum / static_cast<double>(loss.samples));
    loss = {};
    for (std::size_t i = 0; i < network_.layer_size(); ++i) {
      auto& layer = *network_[i];
      const auto nodes = layer.outputs();
      if (nodes.empty() || layer.out_types()[0] != ::tiny_dnn::vector_type::data) continue;
      hook_.save(names_[i] + "_output_0",
                 detail::tinydnn::Outputs{*nodes[0]->get_data(), layer.out_shape()[0], copies_});
    }
    is_in_step_ = false;
  }

  /// Returns the shape of a parameter of `size` elements; one axis, if its layer is of a kind with another order.
  template <class Layer, class Shape>
  static std::vector<std::int64_t> shape_of(const Layer& layer, const Shape& shape, std::size_t size, bool is_bias) {
    const auto inputs = static_cast<std::size_t>(layer.in_data_size());
    const auto outputs = static_cast<std::size_t>(layer.out_data_size());
    const std::string kind = layer.layer_type();
    const auto extent = [](auto n) { return static_cast<std::int64_t>(n); };
    if (!is_bias && kind == "fully-connected" && inputs * outputs == size) return {extent(inputs), extent(outputs)};
    const std::size_t depth = layer.in_shape()[0].depth_;
    if (!is_bias && kind == "conv" && depth > 0 && shape.depth_ % depth == 0 && shape.size() == size)
      return {extent(shape.depth_ / depth), extent(depth), extent(shape.height_), extent(shape.width_)};
    return {extent(size)};
  }

  Hook& hook_;
  Network& network_;
  Optimizer& optimizer_;
  std::vector<std::string> names_;     // of the layers
  std::vector<Parameter> parameters_;  // of the current step, in the order of their updates
  std::vector<detail::tinydnn::Number> copies_;
  bool is_in_step_ = false;
};

TENSORTAP_END_NAMESPACE
