#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string_view>
#include <tensortap/report.hpp>
#include <tensortap/report/internal/bounded_series.hpp>
#include <tensortap/report/internal/sha256.hpp>
#include <vector>

#include "../catch.hpp"

namespace tt = tensortap;

TEST_CASE("a bounded series keeps the least and the largest number of each part", "[report][bounded_series]") {
  constexpr std::size_t most = 8;
  std::mt19937 random(1);
  for (std::size_t count = 0; count < 200; ++count) {
    tt::detail::BoundedSeries series(most);
    std::vector<double> numbers;
    for (std::size_t i = 0; i < count; ++i) {
      numbers.push_back(static_cast<double>(random() % 1000));
      series.add(static_cast<std::int64_t>(10 * i), numbers.back());
    }
    tt::ReportCurve curve;
    series.write_to(curve, 5);
    REQUIRE(curve.points == count);
    REQUIRE(curve.steps.size() <= 5);
    const auto share = static_cast<std::size_t>(curve.points_per_entry);
    REQUIRE(curve.steps.size() == (count + share - 1) / share);
    for (std::size_t k = 0; k < curve.steps.size(); ++k) {
      const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(k * share);
      const auto end = numbers.begin() + static_cast<std::ptrdiff_t>(std::min((k + 1) * share, count));
      REQUIRE(curve.steps[k] == static_cast<std::int64_t>(10 * k * share));
      REQUIRE(curve.min[k] == *std::min_element(begin, end));
      REQUIRE(curve.max[k] == *std::max_element(begin, end));
    }
    REQUIRE(curve.bad.empty());
  }
}

TEST_CASE("numbers that are not finite are counted, and hide no other", "[report][bounded_series]") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  tt::detail::BoundedSeries series(2);
  for (std::int64_t step = 0; const double x : {nan, 3.0, inf, nan, -inf, -inf, 1.0, 2.0}) series.add(step++, x);
  tt::ReportCurve curve;
  series.write_to(curve, 2);
  REQUIRE(curve.points_per_entry == 4);
  CHECK(curve.min == std::vector<double>{3, 1});
  CHECK(curve.max == std::vector<double>{3, 2});
  CHECK(curve.bad == std::vector<std::int64_t>{3, 2});
}

TEST_CASE("digests are those of the standard's examples", "[report][sha256]") {
  const auto digest = [](std::string_view text) { return tt::detail::base64_of(tt::detail::sha256(text)); };
  CHECK(digest("") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  CHECK(digest("abc") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
}
