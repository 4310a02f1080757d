// Writes and reads the objects of attempts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string to_json(const Attempt& attempt) {
  return R"({"run": )" + std::to_string(attempt.number) + R"(, "worker": )" +
         detail::json_text::string(attempt.worker) + R"(, "resumed_at": )" + std::to_string(attempt.resumed_at) +
         (attempt.ended ? R"(, "ended": true})" : "}");
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
  return out;
}

TENSORTAP_END_NAMESPACE
