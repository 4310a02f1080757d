// Times as AWS writes them: ISO 8601 in JSON and XML, and its basic form in signatures.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Parses "2026-01-31T12:00:00Z", also with an offset "+hh:mm". Drops a fraction of a second. Returns nullopt for any
/// other form.
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

/// Returns `time` as "20130524T000000Z".
inline std::string amz_date(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string out;
  const auto append = [&](std::int64_t value, std::size_t width) {
    const std::string digits = std::to_string(value);
    out.append(width - std::min(width, digits.size()), '0').append(digits);
  };
  append(static_cast<int>(date.year()), 4);
  append(static_cast<unsigned>(date.month()), 2);
  append(static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append(clock.hours().count(), 2);
  append(clock.minutes().count(), 2);
  append(clock.seconds().count(), 2);
  return out += 'Z';
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
