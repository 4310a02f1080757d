// What a tap of a module knows: its tensors and layers by name, and the copies that are under way.
#pragma once

#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/adapters/internal/torch_copies.hpp>
#include <tensortap/adapters/internal/torch_names.hpp>
#include <tensortap/adapters/internal/torch_optimizer.hpp>
#include <tensortap/adapters/torch_options.hpp>
#include <tensortap/capture/hook.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: `save`, `save_side` and `save_numbered` any, as for Hook; the rest the loop's. A tensor that cannot be
/// saved becomes a note: training goes on.
class TorchTapState : public std::enable_shared_from_this<TorchTapState> {
 public:
  /// A module below the root. The root itself is layer 0.
  struct Layer {
    const torch::nn::Module* module;
    std::string name;  ///< the path; the class name for the root
    std::string first_input, first_output;
  };

  TorchTapState(Hook& hook, const torch::nn::Module& module, TorchTapOptions options)
      : hook_(hook), module_(module), options_(std::move(options)) {
    if (options_.name.empty()) options_.name = class_name_of(module.name());
    add_layer(options_.name, module);
    // Not `named_modules` with the root, which fails for a module that no shared_ptr owns.
    for (const auto& below : module.named_modules({}, false)) add_layer(below.key(), *below.value());
    std::set<const void*> known;
    for (const auto& [name, tensor] : pairs_of(module.named_parameters()))
      if (known.insert(tensor.unsafeGetTensorImpl()).second)
        parameters_.push_back({options_.name + '_' + name, "gradient/" + options_.name + '_' + name, tensor});
    if (options_.optimizer != nullptr)
      for (Parameter& parameter : parameters_)
        for (const char* const variable : variables_of(*options_.optimizer))
          parameter.variables.push_back("optimizer/" + parameter.name + '/' + variable);
    if (!options_.buffers) return;
    for (const auto& [name, tensor] : pairs_of(module.named_buffers()))
      if (known.insert(tensor.unsafeGetTensorImpl()).second)
        buffers_.emplace_back("buffer/" + options_.name + '_' + name, tensor);
  }

  /// Asks torch to show each gradient. Parameters that need none are asked for again in the next steps.
  void watch_gradients() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      Parameter& parameter = parameters_[i];
      if (parameter.hook || !parameter.tensor.defined() || !parameter.tensor.requires_grad()) continue;
      // Torch keeps the function as long as the parameter, which may outlive the tap.
      parameter.hook = parameter.tensor.register_hook([weak = weak_from_this(), i](const torch::Tensor& gradient) {
        if (const auto self = weak.lock()) self->save(self->parameters_[i].gradient_name, gradient);
      });
    }
  }

  /// Ends what `watch_gradients` began, and saves the copies that are under way.
  void remove() noexcept try {
    if (!is_active_.exchange(false)) return;
    for (const Parameter& parameter : parameters_)
      if (parameter.hook) parameter.tensor.remove_hook(*parameter.hook);
    save_copies();
  } catch (...) {  // the hook was destroyed before: nothing is left to do
  }

  void begin_step(std::optional<Mode> mode) {
    save_copies();
    hook_.begin_step(mode.value_or(module_.is_training() ? Mode::train : Mode::eval));
    save_state();
  }

  /// Saves parameters, buffers and the variables of the optimizer.
  void save_state() {
    watch_gradients();
    for (const Parameter& parameter : parameters_) save(parameter.name, parameter.tensor);
    for (const auto& [name, tensor] : buffers_) save(name, tensor);
    if (options_.optimizer != nullptr) save_optimizer(*options_.optimizer);
  }

  /// Saves `tensor` if it is due.
  void save(const std::string& name, const torch::Tensor& tensor) noexcept {
    if (tensor.defined() && wants(name)) try {
        write(name, tensor);
      } catch (const std::exception& e) {
        note(name, e.what());
      }
  }

  /// Saves a tensor that goes into, or comes out of, `module`. A module that runs several times in a step has several.
  void save_side(const std::string& module, Side side, const torch::Tensor& tensor) {
    if (!tensor.defined()) return;
    std::size_t i = 0;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(counted_in_, hook_.global_step()) != hook_.global_step()) counts_.clear();
      i = counts_[module][static_cast<std::size_t>(side)]++;
    }
    save(name_of_side(module, side, i), tensor);
  }

  void save_side(std::size_t layer, Side side, const torch::Tensor& tensor) {
    save_side(layers_[layer].name, side, tensor);
  }

  /// Saves the copies that are under way, each as soon as it is complete.
  void save_copies() {
    for (const TorchCopy& copy : copies_.take()) try {
        copy.wait();
        if (copy.global_step != hook_.global_step()) {
          note(copy.name, "its step ended before its copy was saved; call begin_step() of the tap, or flush() before");
        } else {
          hook_.save(copy.name, copy.host);
        }
      } catch (const std::exception& e) {
        note(copy.name, e.what());
      }
  }

  /// Returns whether the input or output of any layer is due in this step.
  [[nodiscard]] bool layers_due() {
    const std::int64_t step = hook_.global_step();
    {
      const std::lock_guard lock(mutex_);
      if (asked_in_ == step) return layers_due_;
    }
    const bool due = std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
      return wants(layer.first_input) || wants(layer.first_output);
    });
    const std::lock_guard lock(mutex_);
    asked_in_ = step;
    return layers_due_ = due;
  }

  /// Returns the position of `module` among the layers; nullopt if it is none of them.
  [[nodiscard]] std::optional<std::size_t> layer_of(const torch::nn::Module* module) const {
    const auto found = positions_.find(module);
    if (found == positions_.end()) return std::nullopt;
    return found->second;
  }

  [[nodiscard]] const std::vector<Layer>& layers() const noexcept { return layers_; }
  [[nodiscard]] bool finds_layers() const noexcept { return options_.find_layers; }

  [[nodiscard]] std::vector<std::string> notes() const {
    const std::lock_guard lock(mutex_);
    return {notes_.begin(), notes_.end()};
  }

 private:
  struct Parameter {
    std::string name, gradient_name;
    torch::Tensor tensor;
    std::optional<unsigned> hook = {};        // its position among the tensor's hooks
    std::vector<std::string> variables = {};  // those that the optimizer may keep for it
  };

  /// Returns the pairs of an OrderedDict, whose items have no structured bindings.
  static std::vector<std::pair<std::string, torch::Tensor>> pairs_of(
      const torch::OrderedDict<std::string, torch::Tensor>& items) {
    std::vector<std::pair<std::string, torch::Tensor>> out;
    for (const auto& item : items) out.emplace_back(item.key(), item.value());
    return out;
  }

  void add_layer(const std::string& name, const torch::nn::Module& module) {
    // A module that occurs twice has its first name, as in Python.
    if (!positions_.emplace(&module, layers_.size()).second) return;
    layers_.push_back({&module, name, name_of_side(name, Side::input, 0), name_of_side(name, Side::output, 0)});
  }

  [[nodiscard]] bool wants(const std::string& name) noexcept try {
    return is_active_ && hook_.wants(name);
  } catch (const std::exception& e) {  // a name that cannot be stored
    note(name, e.what());
    return false;
  }

  /// Saves a tensor of any kind. Throws: it has no elements in memory, or of no type that is known.
  void write(const std::string& name, torch::Tensor tensor) {
    const torch::NoGradGuard no_grad;
    const at::DisableRecordFunctionGuard unobserved;
    if (tensor.is_meta()) return note(name, "it is a meta tensor, which has no elements");
    if (tensor.layout() != torch::kStrided) tensor = tensor.to_dense();
    if (tensor.is_quantized()) tensor = tensor.dequantize();
    tensor = tensor.resolve_conj().resolve_neg();  // without a copy for others
    if (tensor.is_cpu()) {
      hook_.save(name, tensor);
    } else {
      copies_.begin(name, hook_.global_step(), tensor);
    }
  }

  void save_optimizer(const torch::optim::Optimizer& optimizer) {
    const auto& groups = optimizer.param_groups();
    for (std::size_t i = 0; i < groups.size(); ++i) try {
        const std::string name = "optimizer/learning_rate_" + std::to_string(i);
        if (groups[i].has_options() && wants(name)) hook_.save(name, groups[i].options().get_lr());
      } catch (const std::exception& e) {  // a class of options without a learning rate
        note("optimizer/learning_rate", e.what());
      }
    for (const Parameter& parameter : parameters_) {
      // Asked first: the look-up of a state makes a text of an address.
      if (std::none_of(parameter.variables.begin(), parameter.variables.end(),
                       [&](const std::string& name) { return wants(name); }))
        continue;
      if (const auto* const state = optimizer_state_of(optimizer.state(), parameter.tensor))
        for_each_variable(*state, [&](const char* variable, const torch::Tensor& tensor) {
          if (tensor.defined()) save("optimizer/" + parameter.name + '/' + variable, tensor);
        });
    }
  }

  void note(const std::string& name, const std::string& cause) noexcept try {
    constexpr std::size_t limit = 100;
    const std::string text = "tap: tensor " + in_quotes(name) + ": " + cause;
    const std::lock_guard lock(mutex_);
    if (notes_.size() < limit) notes_.insert(text.substr(0, text.find('\n')));  // torch appends the stack
  } catch (...) {                                                               // no memory for a note
  }

  Hook& hook_;
  const torch::nn::Module& module_;
  TorchTapOptions options_;
  std::vector<Parameter> parameters_;
  std::vector<std::pair<std::string, torch::Tensor>> buffers_;
  std::vector<Layer> layers_;
  std::unordered_map<const torch::nn::Module*, std::size_t> positions_;  // in layers_
  TorchCopies copies_;
  std::atomic<bool> is_active_ = true;
  mutable std::mutex mutex_;                                               // guards what follows
  std::map<std::string, std::array<std::size_t, 2>, std::less<>> counts_;  // of the tensors of each side, in a step
  std::int64_t counted_in_ = -1;
  std::int64_t asked_in_ = -1;
  bool layers_due_ = false;
  std::set<std::string> notes_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
