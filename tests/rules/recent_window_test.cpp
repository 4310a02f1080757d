#include <tensortap/rules/recent_window.hpp>

#include <cmath>
#include <limits>

#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("a window keeps the last values, and their median", "[rules][recent_window]") {
  tt::RecentWindow window;
  CHECK(std::isnan(window.median()));
  for (const double x : {9.0, 1.0, 2.0, 4.0}) window.add(x, 3);
  CHECK(window.size() == 3);
  CHECK(window.median() == 2);  // 1, 2, 4
  window.add(8, 3);
  CHECK(window.median() == 4);  // 2, 4, 8
  CHECK(window.median_distance(4) == 2);
  tt::RecentWindow even;
  even.add(1, 4);
  even.add(3, 4);
  CHECK(even.median() == 2);
}

TEST_CASE("NaN and infinities never enter a window", "[rules][recent_window]") {
  tt::RecentWindow window;
  for (const double x : {1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 3.0})
    window.add(x, 128);
  CHECK(window.size() == 2);
  CHECK(window.median() == 2);
}

TEST_CASE("a window that is saved and restored goes on", "[rules][recent_window]") {
  tt::RecentWindow window;
  for (int i = 0; i < 7; ++i) window.add(i, 5);
  tt::RuleState out;
  window.exchange(out);
  tt::RecentWindow other;
  tt::RuleState in(out.bytes());
  other.exchange(in);
  CHECK(in.complete());
  for (int i = 7; i < 10; ++i) {
    window.add(i, 5);
    other.add(i, 5);
    CHECK(other.median() == window.median());
  }
}
