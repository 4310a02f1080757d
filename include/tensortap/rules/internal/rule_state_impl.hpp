// The bodies of rule_state.hpp. A number below 255 is one byte, any other a byte 255 and eight bytes, the lowest first.
#pragma once

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE RuleState& RuleState::operator()(std::uint64_t& value) {
  constexpr std::uint64_t short_limit = 0xff;
  if (!reading_) {
    if (value < short_limit) {
      out_ += static_cast<char>(value);
      return *this;
    }
    out_ += static_cast<char>(short_limit);
    for (unsigned shift = 0; shift < 64; shift += 8) out_ += static_cast<char>(value >> shift & 0xff);
    return *this;
  }
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(rest_[i])}; };
  const bool is_short = !rest_.empty() && byte(0) != short_limit;
  const std::size_t size = is_short ? 1 : 9;
  value = 0;
  require(rest_.size() >= size);
  if (!good_) return *this;
  if (is_short) {
    value = byte(0);
  } else {
    for (std::size_t i = 0; i < 8; ++i) value |= byte(i + 1) << (8 * i);
  }
  rest_.remove_prefix(size);
  return *this;
}

TENSORTAP_INLINE std::uint64_t RuleState::counted(std::size_t size) {
  std::uint64_t count = size;
  (*this)(count);
  require(count <= rest_.size());
  return good_ ? count : 0;
}

TENSORTAP_INLINE RuleState& RuleState::operator()(std::string& text) {
  const std::size_t size = counted(text.size());
  if (!reading_) {
    out_ += text;
    return *this;
  }
  text.assign(rest_.substr(0, size));
  rest_.remove_prefix(size);
  return *this;
}

TENSORTAP_END_NAMESPACE
