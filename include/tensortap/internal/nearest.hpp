// The name that was probably meant: a text with typing errors, and the names that exist.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns how many letters must be added, removed, replaced or exchanged with their neighbour to turn `a` into `b`.
inline std::size_t typing_distance(std::string_view a, std::string_view b) {
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

/// Returns the one of `names` that `text` probably means: it differs in few letters, or contains the text, if
/// that has three letters or more. Upper and lower case are the same. Empty: there is none.
inline std::string nearest(std::string_view text, const std::vector<std::string>& names) {
  const auto lower = [](std::string_view word) {
    std::string out(word);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); });
    return out;
  };
  const std::string wanted = lower(text);
  std::size_t least = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  std::string out;
  for (const std::string& name : names) {
    const std::size_t lengths = name.size() > wanted.size() ? name.size() - wanted.size() : wanted.size() - name.size();
    if (lengths >= least) continue;
    if (const std::size_t d = typing_distance(wanted, lower(name)); d < least) {
      least = d;
      out = name;
    }
  }
  if (!out.empty() || wanted.size() < 3) return out;
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const std::string& name) { return lower(name).find(wanted) != name.npos; });
  return found == names.end() ? std::string() : *found;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
