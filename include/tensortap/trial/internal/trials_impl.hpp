// The bodies of trials.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trials.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Removes from sorted `all` what sorted `other` does not have.
template <class T>
void keep_common(std::vector<T>& all, const std::vector<T>& other) {
  std::vector<T> out;
  std::set_intersection(all.begin(), all.end(), other.begin(), other.end(), std::back_inserter(out));
  all = std::move(out);
}

}  // namespace detail

TENSORTAP_INLINE Trials::Trials(const std::vector<std::string>& addresses, const TrialOptions& options) {
  for (const std::string& address : addresses) trials_.emplace_back(address, options);
}

TENSORTAP_INLINE Trials Trials::of(std::vector<Trial> trials) {
  Trials out;
  out.trials_ = std::move(trials);
  return out;
}

TENSORTAP_INLINE std::vector<std::string> Trials::common_tensors(const TensorQuery& query) const {
  std::vector<std::string> out;
  for (const Trial& trial : trials_) {
    std::vector<std::string> names;
    if (query.collection.empty() || trial.collection(query.collection))
      for (const TensorHistory& tensor : trial.tensors(query)) names.push_back(tensor.name());
    if (&trial == trials_.data()) {
      out = std::move(names);
    } else {
      detail::keep_common(out, names);
    }
  }
  return out;
}

TENSORTAP_INLINE std::vector<std::int64_t> Trials::common_steps(Mode mode) const {
  std::vector<std::int64_t> out;
  for (const Trial& trial : trials_) {
    if (&trial == trials_.data()) {
      out = trial.steps(mode);
    } else {
      detail::keep_common(out, trial.steps(mode));
    }
  }
  return out;
}

TENSORTAP_INLINE std::vector<Trials::Row> Trials::curve(std::string_view tensor, Mode mode,
                                                        std::optional<Reduction> r) const {
  std::map<std::int64_t, std::vector<std::optional<double>>> rows;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    if (!trials_[i].has_tensor(tensor)) continue;
    const TensorHistory history = trials_[i].tensor(tensor, mode);
    for (const std::int64_t step : history.steps()) {
      std::optional<double> number;
      if (r) {
        number = history.reduction(step, *r);
      } else if (const auto value = history.value(step);
                 value && value->size() == 1 && value->dtype() != DType::string) {
        number = value->number(0);
      }
      if (number) rows.try_emplace(step, trials_.size()).first->second[i] = number;
    }
  }
  std::vector<Row> out;
  out.reserve(rows.size());
  for (auto& [step, values] : rows) out.push_back({step, std::move(values)});
  return out;
}

TENSORTAP_INLINE void Trials::refresh() const {
  for (const Trial& trial : trials_) trial.refresh();
}

TENSORTAP_INLINE bool Trials::wait_for_end(std::chrono::nanoseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  return std::all_of(trials_.begin(), trials_.end(), [&](const Trial& trial) {
    const auto left = deadline - std::chrono::steady_clock::now();
    return trial.wait_for_end(std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds::zero()));
  });
}

TENSORTAP_END_NAMESPACE
