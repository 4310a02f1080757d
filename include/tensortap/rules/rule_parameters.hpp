// The parameters of a rule by name, so that programs can list them and set them from text.
//
//   struct TooSmall {
//     double threshold = 1e-7;
//     void visit(tensortap::ParameterVisitor& v) { v("threshold", threshold, "a mean below it is a finding"); }
//   };
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Sees each parameter of a rule, and may change it. NaN and empty text stand for parameters that are off.
class ParameterVisitor {
 public:
  ParameterVisitor() = default;
  ParameterVisitor(const ParameterVisitor&) = delete;
  ParameterVisitor& operator=(const ParameterVisitor&) = delete;
  virtual ~ParameterVisitor() = default;

  virtual void operator()(std::string_view name, double& value, std::string_view meaning) = 0;
  virtual void operator()(std::string_view name, std::int64_t& value, std::string_view meaning) = 0;
  virtual void operator()(std::string_view name, bool& value, std::string_view meaning) = 0;
  virtual void operator()(std::string_view name, std::string& value, std::string_view meaning) = 0;
};

/// One parameter of a rule.
struct RuleParameter {
  std::string name = {};
  std::string value = {};    ///< as text that can be set; empty: off
  std::string meaning = {};  ///< what it is for, with its unit

  friend bool operator==(const RuleParameter&, const RuleParameter&) = default;
};

TENSORTAP_END_NAMESPACE
