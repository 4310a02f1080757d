// The names of a job: which ones are valid, and where things lie.
#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

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

  /// Returns the name in capital letters, as SageMaker's variables have it.
  static std::string upper(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
    return name;
  }

  /// Returns the same as a name that a shell can read: "TRAIN_SET" for "train-set".
  static std::string variable(std::string_view name) {
    std::string out = upper(std::string(name));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '-' || c == '.'; }, '_');
    return out;
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
