// The state of `on_step` as a file of a checkpoint: written before the commit that names it, read when a run resumes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Below it lie the states of the observers of all commits.
inline constexpr std::string_view observer_prefix = "tensortap-rules/";

inline std::string observer_key(std::string_view worker, std::int64_t last_seen) {
  return std::string(observer_prefix) + layout::worker_in_file_name(worker) + "-" + std::to_string(last_seen);
}

/// Returns the state of the observer at the commit `state`; nullopt if it has none.
inline std::optional<std::string> read_observer(const Store& checkpoints, const State& state, std::string_view worker) {
  const std::string key = observer_key(worker, state.last_seen);
  for (const CheckpointFile& file : state.files)
    if (file.name == key)
      if (const auto bytes = checkpoints.get(key)) return std::string(text_of(*bytes));
  return std::nullopt;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
