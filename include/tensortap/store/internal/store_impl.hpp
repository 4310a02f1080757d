// The check of keys, and what a store does unless it overrides it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<std::string> key_parts(std::string_view key) {
  std::vector<std::string> parts;
  if (key.size() > 1024 || key.find('\0') != std::string_view::npos) throw Error::bad_key(key);
  for (std::size_t begin = 0; begin <= key.size();) {
    const std::size_t slash = std::min(key.find('/', begin), key.size());
    parts.emplace_back(key.substr(begin, slash - begin));
    if (parts.back().empty() || parts.back() == "." || parts.back() == "..") throw Error::bad_key(key);
    begin = slash + 1;
  }
  return parts;
}

TENSORTAP_INLINE std::unique_ptr<ObjectWriter> Store::begin_object(std::string_view key) {
  (void)key_parts(key);
  return nullptr;
}

TENSORTAP_INLINE bool Store::extend(std::string_view key, std::uint64_t, std::span<const Bytes>, Sync) {
  (void)key_parts(key);
  return false;
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> Store::get_version(std::string_view, std::string_view) const {
  return std::nullopt;
}

TENSORTAP_INLINE std::string Store::claim_holder(std::string_view key) const {
  const auto bytes = get(key, Range{0, 300});
  const std::string_view text = bytes ? text_of(*bytes) : std::string_view();
  return std::string(text.substr(0, text.find('\n')));
}

TENSORTAP_INLINE void Store::remove_all(std::span<const std::string> keys) {
  for (const std::string& key : keys) (void)key_parts(key);
  for (const std::string& key : keys) (void)remove(key);
}

TENSORTAP_END_NAMESPACE
