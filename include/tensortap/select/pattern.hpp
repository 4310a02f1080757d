// Patterns over tensor names: ECMAScript regular expressions that search (not match) a name. What ECMAScript lacks is
// refused when it is configured, with its position, not when a name first meets it.
//
//   tensortap::Pattern loss("loss$");
//   bool yes = loss.finds("train/loss");
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <locale>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One compiled regular expression.
/// Threads: `finds` may be called from several at once.
class Pattern {
 public:
  /// Throws: look-behind, look-ahead in look-ahead, inline flags, named groups, back-references, syntax errors, more
  /// than 1 KiB (counted repetitions written out), groups nested too deeply.
  explicit Pattern(std::string_view text) : text_(text) {
    if (text.size() > name_limit) throw Error::bad_pattern(text, name_limit, "longer than 1024 bytes");
    if (text == xgboost_losses) text = xgboost_losses_in_ecmascript;
    refuse_foreign_syntax(text);
    refuse_large_automata(text);
    try {
      regex_.imbue(std::locale::classic());
      regex_.assign(text.begin(), text.end(), flags);  // by itself first: what is put around it must not complete it
      // One pass that may begin anywhere, not one pass for each place to begin at.
      regex_.assign("[\\s\\S]*(?:" + std::string(text) + ")", flags);
    } catch (const std::regex_error& e) {
      throw Error::bad_pattern(text, 0, e.what());
    }
  }

  /// As it was given.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  /// True if some part of `name` matches. Names above 1 KiB are never found.
  [[nodiscard]] bool finds(std::string_view name) const {
    constexpr auto from_the_beginning = std::regex_constants::match_continuous;
    return name.size() <= name_limit && std::regex_search(name.begin(), name.end(), regex_, from_the_beginning);
  }

 private:
  // smdebug's default for XGBoost's losses, its only look-behind, and what means the same without one.
  static constexpr std::string_view xgboost_losses = "^[a-zA-z]+-.+(?<!(auc|map))$";
  static constexpr std::string_view xgboost_losses_in_ecmascript = "^(?!.*(auc|map)$)[a-zA-z]+-.+$";
  static constexpr std::size_t group_limit = 32;
  // ECMAScript would take an escaped letter of these for the letter itself.
  static constexpr std::string_view other_letters = "aeghijklmopqyzACEFGHIJKLMNOPQRTUVXYZ";

#ifdef __GLIBCXX__
  // Breadth first: time linear in the name (squared by look-ahead) and a stack that does not grow with it, whatever a
  // stored pattern says.
  static constexpr auto flags = std::regex::ECMAScript | std::regex::nosubs | std::regex_constants::__polynomial;
#else
  static constexpr auto flags = std::regex::ECMAScript | std::regex::nosubs;
#endif

  /// The end of the bracket expression that begins at `i`: the place of its ']', or the end.
  static std::size_t end_of_class(std::string_view text, std::size_t i) {
    for (++i; i < text.size() && text[i] != ']'; ++i) {
      const std::string_view rest = text.substr(i);
      if (rest[0] == '\\') {
        ++i;
      } else if (rest.starts_with("[:") || rest.starts_with("[.") || rest.starts_with("[=")) {  // [[:alpha:]]
        const char end[] = {rest[1], ']', '\0'};
        i += std::min(rest.find(end, 2), rest.size() - 2) + 1;
      }
    }
    return i;
  }

  static void refuse_foreign_syntax(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::string_view rest = text.substr(i);
      if (rest[0] == '\\') {
        if (rest.size() > 1 && rest[1] >= '1' && rest[1] <= '9')
          throw Error::bad_pattern(text, i, "back-references are not supported");
        if (rest.size() > 1 && other_letters.find(rest[1]) != std::string_view::npos)  // Python's \A and \Z
          throw Error::bad_pattern(text, i, "this escape means nothing in ECMAScript");
        ++i;
      } else if (rest[0] == '[') {
        i = end_of_class(text, i);
      } else if (rest.starts_with("(?<=") || rest.starts_with("(?<!")) {
        throw Error::bad_pattern(text, i, "look-behind is not supported");
      } else if (rest.starts_with("(?") && rest.size() > 2 && rest[2] != ':' && rest[2] != '=' && rest[2] != '!') {
        throw Error::bad_pattern(text, i, "inline flags and named groups are not supported");
      }
    }
  }

  /// Keeps what std::regex makes of a pattern as small as a pattern may be: `(a?){30000}` and look-ahead in look-ahead
  /// would take it minutes for one name, and groups nested by the hundred a deep stack.
  static void refuse_large_automata(std::string_view text) {
    struct Group {
      bool looks_ahead = false;
      std::size_t size = 0;  // in atoms, repetitions written out
    };
    std::vector<Group> groups(1);
    std::size_t atom = 0;  // the size of the last one
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::string_view rest = text.substr(i);
      if (rest[0] == '(') {
        const bool looks_ahead = rest.starts_with("(?=") || rest.starts_with("(?!");
        if (looks_ahead && groups.back().looks_ahead)
          throw Error::bad_pattern(text, i, "look-ahead in look-ahead is not supported");
        if (groups.size() > group_limit) throw Error::bad_pattern(text, i, "groups are nested too deeply");
        groups.push_back({looks_ahead || groups.back().looks_ahead});
        continue;
      }
      if (rest[0] == ')' && groups.size() > 1) {
        atom = groups.back().size + 1;
        groups.pop_back();
        groups.back().size += atom;
      } else if (rest[0] == '{') {
        std::size_t count = 0;  // the larger of {least,most}
        for (std::size_t number = 0; ++i < text.size() && text[i] != '}'; count = std::max(count, number))
          number = text[i] < '0' || text[i] > '9'
                       ? 0
                       : std::min(number * 10 + static_cast<std::size_t>(text[i] - '0'), name_limit + 1);
        groups.back().size += atom * std::max<std::size_t>(count, 1) - atom;
        atom *= std::max<std::size_t>(count, 1);
      } else {
        if (rest[0] == '\\') ++i;
        if (rest[0] == '[') i = end_of_class(text, i);
        atom = rest[0] == '*' || rest[0] == '+' || rest[0] == '?' ? atom + 1 : 1;
        ++groups.back().size;
      }
      if (groups.back().size > name_limit)
        throw Error::bad_pattern(text, i, "longer than 1024 bytes, repetitions written out");
    }
  }

  std::string text_;
  std::regex regex_;
};

/// The patterns of a collection as an option: one string or a list of them. Left out, a collection with a built-in name
/// gets its default; `Patterns::none()` means none at all.
class Patterns {
 public:
  Patterns() = default;
  Patterns(const char* pattern) : list_{pattern}, given_(true) {}             // NOLINT(google-explicit-constructor)
  Patterns(std::string pattern) : list_{std::move(pattern)}, given_(true) {}  // NOLINT(google-explicit-constructor)
  Patterns(std::vector<std::string> list)
      : list_(std::move(list)), given_(true) {}  // NOLINT(google-explicit-constructor)
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

TENSORTAP_END_NAMESPACE
