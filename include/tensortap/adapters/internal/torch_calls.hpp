// Calls modules and saves what goes into them and comes out.
#pragma once

#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise

#include <torch/torch.h>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include <tensortap/adapters/internal/torch_layers.hpp>
#include <tensortap/adapters/internal/torch_names.hpp>
#include <tensortap/adapters/internal/torch_tap_state.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};

/// Calls `f` for each tensor in `value`: a tensor, or a tuple, pair, range or optional of such.
template <class T, class F>
void for_each_tensor(const T& value, const F& f) {
  if constexpr (std::convertible_to<const T&, const torch::Tensor&>) {
    f(static_cast<const torch::Tensor&>(value));
  } else if constexpr (TupleLike<T>) {
    std::apply([&](const auto&... parts) { (for_each_tensor(parts, f), ...); }, value);
  } else if constexpr (std::same_as<T, torch::nn::AnyValue>) {
    using torch::Tensor;
    using Pair = std::tuple<Tensor, Tensor>;
    auto& any = const_cast<T&>(value);  // AnyValue has no try_get for a constant
    if (const auto* const tensor = any.template try_get<Tensor>()) f(*tensor);
    if (const auto* const pair = any.template try_get<Pair>()) for_each_tensor(*pair, f);
    if (const auto* const lstm = any.template try_get<std::tuple<Tensor, Pair>>()) for_each_tensor(*lstm, f);
  } else if constexpr (std::ranges::range<const T> && !std::same_as<T, std::ranges::range_value_t<const T>>) {
    for (const auto& part : value) for_each_tensor(part, f);
  } else if constexpr (requires {
                         value.has_value();
                         *value;
                       }) {
    if (value.has_value()) for_each_tensor(*value, f);
  }
}

/// A Sequential, whose children can be called one by one; not a class derived from it that has a `forward` of its own.
template <class M>
concept Walkable = std::derived_from<M, torch::nn::SequentialImpl> && !torch::detail::has_forward<M>::value;

/// Runs the children of `sequential` and saves what goes into and comes out of each.
template <class M, class... A>
torch::Tensor walk(TorchTapState& tap, M& sequential, A&&... arguments) {
  TORCH_CHECK(!sequential.is_empty(), "Cannot call forward() on an empty Sequential");
  std::optional<torch::nn::AnyValue> value;
  for (torch::nn::AnyModule& child : sequential) {
    const auto layer = tap.layer_of(child.ptr().get());
    std::optional<LayerCall> call;
    if (layer) call.emplace(tap, *layer);
    const auto save = [&](Side side) {
      return [&call, side](const torch::Tensor& tensor) {
        if (call) call->save(side, tensor);
      };
    };
    if (value) {
      for_each_tensor(*value, save(Side::input));
      value.emplace(child.any_forward(std::move(*value)));
    } else {
      (for_each_tensor(arguments, save(Side::input)), ...);
      value.emplace(child.any_forward(std::forward<A>(arguments)...));
    }
    for_each_tensor(*value, save(Side::output));
  }
  return value->template get<torch::Tensor>();
}

/// Calls `module` within the forward pass of this thread, if there is one and it has this module.
template <class M, class... A>
auto call_module(M& module, A&&... arguments) {
  TorchForward* const forward = TorchForward::innermost();
  const auto layer = forward == nullptr ? std::nullopt : forward->tap().layer_of(&module);
  if (!layer) return module.forward(std::forward<A>(arguments)...);
  const LayerCall call(forward->tap(), *layer);
  (for_each_tensor(arguments, [&](const torch::Tensor& tensor) { call.save(Side::input, tensor); }), ...);
  auto out = [&] {
    if constexpr (Walkable<M>) {
      return walk(forward->tap(), module, std::forward<A>(arguments)...);
    } else {
      return module.forward(std::forward<A>(arguments)...);
    }
  }();
  for_each_tensor(out, [&](const torch::Tensor& tensor) { call.save(Side::output, tensor); });
  return out;
}

/// Returns the module behind a reference, a shared_ptr or a holder (torch::nn::Linear).
template <class M>
auto& module_of(M& module) {
  if constexpr (std::derived_from<M, torch::nn::Module>) {
    return module;
  } else {
    return *module;
  }
}

/// Returns the same as a shared_ptr, which owns nothing if `module` is a reference.
template <class M>
auto shared_module_of(M& module) {
  if constexpr (std::derived_from<M, torch::nn::Module>) {
    return std::shared_ptr<M>(std::shared_ptr<M>(), &module);
  } else if constexpr (requires { module.ptr(); }) {
    return module.ptr();
  } else {
    return module;
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
