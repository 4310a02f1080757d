// Readers of the replies of metadata services. Each accepts only what its cloud documents, so that a login page or a
// damaged reply is never a notice.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/cloud/internal/notice_time.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One event in a reply.
struct ReadNotice {
  std::string event = {};
  std::string id = {};
  bool is_advice = false;
  std::optional<std::chrono::sys_seconds> time = {};  ///< when the machine goes
  std::chrono::seconds left{0};                       ///< until it goes, if there is no time; 0: unknown
  bool is_startable = false;                          ///< an acknowledgement makes it begin
  std::vector<std::string> machines = {};             ///< that it concerns; empty: this one
};

/// The events of a reply; nullopt if the reply is not one of the cloud.
using ReadNotices = std::optional<std::vector<ReadNotice>>;

/// Returns `text` without line ends at its end.
inline std::string_view one_line(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// Returns the string `key` of `object` if it is a short word of visible characters; nullopt otherwise.
inline std::optional<std::string> word_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  if (text.empty() || text.size() > 128) return std::nullopt;
  for (const char c : text)
    if (c <= ' ' || c >= 0x7f) return std::nullopt;
  return text;
}

/// Returns the time `key` of `object`, in the form `form`.
inline std::optional<std::chrono::sys_seconds> time_at(const nlohmann::json& object, const char* key,
                                                       std::string_view form) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return time_of_form(found->get_ref<const std::string&>(), form);
}

/// Reads {"action": "terminate", "time": "2017-09-18T08:22:00Z"}.
inline ReadNotices read_spot_action(std::string_view text) {
  const auto root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!root.is_object()) return std::nullopt;
  auto action = word_at(root, "action");
  const auto time = time_at(root, "time", iso_8601_form);
  if (!time || !action || (*action != "terminate" && *action != "stop" && *action != "hibernate")) return std::nullopt;
  return std::vector{ReadNotice{.event = std::move(*action), .time = time}};
}

/// Reads {"noticeTime": "2020-10-27T08:22:00Z"}. The time is when the advice was given, so it is no deadline.
inline ReadNotices read_rebalance(std::string_view text) {
  const auto root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!root.is_object() || !time_at(root, "noticeTime", iso_8601_form)) return std::nullopt;
  return std::vector{ReadNotice{.event = "rebalance", .id = *word_at(root, "noticeTime"), .is_advice = true}};
}

/// Reads [{"NotBefore": "21 Jan 2019 09:00:43 GMT", "Code": "system-reboot", "EventId": "instance-event-0d59",
/// "State": "active", …}]. Events that are completed or canceled stay in the list for a while. During system
/// maintenance a machine keeps running.
inline ReadNotices read_maintenance(std::string_view text) {
  const auto root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!root.is_array()) return std::nullopt;
  std::vector<ReadNotice> out;
  for (const auto& event : root) {
    if (!event.is_object()) return std::nullopt;
    auto code = word_at(event, "Code");
    const auto state = word_at(event, "State");
    const auto time = time_at(event, "NotBefore", maintenance_form);
    if (!code || !state || !time) return std::nullopt;
    if (*state != "active") continue;
    const bool is_advice = *code == "system-maintenance";
    out.push_back({.event = std::move(*code),
                   .id = word_at(event, "EventId").value_or(""),
                   .is_advice = is_advice,
                   .time = time});
  }
  return out;
}

/// Reads TRUE or FALSE. Source: a preempted machine of Google Cloud gets 30 s.
inline ReadNotices read_preempted(std::string_view text) {
  text = one_line(text);
  if (text == "FALSE") return std::vector<ReadNotice>{};
  if (text != "TRUE") return std::nullopt;
  return std::vector{ReadNotice{.event = "preempted", .left = std::chrono::seconds(30)}};
}

/// Reads NONE, TERMINATE_ON_HOST_MAINTENANCE or MIGRATE_ON_HOST_MAINTENANCE. A machine that migrates keeps running.
/// Source: Google Cloud announces a maintenance 60 s ahead.
inline ReadNotices read_host_maintenance(std::string_view text) {
  text = one_line(text);
  if (text == "NONE") return std::vector<ReadNotice>{};
  const bool is_advice = text == "MIGRATE_ON_HOST_MAINTENANCE";
  if (!is_advice && text != "TERMINATE_ON_HOST_MAINTENANCE") return std::nullopt;
  return std::vector{
      ReadNotice{.event = std::string(text), .is_advice = is_advice, .left = std::chrono::seconds(is_advice ? 0 : 60)}};
}

/// Reads {"DocumentIncarnation": 1, "Events": [{"EventId": "602d9444", "EventType": "Preempt", "Resources": ["vm_0"],
/// "EventStatus": "Scheduled", "NotBefore": "Mon, 19 Sep 2016 18:29:47 GMT", …}]}. NotBefore is empty once an event has
/// started; Azure promises 30 s to a preempted machine. A frozen machine stops for seconds and keeps its memory; that
/// and types that are new are advice.
inline ReadNotices read_scheduled_events(std::string_view text) {
  const auto root = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!root.is_object()) return std::nullopt;
  const auto incarnation = root.find("DocumentIncarnation"), events = root.find("Events");
  if (incarnation == root.end() || !incarnation->is_number_integer() || events == root.end() || !events->is_array())
    return std::nullopt;
  std::vector<ReadNotice> out;
  for (const auto& event : *events) {
    if (!event.is_object()) return std::nullopt;
    auto type = word_at(event, "EventType"), id = word_at(event, "EventId");
    const auto status = word_at(event, "EventStatus");
    const auto time = time_at(event, "NotBefore", rfc_1123_form);
    const auto resources = event.find("Resources"), before = event.find("NotBefore");
    if (!type || !id || !status || before == event.end() || (!time && *before != "") || resources == event.end() ||
        !resources->is_array())
      return std::nullopt;
    if (*status != "Scheduled" && *status != "Started") continue;
    ReadNotice notice{.event = std::move(*type),
                      .id = std::move(*id),
                      .time = time,
                      .left = std::chrono::seconds(30),
                      .is_startable = *status == "Scheduled"};
    notice.is_advice = notice.event != "Preempt" && notice.event != "Terminate" && notice.event != "Reboot" &&
                       notice.event != "Redeploy";
    for (const auto& resource : *resources) {
      if (!resource.is_string()) return std::nullopt;
      notice.machines.push_back(resource.get<std::string>());
    }
    out.push_back(std::move(notice));
  }
  return out;
}

/// Reads "2015-01-05T18:02:00Z".
inline ReadNotices read_termination_time(std::string_view text) {
  const auto time = time_of_form(one_line(text), iso_8601_form);
  if (!time) return std::nullopt;
  return std::vector{ReadNotice{.event = "terminate", .time = time}};
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
