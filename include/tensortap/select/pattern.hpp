// Patterns over tensor names: ECMAScript regular expressions that search a name, rather than match all of it. The
// constructor refuses what ECMAScript lacks, with its position.
//
//   tensortap::Pattern loss("loss$");
//   bool yes = loss.finds("train/loss");
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {
class PatternAutomaton;
}

/// One compiled regular expression. Copies share it.
/// Threads: several may call `finds` at once.
class Pattern {
 public:
  /// Compiles `text`. Throws: look-behind, look-ahead in look-ahead, inline flags, named groups, back-references,
  /// syntax errors, more than 1 KiB (with counted repetitions written out), groups nested too deeply.
  explicit Pattern(std::string_view text);

  /// Returns the text given to the constructor.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  /// Returns whether some part of `name` matches. Names above 1 KiB never match.
  [[nodiscard]] bool finds(std::string_view name) const;

 private:
  std::string text_;
  std::shared_ptr<const detail::PatternAutomaton> automaton_;
};

/// The patterns of a collection as an option: one string or a list of them, not yet compiled. The constructor of the
/// hook compiles them. Empty: a collection with a built-in name has its default patterns. `Patterns::none()` gives it
/// none.
class Patterns {
 public:
  Patterns() = default;
  Patterns(const char* pattern) : list_{pattern}, given_(true) {}             // NOLINT(google-explicit-constructor)
  Patterns(std::string pattern) : list_{std::move(pattern)}, given_(true) {}  // NOLINT(google-explicit-constructor)
  Patterns(std::vector<std::string> list)
      : list_(std::move(list)), given_(true) {}  // NOLINT(google-explicit-constructor)
  Patterns(std::initializer_list<std::string_view> list) : list_(list.begin(), list.end()), given_(true) {}

  static Patterns none() { return {std::vector<std::string>{}}; }

  /// Returns false if the option was left out.
  [[nodiscard]] bool given() const noexcept { return given_; }
  [[nodiscard]] const std::vector<std::string>& list() const noexcept { return list_; }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }

  friend bool operator==(const Patterns& a, const Patterns& b) { return a.list_ == b.list_; }

 private:
  std::vector<std::string> list_;
  bool given_ = false;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/select/internal/pattern_impl.hpp>
#endif
