// Writes JSON piece by piece, in ASCII, with numbers rounded to as many digits as a reader can use.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A document in progress. Commas come by themselves.
class JsonWriter {
 public:
  JsonWriter& open(char bracket) {
    separate();
    text_ += bracket;
    return *this;
  }
  JsonWriter& close(char bracket) {
    text_ += bracket;
    return *this;
  }
  JsonWriter& key(std::string_view name) {
    text(name);
    text_ += ':';
    return *this;
  }
  /// Text that is not UTF-8 is escaped as it is printed.
  JsonWriter& text(std::string_view value) {
    separate();
    json_text::append_string(text_, is_utf8(value) ? std::string(value) : escaped(value));
    return *this;
  }
  /// NaN and infinities are strings.
  JsonWriter& number(double value, int digits) {
    if (!std::isfinite(value)) return text(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    separate();
    char digit[48];
    text_.append(digit, std::to_chars(digit, digit + sizeof digit, value, std::chars_format::general, digits).ptr);
    return *this;
  }
  JsonWriter& integer(std::integral auto value) {
    separate();
    text_ += std::to_string(value);
    return *this;
  }
  JsonWriter& truth(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  /// Appends a JSON value.
  JsonWriter& raw(std::string_view json) {
    separate();
    text_ += json;
    return *this;
  }

  template <class Range, class Each>
  JsonWriter& list(std::string_view name, const Range& values, Each each) {
    key(name).open('[');
    for (const auto& value : values) each(value);
    return close(']');
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (text_.empty()) return;
    const char last = text_.back();
    if (last != '[' && last != '{' && last != ':') text_ += ',';
  }

  std::string text_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
