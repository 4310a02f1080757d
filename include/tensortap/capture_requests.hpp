// Requests to a hook, which a rule makes while the training runs: to write what the flight recorder holds, and to save
// more for some steps.
//
//   tensortap::CaptureRequests requests;
//   tensortap::HookOptions options{.recorder = {.steps = 10}, .requests = requests};
//   options.on_step = tensortap::Judge(tensortap::all_rules(), tensortap::Snapshot{requests});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class CaptureRequestQueue;
}

/// A request to write a snapshot: the last steps that a flight recorder holds, up to `step`.
struct SnapshotRequest {
  std::int64_t step = 0;     ///< the last global step of the snapshot
  std::string reason = {};   ///< a part of its name, for instance that of a rule; characters other than letters of
                             ///< ASCII, digits and "._-" are replaced
  std::string finding = {};  ///< a line for the file beside it
};

/// A request to save collections in each of the next steps.
struct SaveMoreRequest {
  std::vector<std::string> collections = {};  ///< names of collections of the hook
  std::int64_t steps = 0;                     ///< how many of the steps that begin after the request
};

/// A handle of the requests to one hook; copies share them. A hook takes requests for snapshots after each step that it
/// has written, and requests to save more when a step begins. At most 256 requests of each kind wait; further ones are
/// refused. Threads: any.
class CaptureRequests {
 public:
  CaptureRequests();
  CaptureRequests(const CaptureRequests&) = default;  // there is no move: every handle stays valid
  CaptureRequests& operator=(const CaptureRequests&) = default;
  ~CaptureRequests() = default;

  /// Returns false if the request is refused: too many wait.
  bool add(SnapshotRequest request) const;  // NOLINT(modernize-use-nodiscard): the hook counts what is refused
  bool add(SaveMoreRequest request) const;  // NOLINT(modernize-use-nodiscard)

  /// Take all requests that wait, in the order in which they were made; for a hook. Without any, they cost a load.
  [[nodiscard]] std::vector<SnapshotRequest> take_snapshots() const;
  [[nodiscard]] std::vector<SaveMoreRequest> take_save_more() const;

  /// Returns how many requests were refused.
  [[nodiscard]] std::uint64_t refused() const;

 private:
  std::shared_ptr<detail::CaptureRequestQueue> queue_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/internal/capture_requests_impl.hpp>
#endif
