// The bodies of tensor_choice.hpp.
#pragma once

#include <algorithm>
#include <cstddef>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/comma_list.hpp>
#include <tensortap/rules/tensor_choice.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE void TensorChoice::use(std::string_view collections, std::string_view patterns) {
  if (collections == collections_text_ && patterns == patterns_text_) return;
  std::vector<Pattern> compiled;
  for (const std::string& one : detail::parts_of(patterns)) compiled.emplace_back(one);
  patterns_ = std::move(compiled);
  collections_ = detail::parts_of(collections);
  collections_text_ = collections;
  patterns_text_ = patterns;
  answers_.clear();
}

TENSORTAP_INLINE bool TensorChoice::has(const JudgedStep& step, const KnownTensor& tensor) {
  if (tensor.id >= answers_.size()) answers_.resize(tensor.id + 1, Answer::unknown);
  if (answers_[tensor.id] == Answer::unknown) ask(step);
  return answers_[tensor.id] == Answer::yes;
}

/// Finds the answers for all tensors of the step.
TENSORTAP_INLINE void TensorChoice::ask(const JudgedStep& step) {
  std::vector<std::string> members;
  for (const std::string& collection : collections_) {
    const std::vector<std::string> some = step.tensors(collection);
    members.insert(members.end(), some.begin(), some.end());
  }
  std::sort(members.begin(), members.end());
  for (const KnownTensor* tensor : step.saved()) {
    if (tensor->id >= answers_.size()) answers_.resize(tensor->id + 1, Answer::unknown);
    if (answers_[tensor->id] != Answer::unknown) continue;
    const bool is_chosen = std::binary_search(members.begin(), members.end(), tensor->name) ||
                           std::any_of(patterns_.begin(), patterns_.end(),
                                       [&](const Pattern& pattern) { return pattern.finds(tensor->name); });
    answers_[tensor->id] = is_chosen ? Answer::yes : Answer::no;
  }
}

TENSORTAP_END_NAMESPACE
