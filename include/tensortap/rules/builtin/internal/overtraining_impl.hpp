// The bodies of overtraining.hpp.
#pragma once

#include <cmath>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/overtraining.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> Overtraining::required() const { return {detail::every_loss()}; }

TENSORTAP_INLINE std::vector<Finding> Overtraining::operator()(const JudgedStep& step) {
  if (!(delta >= 0)) throw Error::bad_threshold(name, delta);
  for (const std::int64_t value : {patience_train, patience_validation})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  std::vector<Finding> out;
  const auto judge = [&](Mode mode, Best& best, std::int64_t patience) {
    const LossSeries& series = step.facts().loss(mode);
    if (!series.in_step || patience == 0) return;
    detail::note_tensor(step, series.tensor);
    if (!std::isfinite(series.now)) return;
    const double now = of_averages ? series.smooth : series.now;
    // An average is bad only while it is above its best; a single value whenever it is no new best.
    const bool is_no_better = of_averages ? now > best.value + delta : now > best.value - delta;
    best.without_better = is_no_better ? best.without_better + 1 : 0;
    if (of_averages ? now < best.value : !is_no_better) best.value = now;
    if (best.without_better < patience) return;
    out.push_back({.severity = of_averages ? Severity::advice : Severity::error,
                   .tensor = series.tensor,
                   .value = now,
                   .threshold = of_averages ? best.value + delta : best.value - delta,
                   .message = "it is " + shortest(now) + ", and its best was " + shortest(best.value) + " more than " +
                              std::to_string(best.without_better - 1) +
                              " values ago; stop, and keep the weights of the best step"});
  };
  judge(Mode::train, state.train, patience_train);
  judge(Mode::eval, state.validation, patience_validation);
  return out;
}

TENSORTAP_INLINE void Overtraining::visit(ParameterVisitor& visitor) {
  visitor("patience_train", patience_train, "values of training without an improvement; 0: they do not count");
  visitor("patience_validation", patience_validation, "values of validation without an improvement");
  visitor("delta", delta, "the least improvement");
  visitor("of_averages", of_averages, "whether averages are judged; false: single values, as smdebug does");
}

TENSORTAP_END_NAMESPACE
