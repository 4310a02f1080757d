// The table of metadata services: what each cloud is asked for, and how.
#pragma once

#include <array>
#include <chrono>
#include <span>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/cloud/cloud_notice.hpp>
#include <tensortap/net/cloud/internal/notice_readers.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One kind of notice.
struct NoticeSource {
  std::string_view path;
  std::string_view query = {};
  ReadNotices (*read)(std::string_view text);
  bool absent_is_404 = false;       ///< the path exists only while there is a notice
  bool waits = false;               ///< the service can hold its reply back until there is a change
  std::chrono::seconds apart = {};  ///< the least time between two requests
};

/// A metadata service. Texts are empty where a cloud has no such thing.
struct CloudService {
  Cloud cloud;
  std::string_view address;

  std::string_view token_path = {};       ///< of a PUT that returns a session token
  std::string_view lifetime_header = {};  ///< of that request
  std::string_view token_header = {};     ///< of the others

  std::string_view header = {};                ///< of each request
  std::string_view value = {};                 ///< of that header
  bool is_echoed = false;                      ///< each genuine reply has the same header; case does not matter
  std::chrono::seconds first_timeout = {};     ///< of the first request, if longer than that of the options
  std::chrono::seconds longest_interval = {};  ///< between two rounds; 0: that of the options
  std::string_view name_path = {};             ///< of the machine's name in notices
  std::string_view name_query = {};
  bool has_acknowledgement = false;  ///< a POST to the first source makes an event begin

  std::span<const NoticeSource> sources;
};

/// Source: Amazon EC2 user guide, "Spot Instance interruption notices", "EC2 instance rebalance recommendations",
/// "Scheduled events for your instances".
inline constexpr std::array ec2_sources{
    NoticeSource{.path = "/latest/meta-data/spot/instance-action", .read = read_spot_action, .absent_is_404 = true},
    NoticeSource{
        .path = "/latest/meta-data/events/recommendations/rebalance", .read = read_rebalance, .absent_is_404 = true},
    NoticeSource{.path = "/latest/meta-data/events/maintenance/scheduled",
                 .read = read_maintenance,
                 .absent_is_404 = true,
                 .apart = std::chrono::seconds(60)}};

/// Source: Compute Engine, "Preemptible VM instances", "Host maintenance: query the metadata server".
inline constexpr std::array gcp_sources{
    NoticeSource{.path = "/computeMetadata/v1/instance/preempted", .read = read_preempted, .waits = true},
    NoticeSource{.path = "/computeMetadata/v1/instance/maintenance-event", .read = read_host_maintenance}};

/// Source: Azure, "Scheduled Events for Linux VMs".
inline constexpr std::array azure_sources{NoticeSource{
    .path = "/metadata/scheduledevents", .query = "api-version=2020-07-01", .read = read_scheduled_events}};

/// Source: Alibaba Cloud ECS, "Query the interruption events of spot instances".
inline constexpr std::array alibaba_sources{NoticeSource{
    .path = "/latest/meta-data/instance/spot/termination-time", .read = read_termination_time, .absent_is_404 = true}};

inline constexpr std::array cloud_services{CloudService{.cloud = Cloud::ec2,
                                                        .address = "http://169.254.169.254",
                                                        .token_path = "/latest/api/token",
                                                        .lifetime_header = "x-aws-ec2-metadata-token-ttl-seconds",
                                                        .token_header = "x-aws-ec2-metadata-token",
                                                        .sources = ec2_sources},
                                           CloudService{.cloud = Cloud::gcp,
                                                        .address = "http://169.254.169.254",
                                                        .header = "metadata-flavor",
                                                        .value = "Google",
                                                        .is_echoed = true,
                                                        .sources = gcp_sources},
                                           CloudService{.cloud = Cloud::azure,
                                                        .address = "http://169.254.169.254",
                                                        .header = "metadata",
                                                        .value = "true",
                                                        .first_timeout = std::chrono::seconds(150),
                                                        .longest_interval = std::chrono::seconds(1),
                                                        .name_path = "/metadata/instance/compute/name",
                                                        .name_query = "api-version=2021-02-01&format=text",
                                                        .has_acknowledgement = true,
                                                        .sources = azure_sources},
                                           CloudService{.cloud = Cloud::alibaba,
                                                        .address = "http://100.100.100.200",
                                                        .token_path = "/latest/api/token",
                                                        .lifetime_header = "x-aliyun-ecs-metadata-token-ttl-seconds",
                                                        .token_header = "x-aliyun-ecs-metadata-token",
                                                        .sources = alibaba_sources}};

/// Returns the service of `cloud`; null for `automatic` and `none`.
inline const CloudService* service_of(Cloud cloud) {
  for (const CloudService& service : cloud_services)
    if (service.cloud == cloud) return &service;
  return nullptr;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
