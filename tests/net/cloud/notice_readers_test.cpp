#include <tensortap/net/cloud/internal/notice_readers.hpp>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include <tensortap/net/cloud/internal/cloud_services.hpp>

#include "catch.hpp"

using namespace tensortap::detail;

namespace {

const std::string reboot_event = R"({"NotBefore": "21 Jan 2019 09:00:43 GMT", "Code": "system-reboot",
    "Description": "scheduled reboot", "EventId": "instance-event-0d59", "NotAfter": "21 Jan 2019 09:17:23 GMT",
    "State": "active"})";

const std::string preempt_event = R"({"EventId": "602d9444", "EventType": "Preempt", "ResourceType": "VirtualMachine",
    "Resources": ["vm_0", "vm_1"], "EventStatus": "Scheduled", "NotBefore": "Mon, 19 Sep 2016 18:29:47 GMT",
    "Description": "", "EventSource": "Platform", "DurationInSeconds": -1})";

std::string with_text(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

/// Returns a document of Azure with these events.
std::string events_document(const std::string& events) {
  return R"({"DocumentIncarnation": 2, "Events": [)" + events + "]}";
}

}  // namespace

TEST_CASE("the replies that clouds document are read", "[net][notice_readers]") {
  const auto spot = read_spot_action(R"({"action": "hibernate", "time": "2017-09-18T08:22:00Z"})");
  REQUIRE(spot);
  CHECK(spot->at(0).event == "hibernate");
  CHECK(spot->at(0).time == time_of_form("2017-09-18T08:22:00Z", iso_8601_form));
  const auto rebalance = read_rebalance(R"({"noticeTime": "2020-10-27T08:22:00Z"})");
  REQUIRE(rebalance);
  CHECK(rebalance->at(0).is_advice);
  CHECK_FALSE(rebalance->at(0).time);

  const auto maintenance = read_maintenance("[" + reboot_event + "," + with_text(reboot_event, "active", "completed") +
                                            "," + with_text(reboot_event, "system-reboot", "system-maintenance") + "]");
  REQUIRE(maintenance);
  REQUIRE(maintenance->size() == 2);
  CHECK(maintenance->at(0).event == "system-reboot");
  CHECK(maintenance->at(0).id == "instance-event-0d59");
  CHECK_FALSE(maintenance->at(0).is_advice);
  CHECK(maintenance->at(1).is_advice);
  CHECK(read_maintenance("[]")->empty());

  CHECK(read_preempted("TRUE")->at(0).left == std::chrono::seconds(30));
  CHECK(read_preempted("FALSE\n")->empty());
  CHECK(read_host_maintenance("NONE")->empty());
  CHECK(read_host_maintenance("TERMINATE_ON_HOST_MAINTENANCE")->at(0).left == std::chrono::seconds(60));
  CHECK(read_host_maintenance("MIGRATE_ON_HOST_MAINTENANCE")->at(0).is_advice);

  const auto azure = read_scheduled_events(events_document(
      preempt_event + "," +
      with_text(with_text(preempt_event, "Scheduled", "Started"), "Mon, 19 Sep 2016 18:29:47 GMT", "") + "," +
      with_text(preempt_event, "Preempt", "Freeze") + "," + with_text(preempt_event, "Scheduled", "Completed")));
  REQUIRE(azure);
  REQUIRE(azure->size() == 3);
  CHECK(azure->at(0).event == "Preempt");
  CHECK(azure->at(0).is_startable);
  CHECK(azure->at(0).machines == std::vector<std::string>{"vm_0", "vm_1"});
  CHECK_FALSE(azure->at(1).time);
  CHECK(azure->at(1).left == std::chrono::seconds(30));
  CHECK_FALSE(azure->at(1).is_startable);
  CHECK(azure->at(2).is_advice);
  CHECK(read_scheduled_events(events_document(""))->empty());

  CHECK(read_termination_time("2015-01-05T18:02:00Z")->at(0).time ==
        time_of_form("2015-01-05T18:02:00Z", iso_8601_form));
}

TEST_CASE("any other reply is no notice of any cloud", "[net][notice_readers]") {
  std::vector<std::string> texts{"",
                                 " ",
                                 "<html><body>Log in</body></html>",
                                 "null",
                                 "true",
                                 "TRUE!",
                                 "true",
                                 "yes",
                                 "0",
                                 "{}",
                                 "[{}]",
                                 "[1]",
                                 "[[]]",
                                 "\"terminate\"",
                                 R"({"action": "terminate"})",
                                 R"({"action": "reboot", "time": "2017-09-18T08:22:00Z"})",
                                 R"({"action": 1, "time": "2017-09-18T08:22:00Z"})",
                                 R"({"action": "terminate", "time": 1505722920})",
                                 R"({"action": "terminate", "time": "soon"})",
                                 R"({"action": "terminate", "time": "2017-09-18T08:22:00Z")",
                                 R"({"noticeTime": "27 Oct 2020 08:22:00 GMT"})",
                                 "[" + with_text(reboot_event, "21 Jan", "32 Jan") + "]",
                                 "[" + with_text(reboot_event, "\"State\"", "\"Status\"") + "]",
                                 events_document("{}"),
                                 events_document("1"),
                                 events_document(with_text(preempt_event, "Mon", "Tue")),
                                 events_document(with_text(preempt_event, "\"vm_0\"", "0")),
                                 events_document(with_text(preempt_event, "\"NotBefore\"", "\"Not\"")),
                                 R"({"Events": []})",
                                 R"({"DocumentIncarnation": 1})",
                                 R"({"DocumentIncarnation": "1", "Events": []})",
                                 std::string(60'000, '['),
                                 std::string(60'000, '\0'),
                                 "\xff\xfe{}"};
  for (const CloudService& service : cloud_services)
    for (const NoticeSource& source : service.sources)
      for (const std::string& text : texts) {
        const auto read = source.read(text);
        INFO(source.path << " " << text.substr(0, 80));
        CHECK((!read || read->empty()));
      }
}

TEST_CASE("damaged replies are never a notice with another time", "[net][notice_readers]") {
  const std::string whole = R"({"action": "terminate", "time": "2017-09-18T08:22:00Z"})";
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(read_spot_action(whole.substr(0, size)));
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = whole;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int k = 0; k < changes; ++k) text[random() % text.size()] = static_cast<char>(random() % 256);
    if (const auto read = read_spot_action(text)) CHECK(read->at(0).time->time_since_epoch().count() >= 0);
    static_cast<void>(read_scheduled_events(text));
    static_cast<void>(read_maintenance(text));
  }
}
