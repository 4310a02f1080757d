#include <tensortap/net/aws/internal/time.hpp>

#include <chrono>
#include <string>

#include "catch.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("an ISO 8601 time is parsed", "[net][time]") {
  using namespace std::chrono;
  const sys_seconds noon = sys_days(year(2026) / 1 / 31) + hours(12);
  CHECK(time_of_iso8601("2026-01-31T12:00:00Z") == noon);
  CHECK(time_of_iso8601("2026-01-31 12:00:00Z") == noon);
  CHECK(time_of_iso8601("2026-01-31T12:00:00.999999Z") == noon);
  CHECK(time_of_iso8601("2026-01-31T14:30:00+02:30") == noon);
  CHECK(time_of_iso8601("2026-01-31T07:00:00.5-05:00") == noon);
  CHECK(time_of_iso8601("2024-02-29T00:00:59Z") == sys_days(year(2024) / 2 / 29) + seconds(59));
}

TEST_CASE("a malformed ISO 8601 time is refused", "[net][time]") {
  for (const std::string text :
       {"", "2026-01-31", "2026-01-31T12:00:00", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z", "2026-01-31T12:00:00.", "2026-01-31T12:00:00+2:30", "2026-01-31T12:00:00+25:00",
        "2026-01-31T12:00:00Zx", "20260131T120000Z", "-026-01-31T12:00:00Z", "2026-01-31T1x:00:00Z",
        "2026-01-31T12:00:-1Z", "0000-01-31T12:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(time_of_iso8601(text).has_value());
  }
}
