// Bytes and text that another object owns.
//
//   const tensortap::Bytes note = tensortap::bytes_of("a note");
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Bytes that another object owns.
using Bytes = std::span<const std::byte>;

/// Returns the bytes of `text`.
inline Bytes bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text.data(), text.size())); }

/// Returns `bytes` as text.
inline std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TENSORTAP_END_NAMESPACE
