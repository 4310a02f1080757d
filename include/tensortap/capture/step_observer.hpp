// A callable that sees each written step, such as a Judge. If it has a state, the hook saves that with each commit, and
// gives it back when the run resumes.
//
//   options.on_step = [](const tensortap::StepView& step) { std::cout << step.tensors("gradients").size() << '\n'; };
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Any callable that takes a StepView. Its function `std::vector<Collection> required() const` says what it needs. Its
/// functions `std::string state() const` and `bool restore(std::string_view)`, if it has both, are called on the
/// writer's thread; copies must then share one state. Its function `std::vector<StepText> texts() const` returns what
/// TensorBoard shows of the last step.
class StepObserver {
 public:
  StepObserver() = default;
  template <class F>
  requires(!std::same_as<F, StepObserver> && std::invocable<F&, const StepView&>) StepObserver(F see)
      : see_(see) {  // NOLINT(google-explicit-constructor)
    if constexpr (requires(const F& f, std::string_view bytes) {
                    { f.state() } -> std::convertible_to<std::string>;
                    { f.restore(bytes) } -> std::convertible_to<bool>;
                  }) {
      state_ = [see] { return see.state(); };
      restore_ = [see](std::string_view bytes) { return see.restore(bytes); };
    }
    if constexpr (requires(const F& f) {
                    { f.required() } -> std::convertible_to<std::vector<Collection>>;
                  })
      required_ = see.required();
    if constexpr (requires(const F& f) {
                    { f.texts() } -> std::convertible_to<std::vector<StepText>>;
                  })
      texts_ = [see] { return see.texts(); };
  }

  explicit operator bool() const noexcept { return static_cast<bool>(see_); }
  void operator()(const StepView& step) const { see_(step); }

  /// Returns the collections that it needs.
  [[nodiscard]] const std::vector<Collection>& required() const noexcept { return required_; }

  /// Returns texts about the step that it saw last.
  [[nodiscard]] std::vector<StepText> texts() const { return texts_ ? texts_() : std::vector<StepText>(); }

  [[nodiscard]] bool has_state() const noexcept { return static_cast<bool>(state_); }
  [[nodiscard]] std::string state() const { return state_(); }
  /// Returns false if `state` is not of this observer; it then begins anew.
  [[nodiscard]] bool restore(std::string_view state) const { return restore_(state); }

 private:
  std::function<void(const StepView&)> see_;
  std::function<std::string()> state_;
  std::function<bool(std::string_view)> restore_;
  std::function<std::vector<StepText>()> texts_;
  std::vector<Collection> required_;
};

TENSORTAP_END_NAMESPACE
