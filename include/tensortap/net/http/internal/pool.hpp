// Open connections that wait for their next exchange. Not for users.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
template <class Connection>
class ConnectionPool {
 public:
  using Clock = std::chrono::steady_clock;

  ConnectionPool(std::size_t most_per_origin, Clock::duration good_for)
      : most_per_origin_(most_per_origin), good_for_(good_for) {}

  /// A connection to `origin`, the one used last; null if there is none.
  std::unique_ptr<Connection> take(std::string_view origin) {
    const auto closed = expired();
    const std::lock_guard lock(mutex_);
    const auto found = idle_.find(origin);
    if (found == idle_.end()) return nullptr;
    auto connection = std::move(found->second.back().connection);
    found->second.pop_back();
    if (found->second.empty()) idle_.erase(found);
    return connection;
  }

  /// Keeps `connection` for another exchange; the one used longest ago makes room.
  void put(std::string_view origin, std::unique_ptr<Connection> connection) {
    auto closed = expired();
    if (most_per_origin_ == 0) return;
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[std::string(origin)];
    if (idle.size() == most_per_origin_) {
      closed.push_back(std::move(idle.front()));
      idle.erase(idle.begin());
    }
    idle.push_back({std::move(connection), Clock::now()});
  }

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    Clock::time_point since;
  };

  /// Takes out what has waited too long. The caller closes it, without the lock: closing TLS writes to the socket.
  std::vector<Idle> expired() {
    std::vector<Idle> out;
    const Clock::time_point oldest = Clock::now() - good_for_;
    const std::lock_guard lock(mutex_);
    for (auto origin = idle_.begin(); origin != idle_.end();) {
      auto& idle = origin->second;
      const auto good = std::find_if(idle.begin(), idle.end(), [&](const Idle& one) { return one.since > oldest; });
      std::move(idle.begin(), good, std::back_inserter(out));
      idle.erase(idle.begin(), good);
      origin = idle.empty() ? idle_.erase(origin) : std::next(origin);
    }
    return out;
  }

  const std::size_t most_per_origin_;
  const Clock::duration good_for_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Idle>, std::less<>> idle_;  // each in the order of their last use
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
