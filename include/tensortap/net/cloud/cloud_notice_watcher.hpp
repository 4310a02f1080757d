// Asks the metadata service of the cloud whether this machine will be taken away, and requests a stop, with the
// deadline, when it says so. It knows Amazon EC2, Google Cloud, Azure and Alibaba Cloud, and makes no request on a
// machine of none of them.
//
//   tensortap::Interruption interruption;  // SIGTERM
//   tensortap::CloudNoticeWatcher watcher({.stop = interruption.signal()});
//   while (!interruption.signal().requested()) …
#pragma once

#include <cstddef>
#include <memory>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/cloud/cloud_notice.hpp>
#include <tensortap/net/cloud/cloud_notice_options.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class CloudNoticeState;
}

/// Polls for notices on a thread of its own while it lives. A notice requests `options.stop` with the reason `notice`;
/// a notice with a nearer deadline shortens the time, one with a later deadline does not. Only a reply in exactly the
/// form that the cloud documents is a notice: a captive portal, a redirect or a damaged reply is counted in `status()`.
/// Requests never go through a proxy. No exception leaves the thread.
/// Threads: any; a forked child has neither the thread nor its notices.
class CloudNoticeWatcher {
 public:
  /// Throws: a duration that is not positive, an endpoint that is no URL, an unknown TENSORTAP_CLOUD.
  explicit CloudNoticeWatcher(CloudNoticeOptions options = {});
  CloudNoticeWatcher(const CloudNoticeWatcher&) = delete;
  CloudNoticeWatcher& operator=(const CloudNoticeWatcher&) = delete;
  /// Ends a request that is under way, and the thread.
  ~CloudNoticeWatcher();

  /// Returns the stop signal, that of the options.
  [[nodiscard]] const StopSignal& signal() const noexcept;

  /// Returns the cloud that is asked and the counts so far.
  [[nodiscard]] CloudNoticeStatus status() const;

  /// Tells Azure that the announced events may begin now, those that have requested the stop. They may then begin at
  /// once, for all machines that they name: call this after the last commit is durable, or never. Returns how many
  /// events were acknowledged; the other clouds know no such call, so that is 0 for them. Never throws; takes at most
  /// `timeout`.
  std::size_t acknowledge() noexcept;

 private:
  std::unique_ptr<detail::CloudNoticeState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/cloud/internal/cloud_notice_watcher_impl.hpp>
#endif
