// Patterns over tensor names: ECMAScript regular expressions that search (not match) a name. What ECMAScript lacks is refused
// when it is configured, with its position, not when a name first meets it.
//
//   tensortap::Pattern loss("loss$");
//   bool yes = loss.finds("train/loss");
#pragma once

#include <initializer_list>
#include <locale>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/name.hpp>

namespace tensortap::inline v0 {

/// One compiled regular expression.
/// Threads: `finds` may be called from several at once.
class Pattern {
 public:
  /// Throws: look-behind, inline flags, named groups, back-references, syntax errors, more than 1 KiB.
  explicit Pattern(std::string_view text) : text_(text) {
    if (text.size() > name_limit) throw Error::bad_pattern(text, name_limit, "longer than 1024 bytes");
    if (text == xgboost_losses) text = xgboost_losses_in_ecmascript;
    refuse_foreign_syntax(text);
    try {
      regex_.imbue(std::locale::classic());
      regex_.assign(text.begin(), text.end(), flags);
    } catch (const std::regex_error& e) {
      throw Error::bad_pattern(text, 0, e.what());
    }
  }

  /// As it was given.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  /// True if some part of `name` matches. Names above 1 KiB are never found.
  [[nodiscard]] bool finds(std::string_view name) const {
    return name.size() <= name_limit && std::regex_search(name.begin(), name.end(), regex_);
  }

 private:
  // smdebug's default for XGBoost's losses, its only look-behind, and what means the same without one.
  static constexpr std::string_view xgboost_losses = "^[a-zA-z]+-.+(?<!(auc|map))$";
  static constexpr std::string_view xgboost_losses_in_ecmascript = "^(?!.*(auc|map)$)[a-zA-z]+-.+$";

#ifdef __GLIBCXX__
  // Breadth first: time linear in the name and a stack that does not grow with it, whatever a stored pattern says.
  static constexpr auto flags = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
  static constexpr auto flags = std::regex::ECMAScript;
#endif

  static void refuse_foreign_syntax(std::string_view text) {
    bool in_class = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::string_view rest = text.substr(i);
      if (rest[0] == '\\') {
        if (!in_class && rest.size() > 1 && rest[1] >= '1' && rest[1] <= '9')
          throw Error::bad_pattern(text, i, "back-references are not supported");
        ++i;
      } else if (in_class) {
        in_class = rest[0] != ']';
      } else if (rest[0] == '[') {
        in_class = true;
      } else if (rest.starts_with("(?<=") || rest.starts_with("(?<!")) {
        throw Error::bad_pattern(text, i, "look-behind is not supported");
      } else if (rest.starts_with("(?") && rest.size() > 2 && rest[2] != ':' && rest[2] != '=' && rest[2] != '!') {
        throw Error::bad_pattern(text, i, "inline flags and named groups are not supported");
      }
    }
  }

  std::string text_;
  std::regex regex_;
};

/// The patterns of a collection as an option: one string or a list of them. Left out, a collection with a built-in name gets its
/// default; `Patterns::none()` means none at all.
class Patterns {
 public:
  Patterns() = default;
  Patterns(const char* pattern) : list_{pattern}, given_(true) {}                // NOLINT(google-explicit-constructor)
  Patterns(std::string pattern) : list_{std::move(pattern)}, given_(true) {}     // NOLINT(google-explicit-constructor)
  Patterns(std::vector<std::string> list) : list_(std::move(list)), given_(true) {}  // NOLINT(google-explicit-constructor)
  Patterns(std::initializer_list<std::string_view> list) : list_(list.begin(), list.end()), given_(true) {}

  static Patterns none() { return Patterns(std::vector<std::string>{}); }

  /// False if the option was left out.
  [[nodiscard]] bool given() const noexcept { return given_; }
  [[nodiscard]] const std::vector<std::string>& list() const noexcept { return list_; }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }

  friend bool operator==(const Patterns& a, const Patterns& b) { return a.list_ == b.list_; }

 private:
  std::vector<std::string> list_;
  bool given_ = false;
};

}  // namespace tensortap::inline v0
