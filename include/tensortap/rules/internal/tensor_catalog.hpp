// The tensors of a run as rules know them, and what has been computed of them in the step at hand.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/units.hpp>
#include <tensortap/rules/internal/previous_values.hpp>
#include <tensortap/rules/internal/rule_coverage.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What has been looked up of a tensor in one step.
struct StepMemo {
  std::uint64_t step = 0;             // the step that the rest is of, in the catalog's count
  std::uint64_t statistics_step = 0;  // the step in which the statistics were looked up
  std::uint64_t units_step = 0;
  std::uint64_t value_step = 0;
  std::uint64_t change_step = 0;
  std::optional<TensorChange> change;
  std::optional<Statistics> statistics;
  std::optional<UnitStatistics> units;
  std::optional<Tensor> value;
};

/// Names with their roles, and the contents of one step. Entries never move.
class TensorCatalog {
 public:
  TensorCatalog() = default;
  TensorCatalog(TensorCatalog&&) = default;
  TensorCatalog& operator=(TensorCatalog&&) = default;

  /// Begins a step: finds out which tensors it has.
  void begin(const StepView& step) {
    end();
    ++count_;
    saved_.clear();
    bool is_new = false;
    step.for_each([&](std::string_view name) {
      KnownTensor* tensor = find(name);
      if (tensor == nullptr) {
        tensor = &add(name);
        is_new = true;
      }
      StepMemo& memo = memos_[tensor->id];
      if (memo.step != count_) saved_.push_back(tensor);
      memo.step = count_;
    });
    if (is_new) ask_collections(step);
    if (is_new) rank();
    for (auto& list : by_role_) list.clear();
    for (const KnownTensor* tensor : ranked_)
      if (memos_[tensor->id].step == count_) by_role_[static_cast<std::size_t>(tensor->role)].push_back(tensor);
  }

  /// Ends the step: releases the elements that were looked up.
  void end() {
    for (const KnownTensor* tensor : saved_) {
      memos_[tensor->id].value.reset();
      memos_[tensor->id].units.reset();
    }
  }

  [[nodiscard]] const std::vector<const KnownTensor*>& saved() const noexcept { return saved_; }
  [[nodiscard]] const std::vector<const KnownTensor*>& with_role(Role role) const noexcept {
    return by_role_[static_cast<std::size_t>(role)];
  }
  [[nodiscard]] KnownTensor* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  [[nodiscard]] const Statistics* statistics(const KnownTensor& tensor, const StepView& step) {
    StepMemo& memo = memos_[tensor.id];
    if (memo.step != count_) return nullptr;
    if (memo.statistics_step != count_) {
      memo.statistics = step.statistics(tensor.name);
      memo.statistics_step = count_;
    }
    return memo.statistics ? &*note(tensor, memo.statistics) : nullptr;
  }

  [[nodiscard]] const UnitStatistics* units(const KnownTensor& tensor, const StepView& step) {
    StepMemo& memo = memos_[tensor.id];
    if (memo.step != count_) return nullptr;
    if (memo.units_step != count_) {
      memo.units = step.units(tensor.name);
      memo.units_step = count_;
      if (!memo.units)
        if (const Tensor* const elements = value(tensor, step); elements != nullptr && is_real(elements->dtype()))
          memo.units = unit_statistics(*elements);
    }
    return memo.units ? &*note(tensor, memo.units) : nullptr;
  }

  [[nodiscard]] const Tensor* value(const KnownTensor& tensor, const StepView& step) {
    StepMemo& memo = memos_[tensor.id];
    if (memo.step != count_) return nullptr;
    if (memo.value_step != count_) {
      memo.value = step.value(tensor.name);
      memo.value_step = count_;
    }
    return memo.value ? &*note(tensor, memo.value) : nullptr;
  }

  /// Returns how the tensor differs from the last training step that had it; null if it is in no such step. The first
  /// rule that asks in a step causes the comparison.
  [[nodiscard]] const TensorChange* change(const KnownTensor& tensor, const StepView& step) {
    StepMemo& memo = memos_[tensor.id];
    if (memo.step != count_) return nullptr;
    if (memo.change_step != count_) {
      memo.change_step = count_;
      memo.change = compare(tensor, step);
    }
    return memo.change ? &*note(tensor, memo.change) : nullptr;
  }

  /// Returns the gradients that `find` has found in this step for the first rule that asks.
  template <class Find>
  [[nodiscard]] std::span<const LayerGradient> layer_gradients(Find find) {
    if (gradients_step_ != count_) {
      RuleCoverage* const asking = std::exchange(coverage_, nullptr);
      find(gradients_);
      coverage_ = asking;
      gradients_step_ = count_;
    }
    if (coverage_ != nullptr)
      for (const LayerGradient& one : gradients_) coverage_->note(one.tensor->id, count_);
    return gradients_;
  }

  /// Returns `answer`, and notes that the rule in question got it.
  template <class Answer>
  Answer& note(const KnownTensor& tensor, Answer& answer) {
    if (answer && coverage_ != nullptr) coverage_->note(tensor.id, count_);
    return answer;
  }

  /// Sets the rule that asks from now on; null: none.
  void watch(RuleCoverage* coverage) noexcept { coverage_ = coverage; }

  [[nodiscard]] bool is_in_step(const KnownTensor& tensor) const noexcept { return memos_[tensor.id].step == count_; }

  TrainingFacts facts = {};

  /// Saves or restores the tensors; see RuleState.
  void exchange(RuleState& state) {
    std::vector<Entry> entries;
    for (const KnownTensor& tensor : tensors_) entries.push_back({tensor.name, tensor.role});
    TrainingFacts seen = facts;
    state(entries)(seen)(count_)(has_trained_)(previous_);
    if (!state.reading()) return;
    TensorCatalog restored;
    restored.facts = std::move(seen);
    restored.count_ = count_;
    restored.has_trained_ = has_trained_;
    restored.previous_ = std::move(previous_);
    *this = std::move(restored);
    for (const Entry& entry : entries) give_role(add(entry.name), entry.role);
    rank();
  }

 private:
  struct Entry {
    std::string name;
    Role role = Role::other;
    void exchange(RuleState& state) {
      state(name)(role);
      state.require(static_cast<std::size_t>(role) < role_count);
    }
  };

  KnownTensor& add(std::string_view name) {
    NameRole role = role_of(name);
    tensors_.push_back({.id = tensors_.size(),
                        .name = std::string(name),
                        .role = role.role,
                        .activation = role.activation,
                        .subject = std::move(role.subject)});
    memos_.emplace_back();
    KnownTensor& out = tensors_.back();
    by_name_.emplace(out.name, &out);
    return out;
  }

  std::optional<TensorChange> compare(const KnownTensor& tensor, const StepView& step) {
    const Step at = step.step();
    has_trained_ = has_trained_ || at.mode == Mode::train;
    if (at.mode != (has_trained_ ? Mode::train : Mode::global)) return std::nullopt;
    PreviousValue& previous = previous_.of(tensor.id);
    if (const Tensor* const now = value(tensor, step)) {
      if (now->dtype() == DType::string) return std::nullopt;
      return previous.take(*now, at.mode_step, previous_.room());
    }
    if (const auto now = numbers_of(tensor, step)) return previous.take(*now, at.mode_step);
    return std::nullopt;
  }

  /// Returns what statistics or reductions tell; nullopt if there are fewer than three numbers.
  std::optional<KnownNumbers> numbers_of(const KnownTensor& tensor, const StepView& step) {
    KnownNumbers out;
    if (const Statistics* const s = statistics(tensor, step)) {
      const auto record = s->to_record();
      out.digest = digest_of(std::as_bytes(std::span(record)));
      out.mean = s->mean();
      out.std = s->std();
      out.rms = std::sqrt(s->sum_squares / static_cast<double>(s->finite()));
      return out;
    }
    std::array<double, reduction_count> numbers{};
    std::size_t known = 0;
    for (std::size_t i = 0; i < reduction_count; ++i) {
      const auto saved = step.reduction(tensor.name, static_cast<Reduction>(i));
      if (saved) ++known;
      numbers[i] = saved.value_or(0);
      if (saved && static_cast<Reduction>(i) == Reduction::mean) out.mean = *saved;
      if (saved && static_cast<Reduction>(i) == Reduction::std) out.std = *saved;
    }
    constexpr std::size_t enough = 3;
    if (known < enough) return std::nullopt;
    out.rms = std::sqrt(out.mean * out.mean + out.std * out.std);
    out.digest = digest_of(std::as_bytes(std::span(numbers)));
    return out;
  }

  /// Gives the tensors that are in standard collections of the run the roles of these.
  void ask_collections(const StepView& step) {
    struct Standard {
      std::string_view collection;
      Role role;
    };
    static constexpr std::array<Standard, 7> standard = {{{"losses", Role::loss},
                                                          {"weights", Role::weight},
                                                          {"biases", Role::bias},
                                                          {"gradients", Role::gradient},
                                                          {"metrics", Role::metric},
                                                          {"labels", Role::labels},
                                                          {"predictions", Role::predictions}}};
    for (const auto& [collection, role] : standard)
      for (const std::string& name : step.tensors(collection)) {
        KnownTensor* const tensor = find(name);
        if (tensor == nullptr || tensor->role != Role::other) continue;
        give_role(*tensor, role);
      }
  }

  static void give_role(KnownTensor& tensor, Role role) {
    if (tensor.role == role) return;
    tensor.role = role;
    if (role == Role::gradient) tensor.subject = parameter_of_gradient(tensor.name);
  }

  /// Orders all tensors from the first layer to the last.
  void rank() {
    ranked_.clear();
    for (const KnownTensor& tensor : tensors_) ranked_.push_back(&tensor);
    const auto place = [&](const KnownTensor* tensor) {
      if (tensor->role != Role::gradient) return tensor->id;
      const KnownTensor* const parameter = find(tensor->subject);
      return parameter == nullptr ? tensors_.size() : parameter->id;
    };
    std::stable_sort(ranked_.begin(), ranked_.end(), [&](const KnownTensor* a, const KnownTensor* b) {
      const std::size_t x = place(a);
      const std::size_t y = place(b);
      return x != y ? x < y : natural_less(a->name, b->name);
    });
  }

  std::deque<KnownTensor> tensors_;
  std::unordered_map<std::string_view, KnownTensor*> by_name_;
  std::vector<StepMemo> memos_;             // by id
  std::vector<const KnownTensor*> saved_;   // of the step
  std::vector<const KnownTensor*> ranked_;  // of all steps
  std::array<std::vector<const KnownTensor*>, role_count> by_role_;
  std::vector<LayerGradient> gradients_;
  std::uint64_t gradients_step_ = 0;  // the step that they are of
  std::uint64_t count_ = 0;
  bool has_trained_ = false;  // whether a step of training was compared
  PreviousValues previous_;
  RuleCoverage* coverage_ = nullptr;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
