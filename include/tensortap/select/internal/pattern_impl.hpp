// Compiles patterns with std::regex, after checks that keep its time and its stack small for every accepted pattern.
#pragma once

#include <algorithm>
#include <cstddef>
#include <locale>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/select/pattern.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The regular expression of a pattern, checked and compiled.
class PatternAutomaton {
 public:
  explicit PatternAutomaton(std::string_view text) {
    if (text.size() > name_limit) throw Error::bad_pattern(text, name_limit, "longer than 1024 bytes");
    if (text == xgboost_losses) text = xgboost_losses_in_ecmascript;
    refuse_foreign_syntax(text);
    refuse_large_automata(text);
    try {
      regex_.imbue(std::locale::classic());
      regex_.assign(text.begin(), text.end(), flags);  // alone first: "a)(b" is valid only in the group below
      // With this prefix, one pass finds a match that begins at any character. That is faster than one pass for each.
      regex_.assign("[\\s\\S]*(?:" + std::string(text) + ")", flags);
    } catch (const std::regex_error& e) {
      if (const auto i = repetition_of_nothing(text))
        throw Error::bad_pattern(text, *i, "nothing is there to repeat; any text is \".*\", and a dot is \"\\.\"");
      throw Error::bad_pattern(text, 0, e.what());
    }
  }

  [[nodiscard]] bool finds(std::string_view name) const {
    constexpr auto from_the_beginning = std::regex_constants::match_continuous;
    return name.size() <= name_limit && std::regex_search(name.begin(), name.end(), regex_, from_the_beginning);
  }

 private:
  // smdebug's default for XGBoost's losses, its only look-behind, and a pattern of the same meaning without one.
  static constexpr std::string_view xgboost_losses = "^[a-zA-z]+-.+(?<!(auc|map))$";
  static constexpr std::string_view xgboost_losses_in_ecmascript = "^(?!.*(auc|map)$)[a-zA-z]+-.+$";
  static constexpr std::size_t group_limit = 32;
  // ECMAScript reads an escaped letter of these as the letter itself.
  static constexpr std::string_view other_letters = "aeghijklmopqyzACEFGHIJKLMNOPQRTUVXYZ";

#ifdef __GLIBCXX__
  // Breadth-first matching, because patterns may come from untrusted files: its time is linear in the length of the
  // name (quadratic with look-ahead), and its stack depth does not depend on that length.
  static constexpr auto flags = std::regex::ECMAScript | std::regex::nosubs | std::regex_constants::__polynomial;
#else
  static constexpr auto flags = std::regex::ECMAScript | std::regex::nosubs;
#endif

  /// Returns the position of the ']' that ends the bracket expression at `i`, or the size of `text`.
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

  /// Returns the position of a repetition without something before it, as in the file name pattern "*.grad".
  static std::optional<std::size_t> repetition_of_nothing(std::string_view text) {
    bool at_beginning = true;  // of the pattern, a group or an alternative
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (at_beginning && (text[i] == '*' || text[i] == '+' || text[i] == '?')) return i;
      at_beginning = text[i] == '(' || text[i] == '|';
      if (text[i] == '(' && i + 2 < text.size() && text[i + 1] == '?') i += 2;  // "(?:", "(?=", "(?!"
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '[')
        i = end_of_class(text, i);
    }
    return std::nullopt;
  }

  /// Refuses patterns that are short but make std::regex slow: `(a?){30000}` and look-ahead in look-ahead take minutes
  /// for one name, and hundreds of nested groups overflow the stack.
  static void refuse_large_automata(std::string_view text) {
    struct Group {
      bool looks_ahead = false;
      std::size_t size = 0;  // in atoms, repetitions written out
    };
    std::vector<Group> groups(1);
    std::size_t atom = 0;  // the size of the last atom
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

  std::regex regex_;
};

}  // namespace detail

TENSORTAP_INLINE Pattern::Pattern(std::string_view text)
    : text_(text), automaton_(std::make_shared<const detail::PatternAutomaton>(text)) {}

TENSORTAP_INLINE bool Pattern::finds(std::string_view name) const { return automaton_->finds(name); }

TENSORTAP_END_NAMESPACE
