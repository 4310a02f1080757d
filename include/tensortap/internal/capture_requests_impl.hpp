// The bodies of capture_requests.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <tensortap/capture_requests.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The requests of one kind that wait.
template <class Request>
class WaitingRequests {
 public:
  bool add(Request request) {
    constexpr std::size_t most = 256;
    const std::lock_guard lock(mutex_);
    if (list_.size() == most) {
      ++refused_;
      return false;
    }
    list_.push_back(std::move(request));
    has_any_ = true;
    return true;
  }

  [[nodiscard]] std::vector<Request> take() {
    if (!has_any_) return {};
    const std::lock_guard lock(mutex_);
    has_any_ = false;
    return std::exchange(list_, {});
  }

  [[nodiscard]] std::uint64_t refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  mutable std::mutex mutex_;  // guards the members below
  std::vector<Request> list_;
  std::uint64_t refused_ = 0;
  std::atomic<bool> has_any_ = false;
};

/// Threads: any.
class CaptureRequestQueue {
 public:
  WaitingRequests<SnapshotRequest> snapshots;
  WaitingRequests<SaveMoreRequest> more;
};

}  // namespace detail

TENSORTAP_INLINE CaptureRequests::CaptureRequests() : queue_(std::make_shared<detail::CaptureRequestQueue>()) {}

TENSORTAP_INLINE bool CaptureRequests::add(SnapshotRequest request) const {
  return queue_->snapshots.add(std::move(request));
}

TENSORTAP_INLINE bool CaptureRequests::add(SaveMoreRequest request) const {
  return queue_->more.add(std::move(request));
}

TENSORTAP_INLINE std::vector<SnapshotRequest> CaptureRequests::take_snapshots() const {
  return queue_->snapshots.take();
}

TENSORTAP_INLINE std::vector<SaveMoreRequest> CaptureRequests::take_save_more() const { return queue_->more.take(); }

TENSORTAP_INLINE std::uint64_t CaptureRequests::refused() const {
  return queue_->snapshots.refused() + queue_->more.refused();
}

TENSORTAP_END_NAMESPACE
