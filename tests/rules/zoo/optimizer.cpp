#include "optimizer.hpp"

#include <algorithm>
#include <cmath>

namespace zoo {

namespace {

/// Returns what the rate is multiplied by at `step` of `steps`.
float factor_of(Schedule schedule, std::size_t step, std::size_t steps) {
  const float at = static_cast<float>(step) / static_cast<float>(steps);
  const auto cosine = [](float part) { return 0.02f + 0.49f * (1 + std::cos(3.14159265f * part)); };
  switch (schedule) {
    case Schedule::constant: return 1;
    case Schedule::warm_up_cosine: return at < 0.1f ? (at + 0.002f) / 0.102f : cosine((at - 0.1f) / 0.9f);
    case Schedule::restarts: return cosine(3 * at - std::floor(3 * at));
    case Schedule::step_decay: return at < 0.6f ? 1 : at < 0.85f ? 0.1f : 0.01f;
    case Schedule::stops_early: return std::pow(0.5f, static_cast<float>(step));
  }
  return 1;
}

bool contains(const std::vector<std::size_t>& layers, std::size_t layer) {
  return std::find(layers.begin(), layers.end(), layer) != layers.end();
}

}  // namespace

Updates::Updates(const Spec& spec, Network& network) : spec_(spec), network_(network) {
  for (const Layer* const layer : network.trained())
    for (const Parameter& parameter : layer->parameters) {
      const std::vector<float> zeros(parameter.value.values.size());
      moments_.push_back({zeros, zeros});
    }
}

bool Updates::has_gradient(std::size_t i, std::size_t step) const {
  return !contains(spec_.fixed_layers, i) || (spec_.unfreeze_at != 0 && step >= spec_.unfreeze_at);
}

void Updates::clip() {
  double sum = 0;
  for (const Layer* const layer : network_.trained())
    for (const Parameter& parameter : layer->parameters)
      for (const float g : parameter.gradient.values) sum += static_cast<double>(g) * g;
  const auto norm = static_cast<float>(std::sqrt(sum));
  if (norm <= spec_.clip_norm) return;
  for (Layer* const layer : network_.trained())
    for (Parameter& parameter : layer->parameters)
      for (float& g : parameter.gradient.values) g *= spec_.clip_norm / norm;
}

void Updates::apply(std::size_t step) {
  if (spec_.stops_updating_at != 0 && step >= spec_.stops_updating_at) return;
  if (spec_.clip_norm > 0) clip();
  const float rate = spec_.rate * factor_of(spec_.schedule, step, spec_.steps) *
                     (spec_.huge_step_at != 0 && step == spec_.huge_step_at ? 2000 : 1);
  ++count_;
  std::size_t i = 0, moments = 0;
  for (Layer* const layer : network_.trained()) {
    const bool updated = has_gradient(i, step) && !contains(spec_.forgotten_layers, i);
    for (Parameter& parameter : layer->parameters) {
      if (updated) update(parameter, moments_[moments], rate, count_);
      ++moments;
    }
    ++i;
  }
}

void Updates::update(Parameter& parameter, Moments& moments, float rate, std::size_t count) const {
  const bool adaptive = spec_.optimizer == Optimizer::adam || spec_.optimizer == Optimizer::adamw;
  const auto n = static_cast<float>(count);
  const float first_bias = 1 - std::pow(0.9f, n), second_bias = 1 - std::pow(0.999f, n);
  const float momentum = spec_.optimizer == Optimizer::momentum ? spec_.momentum : 0.0f;
  for (std::size_t j = 0; j < parameter.value.values.size(); ++j) {
    float& w = parameter.value.values[j];
    float& m = moments.first[j];
    float& v = moments.second[j];
    float g = parameter.gradient.values[j];
    if (spec_.optimizer == Optimizer::adamw)
      w -= rate * spec_.weight_decay * w;
    else
      g += spec_.weight_decay * w;
    if (!adaptive) {
      m = momentum * m + g;
      w -= rate * m;
      continue;
    }
    m = 0.9f * m + 0.1f * g;
    v = 0.999f * v + 0.001f * g * g;
    w -= rate * (m / first_bias) / (std::sqrt(v / second_bias) + 1e-8f);
  }
}

}  // namespace zoo
