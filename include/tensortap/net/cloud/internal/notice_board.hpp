// The notices that are up, by source: which are new, which are due, and their deadlines.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/cloud/cloud_notice.hpp>
#include <tensortap/net/cloud/internal/notice_readers.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the time now by which the times in `reply` are judged: that of this machine, or of the service if the two
/// differ by more than 5 s, as after a wrong setting. Dates of replies have whole seconds and travel for a moment.
inline std::chrono::system_clock::time_point now_of(const HttpReply& reply) {
  const auto now = std::chrono::system_clock::now();
  const auto date = parse_http_date(reply.header("date"));
  return date && std::chrono::abs(now - *date) > std::chrono::seconds(5) ? *date : now;
}

/// Threads: one at a time.
class NoticeBoard {
 public:
  using Clock = StopSignal::Clock;

  NoticeBoard(Cloud cloud, std::size_t sources, std::optional<Clock::duration> grace)
      : cloud_(cloud), grace_(grace), by_source_(sources) {}

  /// Replaces the notices of a source by those of `reply`; returns those that were not there before.
  std::vector<CloudNotice> update(std::size_t source, const std::vector<ReadNotice>& read, const HttpReply& reply) {
    std::vector<Entry> now;
    std::vector<CloudNotice> fresh;
    for (const ReadNotice& one : read) {
      Entry entry{.notice = {.cloud = cloud_,
                             .event = one.event,
                             .id = one.id,
                             .is_advice = one.is_advice,
                             .deadline = deadline_of(one, reply),
                             .time = one.time},
                  .is_startable = one.is_startable};
      const auto before = find(by_source_[source], entry.notice);
      if (before != nullptr) {
        entry.notice.deadline = std::min(entry.notice.deadline, before->notice.deadline);
        entry.has_requested = before->has_requested;
      } else if (find(now, entry.notice) == nullptr) {
        fresh.push_back(entry.notice);
      }
      now.push_back(std::move(entry));
    }
    by_source_[source] = std::move(now);
    return fresh;
  }

  /// Requests the stop for each notice whose deadline is at most `lead` away.
  void request_due(StopSignal& stop, Clock::duration lead) {
    const auto now = Clock::now();
    for (auto& entries : by_source_)
      for (Entry& entry : entries) {
        if (entry.notice.is_advice || entry.notice.deadline - now > lead) continue;
        entry.has_requested = true;
        stop.request(StopReason::notice, entry.notice.deadline);
      }
  }

  /// Returns when the next notice is due that has not requested the stop.
  [[nodiscard]] Clock::time_point next_due(Clock::duration lead) const {
    Clock::time_point next = Clock::time_point::max();
    for (const auto& entries : by_source_)
      for (const Entry& entry : entries)
        if (!entry.notice.is_advice && !entry.has_requested) next = std::min(next, entry.notice.deadline - lead);
    return next;
  }

  /// Returns the identities of the events that an acknowledgement makes begin.
  [[nodiscard]] std::vector<std::string> startable() const {
    std::vector<std::string> ids;
    for (const auto& entries : by_source_)
      for (const Entry& entry : entries)
        if (entry.has_requested && entry.is_startable) ids.push_back(entry.notice.id);
    return ids;
  }

 private:
  struct Entry {
    CloudNotice notice;
    bool is_startable = false;
    bool has_requested = false;
  };

  static const Entry* find(const std::vector<Entry>& entries, const CloudNotice& notice) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.notice.event == notice.event && entry.notice.id == notice.id && entry.notice.time == notice.time;
    });
    return found == entries.end() ? nullptr : &*found;
  }

  /// Returns the deadline by this machine's monotonic clock; one that has passed is now.
  [[nodiscard]] Clock::time_point deadline_of(const ReadNotice& notice, const HttpReply& reply) const {
    const auto now = Clock::now();
    if (notice.time) {
      constexpr std::chrono::hours most{24 * 3650};  // of years that a clock in nanoseconds has not
      const auto left = std::chrono::floor<std::chrono::seconds>(now_of(reply)) + most < *notice.time
                            ? Clock::duration(most)
                            : std::chrono::duration_cast<Clock::duration>(*notice.time - now_of(reply));
      return now + std::max(left, Clock::duration::zero());
    }
    if (notice.left == std::chrono::seconds(0)) return Clock::time_point::max();
    return now + grace_.value_or(notice.left);
  }

  const Cloud cloud_;
  const std::optional<Clock::duration> grace_;
  std::vector<std::vector<Entry>> by_source_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
