// What a cloud says about a machine that it will take away, stop or move.
//
//   tensortap::CloudNoticeOptions options;
//   options.on_notice = [](const tensortap::CloudNotice& notice) {
//     std::cerr << to_string(notice.cloud) << ": " << notice.event << (notice.is_advice ? " (advice)\n" : "\n");
//   };
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The clouds whose notices are understood.
enum class Cloud : std::uint8_t {
  automatic,  ///< the one that this machine belongs to
  none,       ///< no cloud: nothing is asked
  ec2,        ///< Amazon EC2
  gcp,        ///< Google Compute Engine
  azure,      ///< Azure
  alibaba,    ///< Alibaba Cloud ECS
};

/// Returns the name: "ec2", "gcp" …
constexpr std::string_view to_string(Cloud cloud) noexcept {
  constexpr std::string_view names[] = {"automatic", "none", "ec2", "gcp", "azure", "alibaba"};
  return names[static_cast<std::size_t>(cloud)];
}

/// One event that a cloud announces for this machine.
struct CloudNotice {
  Cloud cloud = Cloud::none;
  /// The event in the cloud's words: "terminate", "stop", "hibernate", "rebalance", "system-reboot", "preempted",
  /// "TERMINATE_ON_HOST_MAINTENANCE", "Preempt", "Reboot" …
  std::string event = {};
  std::string id = {};     ///< of the event, where the cloud gives one
  bool is_advice = false;  ///< the machine goes on for now: nothing has to stop
  /// When the machine goes; the end of time if the cloud does not say.
  StopSignal::Clock::time_point deadline = StopSignal::Clock::time_point::max();
  /// The time in the notice, by the clock of the cloud.
  std::optional<std::chrono::sys_seconds> time = {};
};

/// The counts of a CloudNoticeWatcher so far.
struct CloudNoticeStatus {
  Cloud cloud = Cloud::none;    ///< the cloud that is asked; `none`: no request is ever made
  std::string service = {};     ///< its metadata service: "http://169.254.169.254"
  std::uint64_t rounds = 0;     ///< in each, every kind of notice is asked for that is due
  std::uint64_t requests = 0;   ///< those for notices, answered or not
  std::uint64_t unusable = 0;   ///< requests without a reply that the cloud is known to send
  std::uint64_t notices = 0;    ///< different notices, without advice
  std::uint64_t advice = 0;     ///< different pieces of advice
  std::uint64_t thrown = 0;     ///< exceptions of the callbacks
  std::string last_cause = {};  ///< of the last unusable reply
  bool is_slowed = false;       ///< asks rarely, after three rounds without a usable reply
};

TENSORTAP_END_NAMESPACE
