// What a rule has seen, as bytes: it is saved with each commit and given back when the run resumes. A rule that keeps
// state names its members once, for both directions:
//
//   struct Best {
//     double best = 0;
//     std::int64_t count = 0;
//     void exchange(tensortap::RuleState& state) { state(best)(count); }
//   };
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Writes values to bytes, or reads them back in the same order. Reading checks every length, and ends in `good()`
/// being false if the bytes are not those of such values; what was read is then meaningless.
class RuleState {
 public:
  /// Makes a writer.
  RuleState() = default;
  /// Makes a reader. Lifetime: `bytes` outlive it.
  explicit RuleState(std::string_view bytes) : reading_(true), rest_(bytes) {}

  [[nodiscard]] bool reading() const noexcept { return reading_; }
  /// Returns whether everything so far could be read.
  [[nodiscard]] bool good() const noexcept { return good_; }
  /// Returns whether a reader has read all bytes, and could.
  [[nodiscard]] bool complete() const noexcept { return good_ && rest_.empty(); }
  /// Returns what was written.
  [[nodiscard]] const std::string& bytes() const noexcept { return out_; }

  /// Makes a reader fail unless `holds`: what was read must fit together.
  void require(bool holds) noexcept {
    if (!reading_ || holds) return;
    good_ = false;
    rest_ = {};
  }

  RuleState& operator()(std::uint64_t& value);
  RuleState& operator()(std::string& text);

  template <class T>
  requires((std::integral<T> && !std::same_as<T, std::uint64_t>) || std::is_enum_v<T>) RuleState& operator()(T& value) {
    auto word = static_cast<std::uint64_t>(value);
    (*this)(word);
    value = static_cast<T>(word);
    return *this;
  }
  template <std::floating_point T>
  RuleState& operator()(T& value) {
    auto word = std::bit_cast<std::uint64_t>(static_cast<double>(value));
    (*this)(word);
    value = static_cast<T>(std::bit_cast<double>(word));
    return *this;
  }
  template <class T>
  RuleState& operator()(std::optional<T>& value) {
    bool has = value.has_value();
    (*this)(has);
    if (reading_) value = has ? std::optional<T>(std::in_place) : std::nullopt;
    if (value) (*this)(*value);
    return *this;
  }
  template <class T>
  RuleState& operator()(std::vector<T>& values) {
    resize_to(values);
    for (T& value : values) (*this)(value);
    return *this;
  }
  template <class K, class V>
  RuleState& operator()(std::map<K, V>& values) {
    std::uint64_t count = counted(values.size());
    if (!reading_) {
      for (auto& [key, value] : values) {
        K copy = key;
        (*this)(copy)(value);
      }
      return *this;
    }
    values.clear();
    for (; count > 0 && good_; --count) {
      K key{};
      (*this)(key);
      (*this)(values[std::move(key)]);
    }
    return *this;
  }
  /// A type of your own has such a function, too.
  template <class T>
  requires requires(T& value, RuleState& state) { value.exchange(state); }
  RuleState& operator()(T& value) {
    value.exchange(*this);
    return *this;
  }

 private:
  /// Exchanges a number of elements, each of which takes a byte at least.
  std::uint64_t counted(std::size_t size);

  template <class T>
  void resize_to(std::vector<T>& values) {
    const std::uint64_t count = counted(values.size());
    if (reading_) values.assign(static_cast<std::size_t>(count), T{});
  }

  bool reading_ = false;
  bool good_ = true;
  std::string_view rest_;
  std::string out_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/rule_state_impl.hpp>
#endif
