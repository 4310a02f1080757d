// The times in notices, each in exactly one form.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// In a form, y n d h m s stand for digits of year, month, day, hour, minute, second; www for a weekday, bbb for a
/// month; all other characters for themselves.
inline constexpr std::string_view iso_8601_form = "yyyy-nn-ddThh:mm:ssZ";
inline constexpr std::string_view rfc_1123_form = "www, dd bbb yyyy hh:mm:ss GMT";
inline constexpr std::string_view maintenance_form = "dd bbb yyyy hh:mm:ss GMT";

/// Parses all of `text`, which has the form `form`. Returns nullopt for any other text, a date that does not exist, a
/// wrong weekday, and years before 1970.
inline std::optional<std::chrono::sys_seconds> time_of_form(std::string_view text, std::string_view form) {
  if (text.size() != form.size()) return std::nullopt;
  constexpr std::string_view fields = "yndhmswb";
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == 'w' || form[i] == 'b') continue;
    if (fields.find(form[i]) == std::string_view::npos ? text[i] != form[i] : !is_digit) return std::nullopt;
  }
  const auto number = [&](char field) {
    int value = 0;
    for (std::size_t i = 0; i < form.size(); ++i)
      if (form[i] == field) value = value * 10 + (text[i] - '0');
    return value;
  };
  // Returns the position of the name in a list of names of three letters, from 1 on; 0: it is not there.
  const auto name = [&](char field, std::string_view names) -> unsigned {
    const std::size_t at = names.find(text.substr(form.find(field), 3));
    return at == std::string_view::npos || at % 3 != 0 ? 0 : static_cast<unsigned>(at / 3 + 1);
  };
  const bool is_named = form.find('b') != std::string_view::npos;
  const unsigned month =
      is_named ? name('b', "JanFebMarAprMayJunJulAugSepOctNovDec") : static_cast<unsigned>(number('n'));
  const std::chrono::year_month_day date(std::chrono::year(number('y')), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(number('d'))));
  const int hour = number('h'), minute = number('m'), second = number('s');
  if (!date.ok() || number('y') < 1970 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::chrono::sys_days day(date);
  if (form.find('w') != std::string_view::npos &&
      name('w', "MonTueWedThuFriSatSun") != std::chrono::weekday(day).iso_encoding())
    return std::nullopt;
  return day + std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
