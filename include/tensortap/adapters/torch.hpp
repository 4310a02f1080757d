// Taps a training with libtorch: parameters, gradients, buffers, inputs and outputs of layers, losses, and the
// variables of the optimizer, under the names of smdebug's PyTorch hook. `to_torch` makes a torch::Tensor of a stored
// one.
//
//   auto tap = tensortap::tap(hook, model, {.optimizer = &optimizer});
//   for (const auto& [images, labels] : batches) {
//     tap.begin_step();
//     optimizer.zero_grad();
//     const auto loss = tap.loss(criterion, tap.forward(images), labels);
//     loss.backward();
//     optimizer.step();
//   }
//   tap.flush();
//   hook.close();
#pragma once

#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/adapters/internal/torch_calls.hpp>
#include <tensortap/adapters/internal/torch_layers.hpp>
#include <tensortap/adapters/internal/torch_names.hpp>
#include <tensortap/adapters/internal/torch_tap_state.hpp>
#include <tensortap/adapters/torch_options.hpp>
#include <tensortap/capture/hook.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The tap of a module, see `tap`. A tensor that cannot be saved (a meta tensor, an element type that is not known)
/// does not stop the training: `notes` names it. Threads: `save`, `loss`, `input` and `output` any, as for Hook::save;
/// everything else the loop's.
template <class M>
class TorchTap {
 public:
  /// Made by `tap`.
  TorchTap(Hook& hook, std::shared_ptr<M> module, TorchTapOptions options)
      : module_(std::move(module)),
        state_(std::make_shared<detail::TorchTapState>(hook, *module_, std::move(options))) {
    state_->watch_gradients();
  }

  TorchTap(TorchTap&&) = default;
  TorchTap& operator=(TorchTap&& other) noexcept {
    std::swap(module_, other.module_);
    std::swap(state_, other.state_);
    return *this;
  }

  /// Calls `remove`.
  ~TorchTap() { remove(); }

  /// Begins the next step of the hook: of `mode`; by default TRAIN if the module is in training mode, and EVAL if it is
  /// not. Saves the parameters, buffers and variables of the optimizer that are due, as they are before the step.
  /// Throws: as Hook::begin_step does.
  void begin_step(std::optional<Mode> mode = {}) { state_->begin_step(mode); }

  /// Saves parameters, buffers and variables of the optimizer, for loops that call Hook::begin_step themselves.
  void save_state() { state_->save_state(); }

  /// Returns what `forward` of the module returns, and saves the inputs and outputs of its layers that are due: of the
  /// module itself (`Net_input_0`, `Net_output_0`), of each child of a Sequential, of each layer that is called with
  /// `call`, and of the layers with parameters that torch's operators show (`conv1_input_0`). In a step in which none
  /// is due, only calls `forward`. Threads: layers are seen that run on this thread.
  template <class... A>
  auto forward(A&&... arguments) {
    std::optional<detail::TorchForward> pass;
    if (state_->layers_due()) pass.emplace(*state_);
    return detail::call_module(*module_, std::forward<A>(arguments)...);
  }

  /// Saves a loss as `NAME_output_0`, for a loss function: `loss("nll_loss", torch::nll_loss(output, target))`. Returns
  /// the loss.
  torch::Tensor loss(std::string_view name, torch::Tensor value) {
    output(name, value);
    return value;
  }

  /// Calls a loss module. Saves its inputs and its output: `CrossEntropyLoss_input_0`, `CrossEntropyLoss_output_0`.
  template <class L, class... A>
  requires(!std::is_convertible_v<L&, std::string_view>) torch::Tensor loss(L& criterion, const A&... arguments) {
    auto& module = detail::module_of(criterion);
    const std::string name = detail::class_name_of(module.name());
    (detail::for_each_tensor(arguments, [&](const torch::Tensor& tensor) { input(name, tensor); }), ...);
    return loss(name, module.forward(arguments...));
  }

  /// Saves a tensor as `NAME_input_I`, where I counts those of this name in the step.
  void input(std::string_view name, const torch::Tensor& tensor) {
    state_->save_side(std::string(name), detail::Side::input, tensor);
  }
  /// Saves a tensor as `NAME_output_I`, where I counts those of this name in the step.
  void output(std::string_view name, const torch::Tensor& tensor) {
    state_->save_side(std::string(name), detail::Side::output, tensor);
  }
  /// Saves a tensor, on any device and of any layout, under `name` itself.
  void save(std::string_view name, const torch::Tensor& tensor) { state_->save(std::string(name), tensor); }

  /// Waits for the copies of tensors on a device, and hands them to the hook. `begin_step` does so for the step before:
  /// call it before Hook::commit, flush and close. Does nothing if all tensors are in host memory.
  void flush() { state_->save_copies(); }

  /// Takes the tap off the module: nothing more is saved. Not during a backward pass. Calls `flush`.
  void remove() noexcept {
    if (state_) state_->remove();
  }

  /// Returns a line for each tensor that could not be saved, up to 100.
  [[nodiscard]] std::vector<std::string> notes() const { return state_->notes(); }

 private:
  std::shared_ptr<M> module_;
  std::shared_ptr<detail::TorchTapState> state_;
};

/// Taps `module`: a reference, a std::shared_ptr or a holder (torch::nn::Sequential). From now on its gradients are
/// saved during each backward pass, and what else is due when a call of the tap shows it. Each parameter is saved once,
/// under the first of its names; parameters that need no gradient have none, until they need one again at a
/// `begin_step`. Parameters and layers are those that the module has now. Numeric: a gradient is the sum over one
/// backward pass, as smdebug saves it. With several passes in a step, the last one counts; `parameter.grad()` then
/// holds the sum of all. Lifetime: `hook` and the optimizer must outlive the tap, and so must `module` if it is a
/// reference. The module may outlive the tap in every case.
template <class M>
[[nodiscard]] auto tap(Hook& hook, M& module, TorchTapOptions options = {}) {
  auto shared = detail::shared_module_of(module);
  return TorchTap<typename decltype(shared)::element_type>(hook, std::move(shared), std::move(options));
}

/// Calls `layer->forward(arguments...)`. Within TorchTap::forward it saves the layer's inputs and outputs, too, as
/// Python's `layer(x)` does: write `call(relu, x)` in place of `relu(x)` for layers without parameters.
/// Lifetime: within the forward pass of a tap on this thread; elsewhere it only calls `forward`.
template <class Layer, class... A>
auto call(Layer& layer, A&&... arguments) {
  return detail::call_module(detail::module_of(layer), std::forward<A>(arguments)...);
}

/// Returns the elements of `tensor` as a torch::Tensor that owns them; nothing is copied. Throws: its element type is
/// one that libtorch does not have (strings, u16, u32, u64).
[[nodiscard]] inline torch::Tensor to_torch(Tensor&& tensor) {
  const auto type = [&] {
    switch (tensor.dtype()) {
      case DType::f16: return torch::kFloat16;
      case DType::bf16: return torch::kBFloat16;
      case DType::f32: return torch::kFloat32;
      case DType::f64: return torch::kFloat64;
      case DType::i8: return torch::kInt8;
      case DType::i16: return torch::kInt16;
      case DType::i32: return torch::kInt32;
      case DType::i64: return torch::kInt64;
      case DType::u8: return torch::kUInt8;
      case DType::boolean: return torch::kBool;
      case DType::complex64: return torch::kComplexFloat;
      case DType::complex128: return torch::kComplexDouble;
      case DType::u16:
      case DType::u32:
      case DType::u64:
      case DType::string: break;
    }
    throw Error::wrong_type("of a type that libtorch has", to_string(tensor.dtype()));
  }();
  const auto owner = std::make_shared<Tensor>(std::move(tensor));
  return torch::from_blob(
      owner->bytes().data(), owner->shape(), [owner](void*) {}, torch::TensorOptions().dtype(type));
}

/// Returns a copy of `tensor` as a torch::Tensor. Throws: as above.
[[nodiscard]] inline torch::Tensor to_torch(const Tensor& tensor) { return to_torch(Tensor(tensor)); }

TENSORTAP_END_NAMESPACE
