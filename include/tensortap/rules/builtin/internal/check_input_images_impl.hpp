// The bodies of check_input_images.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/check_input_images.hpp>
#include <tensortap/rules/builtin/internal/network_input.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Adds the images of a tensor whose channels are along axis `channel`.
inline void add_images(CheckInputImages::Seen& seen, const Tensor& images, std::size_t channel) {
  const auto& shape = images.shape();
  const auto channels = static_cast<std::size_t>(shape[channel]);
  std::size_t inner = 1;
  for (std::size_t axis = channel + 1; axis < shape.size(); ++axis) inner *= static_cast<std::size_t>(shape[axis]);
  if (seen.sums.size() != channels)
    seen = {.images = 0, .sums = std::vector<double>(channels), .counts = std::vector<std::int64_t>(channels)};
  seen.images += shape[0];
  for (std::size_t begin = 0; begin < images.size(); begin += inner) {
    const std::size_t c = begin / inner % channels;
    for (std::size_t i = begin; i < begin + inner; ++i) {
      const double x = images.number(i);
      if (!std::isfinite(x)) continue;
      seen.sums[c] += x;
      ++seen.counts[c];
    }
  }
}

/// Returns the channel whose mean is farthest from 0; nullopt if there is none.
inline std::optional<std::size_t> farthest_channel(const CheckInputImages::Seen& seen) {
  std::optional<std::size_t> out;
  double farthest = -1;
  for (std::size_t c = 0; c < seen.sums.size(); ++c) {
    if (seen.counts[c] == 0) continue;
    const double mean = std::abs(seen.sums[c] / static_cast<double>(seen.counts[c]));
    if (!(mean > farthest)) continue;
    farthest = mean;
    out = c;
  }
  return out;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> CheckInputImages::required() const {
  return {{.name = "input_image", .include_regex = regex.empty() ? std::string("input_0$") : regex, .save = save}};
}

TENSORTAP_INLINE void CheckInputImages::Seen::exchange(RuleState& rule_state) {
  rule_state(images)(sums)(counts);
  rule_state.require(sums.size() == counts.size());
}

TENSORTAP_INLINE std::vector<Finding> CheckInputImages::operator()(const JudgedStep& step) {
  constexpr std::size_t rank = 4;
  if (!(threshold_mean >= 0)) throw Error::bad_threshold(name, threshold_mean);
  if (threshold_samples < 0) throw Error::bad_threshold(name, static_cast<double>(threshold_samples));
  const auto axis = static_cast<std::size_t>(channel);
  if (axis == 0 || axis >= rank) throw Error::bad_parameter(name, "channel", std::to_string(channel));
  choice.use({}, regex);
  std::vector<Finding> out;
  const KnownTensor* const input = choice.empty() ? detail::network_input(step) : nullptr;
  for (const KnownTensor* tensor : step.saved()) {
    if (choice.empty() ? tensor != input : !choice.has(step, *tensor)) continue;
    const Tensor* const images = step.value(*tensor);
    if (images == nullptr || images->rank() != rank || images->dtype() == DType::string || images->size() == 0)
      continue;
    Seen& seen = state[tensor->name];
    detail::add_images(seen, *images, axis);
    if (seen.images < threshold_samples) continue;
    const auto worst = detail::farthest_channel(seen);
    if (!worst) continue;
    const double mean = seen.sums[*worst] / static_cast<double>(seen.counts[*worst]);
    if (!(std::abs(mean) > threshold_mean)) continue;
    out.push_back({.severity = Severity::advice,
                   .tensor = tensor->name,
                   .value = mean,
                   .threshold = threshold_mean,
                   .message = "the mean of channel " + std::to_string(*worst) + " over " + std::to_string(seen.images) +
                              " images is " + shortest(mean) +
                              "; subtract the mean of each channel, and divide by its standard deviation"});
  }
  return out;
}

TENSORTAP_INLINE void CheckInputImages::visit(ParameterVisitor& visitor) {
  visitor("threshold_mean", threshold_mean, "a mean of this magnitude is no finding");
  visitor("threshold_samples", threshold_samples, "images that must have been seen");
  visitor("regex", regex, "names of tensors; empty: what enters the first layer");
  visitor("channel", channel, "the axis of the channels");
}

TENSORTAP_END_NAMESPACE
