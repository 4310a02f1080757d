// How a hook is configured: one plain struct; leave out what you do not need.
//
//   namespace tt = tensortap;
//   tt::Hook hook("runs/42", {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

namespace tensortap::inline v0 {

/// Seconds since 1970 by the system's clock.
inline double system_wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What a hook saves, and as whom.
struct HookOptions {
  /// What is saved when. Without any: everything, as `save` says.
  std::vector<Collection> collections = {};

  /// When collections without a `save` of their own are saved.
  SaveConfig save = every(500);

  /// Who writes. Each process that writes into a run needs a name of its own, "worker_RANK" by custom; all of them must
  /// say how many there are, or readers take a step for complete before it is.
  std::string worker = "worker_0";
  std::int64_t num_workers = 1;

  /// A step keeps its records in memory until it ends. What would go beyond this is dropped and counted. Units: bytes.
  std::uint64_t max_step_bytes = std::uint64_t{4} << 30;

  /// Payload checksums in the index, which smdebug ignores. Without them its files are matched byte for byte.
  bool index_checksums = true;

  /// Name reductions of "a:0" as reductions of "a", as smdebug does for all frameworks but TensorFlow. Readers then see
  /// two tensors.
  bool strip_output_numbers = false;

  /// The time stamped on records. Units: seconds since 1970. Threads: called under the hook's lock.
  std::function<double()> wall_time = system_wall_time;
};

}  // namespace tensortap::inline v0
