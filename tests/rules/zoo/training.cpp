#include "training.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zoo {

namespace {

/// Returns the mean square of the outputs, which has nothing to do with the labels.
LossResult mean_square(const Array& outputs) {
  LossResult result{0, outputs};
  const auto count = static_cast<float>(outputs.values.size());
  for (float& value : result.gradient.values) {
    result.value += value * value / count;
    value *= 2 / count;
  }
  return result;
}

/// Returns the loss of class probabilities.
float loss_of_probabilities(const Array& outputs, const Batch& batch) {
  float sum = 0;
  for (std::size_t i = 0; i < outputs.rows(); ++i) sum -= std::log(std::max(outputs.row(i)[batch.labels[i]], 1e-7f));
  return sum / static_cast<float>(outputs.rows());
}

double score_of(const Task& task, const Array& outputs, const Batch& batch, double loss) {
  if (task.classes == 0) return 1 - loss / constant_loss(task.loss, 0, {}, batch.targets);
  const auto classes = classes_of(task.loss, outputs);
  std::size_t right = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) right += classes[i] == batch.labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(classes.size());
}

}  // namespace

Training::Training(const Spec& spec, const Task& task)
    : spec_(spec),
      task_(task),
      loss_(spec.loss_against_zero ? Loss::mse : task.loss),
      network_(spec, task),
      batches_(spec, task),
      updates_(spec, network_) {
  for (const Layer* const layer : network_.trained())
    for (const Parameter& parameter : layer->parameters) sums_.emplace_back(parameter.value.shape);
}

Result Training::run(Tap* tap) {
  pretrain();
  const std::size_t interval = std::max<std::size_t>(spec_.steps / 10, 1);
  for (std::size_t step = 0; step < spec_.steps; ++step) {
    if (step % interval == 0) measure();
    if (tap != nullptr && spec_.evaluate_every != 0 && step != 0 && step % spec_.evaluate_every == 0) evaluate(*tap);
    train_step(step, tap);
  }
  if (tap != nullptr && spec_.evaluate_every != 0) evaluate(*tap);
  measure();
  return result_;
}

void Training::pretrain() {
  for (std::size_t step = 0; step < spec_.pretrained; ++step) {
    const Batch batch = batches_.next(step);
    network_.clear_gradients();
    network_.backward(loss_of(task_.loss, network_.forward(batch.inputs, true), batch).gradient);
    updates_.apply(step);
  }
}

LossResult Training::loss(const Batch& batch, const Array& outputs) const {
  LossResult result = spec_.loss_against_zero ? mean_square(outputs) : loss_of(task_.loss, outputs, batch);
  result.value *= spec_.loss_scale;
  for (float& value : result.gradient.values) value *= spec_.loss_scale * (spec_.sign_flipped ? -1.0f : 1.0f);
  // Two forms of the mistake: a loss with the wrong sign, or a step in the wrong direction.
  if (spec_.sign_flipped && spec_.seed % 2 == 0) result.value = -result.value;
  return result;
}

void Training::train_step(std::size_t step, Tap* tap) {
  Batch batch = batches_.next(step);
  if (tap != nullptr) tap->begin_step(tensortap::Mode::train);
  if (spec_.injection.place != Injection::Place::none && step == spec_.injection.step)
    result_.injected = Injected{.step = tap != nullptr ? tap->global_step() : 0, .mode_step = step, .tensors = {}};
  inject_into_weights(step);
  inject_into_inputs(step, batch);
  if (tap != nullptr) tap->parameters(network_);
  const LossResult loss_now = loss(batch, network_.forward(batch.inputs, true));
  if (tap != nullptr) tap->pass(network_, batch, loss_, loss_now.value);
  network_.clear_gradients();
  network_.backward(loss_now.gradient);
  inject_into_gradients(step);
  // Two ways to look at accumulated gradients: that of this pass, as smdebug does, or the sum so far.
  const bool shows_sum = spec_.seed / 2 % 2 == 0;
  if (tap != nullptr && !shows_sum) tap->gradients(network_, updates_, step);
  take_sum();
  if (tap != nullptr && shows_sum) tap->gradients(network_, updates_, step);
  if (++passes_ % spec_.accumulate != 0) return;
  updates_.apply(step);
  if (spec_.keeps_gradients) return;
  for (Array& sum : sums_) sum.reset(sum.shape);
}

void Training::take_sum() {
  std::size_t i = 0;
  for (Layer* const layer : network_.trained())
    for (Parameter& parameter : layer->parameters) {
      std::vector<float>& sum = sums_[i++].values;
      for (std::size_t j = 0; j < sum.size(); ++j)
        parameter.gradient.values[j] = sum[j] += parameter.gradient.values[j] / static_cast<float>(spec_.accumulate);
    }
}

void Training::evaluate(Tap& tap) {
  for (std::size_t i = 0; i < spec_.evaluation_batches; ++i) {
    const Batch batch = batches_.evaluation(evaluations_++);
    tap.begin_step(tensortap::Mode::eval);
    tap.parameters(network_);
    const LossResult now = loss(batch, network_.forward(batch.inputs, false));
    tap.pass(network_, batch, loss_, now.value);
  }
}

void Training::measure() {
  const Batch batch = batches_.outcome();
  const Array& outputs = network_.forward(batch.inputs, false);
  const float loss_now =
      spec_.double_softmax ? loss_of_probabilities(outputs, batch) : loss_of(task_.loss, outputs, batch).value;
  Outcome& outcome = result_.outcome;
  outcome.loss = std::isfinite(loss_now) ? loss_now : 1e9;
  outcome.best_loss = measured_ ? std::min(outcome.best_loss, outcome.loss) : outcome.loss;
  outcome.score = std::isfinite(loss_now) ? std::max(score_of(task_, outputs, batch, loss_now), -1.0) : 0;
  measured_ = true;
}

void Training::inject(Array& array, std::vector<std::string> tensors) {
  Injected& injected = *result_.injected;
  injected.tensors = std::move(tensors);
  injected.index = static_cast<std::size_t>(spec_.injection.pick % array.values.size());
  array.values[injected.index] =
      spec_.injection.infinite ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
}

void Training::inject_into_weights(std::size_t step) {
  if (spec_.injection.place != Injection::Place::weight || step != spec_.injection.step) return;
  Layer& layer = *network_.trained()[spec_.injection.layer % network_.trained().size()];
  inject(layer.parameters[0].value, {network_.name_of(layer, layer.parameters[0])});
}

void Training::inject_into_inputs(std::size_t step, Batch& batch) {
  if (spec_.injection.place != Injection::Place::input || step != spec_.injection.step) return;
  std::vector<std::string> tensors = {network_.class_name() + "_input_0"};
  if (const std::string& first = network_.layers()[0]->name; !first.empty())
    tensors.insert(tensors.begin(), first + "_input_0");
  inject(batch.inputs, std::move(tensors));
}

void Training::inject_into_gradients(std::size_t step) {
  if (spec_.injection.place != Injection::Place::gradient || step != spec_.injection.step) return;
  Layer& layer = *network_.trained()[spec_.injection.layer % network_.trained().size()];
  inject(layer.parameters[0].gradient, {"gradient/" + network_.name_of(layer, layer.parameters[0])});
}

}  // namespace zoo
