// Moments as AWS writes them in JSON and XML. Not for users.
#pragma once

#include <charconv>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The moment that "2026-01-31T12:00:00Z" names; a fraction of a second is dropped, "+hh:mm" understood. Nothing if it
/// is no such text.
inline std::optional<std::chrono::sys_seconds> time_of_iso8601(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t size) -> int {
    int value = 0;
    if (text.size() < at + size || text[at] == '-') return -1;
    const char* const end = text.data() + at + size;
    return std::from_chars(text.data() + at, end, value).ptr == end ? value : -1;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':' || number(0, 4) < 1970 || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60)
    return {};
  std::chrono::sys_seconds time = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                                  std::chrono::minutes(minute) + std::chrono::seconds(second);
  std::size_t at = 19;
  if (text[at] == '.') at = text.find_first_not_of("0123456789", at + 1);
  if (at == std::string_view::npos) return {};
  if (text.substr(at) == "Z") return time;
  const int hours_off = number(at + 1, 2), minutes_off = number(at + 4, 2);
  if (text.size() != at + 6 || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':' || hours_off < 0 ||
      hours_off > 23 || minutes_off < 0 || minutes_off > 59)
    return {};
  const auto offset = std::chrono::hours(hours_off) + std::chrono::minutes(minutes_off);
  return text[at] == '+' ? time - offset : time + offset;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
