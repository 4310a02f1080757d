// Reads index files in the form in which hooks and smdebug write them, without a tree of JSON values: ten times as
// fast. Any other text, sound or not, is left to a parser of JSON.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Reads a text once, from its beginning.
class IndexScan {
 public:
  static constexpr std::size_t most_axes = 64;  // numpy's limit

  /// Returns the index in `text`; nullopt if it differs from what `IndexText` writes, or has a string with an escape.
  static std::optional<IndexFile> read(std::string_view text) {
    if (text.size() > json_text::value_limit) return std::nullopt;  // so it has fewer values
    IndexFile out;
    IndexScan scan(text);
    if (!scan.take_meta(out) || !scan.take(R"(, "tensor_payload": [)") || !scan.take_tensors(out) ||
        !scan.take(R"(, "shape_payload": [)") || !scan.take_shapes(out) || scan.rest_ != "}" ||
        (!out.tensors.empty() && out.event_file.empty()))
      return std::nullopt;
    return out;
  }

 private:
  explicit IndexScan(std::string_view text) : rest_(text) {}

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool take_text(std::string& out) {
    if (!take("\"")) return false;
    const auto plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
    const auto size = static_cast<std::size_t>(std::find_if_not(rest_.begin(), rest_.end(), plain) - rest_.begin());
    out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return take("\"");
  }

  /// Takes a number without a sign below 10^18.
  template <class Number>
  bool take_number(Number& out) {
    constexpr std::size_t most_digits = 18;
    std::uint64_t number = 0;
    std::size_t size = 0;
    for (; size < rest_.size() && rest_[size] >= '0' && rest_[size] <= '9'; ++size) {
      if (size == most_digits) return false;
      number = number * 10 + static_cast<std::uint64_t>(rest_[size] - '0');
    }
    if (size == 0 || (size > 1 && rest_[0] == '0') || !std::in_range<Number>(number)) return false;
    out = static_cast<Number>(number);
    rest_.remove_prefix(size);
    return true;
  }

  bool take_meta(IndexFile& out) {
    std::string mode;
    if (!take(R"({"meta": {"mode": )") || !take_text(mode)) return false;
    const auto known = parse_mode(mode);
    if (!known || !take(R"(, "mode_step": )") || !take_number(out.mode_step)) return false;
    out.mode = *known;
    if (take(R"(, "event_file_name": )") && !take_text(out.event_file)) return false;
    if (take(R"(, "run": )") && !take_number(out.attempt.emplace())) return false;
    return take("}");
  }

  bool take_tensors(IndexFile& out) {
    while (take(out.tensors.empty() ? R"({"tensorname": )" : R"(, {"tensorname": )")) {
      TensorLocation& one = out.tensors.emplace_back();
      if (!take_text(one.name) || !take(R"(, "start_idx": )") || !take_number(one.start) || !take(R"(, "length": )") ||
          !take_number(one.length) || (take(R"(, "crc32c": )") && !take_number(one.crc32c.emplace())) || !take("}"))
        return false;
    }
    return take("]");
  }

  bool take_shapes(IndexFile& out) {
    while (take(out.shapes.empty() ? R"({"tensorname": )" : R"(, {"tensorname": )")) {
      SavedShape& one = out.shapes.emplace_back();
      if (!take_text(one.name) || !take(R"(, "originalname": )") || !take_text(one.original_name) ||
          !take(R"(, "shape": [)"))
        return false;
      while (!take("]}"))
        if (one.shape.size() == most_axes || (!one.shape.empty() && !take(", ")) ||
            !take_number(one.shape.emplace_back()))
          return false;
    }
    return take("]");
  }

  std::string_view rest_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
