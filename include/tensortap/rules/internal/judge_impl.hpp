// The bodies of judge.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/internal/rule_set.hpp>
#include <tensortap/rules/judge.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Exchanges the rules with the number of the layout in front of them.
inline void exchange_judge(RuleSet& rules, RuleState& state) {
  constexpr std::uint64_t layout = 1;
  std::uint64_t written = layout;
  state(written);
  state.require(written == layout);
  rules.exchange(state);
}

constexpr std::size_t seal_size = 4;

/// Returns the checksum of a state as bytes.
inline std::string seal_of(std::string_view state) {
  const std::uint32_t crc = crc32c(bytes_of(state));
  std::string out;
  for (unsigned shift = 0; shift < 8 * seal_size; shift += 8) out += static_cast<char>(crc >> shift & 0xff);
  return out;
}

/// Returns `text` as Markdown that shows it as it is.
inline std::string in_markdown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>#|~&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace detail

struct Judge::Shared {
  std::mutex mutex;
  detail::RuleSet rules;
  Actions actions;
  std::vector<Collection> required;
  std::vector<Finding> latest;  // of the last step
};

TENSORTAP_INLINE Judge::Judge(std::vector<Rule> rules, Actions actions, std::string worker) {
  std::vector<Collection> required = required_by(rules);
  shared_.reset(new Shared{.mutex = {},
                           .rules = detail::RuleSet(std::move(rules), std::move(worker)),
                           .actions = std::move(actions),
                           .required = std::move(required),
                           .latest = {}});
}

TENSORTAP_INLINE const std::vector<Collection>& Judge::required() const noexcept { return shared_->required; }

TENSORTAP_INLINE void Judge::operator()(const StepView& step) const {
  std::exception_ptr failure;
  std::vector<Finding> fresh;
  {
    const std::lock_guard lock(shared_->mutex);
    for (const std::size_t place : shared_->rules.judge(step, failure))
      fresh.push_back(shared_->rules.findings()[place]);
    shared_->latest = fresh;
  }
  for (const Finding& finding : fresh) try {
      shared_->actions.take(finding);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  if (failure) std::rethrow_exception(failure);
}

TENSORTAP_INLINE Verdict Judge::verdict() const {
  const std::lock_guard lock(shared_->mutex);
  Verdict out = shared_->rules.verdict(RuleStatus::in_progress);
  std::stable_sort(out.findings.begin(), out.findings.end(), comes_before);
  return out;
}

TENSORTAP_INLINE std::vector<StepText> Judge::texts() const {
  const std::lock_guard lock(shared_->mutex);
  std::vector<StepText> out;
  for (const Finding& finding : shared_->latest) {
    std::ostringstream line;
    line << finding;
    out.push_back({"findings/" + finding.rule, detail::in_markdown(line.str())});
  }
  return out;
}

TENSORTAP_INLINE std::string Judge::state() const {
  const std::lock_guard lock(shared_->mutex);
  RuleState state;
  detail::exchange_judge(shared_->rules, state);
  return state.bytes() + detail::seal_of(state.bytes());
}

TENSORTAP_INLINE bool Judge::restore(std::string_view bytes) const {
  const std::lock_guard lock(shared_->mutex);
  const std::string_view content = bytes.substr(0, bytes.size() - std::min(bytes.size(), detail::seal_size));
  const bool is_whole = bytes.substr(content.size()) == detail::seal_of(content);
  RuleState state(is_whole ? content : std::string_view());
  detail::exchange_judge(shared_->rules, state);
  return state.complete();
}

TENSORTAP_END_NAMESPACE
