// The JSON of a run's files: written with Python's separators and escapes, read with limits. All functions report
// errors as Error, with the file and the key.
//
//   const nlohmann::json root = json_text::parse(text, {"index", key});
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::json_text {

/// The file, for messages.
struct Place {
  std::string_view what;
  std::string_view where;
};

/// The most values of a file, each of which takes up to 100 bytes of memory: an index of 800'000 records has fewer.
inline constexpr std::size_t value_limit = std::size_t{1} << 22;

/// No file of a run nests deeper than 5.
inline constexpr std::size_t depth_limit = 32;

/// Returns the error of a key that is missing or wrong.
inline Error wrong(const Place& place, std::string_view key, std::string_view cause) {
  return Error::damaged(place.what, place.where, "key " + in_quotes(key) + ": " + std::string(cause));
}

/// Appends `text` as a JSON string with everything beyond ASCII escaped, as Python writes it.
inline void append_string(std::string& out, std::string_view text) {
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (std::all_of(text.begin(), text.end(), plain)) {
    out.append("\"").append(text).append("\"");
  } else {
    out += nlohmann::json(text).dump(-1, ' ', true);
  }
}

inline std::string string(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

/// Returns the document in `text`. Throws: a syntax error, a limit, no memory for it. All of them are damage of this
/// file.
inline nlohmann::json parse_any(std::string_view text, const Place& place) {
  if (text.size() > layout::text_limit)
    throw Error::damaged(place.what, place.where, "too large (" + std::to_string(text.size()) + " bytes)");
  std::size_t depth = 0;
  std::size_t values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == ',') {
      ++values;
    } else if (c == '{' || c == '[') {
      ++values;
      if (++depth > depth_limit) throw Error::damaged(place.what, place.where, "nested too deeply");
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  if (values > value_limit)
    throw Error::damaged(place.what, place.where, "it holds too many values (" + std::to_string(values) + ")");
  try {
    nlohmann::json root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    if (root.is_discarded())
      throw Error::damaged(place.what, place.where, "not JSON (" + std::to_string(text.size()) + " bytes)");
    return root;
  } catch (const std::bad_alloc&) {
    throw Error::damaged(place.what, place.where,
                         "it does not fit into memory (" + std::to_string(text.size()) + " bytes)");
  }
}

/// Returns the document in `text`, an object. Throws: a syntax error, nesting beyond the limit, another type.
inline nlohmann::json parse(std::string_view text, const Place& place) {
  nlohmann::json root = parse_any(text, place);
  if (!root.is_object()) throw Error::damaged(place.what, place.where, "not a JSON object");
  return root;
}

/// Returns the value of `key`. Throws: it is missing.
inline const nlohmann::json& at(const nlohmann::json& object, std::string_view key, const Place& place) {
  if (!object.is_object()) throw wrong(place, key, "the value around it is not an object");
  const auto found = object.find(key);
  if (found == object.end()) throw wrong(place, key, "it is missing");
  return *found;
}

inline const nlohmann::json& object(const nlohmann::json& from, std::string_view key, const Place& place) {
  const auto& value = at(from, key, place);
  if (!value.is_object()) throw wrong(place, key, "it is not an object");
  return value;
}

inline const nlohmann::json& array(const nlohmann::json& from, std::string_view key, const Place& place) {
  const auto& value = at(from, key, place);
  if (!value.is_array()) throw wrong(place, key, "it is not an array");
  return value;
}

inline std::string text(const nlohmann::json& from, std::string_view key, const Place& place) {
  const auto& value = at(from, key, place);
  if (!value.is_string()) throw wrong(place, key, "it is not a string");
  return value.get<std::string>();
}

/// Returns `value` as an integer in [-2^63, 2^63). Messages name `key`. Throws: it is not such an integer.
inline std::int64_t integer(const nlohmann::json& value, std::string_view key, const Place& place) {
  const bool too_large =
      value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  if (!value.is_number_integer() || too_large) throw wrong(place, key, "it is not an integer");
  return value.get<std::int64_t>();
}

/// Returns the value of `key`, an integer in [0, 2^63). Throws: it is missing or not such an integer.
inline std::uint64_t natural(const nlohmann::json& from, std::string_view key, const Place& place) {
  const std::int64_t value = integer(at(from, key, place), key, place);
  if (value < 0) throw wrong(place, key, "it is negative");
  return static_cast<std::uint64_t>(value);
}

}  // namespace detail::json_text
TENSORTAP_END_NAMESPACE
