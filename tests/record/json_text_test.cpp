#include <tensortap/record/internal/json_text.hpp>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"

namespace tt = tensortap;
namespace json_text = tensortap::detail::json_text;

TEST_CASE("a string is spelled as by nlohmann's dump with all non-ASCII characters escaped", "[record][json_text]") {
  std::vector<std::string> texts = {"",
                                    "plain",
                                    "fc1.weight/gradient:0",
                                    "\"",
                                    "\\",
                                    "/",
                                    "\b\f\n\r\t",
                                    std::string("\0", 1),
                                    std::string("a\0b", 3),
                                    "\xc3\xbc",
                                    "\xe6\x97\xa5\xe6\x9c\xac",
                                    "\xf0\x9f\x98\x80",
                                    "\xf4\x8f\xbf\xbf",
                                    "\xef\xbf\xbf",
                                    "\xe2\x80\xa8",
                                    std::string(5000, 'n'),
                                    std::string(5000, 'n') + "\xc3\xbc"};
  for (int c = 0; c < 0x80; ++c) {
    texts.push_back(std::string(1, static_cast<char>(c)));
    texts.push_back("a" + std::string(1, static_cast<char>(c)) + "z");
  }
  for (const std::string& text : texts) {
    CAPTURE(text);
    const std::string expected = nlohmann::json(text).dump(-1, ' ', true);
    std::string out = "before";
    json_text::append_string(out, text);
    CHECK(out == "before" + expected);
    CHECK(json_text::string(text) == expected);
    CHECK(nlohmann::json::parse(json_text::string(text)).get<std::string>() == text);
  }
}

TEST_CASE("a document may have any type unless an object is required", "[record][json_text]") {
  const json_text::Place place{"file", "key"};
  for (const std::string text : {"[]", "5", "null", "\"x\"", "true", "[1, {}]"}) {
    CAPTURE(text);
    CHECK(json_text::parse_any(text, place) == nlohmann::json::parse(text));
    CHECK_THROWS_WITH(json_text::parse(text, place), "file: \"key\": not a JSON object");
  }
  CHECK(json_text::parse(R"({"a": [1]})", place) == json_text::parse_any(R"({"a": [1]})", place));
  for (const std::string text : {"", "[", "[]]", "nul", "{\"a\"}", "\xff", "[1,]", "// x\n[]"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(json_text::parse_any(text, place),
                      "file: \"key\": not JSON (" + std::to_string(text.size()) + " bytes)");
  }
  CHECK_THROWS_WITH(json_text::parse_any(std::string(1'000'000, '['), place), contains("nested too deeply"));
}

TEST_CASE("an integer has 64 bits, and no number is rounded to one", "[record][json_text]") {
  const json_text::Place place{"file", "key"};
  const auto integer = [&](const std::string& text) {
    return json_text::integer(json_text::parse_any(text, place), "k", place);
  };
  CHECK(integer("-9223372036854775808") == INT64_MIN);
  CHECK(integer("9223372036854775807") == INT64_MAX);
  CHECK(integer("-0") == 0);
  for (const std::string text :
       {"9223372036854775808", "-9223372036854775809", "1.0", "1e3", "true", "null", "\"1\""}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(integer(text), "file: \"key\": key \"k\": it is not an integer");
  }
}
