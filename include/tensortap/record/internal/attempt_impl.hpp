// Writes and reads the objects of attempts.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/hook_cost.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/record/loss.hpp>
#include <tensortap/record/thinning.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// The names of the reasons in files.
inline constexpr std::array<std::string_view, 8> loss_reasons = {"queue_full",    "write_failed",   "out_of_time",
                                                                 "fenced",        "step_too_large", "too_many_names",
                                                                 "out_of_memory", "removed"};

inline std::string to_json(const Loss& loss) {
  return R"({"reason": ")" + std::string(loss_reasons[static_cast<std::size_t>(loss.reason)]) + R"(", "first_step": )" +
         std::to_string(loss.first_step) + R"(, "last_step": )" + std::to_string(loss.last_step) + R"(, "steps": )" +
         std::to_string(loss.steps) + R"(, "tensors": )" + std::to_string(loss.tensors) + R"(, "bytes": )" +
         std::to_string(loss.bytes) + "}";
}

/// Returns the loss in `entry`. A reason that a later version has added counts as a failed write.
inline Loss parse_loss(const nlohmann::json& entry, const json_text::Place& place) {
  Loss out{.reason = LossReason::write_failed};
  const std::string reason = json_text::text(entry, "reason", place);
  const auto* const known = std::find(loss_reasons.begin(), loss_reasons.end(), reason);
  if (known != loss_reasons.end()) out.reason = static_cast<LossReason>(known - loss_reasons.begin());
  out.first_step = json_text::integer(json_text::at(entry, "first_step", place), "first_step", place);
  out.last_step = json_text::integer(json_text::at(entry, "last_step", place), "last_step", place);
  out.steps = json_text::natural(entry, "steps", place);
  out.tensors = json_text::natural(entry, "tensors", place);
  out.bytes = json_text::natural(entry, "bytes", place);
  return out;
}

inline std::string to_json(const Thinning& thinning) {
  return R"({"detail": ")" + std::string(to_string(thinning.detail)) + R"(", "first_step": )" +
         std::to_string(thinning.first_step) + R"(, "last_step": )" + std::to_string(thinning.last_step) +
         R"(, "saved": )" + std::to_string(thinning.saved) + R"(, "passed_over": )" +
         std::to_string(thinning.passed_over) + "}";
}

/// Returns the thinning in `entry`. A detail that a later version has added counts as scalars.
inline Thinning parse_thinning(const nlohmann::json& entry, const json_text::Place& place) {
  Thinning out{.detail = Detail::scalars};
  const std::string detail = json_text::text(entry, "detail", place);
  for (const Detail known : {Detail::all, Detail::statistics})
    if (detail == to_string(known)) out.detail = known;
  out.first_step = json_text::integer(json_text::at(entry, "first_step", place), "first_step", place);
  out.last_step = json_text::integer(json_text::at(entry, "last_step", place), "last_step", place);
  out.saved = json_text::natural(entry, "saved", place);
  out.passed_over = json_text::natural(entry, "passed_over", place);
  return out;
}

inline std::string to_json(const HookCost& cost) {
  return R"({"elapsed_ns": )" + std::to_string(cost.elapsed.count()) + R"(, "in_training_ns": )" +
         std::to_string(cost.in_training.count()) + R"(, "writing_ns": )" + std::to_string(cost.writing.count()) + "}";
}

inline HookCost parse_cost(const nlohmann::json& entry, const json_text::Place& place) {
  const auto time = [&](std::string_view key) {
    constexpr std::uint64_t most = std::uint64_t{1} << 60;  // 36 years; sums of many fit
    return std::chrono::nanoseconds(std::min(json_text::natural(entry, key, place), most));
  };
  return {time("elapsed_ns"), time("in_training_ns"), time("writing_ns")};
}

inline std::string to_json(const std::map<std::string, std::string>& facts) {
  std::string out;
  for (const auto& [name, value] : facts)
    out.append(out.empty() ? "{" : ", ").append(json_text::string(name)).append(": ").append(json_text::string(value));
  return out + "}";
}

/// Returns `, "key": [...]` with the JSON of `entries`; empty if there are none.
template <class Entry>
std::string json_member(std::string_view key, const std::vector<Entry>& entries) {
  std::string out;
  for (const Entry& entry : entries) {
    out += out.empty() ? ", \"" + std::string(key) + "\": [" : ", ";
    out += to_json(entry);
  }
  return out.empty() ? out : out + "]";
}

}  // namespace detail

TENSORTAP_INLINE std::string to_json(const Attempt& attempt) {
  std::string out = R"({"run": )" + std::to_string(attempt.number) + R"(, "worker": )" +
                    detail::json_text::string(attempt.worker) + R"(, "resumed_at": )" +
                    std::to_string(attempt.resumed_at);
  if (attempt.ended) out += R"(, "ended": true)";
  if (attempt.left) out += R"(, "left": true)";
  if (!attempt.run_id.empty()) out += R"(, "run_id": )" + detail::json_text::string(attempt.run_id);
  out += detail::json_member("losses", attempt.losses);
  if (!attempt.error.empty()) out += R"(, "error": )" + detail::json_text::string(attempt.error);
  out += detail::json_member("thinned", attempt.thinned);
  if (attempt.cost != HookCost()) out += R"(, "cost": )" + detail::to_json(attempt.cost);
  if (!attempt.facts.empty()) out += R"(, "facts": )" + detail::to_json(attempt.facts);
  return out + "}";
}

TENSORTAP_INLINE Attempt parse_attempt(std::string_view text, std::string_view place) {
  const detail::json_text::Place where{"attempt", place};
  const nlohmann::json root = detail::json_text::parse(text, where);
  Attempt out;
  out.number = static_cast<std::int64_t>(detail::json_text::natural(root, "run", where));
  if (out.number > std::int64_t{1} << 60) throw detail::json_text::wrong(where, "run", "it is out of range");
  out.worker = detail::json_text::text(root, "worker", where);
  out.resumed_at = detail::json_text::integer(detail::json_text::at(root, "resumed_at", where), "resumed_at", where);
  if (const auto ended = root.find("ended"); ended != root.end()) out.ended = *ended == true;
  if (const auto left = root.find("left"); left != root.end()) out.left = *left == true;
  if (root.contains("run_id")) out.run_id = detail::json_text::text(root, "run_id", where);
  if (root.contains("losses"))
    for (const auto& loss : detail::json_text::array(root, "losses", where))
      out.losses.push_back(detail::parse_loss(loss, where));
  if (root.contains("thinned"))
    for (const auto& thinning : detail::json_text::array(root, "thinned", where))
      out.thinned.push_back(detail::parse_thinning(thinning, where));
  if (root.contains("cost")) out.cost = detail::parse_cost(detail::json_text::object(root, "cost", where), where);
  if (root.contains("facts"))
    for (const auto& [name, value] : detail::json_text::object(root, "facts", where).items())
      out.facts[name] = detail::json_text::text(root["facts"], name, where);
  if (root.contains("error")) out.error = detail::json_text::text(root, "error", where);
  return out;
}

TENSORTAP_END_NAMESPACE
