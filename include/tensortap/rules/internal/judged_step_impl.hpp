// The bodies of judged_step.hpp.
#pragma once

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/layer_gradients.hpp>
#include <tensortap/rules/internal/tensor_catalog.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE JudgedStep::JudgedStep(detail::TensorCatalog& catalog, const StepView& step, std::string_view worker)
    : catalog_(&catalog), step_(&step), worker_(worker) {
  catalog.begin(step);
  catalog.facts.add(*this);
}

TENSORTAP_INLINE std::span<const KnownTensor* const> JudgedStep::saved() const { return catalog_->saved(); }

TENSORTAP_INLINE std::span<const KnownTensor* const> JudgedStep::with_role(Role role) const {
  return catalog_->with_role(role);
}

TENSORTAP_INLINE const KnownTensor* JudgedStep::find(std::string_view name) const { return catalog_->find(name); }

TENSORTAP_INLINE const Statistics* JudgedStep::statistics(const KnownTensor& tensor) const {
  return catalog_->statistics(tensor, *step_);
}

TENSORTAP_INLINE const UnitStatistics* JudgedStep::units(const KnownTensor& tensor) const {
  return catalog_->units(tensor, *step_);
}

TENSORTAP_INLINE const Tensor* JudgedStep::value(const KnownTensor& tensor) const {
  return catalog_->value(tensor, *step_);
}

TENSORTAP_INLINE std::optional<double> JudgedStep::reduction(const KnownTensor& tensor, Reduction r) const {
  if (!catalog_->is_in_step(tensor)) return std::nullopt;
  auto out = step_->reduction(tensor.name, r);
  return catalog_->note(tensor, out);
}

TENSORTAP_INLINE const TensorChange* JudgedStep::change(const KnownTensor& tensor) const {
  return catalog_->change(tensor, *step_);
}

TENSORTAP_INLINE std::span<const LayerGradient> JudgedStep::layer_gradients() const {
  return catalog_->layer_gradients([&](std::vector<LayerGradient>& out) { detail::find_layer_gradients(*this, out); });
}

TENSORTAP_INLINE const TrainingFacts& JudgedStep::facts() const { return catalog_->facts; }

template <class T>
std::optional<T> JudgedStep::noted(std::string_view tensor, std::optional<T> answer) const {
  if (const KnownTensor* const known = catalog_->find(tensor)) catalog_->note(*known, answer);
  return answer;
}

TENSORTAP_INLINE std::vector<std::string> JudgedStep::tensors(std::string_view collection) const {
  return step_->tensors(collection);
}

TENSORTAP_INLINE std::optional<Tensor> JudgedStep::value(std::string_view tensor) const {
  return noted(tensor, step_->value(tensor));
}

TENSORTAP_INLINE std::optional<double> JudgedStep::reduction(std::string_view tensor, Reduction r) const {
  return noted(tensor, step_->reduction(tensor, r));
}

TENSORTAP_INLINE std::optional<Statistics> JudgedStep::statistics(std::string_view tensor) const {
  return noted(tensor, step_->statistics(tensor));
}

TENSORTAP_INLINE std::optional<UnitStatistics> JudgedStep::units(std::string_view tensor) const {
  return noted(tensor, step_->units(tensor));
}

TENSORTAP_INLINE std::optional<std::vector<std::int64_t>> JudgedStep::classes(std::string_view tensor) const {
  return noted(tensor, step_->classes(tensor));
}

TENSORTAP_INLINE void JudgedStep::for_each(const Visit& visit) const { step_->for_each(visit); }

TENSORTAP_END_NAMESPACE
