// Text in columns of a terminal: its width, cut and padded, and curves in one line.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tensortap_command {

/// The first character of a text.
struct Character {
  std::size_t bytes = 1;
  std::size_t columns = 1;
};

/// Returns the first character of `text`, which is not empty. A byte that is not UTF-8 is a character by itself.
/// Source: the wide and the combining blocks of Unicode, roughly, as terminals have them.
inline Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (bytes == 1 || bytes > text.size()) return {};
  char32_t code = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  using Block = std::pair<char32_t, char32_t>;
  constexpr std::array<Block, 6> combining{Block{0x300, 0x36f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                           Block{0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
  constexpr std::array<Block, 9> wide{Block{0x1100, 0x115f}, {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},      {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                      {0xffe0, 0xffe6},      {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
  const auto is_in = [code](const Block& block) { return code >= block.first && code <= block.second; };
  if (std::any_of(combining.begin(), combining.end(), is_in)) return {bytes, 0};
  return {bytes, std::any_of(wide.begin(), wide.end(), is_in) ? std::size_t{2} : 1};
}

/// Returns the number of columns that `text`, which has no control characters, takes.
inline std::size_t columns_of(std::string_view text) {
  std::size_t out = 0;
  while (!text.empty()) {
    const Character one = first_character(text);
    out += one.columns;
    text.remove_prefix(one.bytes);
  }
  return out;
}

/// Returns `text`, or its beginning and an ellipsis, in at most `columns`.
inline std::string cut(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t bytes = 0;
  std::size_t taken = 1;  // the ellipsis
  while (bytes < text.size()) {
    const Character one = first_character(text.substr(bytes));
    if (taken + one.columns > columns) break;
    taken += one.columns;
    bytes += one.bytes;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

/// Returns `text` with blanks, at least `columns` wide.
inline std::string padded(const std::string& text, std::size_t columns, bool right) {
  const std::size_t size = columns_of(text);
  const std::string space(columns > size ? columns - size : 0, ' ');
  return right ? space + text : text + space;
}

/// Returns a curve, one character for each number, or for the mean of several: at most `columns`. The lowest is at the
/// bottom, the highest at the top; a number that is not finite is a cross.
inline std::string sparkline(std::span<const double> numbers, std::size_t columns) {
  if (numbers.empty() || columns == 0) return {};
  const std::size_t size = std::min(numbers.size(), columns);
  std::vector<double> bins;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t begin = i * numbers.size() / size, end = (i + 1) * numbers.size() / size;
    double sum = 0;
    for (const double one : numbers.subspan(begin, end - begin)) sum += one / static_cast<double>(end - begin);
    bins.push_back(sum);
  }
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double bin : bins)
    if (std::isfinite(bin)) {
      low = std::min(low, bin);
      high = std::max(high, bin);
    }
  constexpr std::array<const char*, 8> levels{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string out;
  for (const double bin : bins) {
    if (!std::isfinite(bin)) {
      out += "×";
      continue;
    }
    const double share = high > low ? (bin / 2 - low / 2) / (high / 2 - low / 2) : 0;  // halves: no overflow
    out += levels[std::min(levels.size() - 1, static_cast<std::size_t>(share * static_cast<double>(levels.size())))];
  }
  return out;
}

}  // namespace tensortap_command
