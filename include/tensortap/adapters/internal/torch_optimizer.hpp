// The variables that torch's optimizers keep for each parameter.
#pragma once

#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the state that belongs to `parameter`; null before the first step of the optimizer. The key is the address
/// of the tensor: as text in torch 1.x, and as it is in 2.x.
template <class States>
const torch::optim::OptimizerParamState* optimizer_state_of(const States& states, const torch::Tensor& parameter) {
  const auto found = [&] {
    if constexpr (std::is_pointer_v<typename States::key_type>) {
      return states.find(parameter.unsafeGetTensorImpl());
    } else {
      return states.find(c10::guts::to_string(parameter.unsafeGetTensorImpl()));
    }
  }();
  return found == states.end() ? nullptr : found->second.get();
}

/// Returns the names of the variables that `optimizer` may keep for a parameter; none for a class that is not torch's.
inline std::vector<const char*> variables_of(const torch::optim::Optimizer& optimizer) {
  using namespace torch::optim;
  if (dynamic_cast<const SGD*>(&optimizer) != nullptr) return {"momentum_buffer"};
  if (dynamic_cast<const Adam*>(&optimizer) != nullptr) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  if (dynamic_cast<const AdamW*>(&optimizer) != nullptr) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  if (dynamic_cast<const RMSprop*>(&optimizer) != nullptr) return {"square_avg", "momentum_buffer", "avg"};
  if (dynamic_cast<const Adagrad*>(&optimizer) != nullptr) return {"sum"};
  if (dynamic_cast<const LBFGS*>(&optimizer) != nullptr) return {"d"};
  return {};
}

/// Calls `f(name, tensor)` for each tensor in `state`, under Python's name for it.
template <class F>
void for_each_variable(const torch::optim::OptimizerParamState& state, const F& f) {
  using namespace torch::optim;
  const auto adam = [&](const auto& of) {
    f("exp_avg", of.exp_avg());
    f("exp_avg_sq", of.exp_avg_sq());
    f("max_exp_avg_sq", of.max_exp_avg_sq());
  };
  if (const auto* const sgd = dynamic_cast<const SGDParamState*>(&state)) {
    f("momentum_buffer", sgd->momentum_buffer());
  } else if (const auto* const plain = dynamic_cast<const AdamParamState*>(&state)) {
    adam(*plain);
  } else if (const auto* const decoupled = dynamic_cast<const AdamWParamState*>(&state)) {
    adam(*decoupled);
  } else if (const auto* const rmsprop = dynamic_cast<const RMSpropParamState*>(&state)) {
    f("square_avg", rmsprop->square_avg());
    f("momentum_buffer", rmsprop->momentum_buffer());
    f("avg", rmsprop->grad_avg());  // grad_avg in Python: the name would belong to the collection gradients
  } else if (const auto* const adagrad = dynamic_cast<const AdagradParamState*>(&state)) {
    f("sum", adagrad->sum());
  } else if (const auto* const lbfgs = dynamic_cast<const LBFGSParamState*>(&state)) {
    f("d", lbfgs->d());  // of all parameters, kept with the first one
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
