// Taps a training with a dnn_trainer of dlib, one step at a time: the average loss, the learning rate, and each layer's
// parameters and their gradients.
//
//   tensortap::DlibTap tap(hook, trainer);
//   for (int i = 0; i < 1000; ++i) {
//     trainer.train_one_step(images, labels);
//     tap.after_step();
//   }
#pragma once

#include <dlib/dnn.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail::dlib_dnn {

/// A part of a layer's parameters, which dlib keeps in one tensor: weights, then biases.
struct Part {
  std::string_view name;  // "weight" or "bias"
  std::size_t offset;     // of its first element
  std::vector<std::int64_t> shape;
};

inline std::int64_t extent(long long n) { return static_cast<std::int64_t>(n); }

/// Returns the parts of the parameters of a layer of kind `kind`; there are `size` of them.
template <class Details>
std::vector<Part> parts_of(const Details& details, std::string_view kind, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  if (size == 0) return {};
  std::int64_t biases = 0;
  std::vector<std::int64_t> shape = {count};
  if constexpr (requires { details.num_filters(), details.nr(), details.nc(), details.bias_is_disabled(); }) {
    const std::int64_t filters = extent(details.num_filters()), rows = extent(details.nr()),
                       columns = extent(details.nc());
    biases = details.bias_is_disabled() ? 0 : filters;
    const std::int64_t inputs = (count - biases) / std::max<std::int64_t>(filters * rows * columns, 1);
    const bool is_transposed = kind.starts_with("cont");
    shape = {is_transposed ? inputs : filters, is_transposed ? filters : inputs, rows, columns};
  } else if constexpr (requires { details.get_num_outputs(), details.bias_is_disabled(), details.get_bias_mode(); }) {
    const auto outputs = static_cast<std::int64_t>(details.get_num_outputs());
    biases = details.bias_is_disabled() || details.get_bias_mode() != dlib::FC_HAS_BIAS ? 0 : outputs;
    shape = {(count - biases) / std::max<std::int64_t>(outputs, 1), outputs};
  } else if (kind.starts_with("bn") || kind.starts_with("layer_norm")) {
    biases = count / 2;  // gamma, then beta
    shape = {count - biases};
  }
  std::int64_t product = 1;
  for (const std::int64_t one : shape) product *= one;
  if (product + biases != count) return {{"weight", 0, {count}}};  // a layer of another version of dlib
  std::vector<Part> out = {{"weight", 0, std::move(shape)}};
  if (biases > 0) out.push_back({"bias", static_cast<std::size_t>(product), {biases}});
  return out;
}

/// Returns the kind of a layer, the first word that dlib prints of it; "conv" for "con".
template <class Details>
std::string kind_of(const Details& details) {
  std::ostringstream text;
  text << details;
  const std::string word = text.str().substr(0, text.str().find_first_of("\t ("));
  return word == "con" ? "conv" : word;
}

/// One tensor that a tap saves: some parameters, or their gradients.
struct Entry {
  std::string name;
  const dlib::tensor* elements;
  std::size_t offset;
  std::vector<std::int64_t> shape;
};

/// Visits the layers of a network, from the output to the input, and collects their parameters.
class Collector {
 public:
  template <class Details, class Subnet, class Enabled>
  void operator()(dlib::add_layer<Details, Subnet, Enabled>& layer) {
    const auto& details = layer.layer_details();
    const dlib::tensor& values = details.get_layer_params();
    const std::string kind = kind_of(details);
    layers_.push_back({kind, parts_of(details, kind, values.size()), &values, &layer.get_parameter_gradient()});
  }

  /// Returns what was collected. Layers have numbers by kind, from the input.
  [[nodiscard]] std::vector<Entry> entries() const {
    std::vector<Entry> out;
    std::map<std::string, int> count;
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
      const std::string name = layer->kind + std::to_string(++count[layer->kind]);
      for (const Part& part : layer->parts) {
        const std::string full = name + "." + std::string(part.name);
        out.push_back({full, layer->values, part.offset, part.shape});
        out.push_back({"gradient/" + full, layer->gradients, part.offset, part.shape});
      }
    }
    return out;
  }

 private:
  struct Layer {
    std::string kind;
    std::vector<Part> parts;
    const dlib::tensor* values;
    const dlib::tensor* gradients;
  };
  std::vector<Layer> layers_;
};

}  // namespace detail::dlib_dnn

/// Saves what a trainer of dlib has after each step. Layers are named by their kind and its number from the input:
/// conv1, bn_con1, fc1, fc2.
///
/// - `average_loss`: f64 [1], the trainer's running average
/// - `learning_rate`: f64 [1]
/// - `conv1.weight` [out, in, rows, columns], `fc1.weight` [in, out], `conv1.bias` …: after the update; gamma and beta
///   of a normalisation are weight and bias
/// - `gradient/conv1.weight` …: of this step
///
/// The collections losses, weights, biases and gradients find these names. dlib trains on a thread of its own: the tap
/// waits for the step if, and only if, something is due, and at its first step. Outputs of layers are left out: dlib
/// overwrites those before an activation. Lifetime: hook and trainer outlive the tap. Threads: that of the loop.
template <class Trainer>
class DlibTap {
 public:
  DlibTap(Hook& hook, Trainer& trainer) : hook_(hook), trainer_(trainer) {}
  DlibTap(const DlibTap&) = delete;
  DlibTap& operator=(const DlibTap&) = delete;

  /// Begins a step, and saves what is due. Call it after train_one_step(). Throws: what Hook::save throws; what the
  /// training has thrown.
  void after_step() {
    hook_.begin_step();
    is_current_ = false;
    hook_.save("average_loss", Number{*this, &Trainer::get_average_loss});
    hook_.save("learning_rate", Number{*this, &Trainer::get_learning_rate});
    if (entries_.empty()) collect();
    for (std::size_t i = 0; i < entries_.size(); ++i) hook_.save(entries_[i].name, Parameters{*this, i});
  }

 private:
  /// A number of the trainer, which is asked for when the hook asks for a view.
  struct Number {
    DlibTap& tap;
    double (Trainer::*function)() const;
    [[nodiscard]] TensorView view() const {
      tap.number_ = (tap.trainer_.*function)();
      return as_view(tap.number_);
    }
    friend TensorView tensortap_view(const Number& number) { return number.view(); }
  };

  /// The parameters of entry `index`, likewise.
  struct Parameters {
    DlibTap& tap;
    std::size_t index;
    [[nodiscard]] TensorView view() const { return tap.view_of(index); }
    friend TensorView tensortap_view(const Parameters& parameters) { return parameters.view(); }
  };

  void collect() {
    detail::dlib_dnn::Collector collector;
    dlib::visit_layers(trainer_.get_net(dlib::force_flush_to_disk::no), std::ref(collector));
    entries_ = collector.entries();
    is_current_ = true;
  }

  TensorView view_of(std::size_t index) {
    // The network may have been replaced; names belong to its type and stay.
    if (!is_current_) collect();
    const detail::dlib_dnn::Entry& entry = entries_[index];
    const TensorView view(nullptr, DType::f32, entry.shape);
    if (entry.elements->size() < entry.offset + view.size()) {  // before its first pass backward
      zeros_.assign(view.size(), 0);
      return {zeros_.data(), DType::f32, entry.shape};
    }
    return {entry.elements->host() + entry.offset, DType::f32, entry.shape};
  }

  Hook& hook_;
  Trainer& trainer_;
  std::vector<detail::dlib_dnn::Entry> entries_;
  std::vector<float> zeros_;
  double number_ = 0;
  bool is_current_ = false;  // whether the entries were collected in this step
};

TENSORTAP_END_NAMESPACE
