#include <tensortap/capture/report.hpp>

#include <algorithm>
#include <sstream>
#include <string>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

std::string printed(const tt::Report& report) {
  std::ostringstream out;
  out << report;
  return out.str();
}

}  // namespace

TEST_CASE("a report is a table, and a line for each pattern without a match and for what was left out",
          "[capture][report]") {
  const tt::Report report{
      .collections = {{.name = "losses", .tensors = 1, .steps = 300, .records = 300, .bytes = 1200, .unmatched = {}},
                      {.name = "weights",
                       .tensors = 12,
                       .steps = 3,
                       .records = 36,
                       .bytes = 123'456'789'012,
                       .unmatched = {"^conv", "fc9.weight"}},
                      {.name = "gradients", .unmatched = {}, .withheld = 7}}};
  CHECK(
      printed(report) ==
      "saved                     tensors    steps   records           bytes\n"
      "losses                          1      300       300            1200\n"
      "weights                        12        3        36    123456789012\n"
      "gradients                       0        0         0               0\n"
      "collection \"weights\": \"^conv\" has matched no tensor\n"
      "collection \"weights\": \"fc9.weight\" has matched no tensor\n"
      "collection \"gradients\": 7 tensors of EVAL and PREDICT steps were left out, because a collection of this name "
      "is for TRAIN; give it include_regex and save of its own to save them\n");
}

TEST_CASE("the report of a dry run is titled \"would save\"", "[capture][report]") {
  CHECK(printed({.collections = {}, .dry_run = true}) ==
        "would save                tensors    steps   records           bytes\n");
  CHECK(printed({.collections = {}, .dry_run = false}) ==
        "saved                     tensors    steps   records           bytes\n");
}

TEST_CASE("names and patterns in a report are escaped", "[capture][report]") {
  const tt::Report report{.collections = {{.name = "a\x1b[31m\nb", .unmatched = {"\x1b]0;x\x07", "\xff\n"}}}};
  const std::string text = printed(report);
  CHECK_THAT(text, contains("\na\\x1b[31m\\nb "));
  CHECK_THAT(text, contains("collection \"a\\x1b[31m\\nb\": \"\\x1b]0;x\\x07\" has matched no tensor\n"));
  CHECK_THAT(text, contains(": \"\\xff\\n\" has matched no tensor\n"));
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
}

TEST_CASE("a long name does not touch the numbers of its row", "[capture][report]") {
  const tt::Report report{.collections = {{.name = std::string(60, 'n'), .tensors = 1, .steps = 2, .unmatched = {}}}};
  CHECK_THAT(printed(report), contains(std::string(60, 'n') + "        1        2 "));
}
