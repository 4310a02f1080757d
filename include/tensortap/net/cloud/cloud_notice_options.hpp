// Options of a CloudNoticeWatcher.
//
//   const tensortap::Interruption interruption;  // SIGTERM
//   tensortap::CloudNoticeOptions options{.stop = interruption.signal(), .cloud = tensortap::Cloud::gcp};
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/cloud/cloud_notice.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Which cloud is asked, how often, and what a notice does. Durations have no unit of their own: write
/// `std::chrono::seconds(5)`.
struct CloudNoticeOptions {
  using Duration = StopSignal::Clock::duration;

  /// The stop signal that a notice requests. Give `Interruption::signal()`, so that notices and SIGTERM share one.
  StopSignal stop = {};

  /// The cloud. `automatic`: that of TENSORTAP_CLOUD ("ec2", "gcp", "azure", "alibaba", "none"), else the one whose
  /// service AWS_EC2_METADATA_SERVICE_ENDPOINT or GCE_METADATA_HOST names, else the one that the firmware names (DMI).
  /// A machine without any of these makes no request. AWS_EC2_METADATA_DISABLED=true and
  /// ALIBABA_CLOUD_ECS_METADATA_DISABLED=true are respected unless the cloud is given here or in TENSORTAP_CLOUD.
  Cloud cloud = Cloud::automatic;

  /// The address of the metadata service, as "http://127.0.0.1:1338". Empty: that of AWS_EC2_METADATA_SERVICE_ENDPOINT
  /// (and _MODE) or GCE_METADATA_HOST, else the cloud's own. The look-up of a host name cannot be ended early, so
  /// prefer a number.
  std::string endpoint = {};

  /// The time between two rounds of requests. Azure is asked each second if this is longer, as it recommends; the
  /// maintenance of EC2 at most each minute. Google Cloud replies at the moment of a notice, whatever this is.
  Duration interval = std::chrono::seconds(5);

  /// The limit of one request. The first one to Azure may take 150 s, since Azure switches the service on then; a
  /// waiting one to Google Cloud takes `interval` more.
  Duration timeout = std::chrono::seconds(2);

  /// The time between two rounds after three without a usable reply, if `interval` is not longer.
  Duration slow_interval = std::chrono::seconds(60);

  /// How long before its deadline a notice requests the stop. Clouds announce maintenance hours or days ahead, and
  /// withdraw it. Notices of spot machines come later than this and count at once.
  Duration lead = std::chrono::minutes(5);

  /// The time from a notice without a time of its own until the machine goes. nullopt: what the cloud promises, 30 s
  /// for a preemption and 60 s for a maintenance.
  std::optional<Duration> grace = {};

  /// The name of this machine in Azure's notices, which are sent to all machines of a set. Empty: Azure is asked for
  /// it once, when a notice comes.
  std::string machine = {};

  /// Called once for each notice and piece of advice, after the stop was requested. Exceptions are counted. Threads:
  /// the watcher's own, which asks nothing meanwhile and which the destructor joins.
  std::function<void(const CloudNotice& notice)> on_notice = {};

  /// Called at most once: no usable reply came three times in a row. Threads: the watcher's own.
  std::function<void(const std::string& message)> on_trouble = {};

  /// Returns a variable of the environment. Empty: of this process, read by the constructor.
  std::function<std::optional<std::string>(const char* name)> environment = {};
  std::string dmi_directory = "/sys/class/dmi/id";  ///< where the kernel shows what the firmware says
  HttpTransport transport = {};                     ///< for tests; empty: an HttpClient without a proxy
};

TENSORTAP_END_NAMESPACE
