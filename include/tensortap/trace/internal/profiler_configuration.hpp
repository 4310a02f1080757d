// A profilerconfig.json of SageMaker. Keys are read in any case, as smdebug does; numbers may be texts.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

struct ProfilerConfiguration {
  bool is_enabled = true;
  std::string local_path = {};
  std::optional<std::uint64_t> max_file_bytes = {};
  std::optional<std::chrono::nanoseconds> close_interval = {};
};

/// Reads the file at `path`; nullopt if there is none. Throws: it is damaged.
inline std::optional<ProfilerConfiguration> profiler_configuration_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  constexpr std::size_t limit = std::size_t{1} << 20;
  std::string text(limit + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const json_text::Place place{"profiler configuration", path};
  if (text.size() > limit) throw Error::damaged(place.what, place.where, "it has more than 1 MiB");

  const auto find = [](const nlohmann::json& object, std::string_view lower) -> const nlohmann::json* {
    for (const auto& [key, value] : object.items()) {
      const bool is_it = std::equal(key.begin(), key.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
      });
      if (is_it) return &value;
    }
    return nullptr;
  };
  const auto is_true = [](const nlohmann::json* value, bool otherwise) {
    if (value == nullptr) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    return value->is_string() ? *value == "true" || *value == "True" || *value == "1" : otherwise;
  };

  const nlohmann::json root = json_text::parse(text, place);
  const nlohmann::json* const parameters = find(root, "profilingparameters");
  ProfilerConfiguration out;
  out.is_enabled = parameters != nullptr && parameters->is_object() && !is_true(find(root, "disableprofiler"), false);
  if (!out.is_enabled) return out;
  out.is_enabled = is_true(find(*parameters, "profilerenabled"), true);
  const auto number = [&](std::string_view key) -> std::optional<std::int64_t> {
    const nlohmann::json* const value = find(*parameters, key);
    if (value == nullptr) return std::nullopt;
    const std::string digits = value->is_string() ? value->get<std::string>() : value->dump();
    std::int64_t found = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), found);
    if (error != std::errc() || end != digits.data() + digits.size() || found < 1 || found > 1'000'000'000'000)
      throw json_text::wrong(place, key, "it is no whole number, at least 1");
    return found;
  };
  if (const auto bytes = number("rotatemaxfilesizeinbytes")) out.max_file_bytes = static_cast<std::uint64_t>(*bytes);
  if (const auto seconds = number("rotatefilecloseintervalinseconds"))
    out.close_interval = std::chrono::seconds(std::min<std::int64_t>(*seconds, 1'000'000'000));
  if (const nlohmann::json* const local = find(*parameters, "localpath"))
    if (local->is_string()) out.local_path = local->get<std::string>();
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
