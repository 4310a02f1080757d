// Finds the layers with parameters that a module calls in its `forward`, among the operators that torch runs. C++
// modules have no forward hooks; but torch shows each operator with its arguments (RecordFunction), and a layer's
// weight or bias is an argument of the operator that computes the layer.
#pragma once

#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <ATen/record_function.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/adapters/internal/torch_names.hpp>
#include <tensortap/adapters/internal/torch_tap_state.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Reads the arguments of an operator. RecordFunction::inputs() cannot be called from a file compiled without NDEBUG:
/// it then asserts what libtorch, compiled with NDEBUG, does not keep.
template <auto Inputs>
struct OperatorInputs {
  friend c10::ArrayRef<const c10::IValue> inputs_of(const at::RecordFunction& op) { return op.*Inputs; }
};
c10::ArrayRef<const c10::IValue> inputs_of(const at::RecordFunction& op);
template struct OperatorInputs<&at::RecordFunction::inputs_>;

/// A class of layers, with the operators that compute it. Others with its weight are not it: `embedding_renorm_`,
/// `convolution_backward`.
struct LayerClass {
  std::string_view name;
  std::vector<std::string_view> operators;
  bool is_recurrent = false;  // all results of the operator are those of the layer
};

/// Returns the class of `module` if its operators are known; null otherwise, as for a class derived from it.
inline const LayerClass* layer_class_of(const torch::nn::Module& module) {
  static const std::vector<LayerClass> classes = {
      {"Linear", {"aten::addmm", "aten::matmul", "aten::add_", "aten::linear"}},
      {"Bilinear", {"aten::bilinear"}},
      {"Conv1d", {"aten::conv1d"}},
      {"Conv2d", {"aten::conv2d"}},
      {"Conv3d", {"aten::conv3d"}},
      {"ConvTranspose1d", {"aten::conv_transpose1d"}},
      {"ConvTranspose2d", {"aten::conv_transpose2d"}},
      {"ConvTranspose3d", {"aten::conv_transpose3d"}},
      {"BatchNorm1d", {"aten::batch_norm"}},
      {"BatchNorm2d", {"aten::batch_norm"}},
      {"BatchNorm3d", {"aten::batch_norm"}},
      {"InstanceNorm1d", {"aten::instance_norm"}},
      {"InstanceNorm2d", {"aten::instance_norm"}},
      {"InstanceNorm3d", {"aten::instance_norm"}},
      {"GroupNorm", {"aten::group_norm"}},
      {"LayerNorm", {"aten::layer_norm"}},
      {"Embedding", {"aten::embedding"}},
      {"PReLU", {"aten::prelu"}},
      {"RNN", {"aten::rnn_tanh", "aten::rnn_relu"}, true},
      {"LSTM", {"aten::lstm"}, true},
      {"GRU", {"aten::gru"}, true},
  };
  if (!module.name().starts_with("torch::nn::")) return nullptr;
  const std::string name = class_name_of(module.name());  // some names have no `Impl` at their end
  const auto found =
      std::find_if(classes.begin(), classes.end(), [&](const LayerClass& known) { return known.name == name; });
  return found == classes.end() ? nullptr : &*found;
}

/// One call of a layer that the adapter itself makes, on this thread.
class LayerCall {
 public:
  LayerCall(TorchTapState& tap, std::size_t layer) noexcept
      : tap_(tap), layer_(layer), outer_(std::exchange(innermost(), this)) {}
  LayerCall(const LayerCall&) = delete;
  LayerCall& operator=(const LayerCall&) = delete;
  ~LayerCall() { innermost() = outer_; }

  void save(Side side, const torch::Tensor& tensor) const { tap_.save_side(layer_, side, tensor); }

  /// Returns whether this thread is within a call of `layer`.
  [[nodiscard]] static bool is_within(const TorchTapState& tap, std::size_t layer) noexcept {
    for (const LayerCall* call = innermost(); call != nullptr; call = call->outer_)
      if (&call->tap_ == &tap && call->layer_ == layer) return true;
    return false;
  }

 private:
  static LayerCall*& innermost() noexcept {
    static thread_local LayerCall* call = nullptr;
    return call;
  }

  TorchTapState& tap_;
  std::size_t layer_;
  LayerCall* outer_;
};

/// The forward pass of a tapped module on this thread, in a step in which the tap saves layers.
class TorchForward {
 public:
  explicit TorchForward(TorchTapState& tap) : tap_(tap), outer_(std::exchange(innermost(), this)) {
    if (!tap.finds_layers()) return;
    find_owners();
    callback_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&on_begin, &on_end)
                                               .needsInputs(true)
                                               .needsOutputs(true)
                                               .scopes({at::RecordScope::FUNCTION}));
  }
  TorchForward(const TorchForward&) = delete;
  TorchForward& operator=(const TorchForward&) = delete;
  ~TorchForward() {
    if (callback_) at::removeCallback(*callback_);
    save_outputs();
    innermost() = outer_;
  }

  [[nodiscard]] TorchTapState& tap() const noexcept { return tap_; }

  /// Returns the forward pass of this thread; null if there is none.
  static TorchForward*& innermost() noexcept {
    static thread_local TorchForward* forward = nullptr;
    return forward;
  }

 private:
  /// The layer that an operator computes.
  struct Observed : at::ObserverContext {
    explicit Observed(std::size_t observed) : layer(observed) {}
    std::size_t layer;
  };

  /// A layer's outputs. They are saved when the next operator begins: Linear may add its bias in place.
  struct Outputs {
    std::size_t layer;
    std::vector<torch::Tensor> tensors;
  };

  static std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction& op) {
    TorchForward* const forward = innermost();
    return forward == nullptr ? nullptr : forward->begin(op);
  }

  static void on_end(const at::RecordFunction& op, at::ObserverContext* observed) {
    if (TorchForward* const forward = innermost()) forward->end(op, static_cast<const Observed*>(observed));
  }

  /// Notes which layers each parameter and buffer belongs to, by its memory, so that a view of it is found too.
  void find_owners() {
    std::string attention = "\n";  // MultiheadAttention uses the weights of its layers without calling them
    for (std::size_t i = 0; i < tap_.layers().size(); ++i) {
      const auto& [module, name, input, output] = tap_.layers()[i];
      if (class_name_of(module->name()) == "MultiheadAttention") attention = name + '.';
      if (name.starts_with(attention) || layer_class_of(*module) == nullptr) continue;
      for (const torch::Tensor& tensor : module->parameters(false)) add_owner(tensor, i);
      for (const torch::Tensor& tensor : module->buffers(false)) add_owner(tensor, i);
    }
  }

  static const void* memory_of(const torch::Tensor& tensor) {
    return tensor.defined() && tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
  }

  void add_owner(const torch::Tensor& tensor, std::size_t layer) {
    if (const void* const memory = memory_of(tensor)) owners_[memory].push_back(layer);
  }

  [[nodiscard]] bool owns(std::size_t layer, const torch::Tensor& tensor) const {
    const auto found = owners_.find(memory_of(tensor));
    return found != owners_.end() &&
           std::find(found->second.begin(), found->second.end(), layer) != found->second.end();
  }

  /// Returns the layer that this operator computes, if there is one: of the layers that own an argument and are
  /// computed by such an operator, the one that owns most. Layers may share a weight.
  [[nodiscard]] std::optional<std::size_t> layer_of(std::string_view op, const std::vector<torch::Tensor>& arguments) {
    std::unordered_map<std::size_t, int> counts;
    for (const torch::Tensor& argument : arguments)
      if (const auto found = owners_.find(memory_of(argument)); found != owners_.end())
        for (const std::size_t layer : found->second) ++counts[layer];
    std::optional<std::size_t> best;
    for (const auto& [layer, count] : counts) {
      const LayerClass& known = *layer_class_of(*tap_.layers()[layer].module);
      if (std::find(known.operators.begin(), known.operators.end(), op) == known.operators.end()) continue;
      const int most = best ? counts[*best] : 0;
      if (count > most || (count == most && layer < *best)) best = layer;
    }
    return best;
  }

  std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& op) {
    if (depth_++ > 0) return nullptr;  // a part of another operator
    std::vector<torch::Tensor> arguments;
    std::size_t single = 0;  // arguments that are not in lists, which hold parameters and states
    for (const c10::IValue& value : inputs_of(op))
      if (value.isTensor() && value.toTensor().defined()) arguments.push_back(value.toTensor());
    single = arguments.size();
    for (const c10::IValue& value : inputs_of(op))
      if (value.isTensorList())
        for (const torch::Tensor& tensor : value.toTensorVector()) arguments.push_back(tensor);
    const auto layer = layer_of(op.name(), arguments);
    const bool adds_bias = layer && outputs_ && outputs_->layer == *layer &&
                           op.name() == std::string_view("aten::add_") &&
                           arguments.front().is_same(outputs_->tensors.front());
    if (adds_bias) return std::make_unique<Observed>(*layer);
    save_outputs();
    if (!layer || op.name() == std::string_view("aten::add_") || LayerCall::is_within(tap_, *layer)) return nullptr;
    const bool is_recurrent = layer_class_of(*tap_.layers()[*layer].module)->is_recurrent;
    bool has_input = false;
    for (std::size_t i = 0; i < single && !(is_recurrent && has_input); ++i)  // the state of GRU would be the second
      if (!owns(*layer, arguments[i])) {
        has_input = true;
        tap_.save_side(*layer, Side::input, arguments[i]);
      }
    return has_input ? std::make_unique<Observed>(*layer) : nullptr;
  }

  void end(const at::RecordFunction& op, const Observed* observed) {
    if (--depth_ > 0 || observed == nullptr) return;
    outputs_.emplace(Outputs{observed->layer, {}});
    const bool all = layer_class_of(*tap_.layers()[observed->layer].module)->is_recurrent;
    for (const c10::IValue& value : op.outputs())
      if (value.isTensor() && (all || outputs_->tensors.empty())) outputs_->tensors.push_back(value.toTensor());
    if (outputs_->tensors.empty()) outputs_.reset();
  }

  void save_outputs() {
    if (!outputs_) return;
    for (const torch::Tensor& tensor : outputs_->tensors) tap_.save_side(outputs_->layer, Side::output, tensor);
    outputs_.reset();
  }

  TorchTapState& tap_;
  TorchForward* outer_;
  std::optional<at::CallbackHandle> callback_;
  std::unordered_map<const void*, std::vector<std::size_t>> owners_;  // by memory
  std::optional<Outputs> outputs_;                                    // not yet saved
  int depth_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
