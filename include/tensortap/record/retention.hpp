// How much of a run is kept: a budget of steps, of bytes, or of both. The oldest steps go first.
//
//   tensortap::Hook hook("runs/42", {.retention = {.steps = 1000, .bytes = std::uint64_t{10} << 30}});
#pragma once

#include <cstdint>
#include <optional>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What one worker keeps of its steps. Events files that several steps share, and segments, go as a whole.
struct Retention {
  std::optional<std::int64_t> steps = {};   ///< at most so many saved steps, at least 1; empty: no limit
  std::optional<std::uint64_t> bytes = {};  ///< at most so many bytes of events and indexes; the last step always stays

  [[nodiscard]] bool has_limit() const noexcept { return steps || bytes; }
};

TENSORTAP_END_NAMESPACE
