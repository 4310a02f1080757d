#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/job/internal/job_exchange.hpp>
#include <tensortap/job/internal/job_words.hpp>
#include <tensortap/store/memory.hpp>

#include "catch.hpp"

namespace tt = tensortap;
using tt::detail::ChiefWord;
using tt::detail::MemberWord;

namespace {

template <class Word>
std::string again(const Word& word) {
  Word out;
  take_word(out, nlohmann::json::parse(to_text(word)));
  return to_text(out);
}

}  // namespace

TEST_CASE("what managers tell each other can be read again", "[job][words]") {
  ChiefWord chief{.session = "s", .job_id = "j", .address = "a", .phase = "running", .message = "m"};
  CHECK(again(chief) == to_text(chief));
  chief.members = {{"algo-2", "p"}};
  chief.commit = 0;
  chief.seconds_left = 1.5;
  chief.at_once = true;
  chief.attempt = chief.managers = chief.exit_code = 7;
  CHECK(again(chief) == to_text(chief));
  MemberWord member{.process = "p", .machine = "m", .session = "s", .phase = "ended", .wish = "notice", .trouble = "t"};
  CHECK(again(member) == to_text(member));
  member.attempt = member.exit_code = member.signal = 9;
  member.commit = -1;
  member.seconds_left = 0;
  member.was_told = true;
  CHECK(again(member) == to_text(member));
}

TEST_CASE("damaged words of managers are no words", "[job][words]") {
  for (const char* const text : {"{}", R"({"Phase": 3, "Members": [1], "Attempt": "x", "Commit": {}, "AtOnce": "yes"})",
                                 R"({"Members": {"a": 1}, "SecondsLeft": [], "ExitCode": {}})"}) {
    ChiefWord chief;
    take_word(chief, nlohmann::json::parse(text));
    CHECK(to_text(chief) == to_text(ChiefWord{}));
    MemberWord member;
    take_word(member, nlohmann::json::parse(text));
    CHECK(to_text(member) == to_text(MemberWord{}));
  }
}

TEST_CASE("an exchange hears changes, and not what a dead process has left", "[job][words]") {
  using tt::Seconds;
  const auto store = std::make_shared<tt::MemoryStore>();
  store->put("theirs", to_text(MemberWord{.process = "dead"}));
  tt::detail::JobExchange<ChiefWord, MemberWord> exchange(store, "mine", {"theirs"}, Seconds(0.05),
                                                          [] { return true; });
  const auto wait_for = [&](const std::string& process) {
    while (!exchange.heard(0).word || exchange.heard(0).word->process != process)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  wait_for("dead");
  CHECK_FALSE(exchange.heard(0).when);
  store->put("theirs", "no JSON");
  store->put("theirs", to_text(MemberWord{.process = "living"}));
  wait_for("living");
  CHECK(exchange.heard(0).when);
  CHECK_FALSE(store->size("mine"));
  exchange.change([](ChiefWord& word) { word.phase = "over"; });
  REQUIRE(exchange.flush(Seconds(60)));
  CHECK(store->size("mine"));
}
