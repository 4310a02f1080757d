// The bodies of rule.hpp.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/internal/save_request.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Lists parameters.
class ParameterList final : public ParameterVisitor {
 public:
  void operator()(std::string_view name, double& value, std::string_view meaning) override {
    add(name, std::isnan(value) ? std::string() : shortest(value), meaning);
  }
  void operator()(std::string_view name, std::int64_t& value, std::string_view meaning) override {
    add(name, std::to_string(value), meaning);
  }
  void operator()(std::string_view name, bool& value, std::string_view meaning) override {
    add(name, value ? "true" : "false", meaning);
  }
  void operator()(std::string_view name, std::string& value, std::string_view meaning) override {
    add(name, value, meaning);
  }

  [[nodiscard]] std::vector<RuleParameter> parameters() && { return std::move(list_); }

 private:
  void add(std::string_view name, std::string value, std::string_view meaning) {
    list_.push_back({std::string(name), std::move(value), std::string(meaning)});
  }

  std::vector<RuleParameter> list_;
};

/// Sets the parameter `wanted` from text.
class ParameterSetter final : public ParameterVisitor {
 public:
  ParameterSetter(std::string_view wanted, std::string_view text) : wanted_(wanted), text_(text) {}

  void operator()(std::string_view name, double& value, std::string_view) override {
    if (!is_wanted(name)) return;
    if (text_.empty())
      value = std::numeric_limits<double>::quiet_NaN(), is_set_ = true;
    else
      parse(value);
  }
  void operator()(std::string_view name, std::int64_t& value, std::string_view) override {
    if (is_wanted(name)) parse(value);
  }
  void operator()(std::string_view name, bool& value, std::string_view) override {
    if (!is_wanted(name)) return;
    is_set_ = text_ == "true" || text_ == "false";
    value = text_ == "true";
  }
  void operator()(std::string_view name, std::string& value, std::string_view) override {
    if (!is_wanted(name)) return;
    value = text_;
    is_set_ = true;
  }

  [[nodiscard]] bool found() const noexcept { return found_; }
  [[nodiscard]] bool is_set() const noexcept { return is_set_; }

 private:
  bool is_wanted(std::string_view name) {
    if (name != wanted_) return false;
    found_ = true;
    return true;
  }

  template <class T>
  void parse(T& value) {
    T parsed{};
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), parsed);
    is_set_ = error == std::errc() && end == text_.data() + text_.size();
    if (is_set_) value = parsed;
  }

  std::string_view wanted_;
  std::string_view text_;
  bool found_ = false;
  bool is_set_ = false;
};

}  // namespace detail

TENSORTAP_INLINE std::vector<Finding> Rule::operator()(const JudgedStep& step) {
  std::vector<Finding> findings = model_->judge(step);
  for (Finding& finding : findings) {
    if (finding.rule.empty()) finding.rule = name_;
    finding.step = step.step();
    finding.last_step = finding.step.global_step;
  }
  return findings;
}

TENSORTAP_INLINE std::vector<Finding> Rule::compare(std::span<const std::pair<std::string_view, Rule*>> copies) {
  const Rule& first = *copies.front().second;
  std::vector<Finding> findings = first.model_->compare(copies);
  for (Finding& finding : findings)
    if (finding.rule.empty()) finding.rule = first.name_;
  return findings;
}

TENSORTAP_INLINE std::vector<RuleParameter> Rule::parameters() const {
  detail::ParameterList list;
  model_->copy()->visit(list);
  return std::move(list).parameters();
}

TENSORTAP_INLINE void Rule::set(std::string_view parameter, std::string_view value) {
  detail::ParameterSetter setter(parameter, value);
  model_->visit(setter);
  if (setter.is_set()) return;
  std::vector<std::string> names;
  for (const RuleParameter& one : parameters()) names.push_back(one.name);
  throw setter.found() ? Error::bad_parameter(name_, parameter, value)
                       : Error::no_such_parameter(name_, parameter, detail::nearest(parameter, names));
}

TENSORTAP_INLINE std::vector<Collection> required_by(const std::vector<Rule>& rules) {
  std::vector<Collection> out;
  for (const Rule& rule : rules)
    for (const Collection& collection : rule.required()) {
      const auto same =
          std::find_if(out.begin(), out.end(), [&](const Collection& other) { return other.name == collection.name; });
      if (same == out.end())
        out.push_back(collection);
      else
        detail::unite(*same, collection);
    }
  return out;
}

TENSORTAP_END_NAMESPACE
