// Recognises secrets by the names that they have in command lines and configurations, so that no record of a run shows
// their values.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether a value of this name is probably a secret. "max_tokens", "key" and "monkey" are none, "api-token",
/// "dbPassword" and "license_key" are.
inline bool is_secret(std::string_view name) {
  static const std::vector<std::string> words = {
      "password",  "passwd", "pwd",    "pw",  "pass",        "passphrase", "secret",
      "token",     "apikey", "auth",   "jwt", "credentials", "credential", "authorization",
      "accesskey", "bearer", "cookie", "sas", "sig",         "signature"};
  std::string word;
  std::string before;
  const auto is_one = [&] {
    return std::find(words.begin(), words.end(), word) != words.end() || (word == "key" && !before.empty());
  };
  for (std::size_t i = 0; i <= name.size(); ++i) {
    const char c = i < name.size() ? name[i] : '-';
    const bool begins_word = i > 0 && c >= 'A' && c <= 'Z' && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if (begins_word && !word.empty()) {
      if (is_one()) return true;
      before = std::exchange(word, {});
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
      word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    } else if (!word.empty()) {
      if (is_one()) return true;
      before = std::move(word);
      word.clear();
    }
  }
  return false;
}

/// What stands in the place of a secret.
inline constexpr const char* redacted = "*****";

/// Returns "scheme://user:*****@host" for "scheme://user:password@host".
inline std::string without_password(std::string address) {
  const std::size_t scheme = address.find("://");
  if (scheme == std::string::npos) return address;
  const std::size_t at = address.find('@', scheme);
  const std::size_t colon = address.find(':', scheme + 3);
  if (at == std::string::npos || colon == std::string::npos || colon > at || address.find('/', scheme + 3) < at)
    return address;
  return address.replace(colon + 1, at - colon - 1, redacted);
}

/// Returns whether `word` begins as the tokens of well-known services do.
inline bool is_token(std::string_view word) {
  constexpr std::string_view beginnings[] = {"ghp_", "gho_",  "ghs_",  "github_pat_", "glpat-", "hf_",
                                             "sk-",  "xoxb-", "xoxp-", "AKIA",        "ASIA"};
  constexpr std::size_t shortest = 12;
  return word.size() >= shortest &&
         std::any_of(std::begin(beginnings), std::end(beginnings),
                     [word](std::string_view beginning) { return word.starts_with(beginning); });
}

/// Returns `word` without the values that follow secret names: "name=value", "?name=value&…", "name: value",
/// {"name": "value"}.
inline std::string without_secret_values(std::string word) {
  const auto is_of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  for (std::size_t at = word.find_first_of("=:"); at != std::string::npos; at = word.find_first_of("=:", at + 1)) {
    std::size_t end = at;  // of the name
    while (end > 0 && (word[end - 1] == '"' || word[end - 1] == '\'' || word[end - 1] == ' ')) --end;
    std::size_t begin = end;
    while (begin > 0 && is_of_name(word[begin - 1])) --begin;
    if (!is_secret(std::string_view(word).substr(begin, end - begin))) continue;
    std::size_t first = word.find_first_not_of(' ', at + 1);
    if (first == std::string::npos || word.compare(at, 3, "://") == 0) continue;
    std::size_t last = word.size();
    if (word[first] == '"' || word[first] == '\'') {
      last = std::min(word.find(word[first], first + 1), word.size());
      ++first;
    } else if (word[at] == '=' && begin > 0 &&
               std::string_view("?&;").find(word[begin - 1]) != std::string_view::npos) {
      last = std::min(word.find_first_of("&;#", first), word.size());
    }
    if (first < last) word.replace(first, last - first, redacted);
    at = std::min(first + std::string_view(redacted).size(), word.size() - 1);
  }
  return word;
}

/// Returns the words of a command line, without the values of options that are secret, without passwords and secret
/// parameters of addresses, and without the tokens of well-known services. A secret of another form stays.
inline std::vector<std::string> without_secrets(std::vector<std::string> words) {
  bool hides_next = false;
  for (std::string& word : words) {
    const bool hides = std::exchange(
        hides_next, word.starts_with('-') && word.find_first_of("=: ") == std::string::npos && is_secret(word));
    word = hides || is_token(word) ? redacted : without_secret_values(without_password(std::move(word)));
  }
  return words;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
