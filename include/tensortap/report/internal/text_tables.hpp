// Tables as text: CSV and JSON lines.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/report/internal/table_row.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Appends the shortest digits that read back as `value`; NaN has no sign.
template <class T>
void append_number(std::string& out, T value) {
  char text[32];
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(value)) {
      out += "nan";
      return;
    }
    constexpr double exact = 9007199254740992.0;  // up to here, counts are written as integers
    if (value == std::trunc(value) && std::abs(value) < exact && !(value == 0 && std::signbit(value))) {
      out.append(text, std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr);
      return;
    }
  }
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

/// Rows of RFC 4180.
class CsvWriter {
 public:
  explicit CsvWriter(std::ostream& out) : out_(out) {
    line_ = "step,mode,mode_step,worker,tensor,dtype,shape";
    for (std::size_t i = 0; i < NumberColumns::size; ++i) line_.append(",").append(NumberColumns::name(i));
    end_line();
  }

  void add(const TableRow& row) {
    append_number(line_, row.step.global_step);
    line_.append(",").append(to_string(row.step.mode)).append(",");
    append_number(line_, row.step.mode_step);
    for (const std::string_view text : {std::string_view(row.worker), std::string_view(row.tensor)}) {
      line_ += ',';
      append_text(text);
    }
    line_.append(",").append(row.dtype).append(",");
    if (row.shape) append_text(shape_in_table(*row.shape));
    for (std::size_t i = 0; i < NumberColumns::size; ++i) {
      line_ += ',';
      if (i == NumberColumns::value && row.text) append_text(*row.text);
      if (i == NumberColumns::value && row.integer) {
        line_ += *row.integer;
      } else if (row.numbers[i]) {
        append_number(line_, *row.numbers[i]);
      }
    }
    end_line();
  }

  void finish() {}

 private:
  /// Appends a field in quotes if it needs them. A spreadsheet takes what begins with = + - @ for a formula.
  void append_text(std::string_view text) {
    const bool is_formula = !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
    if (!is_formula && text.find_first_of(",\"\r\n") == std::string_view::npos) {
      line_ += text;
      return;
    }
    line_ += '"';
    if (is_formula) line_ += '\'';
    for (const char c : text) line_.append(c == '"' ? 2 : 1, c);
    line_ += '"';
  }

  void end_line() {
    line_ += "\r\n";
    out_.write(line_.data(), static_cast<std::streamsize>(line_.size()));
    line_.clear();
  }

  std::ostream& out_;
  std::string line_;
};

/// One JSON object a line.
class JsonLinesWriter {
 public:
  explicit JsonLinesWriter(std::ostream& out) : out_(out) {}

  void add(const TableRow& row) {
    line_ = R"({"step": )";
    append_number(line_, row.step.global_step);
    line_.append(R"(, "mode": ")").append(to_string(row.step.mode)).append(R"(", "mode_step": )");
    append_number(line_, row.step.mode_step);
    append_member("worker", row.worker);
    append_member("tensor", row.tensor);
    if (!row.dtype.empty()) append_member("dtype", row.dtype);
    if (row.shape) {
      line_ += R"(, "shape": [)";
      for (std::size_t i = 0; i < row.shape->size(); ++i) {
        if (i > 0) line_ += ", ";
        append_number(line_, (*row.shape)[i]);
      }
      line_ += ']';
    }
    if (row.text) append_member("value", *row.text);
    for (std::size_t i = 0; i < NumberColumns::size; ++i) {
      if (!row.numbers[i]) continue;
      const bool finite = std::isfinite(*row.numbers[i]);
      line_.append(", \"").append(NumberColumns::name(i)).append(finite ? "\": " : "\": \"");
      if (i == NumberColumns::value && row.integer) {
        line_ += *row.integer;
      } else {
        append_number(line_, *row.numbers[i]);
      }
      if (!finite) line_ += '"';
    }
    line_ += "}\n";
    out_.write(line_.data(), static_cast<std::streamsize>(line_.size()));
  }

  void finish() {}

 private:
  void append_member(std::string_view name, std::string_view text) {
    line_.append(", \"").append(name).append("\": ");
    json_text::append_string(line_, text);
  }

  std::ostream& out_;
  std::string line_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
