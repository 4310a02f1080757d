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
