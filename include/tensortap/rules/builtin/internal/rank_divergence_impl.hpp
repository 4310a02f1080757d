// The bodies of rank_divergence.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/rank_divergence.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the digest of what was saved of a tensor; nullopt if nothing of use was.
inline std::optional<RankDivergence::Seen> digest_of_saved(const JudgedStep& step, const KnownTensor& tensor) {
  RankDivergence::Seen out{.name = &tensor.name, .id = tensor.id};
  out.l2 = step.reduction(tensor, Reduction::l2).value_or(std::numeric_limits<double>::quiet_NaN());
  if (const Tensor* const value = step.value(tensor)) {
    if (value->dtype() == DType::string) return std::nullopt;
    const std::span<const std::int64_t> shape = value->shape();
    out.form = crc32c(std::as_bytes(shape), 1 + static_cast<std::uint32_t>(value->dtype()));
    out.digest = crc32c(value->bytes());
    return out;
  }
  if (const Statistics* const s = step.statistics(tensor)) {
    const auto record = s->to_record();
    out.form = s->count;
    out.digest = crc32c(std::as_bytes(std::span(record)));
    return out;
  }
  std::array<double, reduction_count> numbers{};
  for (std::size_t i = 0; i < reduction_count; ++i) {
    const auto number = step.reduction(tensor, static_cast<Reduction>(i));
    if (!number) continue;
    numbers[i] = *number;
    out.form |= std::uint64_t{1} << i;
  }
  if (out.form == 0) return std::nullopt;
  out.digest = crc32c(std::as_bytes(std::span(numbers)));
  return out;
}

/// A tensor in the workers that have it.
using SeenByAll = std::vector<std::pair<std::size_t, const RankDivergence::Seen*>>;

/// Returns the digest that most workers have; of several such, that of the first worker.
inline std::uint32_t most_frequent_digest(const SeenByAll& tensor) {
  std::uint32_t out = 0;
  std::ptrdiff_t most = 0;
  for (const auto& [_, one] : tensor) {
    const auto same = std::count_if(tensor.begin(), tensor.end(), [digest = one->digest](const auto& other) {
      return other.second->digest == digest;
    });
    if (same <= most) continue;
    most = same;
    out = one->digest;
  }
  return out;
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> RankDivergence::required() const {
  if (!tensor_regex.empty() || !collection_names.empty()) return {};
  return {{.name = "weights", .save = save, .reductions = {Reduction::statistics}},
          {.name = "biases", .save = save, .reductions = {Reduction::statistics}}};
}

TENSORTAP_INLINE void RankDivergence::observe(const JudgedStep& step) {
  choice.use(collection_names, tensor_regex);
  seen.clear();
  for (const KnownTensor* tensor : step.saved()) {
    const bool is_parameter = tensor->role == Role::weight || tensor->role == Role::bias;
    if (choice.empty() ? !is_parameter : !choice.has(step, *tensor)) continue;
    if (auto one = detail::digest_of_saved(step, *tensor)) seen.push_back(*one);
    if (tensor->id >= was_equal.size()) was_equal.resize(tensor->id + 1);
  }
  std::sort(seen.begin(), seen.end(), [](const Seen& a, const Seen& b) { return *a.name < *b.name; });
}

TENSORTAP_INLINE std::vector<Finding> RankDivergence::compare(
    std::span<const std::pair<std::string_view, RankDivergence*>> all) {
  std::vector<Finding> out;
  std::vector<std::size_t> next(all.size());
  detail::SeenByAll tensor;
  while (true) {
    const std::string* least = nullptr;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& seen = all[i].second->seen;
      if (next[i] < seen.size() && (least == nullptr || *seen[next[i]].name < *least)) least = seen[next[i]].name;
    }
    if (least == nullptr) return out;
    tensor.clear();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& seen = all[i].second->seen;
      if (next[i] < seen.size() && *seen[next[i]].name == *least) tensor.emplace_back(i, &seen[next[i]++]);
    }
    const bool is_replica = std::all_of(
        tensor.begin(), tensor.end(), [&](const auto& one) { return one.second->form == tensor.front().second->form; });
    if (tensor.size() < 2 || !is_replica) continue;
    const std::uint32_t usual = detail::most_frequent_digest(tensor);
    bool was_equal_before = false;
    bool is_equal = true;
    const detail::SeenByAll::value_type* reference = nullptr;
    for (const auto& one : tensor) {
      was_equal_before = was_equal_before || all[one.first].second->was_equal[one.second->id] != 0;
      is_equal = is_equal && one.second->digest == usual;
      if (reference == nullptr && one.second->digest == usual) reference = &one;
    }
    for (const auto& [i, one] : tensor) {
      if (is_equal) all[i].second->was_equal[one->id] = 1;
      if (one->digest == usual) continue;
      const double by = std::abs(one->l2 - reference->second->l2);
      out.push_back(
          {.severity = was_equal_before ? Severity::error : Severity::advice,
           .tensor = *one->name,
           .worker = std::string(all[i].first),
           .value = by,
           .threshold = 0,
           .message = std::string(was_equal_before ? "it was equal in all workers, and now differs"
                                                   : "it differs from the first step on") +
                      " from that of " + in_quotes(all[reference->first].first) + "; the L2 norms differ by " +
                      shortest(by) +
                      (was_equal_before ? "; see whether all workers take the same update, in the same order"
                                        : "; if it is no part of a larger tensor, send it to all workers first")});
    }
  }
}

TENSORTAP_INLINE void RankDivergence::visit(ParameterVisitor& visitor) {
  visitor("collection_names", collection_names, "collections, with commas between them");
  visitor("tensor_regex", tensor_regex, "names of tensors; empty, as collection_names: weights and biases");
}

TENSORTAP_END_NAMESPACE
