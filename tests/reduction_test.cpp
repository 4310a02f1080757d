#include <string>
#include <vector>

#include <tensortap/reduction.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

TEST_CASE("the name of a reduction in a record is parsed back to it", "[base][reduction]") {
  const std::vector<std::string> names = {"min",        "max",          "mean",    "std",      "variance", "sum",
                                          "prod",       "l1",           "l2",      "abs_min",  "abs_max",  "abs_mean",
                                          "abs_std",    "abs_variance", "abs_sum", "abs_prod", "abs_l1",   "abs_l2",
                                          "statistics", "units",        "classes"};
  REQUIRE(names.size() == tt::all_reductions_count);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto r = static_cast<R>(i);
    CHECK(to_string(r) == names[i]);
    CHECK(tt::parse_reduction(names[i]) == r);
  }
  for (const char* unknown : {"", "median", "Min", "min ", "abs_", "abs_statistics", "abs_abs_min", "l3"})
    CHECK_FALSE(tt::parse_reduction(unknown));
}

TEST_CASE("absolute reductions and norms", "[base][reduction]") {
  for (std::size_t i = 0; i < tt::reduction_count; ++i) {
    const auto r = static_cast<R>(i);
    const std::string name(to_string(r));
    CAPTURE(name);
    const bool absolute = name.substr(0, 4) == "abs_";
    CHECK(is_absolute(r) == absolute);
    CHECK_FALSE(is_record(r));
    CHECK(to_string(plain(r)) == (absolute ? name.substr(4) : name));
    CHECK(is_norm(r) == (name.find("l1") != std::string::npos || name.find("l2") != std::string::npos));
  }
  for (const R r : {R::statistics, R::units, R::classes}) {
    CHECK_FALSE(is_absolute(r));
    CHECK_FALSE(is_norm(r));
    CHECK(plain(r) == r);
    CHECK(is_record(r));
  }
}

TEST_CASE("a set of reductions has the order of storage and no duplicates", "[base][reduction]") {
  const tt::Reductions set = {R::units, R::statistics, R::abs_l1,  R::abs_max, R::l2,
                              R::mean,  R::min,        R::abs_min, R::l1,      R::mean};
  const std::vector<R> expected = {R::mean,    R::min,    R::l2,         R::l1,   R::abs_max,
                                   R::abs_min, R::abs_l1, R::statistics, R::units};
  CHECK(std::vector<R>(set.begin(), set.end()) == expected);
  CHECK(set.contains(R::abs_l1));
  CHECK_FALSE(set.contains(R::sum));
  CHECK(tt::Reductions().empty());
  CHECK_FALSE(set.empty());
  CHECK(tt::Reductions{R::l1, R::min} == tt::Reductions{R::min, R::l1});
  CHECK_FALSE(tt::Reductions{R::max, R::min} == tt::Reductions{R::min, R::max});
}
