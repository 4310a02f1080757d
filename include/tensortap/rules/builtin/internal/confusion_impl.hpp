// The bodies of confusion.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/confusion.hpp>
#include <tensortap/rules/builtin/internal/answers_now.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/internal/example_rows.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> Confusion::required() const { return {detail::every_answer()}; }

TENSORTAP_INLINE void Confusion::Counts::add(std::int32_t label, std::int32_t prediction) {
  const std::int64_t needed = std::int64_t{std::max(label, prediction)} + 1;
  if (needed > size) {
    std::vector<std::int64_t> larger(static_cast<std::size_t>(needed * needed));
    for (std::int64_t row = 0; row < size; ++row)
      std::copy_n(cells.begin() + row * size, size, larger.begin() + row * needed);
    cells = std::move(larger);
    size = needed;
  }
  ++cells[static_cast<std::size_t>(label * size + prediction)];
  ++total;
}

TENSORTAP_INLINE std::vector<Finding> Confusion::operator()(const JudgedStep& step) {
  for (const double value : {min_diag, max_off_diag})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  for (const std::int64_t value : {category_no, samples, start})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  const detail::AnswersNow now(step, labels, predictions);
  Counts& counts = state.windows[since_beginning ? 0 : index_of(step.step().mode)];
  const std::int64_t categories = category_no > 0 ? std::min(category_no, most_categories) : most_categories;
  const std::int64_t before = counts.total;
  for (std::size_t i = 0; i < std::min(now.labels().size(), now.predictions().size()); ++i) {
    const std::int32_t label = now.labels()[i];
    const std::int32_t prediction = now.predictions()[i];
    if (label >= 0 && prediction >= 0 && label < categories && prediction < categories) counts.add(label, prediction);
  }
  if (counts.total == before) return {};
  if (since_beginning) return judge(counts);
  if (counts.total < samples) return {};
  auto out = step.step().global_step >= start ? judge(counts) : std::vector<Finding>();
  std::fill(counts.cells.begin(), counts.cells.end(), 0);
  counts.total = 0;
  return out;
}

TENSORTAP_INLINE std::vector<Finding> Confusion::judge(const Counts& counts) const {
  const auto size = static_cast<std::size_t>(counts.size);
  const auto cell = [&](std::size_t row, std::size_t column) { return counts.cells[row * size + column]; };
  std::vector<std::int64_t> sums(size);
  for (std::size_t row = 0; row < size; ++row)
    for (std::size_t column = 0; column < size; ++column) sums[row] += cell(row, column);
  const std::int64_t least = since_beginning ? 1 : 20;
  const auto share = [&](std::size_t row, std::size_t column) {
    return sums[row] < least ? 0 : detail::share(static_cast<double>(cell(row, column)), sums[row]);
  };
  std::vector<Finding> out;
  const auto find = [&](Severity severity, double value, double threshold, std::string message) {
    for (const Finding& known : out)
      if (known.severity == severity) return;
    out.push_back({.severity = severity, .value = value, .threshold = threshold, .message = std::move(message)});
  };
  for (std::size_t row = 0; row < size; ++row) {
    if (sums[row] < least) continue;
    if (share(row, row) < min_diag)
      find(since_beginning ? Severity::error : Severity::advice, share(row, row), min_diag,
           shortest(share(row, row)) + " of class " + std::to_string(row) + " are predicted right");
    for (std::size_t column = 0; column < size; ++column) {
      if (column == row || !(share(row, column) > max_off_diag)) continue;
      const bool is_error = since_beginning || share(column, row) > max_off_diag;
      find(is_error ? Severity::error : Severity::advice, share(row, column), max_off_diag,
           shortest(share(row, column)) + " of class " + std::to_string(row) + " are predicted as class " +
               std::to_string(column) + "; look whether labels are swapped");
    }
  }
  return out;
}

TENSORTAP_INLINE void Confusion::visit(ParameterVisitor& visitor) {
  visitor("category_no", category_no, "the number of classes; 0: as many as there are, at most 256");
  visitor("labels", labels, "the tensor of labels, as a pattern; empty: as its name tells");
  visitor("predictions", predictions, "the tensor of predictions, as a pattern; empty: as its name tells");
  visitor("min_diag", min_diag, "the least share of a class that is right");
  visitor("max_off_diag", max_off_diag, "the largest share of a class that is predicted as one other");
  visitor("samples", samples, "labels in a window");
  visitor("start", start, "the global step after which windows count");
  visitor("since_beginning", since_beginning, "true: the condition of smdebug");
}

TENSORTAP_END_NAMESPACE
