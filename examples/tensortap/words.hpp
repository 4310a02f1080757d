// Words of the messages: plurals, and the name that was probably meant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/nearest.hpp>

namespace tensortap_command {

/// Returns "1 step", "2 steps".
inline std::string plural(std::size_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

/// Returns "3 min 20 s".
inline std::string duration_text(double seconds) {
  constexpr double most = 1e12;
  const auto whole = static_cast<long long>(std::clamp(seconds, 0.0, most));
  constexpr long long minute = 60;
  constexpr long long hour = 3600;
  if (whole < minute) return std::to_string(whole) + " s";
  if (whole < hour) return std::to_string(whole / minute) + " min " + std::to_string(whole % minute) + " s";
  return std::to_string(whole / hour) + " h " + std::to_string(whole % hour / minute) + " min";
}

/// Returns `names` in quotes, at most `limit` of them: "a", "b" and 3 more.
inline std::string listed(const std::vector<std::string>& names, std::size_t limit = 10) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), limit); ++i)
    out += (i > 0 ? ", " : "") + tensortap::in_quotes(names[i]);
  return names.size() > limit ? out + " and " + std::to_string(names.size() - limit) + " more" : out;
}

/// Returns "; did you mean "loss"?", or nothing.
inline std::string suggestion(const std::string& text, const std::vector<std::string>& names) {
  const std::string name = tensortap::detail::nearest(text, names);
  return name.empty() ? "" : "; did you mean " + tensortap::in_quotes(name) + "?";
}

}  // namespace tensortap_command
