// Writes a JSON object piece by piece.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/equal_bins.hpp>
#include <tensortap/rules/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A JSON object in progress. Brackets and braces are added by the one who writes.
class JsonObject {
 protected:
  void add_key(std::string_view key) {
    const char last = text_.back();
    if (last != '{' && last != '[') text_ += ',';
    append_json_text(text_, key);
    text_ += ':';
  }
  void add_separator() {
    if (text_.back() != '[') text_ += ',';
  }
  void add_number(double x) {
    add_separator();
    append_json_number(text_, x);
  }
  template <class T>
  void add_list(std::string_view key, const std::vector<T>& numbers) {
    add_key(key);
    add_list(numbers);
  }
  template <class T>
  void add_list(const std::vector<T>& numbers) {
    text_ += '[';
    for (const T x : numbers) add_number(static_cast<double>(x));
    text_ += ']';
  }
  void add_value(std::string_view key, double x) {
    add_key(key);
    append_json_number(text_, x);
  }
  void add_bins(const Bins& bins) {
    add_list("edges", bins.edges());
    add_list("counts", bins.counts());
  }

  std::string text_ = "{";
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
