// The tensors that a rule looks at: those of some collections, and those with some names.
//
//   tensortap::TensorChoice choice;
//   choice.use("weights, biases", ".*relu_output");
//   for (const tensortap::KnownTensor* tensor : step.saved())
//     if (choice.has(step, *tensor)) …
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/select/pattern.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The union of some collections and some patterns. It keeps its answers, so that each name is matched once; they are
/// no part of a rule's state, because names tell them again.
class TensorChoice {
 public:
  /// Sets the collections and the patterns, with commas between them. Does nothing if they are the same as before.
  void use(std::string_view collections, std::string_view patterns);

  /// Returns whether neither was given.
  [[nodiscard]] bool empty() const noexcept { return collections_.empty() && patterns_.empty(); }

  /// Returns whether the tensor, which is in `step`, is one of them.
  bool has(const JudgedStep& step, const KnownTensor& tensor);

 private:
  enum class Answer : std::uint8_t { unknown, no, yes };

  void ask(const JudgedStep& step);

  std::string collections_text_;
  std::string patterns_text_;
  std::vector<std::string> collections_;
  std::vector<Pattern> patterns_;
  std::vector<Answer> answers_;  // by id
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/tensor_choice_impl.hpp>
#endif
