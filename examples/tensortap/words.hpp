// Words of the messages: plurals, and the name that was probably meant.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>

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

/// Returns how many letters must be added, removed, replaced or exchanged with their neighbour to turn `a` into `b`.
inline std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

/// Returns the one of `names` that `text` probably means: it differs in few letters, or contains the text. Upper and
/// lower case are the same.
inline std::optional<std::string> nearest(const std::string& text, const std::vector<std::string>& names) {
  const auto lower = [](std::string word) {
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
    return word;
  };
  const std::string wanted = lower(text);
  const std::size_t allowed = std::max<std::size_t>(1, wanted.size() / 3);
  std::size_t least = allowed + 1;
  std::optional<std::string> out;
  for (const std::string& name : names) {
    const std::size_t lengths = name.size() > wanted.size() ? name.size() - wanted.size() : wanted.size() - name.size();
    if (lengths >= least) continue;
    if (const std::size_t d = distance(wanted, lower(name)); d < least) {
      least = d;
      out = name;
    }
  }
  if (out || wanted.empty()) return out;
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const std::string& name) { return lower(name).find(wanted) != name.npos; });
  return found == names.end() ? std::nullopt : std::optional(*found);
}

/// Returns "; did you mean "loss"?", or nothing.
inline std::string suggestion(const std::string& text, const std::vector<std::string>& names) {
  const auto name = nearest(text, names);
  return name ? "; did you mean " + tensortap::in_quotes(*name) + "?" : "";
}

}  // namespace tensortap_command
