// The names of a job: which ones are valid, what is secret, and where things lie.
#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/job_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether `list` holds `text`.
inline bool is_among(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// Names, as SageMaker restricts them. None of them can lead out of a directory.
struct JobNames {
  static bool is_letter_or_digit(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }

  static bool is_job_name(std::string_view name) {
    constexpr std::size_t longest = 63;
    return !name.empty() && name.size() <= longest && is_letter_or_digit(name.front()) &&
           is_letter_or_digit(name.back()) &&
           std::all_of(name.begin(), name.end(), [](char c) { return is_letter_or_digit(c) || c == '-'; });
  }

  static bool is_channel(std::string_view name) {
    constexpr std::size_t longest = 64;
    return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_'; });
  }

  static bool is_hyperparameter(std::string_view name) {
    constexpr std::size_t longest = 256;
    return !name.empty() && name.size() <= longest && std::all_of(name.begin(), name.end(), [](char c) {
      return static_cast<unsigned char>(c) > ' ' && c != '=' && c != 127;
    });
  }

  /// Returns whether a value of this name is probably a secret. "max_tokens" is none, "api-token" and "dbPassword" are.
  static bool is_secret(std::string_view name) {
    static const std::vector<std::string> words = {"password",   "passwd",        "pwd",      "pass", "passphrase",
                                                   "secret",     "token",         "apikey",   "auth", "credentials",
                                                   "credential", "authorization", "accesskey"};
    std::string word;
    std::string before;
    const auto is_one = [&] {
      return is_among(words, word) || (word == "key" && (before == "api" || before == "access" || before == "private"));
    };
    for (std::size_t i = 0; i <= name.size(); ++i) {
      const char c = i < name.size() ? name[i] : '-';
      const bool begins_word = i > 0 && c >= 'A' && c <= 'Z' && name[i - 1] >= 'a' && name[i - 1] <= 'z';
      if (begins_word && !word.empty()) {
        if (is_one()) return true;
        before = std::exchange(word, {});
      }
      if (is_letter_or_digit(c)) {
        word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      } else if (!word.empty()) {
        if (is_one()) return true;
        before = std::move(word);
        word.clear();
      }
    }
    return false;
  }

  static constexpr const char* redacted = "*****";

  /// Returns the words of a command line, without the values of options that are secret, and without the password of an
  /// address.
  static std::vector<std::string> without_secrets(std::vector<std::string> words) {
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

  /// Returns "scheme://user:*****@host" for "scheme://user:password@host".
  static std::string without_password(std::string address) {
    const std::size_t scheme = address.find("://");
    if (scheme == std::string::npos) return address;
    const std::size_t at = address.find('@', scheme);
    const std::size_t colon = address.find(':', scheme + 3);
    if (at == std::string::npos || colon == std::string::npos || colon > at || address.find('/', scheme + 3) < at)
      return address;
    return address.replace(colon + 1, at - colon - 1, redacted);
  }

  /// Returns the shortest digits of `value`, the same in every locale.
  static std::string number(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
  }

  static bool is_remote(std::string_view address) { return address.find("://") != std::string_view::npos; }

  /// Returns the address of `name` below `place`.
  static std::string below(std::string place, std::string_view name) {
    while (place.size() > 1 && place.ends_with('/')) place.pop_back();
    return place.append(place.ends_with('/') ? "" : "/").append(name);
  }
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
