// Recognises secrets by the names that they have in command lines and configurations, so that no record of a run shows
// their values.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether a value of this name is probably a secret. "max_tokens" is none, "api-token" and "dbPassword" are.
inline bool is_secret(std::string_view name) {
  static const std::vector<std::string> words = {"password",   "passwd",        "pwd",      "pass", "passphrase",
                                                 "secret",     "token",         "apikey",   "auth", "credentials",
                                                 "credential", "authorization", "accesskey"};
  std::string word;
  std::string before;
  const auto is_one = [&] {
    return std::find(words.begin(), words.end(), word) != words.end() ||
           (word == "key" && (before == "api" || before == "access" || before == "private"));
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

/// Returns the words of a command line, without the values of options that are secret, and without the password of an
/// address.
inline std::vector<std::string> without_secrets(std::vector<std::string> words) {
  bool hides_next = false;
  for (std::string& word : words) {
    const std::size_t equals = word.find('=');
    const std::size_t colon = word.find(": ");
    if (hides_next) {
      word = redacted;
      hides_next = false;
    } else if (equals != std::string::npos && is_secret(std::string_view(word).substr(0, equals))) {
      word.replace(equals + 1, std::string::npos, redacted);
    } else if (colon != std::string::npos && is_secret(std::string_view(word).substr(0, colon))) {
      word.replace(colon + 2, std::string::npos, redacted);  // a header of HTTP
    } else {
      hides_next = word.starts_with('-') && equals == std::string::npos && is_secret(word);
      word = without_password(word);
    }
  }
  return words;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
