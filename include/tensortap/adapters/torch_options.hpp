// What a tap of a libtorch module saves.
//
//   auto tap = tensortap::tap(hook, model, {.optimizer = &optimizer});
#pragma once

#include <string>

#include <tensortap/internal/config.hpp>

namespace torch::optim {
class Optimizer;
}

TENSORTAP_BEGIN_NAMESPACE

/// The options of `tap`.
struct TorchTapOptions {
  /// The optimizer whose variables and learning rates are saved; it must live as long as the tap. Null: none are saved.
  torch::optim::Optimizer* optimizer = nullptr;
  /// The name in front of parameters. Empty: the name of the module's class, without namespaces and without `Impl`.
  std::string name = {};
  /// True: buffers, as the running means of BatchNorm, are saved.
  bool buffers = true;
  /// True: layers with parameters that a module of your own calls in its `forward` are found among torch's operators,
  /// in the steps in which their inputs or outputs are due. False: only `call` and Sequential save them.
  bool find_layers = true;
};

/// Patterns for collections of what a tap saves beside losses, weights, biases and gradients, which have patterns of
/// their own.
namespace torch_patterns {

inline constexpr const char* inputs = "_input_[0-9]+$";
inline constexpr const char* outputs = "_output_[0-9]+$";
inline constexpr const char* buffers = "^buffer/";
inline constexpr const char* optimizer_variables = "^optimizer/";

}  // namespace torch_patterns

TENSORTAP_END_NAMESPACE
