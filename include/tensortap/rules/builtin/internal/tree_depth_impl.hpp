// The bodies of tree_depth.hpp.
#pragma once

#include <cmath>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/builtin/tree_depth.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> TreeDepth::required() const {
  return {{.name = "trees", .include_regex = tensor_regex, .save = save, .reductions = {Reduction::max}}};
}

TENSORTAP_INLINE std::vector<Finding> TreeDepth::operator()(const JudgedStep& step) {
  if (depth < 0) throw Error::bad_threshold(name, static_cast<double>(depth));
  choice.use({}, tensor_regex);
  std::vector<Finding> out;
  for (const KnownTensor* tensor : step.saved()) {
    if (!choice.has(step, *tensor)) continue;
    const auto largest = step.reduction(*tensor, Reduction::max);
    if (!largest || !std::isfinite(*largest) || !(*largest >= 1)) continue;
    const double deepest = std::floor(std::log2(*largest));
    if (!(deepest > static_cast<double>(depth))) continue;
    out.push_back({.severity = Severity::advice,
                   .tensor = tensor->name,
                   .value = deepest,
                   .threshold = static_cast<double>(depth),
                   .message = "a tree has depth " + shortest(deepest) + ", above " + std::to_string(depth) +
                              "; lower max_depth, or raise min_child_weight or gamma"});
  }
  return out;
}

TENSORTAP_INLINE void TreeDepth::visit(ParameterVisitor& visitor) {
  visitor("depth", depth, "a tree of this depth is no finding");
  visitor("tensor_regex", tensor_regex, "names of tensors of node numbers");
}

TENSORTAP_END_NAMESPACE
