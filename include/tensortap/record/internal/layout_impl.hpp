// Builds and parses keys.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/reduction.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the step and worker of `key`; nullopt if it is not "PREFIX…/STEP_WORKER SUFFIX".
inline std::optional<layout::StepName> parse_step_key(std::string_view key, std::string_view prefix,
                                                      std::string_view suffix) {
  if (!key.starts_with(prefix) || !key.ends_with(suffix)) return std::nullopt;
  const std::string_view name = key.substr(key.rfind('/') + 1, key.size() - suffix.size() - key.rfind('/') - 1);
  layout::StepName out;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.global_step);
  const auto digits = static_cast<std::size_t>(end - name.data());
  if (error != std::errc{} || name[0] == '-' || digits + 1 >= name.size() || name[digits] != '_') return std::nullopt;
  out.worker = layout::worker_from_file_name(name.substr(digits + 1));
  return out;
}

}  // namespace detail

namespace layout {

TENSORTAP_INLINE std::string padded(std::int64_t number, std::size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

TENSORTAP_INLINE std::string worker_in_file_name(std::string_view worker) {
  std::string out(worker);
  for (char& c : out) c = c == '/' ? '_' : c == ':' ? '-' : c;
  return out;
}

TENSORTAP_INLINE std::string worker_from_file_name(std::string_view part) {
  std::string out(part);
  if (out.starts_with('_'))
    for (char& c : out) c = c == '_' ? '/' : c == '-' ? ':' : c;
  return out;
}

TENSORTAP_INLINE std::string event_key(std::int64_t global_step, std::string_view worker) {
  const std::string step = padded(global_step, 12);
  return std::string(events_prefix) + step + "/" + step + "_" + worker_in_file_name(worker) + ".tfevents";
}

TENSORTAP_INLINE std::string index_key(std::int64_t global_step, std::string_view worker) {
  return std::string(index_prefix) + padded(global_step / 1000, 9) + "/" + padded(global_step, 12) + "_" +
         worker_in_file_name(worker) + ".json";
}

TENSORTAP_INLINE std::string collections_key(std::string_view worker) {
  return std::string(collections_prefix) + worker_in_file_name(worker) + std::string(collections_suffix);
}

TENSORTAP_INLINE std::string attempt_key(std::int64_t attempt, std::string_view worker) {
  return std::string(attempts_prefix) + padded(attempt, 9) + "_" + worker_in_file_name(worker) + ".json";
}

TENSORTAP_INLINE std::string superseded_key(std::int64_t attempt, std::string_view key) {
  return std::string(superseded_prefix) + padded(attempt, 9) + "/" + std::string(key);
}

TENSORTAP_INLINE std::string snapshot_name(std::int64_t global_step, std::string_view reason, std::string_view worker) {
  constexpr std::size_t longest = 40;
  std::string part(reason.substr(0, longest));
  for (char& c : part)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_')) c = '-';
  return padded(global_step, 12) + "_" + part + "_" + worker_in_file_name(worker);
}

TENSORTAP_INLINE std::string claim_key(std::int64_t num_workers, std::string_view worker) {
  return num_workers == 1 ? "claim.smd" : "claim_" + worker_in_file_name(worker) + ".smd";
}

TENSORTAP_INLINE std::optional<StepName> parse_index_key(std::string_view key) {
  return detail::parse_step_key(key, index_prefix, ".json");
}

TENSORTAP_INLINE std::optional<StepName> parse_event_key(std::string_view key) {
  return detail::parse_step_key(key, events_prefix, ".tfevents");
}

TENSORTAP_INLINE std::string segment_key(const SegmentName& name) {
  return std::string(segments_prefix) + name.worker + "/" + padded(name.attempt, 9) + "_" + padded(name.first, 12) +
         "-" + padded(name.last, 12) + ".pack";
}

TENSORTAP_INLINE std::optional<SegmentName> parse_segment_key(std::string_view key) {
  if (!key.starts_with(segments_prefix)) return std::nullopt;
  const std::size_t slash = key.find('/', segments_prefix.size());
  if (slash == std::string_view::npos) return std::nullopt;
  SegmentName out;
  out.worker = key.substr(segments_prefix.size(), slash - segments_prefix.size());
  std::string_view rest = key.substr(slash + 1);
  const auto take = [&rest](std::int64_t& number, char behind) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const auto digits = static_cast<std::size_t>(end - rest.data());
    if (error != std::errc{} || number < 0 || digits >= rest.size() || rest[digits] != behind) return false;
    rest.remove_prefix(digits + 1);
    return true;
  };
  if (!take(out.attempt, '_') || !take(out.first, '-') || !take(out.last, '.') || out.first > out.last ||
      segment_key(out) != key)
    return std::nullopt;
  return out;
}

TENSORTAP_INLINE std::optional<std::string> parse_collections_key(std::string_view key) {
  if (!key.starts_with(collections_prefix) || !key.ends_with(collections_suffix)) return std::nullopt;
  key.remove_prefix(collections_prefix.size());
  key.remove_suffix(collections_suffix.size());
  if (key.empty() || key.find('/') != std::string_view::npos) return std::nullopt;
  return worker_from_file_name(key);
}

TENSORTAP_INLINE std::string reduction_record(Reduction r, std::string_view tensor) {
  return std::string(reductions_prefix) + std::string(to_string(r)) + "/" + std::string(tensor);
}

TENSORTAP_INLINE std::optional<ReductionName> parse_reduction_record(std::string_view record) {
  const std::size_t prefix = record.find(reductions_prefix);
  if (prefix == std::string_view::npos) return std::nullopt;
  const std::string_view rest = record.substr(prefix + reductions_prefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return ReductionName{rest.substr(0, slash), rest.substr(slash + 1)};
}

}  // namespace layout
TENSORTAP_END_NAMESPACE
