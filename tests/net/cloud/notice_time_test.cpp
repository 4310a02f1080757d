#include <tensortap/net/cloud/internal/notice_time.hpp>

#include <chrono>
#include <string>

#include "catch.hpp"

using namespace tensortap::detail;
using namespace std::chrono_literals;

TEST_CASE("the times of notices are read", "[net][notice_time]") {
  const auto time = std::chrono::sys_days(std::chrono::year(2016) / 9 / 19) + 18h + 29min + 47s;
  CHECK(time_of_form("2016-09-19T18:29:47Z", iso_8601_form) == time);
  CHECK(time_of_form("Mon, 19 Sep 2016 18:29:47 GMT", rfc_1123_form) == time);
  CHECK(time_of_form("19 Sep 2016 18:29:47 GMT", maintenance_form) == time);
  CHECK(time_of_form("2024-02-29T00:00:00Z", iso_8601_form).has_value());
  CHECK(time_of_form("9999-12-31T23:59:60Z", iso_8601_form).has_value());
}

TEST_CASE("a text in any other form is no time of a notice", "[net][notice_time]") {
  for (const char* const text : {"",
                                 "2016-09-19",
                                 "2016-09-19T18:29:47",
                                 "2016-09-19 18:29:47Z",
                                 "2016-09-19T18:29:47z",
                                 "2016-09-19T18:29:47+00:00",
                                 "2016-09-19T18:29:47.0Z",
                                 "2016-13-19T18:29:47Z",
                                 "2016-00-19T18:29:47Z",
                                 "2016-02-30T18:29:47Z",
                                 "2023-02-29T18:29:47Z",
                                 "2016-09-19T24:29:47Z",
                                 "2016-09-19T18:60:47Z",
                                 "2016-09-19T18:29:61Z",
                                 "1969-09-19T18:29:47Z",
                                 "+016-09-19T18:29:47Z",
                                 "2016-9-019T18:29:47Z",
                                 "2016-09-19T-8:29:47Z",
                                 " 2016-09-19T18:29:47Z",
                                 "2016-09-19T18:29:47Z ",
                                 "2016-09-19T18:29:47Z\n",
                                 "1474309787",
                                 "soon"})
    CHECK(time_of_form(text, iso_8601_form) == std::nullopt);
  for (const char* const text :
       {"Tue, 19 Sep 2016 18:29:47 GMT", "mon, 19 Sep 2016 18:29:47 GMT", "Mon, 19 sep 2016 18:29:47 GMT",
        "Mon, 19 epO 2016 18:29:47 GMT", "Mon, 19 Sep 2016 18:29:47 UTC", "Mon, 9 Sep 2016 18:29:47 GMT",
        "Mon, 31 Nov 2016 18:29:47 GMT", "Mon, 19 Sep 2016 18:29:47", "Monday, 19-Sep-16 18:29:47 GMT",
        "2016-09-19T18:29:47Z"})
    CHECK(time_of_form(text, rfc_1123_form) == std::nullopt);
  CHECK(time_of_form(std::string("2016-09-19T18:29:4\0Z", 20), iso_8601_form) == std::nullopt);
}
