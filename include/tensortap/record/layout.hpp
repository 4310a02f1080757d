// Where things lie in a run, and the names under which reductions are stored. A run is a set of objects with these
// keys, in a directory or below a prefix:
//
//   events/SSSSSSSSSSSS/SSSSSSSSSSSS_WORKER.tfevents   records of one global step of one worker
//   index/PPPPPPPPP/SSSSSSSSSSSS_WORKER.json           index of that step; P = step div 1000
//   collections/000000000/WORKER_collections.json      collections of that worker
//   attempts/RRRRRRRRR_WORKER.json                     ours: where attempt R of that worker began
//   superseded/RRRRRRRRR/…                             ours: what attempt R set aside, under its former keys
//   claim.smd, claim_WORKER.smd                        held by the worker that writes
//   training_job_end.ts                                the run has ended
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace layout {

inline constexpr std::string_view events_prefix = "events/";
inline constexpr std::string_view index_prefix = "index/";
inline constexpr std::string_view collections_prefix = "collections/000000000/";
inline constexpr std::string_view collections_suffix = "_collections.json";
inline constexpr std::string_view attempts_prefix = "attempts/";
inline constexpr std::string_view superseded_prefix = "superseded/";
inline constexpr std::string_view end_marker = "training_job_end.ts";
inline constexpr std::string_view reductions_prefix = "smdebug/reductions/";

/// `number` with at least `width` digits.
inline std::string padded(std::int64_t number, std::size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

/// A worker's name as part of a file name: device strings lose their '/' and ':' ("/job:worker" is "_job-worker").
inline std::string worker_in_file_name(std::string_view worker) {
  std::string out(worker);
  for (char& c : out) c = c == '/' ? '_' : c == ':' ? '-' : c;
  return out;
}

/// The way back; only names with a leading '_' were device strings.
inline std::string worker_from_file_name(std::string_view part) {
  std::string out(part);
  if (out.starts_with('_'))
    for (char& c : out) c = c == '_' ? '/' : c == '-' ? ':' : c;
  return out;
}

inline std::string event_key(std::int64_t global_step, std::string_view worker) {
  const std::string step = padded(global_step, 12);
  return std::string(events_prefix) + step + "/" + step + "_" + worker_in_file_name(worker) + ".tfevents";
}

inline std::string index_key(std::int64_t global_step, std::string_view worker) {
  return std::string(index_prefix) + padded(global_step / 1000, 9) + "/" + padded(global_step, 12) + "_" +
         worker_in_file_name(worker) + ".json";
}

inline std::string collections_key(std::string_view worker) {
  return std::string(collections_prefix) + worker_in_file_name(worker) + std::string(collections_suffix);
}

inline std::string attempt_key(std::int64_t run, std::string_view worker) {
  return std::string(attempts_prefix) + padded(run, 9) + "_" + worker_in_file_name(worker) + ".json";
}

/// Where attempt `run` puts object `key` aside.
inline std::string superseded_key(std::int64_t run, std::string_view key) {
  return std::string(superseded_prefix) + padded(run, 9) + "/" + std::string(key);
}

/// The claim of `worker`. smdebug knows the one of a run with a single worker.
inline std::string claim_key(std::int64_t num_workers, std::string_view worker) {
  return num_workers == 1 ? "claim.smd" : "claim_" + worker_in_file_name(worker) + ".smd";
}

/// What the key of an index or events file says.
struct StepName {
  std::int64_t global_step = 0;
  std::string worker;
};

/// The step and worker of `key`, or nothing if it is not "PREFIX…/STEP_WORKER SUFFIX".
inline std::optional<StepName> parse_step_key(std::string_view key, std::string_view prefix, std::string_view suffix) {
  if (!key.starts_with(prefix) || !key.ends_with(suffix)) return std::nullopt;
  const std::string_view name = key.substr(key.rfind('/') + 1, key.size() - suffix.size() - key.rfind('/') - 1);
  StepName out;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.global_step);
  const auto digits = static_cast<std::size_t>(end - name.data());
  if (error != std::errc{} || name[0] == '-' || digits + 1 >= name.size() || name[digits] != '_') return std::nullopt;
  out.worker = worker_from_file_name(name.substr(digits + 1));
  return out;
}

inline std::optional<StepName> parse_index_key(std::string_view key) {
  return parse_step_key(key, index_prefix, ".json");
}

inline std::optional<StepName> parse_event_key(std::string_view key) {
  return parse_step_key(key, events_prefix, ".tfevents");
}

/// The worker of `key`, or nothing if it is not the key of a collections file.
inline std::optional<std::string> parse_collections_key(std::string_view key) {
  if (!key.starts_with(collections_prefix) || !key.ends_with(collections_suffix)) return std::nullopt;
  key.remove_prefix(collections_prefix.size());
  key.remove_suffix(collections_suffix.size());
  if (key.empty() || key.find('/') != std::string_view::npos) return std::nullopt;
  return worker_from_file_name(key);
}

/// The name under which reduction `r` of `tensor` is stored.
inline std::string reduction_record(Reduction r, std::string_view tensor) {
  return std::string(reductions_prefix) + std::string(to_string(r)) + "/" + std::string(tensor);
}

/// A stored name taken apart: which reduction of which tensor.
struct ReductionName {
  std::string_view reduction;  ///< as spelled, perhaps one we do not know
  std::string_view tensor;
};

/// The parts of `record`, or nothing if it names a tensor itself. As smdebug reads: the prefix may stand anywhere.
inline std::optional<ReductionName> parse_reduction_record(std::string_view record) {
  const std::size_t prefix = record.find(reductions_prefix);
  if (prefix == std::string_view::npos) return std::nullopt;
  const std::string_view rest = record.substr(prefix + reductions_prefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return ReductionName{rest.substr(0, slash), rest.substr(slash + 1)};
}

}  // namespace layout
TENSORTAP_END_NAMESPACE
