// Taps an optimisation with ensmallen, and so a training with mlpack. The tap is a callback object, the last argument
// of Optimize() or Train(). This header includes nothing of ensmallen.
//
//   optimizer.Optimize(function, coordinates, tensortap::EnsmallenTap(hook));
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/capture/hook.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Saves the objective as "loss", the coordinates as "weight", and their gradient as "gradient/weight"; at the end of
/// each epoch its objective as "epoch_loss", in the last step of the epoch. The collections losses, weights and
/// gradients find these names. A name that is given goes before: "net" makes "net/loss", "net/weight" and
/// "gradient/net/weight".
///
/// A step begins with its gradient, or, if the optimizer uses none, when the step is taken. It has the last objective
/// and gradient that were computed before the coordinates changed, those of the accepted point of a line search, and
/// the coordinates after the change. Objectives that are computed after the last step are in no step. Sparse gradients
/// are left out.
///
/// If the hook is interrupted, the tap ends the optimisation at the next event but a gradient, so that the last step is
/// whole. Lifetime: the hook outlives the tap; copies work on the same hook. Threads: those of the optimizer's loop.
class EnsmallenTap {
 public:
  explicit EnsmallenTap(Hook& hook, std::string_view name = {}) : hook_(&hook) {
    const std::string prefix = name.empty() ? std::string() : std::string(name) + "/";
    loss_ = prefix + "loss";
    epoch_loss_ = prefix + "epoch_loss";
    weight_ = prefix + "weight";
    gradient_ = "gradient/" + weight_;
  }

  /// Forgets what an earlier optimisation has left.
  template <class Optimizer, class Function, class Matrix>
  void BeginOptimization(Optimizer&, Function&, Matrix&) {
    is_in_step_ = false;
    objective_.reset();
  }

  /// Notes the objective. Returns true to end the optimisation.
  template <class Optimizer, class Function, class Matrix>
  bool Evaluate(Optimizer&, Function&, const Matrix&, const double objective) {
    objective_ = objective;
    return hook_->interrupted();
  }

  /// Begins a step if the last one was taken, and saves the gradient.
  template <class Optimizer, class Function, class Matrix, class Gradients>
  bool Gradient(Optimizer&, Function&, const Matrix&, const Gradients& gradient) {
    begin_step();
    save(gradient_, gradient);
    return false;
  }

  /// Saves the objective and the coordinates; the step is then complete. Returns true to end the optimisation.
  template <class Optimizer, class Function, class Matrix>
  bool StepTaken(Optimizer&, Function&, const Matrix& coordinates) {
    begin_step();
    if (objective_) hook_->save(loss_, *objective_);
    save(weight_, coordinates);
    is_in_step_ = false;
    objective_.reset();
    return hook_->interrupted();
  }

  /// Returns true to end the optimisation.
  template <class Optimizer, class Function, class Matrix>
  bool BeginEpoch(Optimizer&, Function&, const Matrix&, const std::size_t, const double) {
    return hook_->interrupted();
  }

  /// Saves the objective of the epoch in the last step. Returns true to end the optimisation.
  template <class Optimizer, class Function, class Matrix>
  bool EndEpoch(Optimizer&, Function&, const Matrix&, const std::size_t, const double objective) {
    if (has_begun_) hook_->save(epoch_loss_, objective);
    return hook_->interrupted();
  }

 private:
  void begin_step() {
    if (is_in_step_) return;
    hook_->begin_step();
    is_in_step_ = has_begun_ = true;
  }

  template <class Matrix>
  void save(const std::string& name, const Matrix& matrix) {
    if constexpr (detail::ArmadilloLike<Matrix> || detail::EigenLike<Matrix>) hook_->save(name, matrix);
  }

  Hook* hook_;
  std::string loss_, epoch_loss_, weight_, gradient_;
  std::optional<double> objective_ = {};  // the last one since a step was taken
  bool is_in_step_ = false;               // whether a step has begun and was not taken
  bool has_begun_ = false;                // whether any step has begun
};

TENSORTAP_END_NAMESPACE
