// The lines of a file in which each line is a JSON object, also if they are the elements of an array, as in traces.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What was wrong with the lines of a file.
struct DamagedLines {
  std::uint64_t count = 0;
  std::uint64_t first = 0;  ///< its number, from 1 on
  std::string cause = {};   ///< of the first
};

/// Calls `take` with each line of `text` that is a JSON object; `take` throws for one that it refuses. Other lines are
/// skipped and counted. The brackets and commas of an array around the objects count as nothing, and neither does a
/// last line without its end: its writer was killed.
template <class Take>
DamagedLines for_each_json_line(std::string_view text, std::string_view file, const Take& take) {
  DamagedLines damaged;
  constexpr std::string_view blanks(" \t\r,");
  std::uint64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const bool is_last = end == std::string_view::npos;
    std::string_view line = text.substr(begin, is_last ? end : end - begin);
    begin = is_last ? text.size() : end + 1;
    ++number;
    const auto trim = [&] {
      const std::size_t from = line.find_first_not_of(blanks);
      line = from == std::string_view::npos ? std::string_view()
                                            : line.substr(from, line.find_last_not_of(blanks) + 1 - from);
    };
    trim();
    if (line.starts_with('[')) line.remove_prefix(1), trim();
    if (line.ends_with(']')) line.remove_suffix(1), trim();
    if (line.empty()) continue;
    try {
      take(json_text::parse(line, {"read", file}));
    } catch (const Error& e) {
      if (is_last && !line.ends_with('}')) continue;
      if (damaged.count++ == 0) {
        damaged.first = number;
        damaged.cause = e.what();
      }
    }
  }
  return damaged;
}

/// Returns the number at `key` as an integer; nullopt if there is none. Throws: it is no number, or one that a double
/// does not hold exactly.
inline std::optional<std::int64_t> whole_number(const nlohmann::json& object, std::string_view key,
                                                const json_text::Place& place) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  constexpr double limit = 9007199254740992.0;
  const double value = found->is_number() ? found->get<double>() : limit;
  if (!(std::abs(value) < limit)) throw json_text::wrong(place, key, "it is not a whole number");
  return static_cast<std::int64_t>(std::floor(value));
}

/// Returns the text at `key`; empty if there is none. Throws: it is no text.
inline std::string text_or_empty(const nlohmann::json& object, std::string_view key, const json_text::Place& place) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  return json_text::text(object, key, place);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
