// The bodies of similar_across_runs.hpp.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/similar_across_runs.hpp>
#include <tensortap/rules/internal/comma_list.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/stored_step.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The runs that a run is compared with.
struct SimilarAcrossRuns::Others {
  explicit Others(const std::string& list) : text(list) {
    for (const std::string& address : detail::parts_of(list)) {
      addresses.push_back(address);
      trials.emplace_back(address);
    }
  }
  std::string text;
  std::vector<std::string> addresses;
  std::vector<Trial> trials;
};

namespace detail {

/// Where two tensors differ, and by how much.
struct Difference {
  double value = 0;
  std::string text = {};
};

inline bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

/// Returns how tensors of strings or numbers differ.
inline std::optional<Difference> difference_of(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return Difference{1, "its type or shape differs"};
  if (a == b) return std::nullopt;
  if (a.dtype() == DType::string) return Difference{1, "its strings differ"};
  const std::size_t size = size_of(a.dtype());
  std::size_t count = 0;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = a.bytes().subspan(i * size, size);
    const auto y = b.bytes().subspan(i * size, size);
    if (std::equal(x.begin(), x.end(), y.begin())) continue;
    ++count;
    if (const double by = std::abs(a.number(i) - b.number(i)); by > largest) largest = by;
  }
  return Difference{largest, std::to_string(count) + " of " + std::to_string(a.size()) +
                                 " elements differ, by at most " + shortest(largest)};
}

/// Returns how the tensor differs from that of another run; nullopt if it does not, or nothing can be compared.
inline std::optional<Difference> difference_from(const JudgedStep& step, const KnownTensor& tensor,
                                                 const StoredStep& other) {
  if (const Tensor* const mine = step.value(tensor)) {
    if (const auto theirs = other.value(tensor.name)) return difference_of(*mine, *theirs);
  }
  if (const Statistics* const mine = step.statistics(tensor)) {
    if (const auto theirs = other.statistics(tensor.name)) {
      const auto a = mine->to_record();
      const auto b = theirs->to_record();
      for (std::size_t i = 0; i < a.size(); ++i)
        if (!same_bits(a[i], b[i]))
          return Difference{
              std::abs(mine->mean() - theirs->mean()),
              "its " + std::string(statistics_fields[i]) + " differs: " + shortest(a[i]) + " and " + shortest(b[i])};
      return std::nullopt;
    }
  }
  for (std::size_t i = 0; i < reduction_count; ++i) {
    const auto r = static_cast<Reduction>(i);
    const auto mine = step.reduction(tensor, r);
    const auto theirs = mine ? other.reduction(tensor.name, r) : std::nullopt;
    if (theirs && !same_bits(*mine, *theirs))
      return Difference{std::abs(*mine - *theirs), "its " + std::string(to_string(r)) + " differs: " + shortest(*mine) +
                                                       " and " + shortest(*theirs)};
  }
  return std::nullopt;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Finding> SimilarAcrossRuns::operator()(const JudgedStep& step) {
  if (other_trials.empty()) return {};
  if (!others || others->text != other_trials) others = std::make_shared<const Others>(other_trials);
  choice.use(collection_names, tensor_regex);
  std::vector<Finding> out;
  for (std::size_t i = 0; i < others->trials.size(); ++i) {
    const auto other = others->trials[i].view(step.step().global_step, step.worker());
    if (!other) continue;
    for (const KnownTensor* tensor : step.saved()) {
      if (!choice.empty() && !choice.has(step, *tensor)) continue;
      const auto difference = detail::difference_from(step, *tensor, *other);
      if (!difference) continue;
      out.push_back({.severity = Severity::advice,
                     .tensor = tensor->name,
                     .value = difference->value,
                     .message = difference->text + ", from " + in_quotes(others->addresses[i]) +
                                "; runs with equal seeds, data and machines should be equal"});
    }
  }
  return out;
}

TENSORTAP_INLINE void SimilarAcrossRuns::visit(ParameterVisitor& visitor) {
  visitor("other_trials", other_trials, "addresses of runs, with commas between them; empty: nothing is judged");
  visitor("collection_names", collection_names, "collections, with commas between them");
  visitor("tensor_regex", tensor_regex, "names of tensors; empty, as collection_names: all tensors");
}

TENSORTAP_END_NAMESPACE
