#include <tensortap/record/index.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/internal/index_text.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "sanitizer.hpp"

namespace tt = tensortap;

namespace {

const std::string meta = R"("meta": {"mode": "TRAIN", "mode_step": 3, "event_file_name": "events/e"})";

/// Returns an index with this text of a tensor_payload.
std::string with_tensors(const std::string& payload) { return "{" + meta + R"(, "tensor_payload": )" + payload + "}"; }

std::string with_shape(const std::string& shape) {
  return "{" + meta + R"(, "shape_payload": [{"tensorname": "a", "originalname": "a", "shape": )" + shape + "}]}";
}

/// Returns the reason why `text` is refused. Empty: it is accepted.
std::string refusal_of_index(const std::string& text) {
  try {
    (void)tt::parse_index(text, "index/i");
    return "";
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::damaged);
    CHECK_THAT(e.what(), contains("index: \"index/i\": "));
    return e.what();
  }
}

}  // namespace

TEST_CASE("every index of the golden runs is written back byte for byte", "[record][index]") {
  int compared = 0;
  for (const auto& run : golden::runs())
    for (const auto& [key, text] : golden::files_of(run)) {
      if (!tt::layout::parse_index_key(key)) continue;
      CAPTURE(run, key);
      CHECK(to_json(tt::parse_index(text, key)) == text);
      ++compared;
    }
  CHECK(compared > 80);
}

TEST_CASE("an index contains the place of each tensor", "[record][index]") {
  const auto index =
      tt::parse_index(with_tensors(R"([{"tensorname": "a", "start_idx": 5, "length": 96, "crc32c": 4294967295},
                                                      {"tensorname": "\u00fc\ud83d\ude00", "start_idx": 9223372036854775807, "length": 0}])"),
                      "index/i");
  CHECK(index.mode == tt::Mode::train);
  CHECK(index.mode_step == 3);
  CHECK(index.event_file == "events/e");
  REQUIRE(index.tensors.size() == 2);
  CHECK(index.tensors[0].name == "a");
  CHECK(index.tensors[0].start == 5);
  CHECK(index.tensors[0].length == 96);
  CHECK(index.tensors[0].crc32c == 4294967295U);
  CHECK(index.tensors[1].name == "\xc3\xbc\xf0\x9f\x98\x80");
  CHECK(index.tensors[1].start == INT64_MAX);
  CHECK_FALSE(index.tensors[1].crc32c);
}

TEST_CASE("an index of shapes alone names no events file", "[record][index]") {
  const tt::IndexFile index{.mode = tt::Mode::global,
                            .mode_step = 2,
                            .event_file = {},
                            .tensors = {},
                            .shapes = {{.name = "a", .original_name = "b", .shape = {2, 0, 1}},
                                       {.name = "c", .original_name = "c", .shape = {}}}};
  const std::string text = to_json(index);
  CHECK(
      text ==
      R"({"meta": {"mode": "GLOBAL", "mode_step": 2}, "tensor_payload": [], "shape_payload": [)"
      R"({"tensorname": "a", "originalname": "b", "shape": [2, 0, 1]}, {"tensorname": "c", "originalname": "c", "shape": []}]})");
  const auto again = tt::parse_index(text, "");
  REQUIRE(again.shapes.size() == 2);
  CHECK(again.shapes[0].original_name == "b");
  CHECK(again.shapes[0].shape == std::vector<std::int64_t>{2, 0, 1});
  CHECK(again.shapes[1].shape.empty());
  CHECK(again.event_file.empty());
}

TEST_CASE("our checksum has a key of its own", "[record][index]") {
  const tt::IndexFile index{
      .event_file = "events/e", .tensors = {{.name = "a", .start = 0, .length = 9, .crc32c = 7}}, .shapes = {}};
  CHECK_THAT(to_json(index), contains(R"({"tensorname": "a", "start_idx": 0, "length": 9, "crc32c": 7})"));
}

TEST_CASE("the attempt number has an optional key of its own", "[record][index]") {
  tt::IndexFile index{.mode = tt::Mode::eval, .mode_step = 2, .event_file = "events/e", .tensors = {}, .shapes = {}};
  CHECK(
      to_json(index) ==
      R"({"meta": {"mode": "EVAL", "mode_step": 2, "event_file_name": "events/e"}, "tensor_payload": [], "shape_payload": []})");
  CHECK_FALSE(tt::parse_index(to_json(index), "").attempt);
  for (const std::int64_t run : {std::int64_t{0}, std::int64_t{3}, INT64_MAX}) {
    index.attempt = run;
    CHECK_THAT(to_json(index), contains(R"("event_file_name": "events/e", "run": )" + std::to_string(run) + "}"));
    CHECK(tt::parse_index(to_json(index), "").attempt == run);
  }
  const auto with_run = [](const std::string& run) {
    return R"({"tensor_payload": [], "meta": {"mode": "TRAIN", "mode_step": 0, "run": )" + run + "}}";
  };
  for (const std::string foreign : {"null", "\"1\"", "-1", "1.0", "[]", "{}"}) {  // a key of another program
    CAPTURE(foreign);
    CHECK_FALSE(tt::parse_index(with_run(foreign), "").attempt);
  }
  CHECK(tt::parse_index(with_run("7"), "").attempt == 7);
  CHECK_THAT(refusal_of_index(with_run("9223372036854775808")), contains("key \"run\": it is not an integer"));
}

TEST_CASE("an index built record by record is equal to the whole, and the builder can be used again",
          "[record][index]") {
  tt::detail::IndexText text;
  for (int round = 0; round < 3; ++round) {
    const auto count = static_cast<std::size_t>(round == 1 ? 0 : 500);
    tt::IndexFile index{.mode = tt::Mode::predict,
                        .mode_step = round,
                        .attempt = round > 0 ? std::optional<std::int64_t>(round) : std::nullopt,
                        .event_file = count > 0 ? "events/\"e\"" : "",
                        .tensors = {},
                        .shapes = {}};
    text.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = "a\n" + std::to_string(i);
      std::optional<std::uint32_t> crc;
      if (i % 3 == 0) crc = static_cast<std::uint32_t>(i) * 12345678U;
      text.add(name, i * 100, i, crc);
      index.tensors.push_back({.name = name, .start = i * 100, .length = i, .crc32c = crc});
      const std::vector<std::int64_t> shape(i % 4, static_cast<std::int64_t>(i));
      text.add_shape(name, "other", shape);
      index.shapes.push_back({.name = name, .original_name = "other", .shape = shape});
    }
    const std::string built = text.text(index.mode, index.mode_step, index.event_file, index.attempt);
    CHECK(built == to_json(index));
    CHECK(text.text(index.mode, index.mode_step, index.event_file, index.attempt) == built);  // asking changes nothing
    const auto again = tt::parse_index(built, "");
    CHECK(again.attempt == index.attempt);
    CHECK(again.mode_step == round);
    REQUIRE(again.tensors.size() == count);
    REQUIRE(again.shapes.size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(again.tensors[i].name == index.tensors[i].name);
      CHECK(again.tensors[i].start == i * 100);
      CHECK(again.tensors[i].length == i);
      CHECK(again.tensors[i].crc32c == index.tensors[i].crc32c);
      CHECK(again.shapes[i].shape == index.shapes[i].shape);
    }
  }
}

TEST_CASE("names are escaped as Python escapes them", "[record][index]") {
  const auto text_of = [](const std::string& name) {
    const tt::IndexFile index{
        .event_file = "events/e", .tensors = {{.name = name, .start = 0, .length = 9}}, .shapes = {}};
    CHECK(tt::parse_index(to_json(index), "").tensors.at(0).name == name);
    return to_json(index);
  };
  CHECK_THAT(text_of("\xc3\xbc"), contains(R"("\u00fc")"));
  CHECK_THAT(text_of("\xe6\x97\xa5"), contains(R"("\u65e5")"));
  CHECK_THAT(text_of("\xf0\x9f\x98\x80"), contains(R"("\ud83d\ude00")"));
  CHECK_THAT(text_of("\"\\\n\t\r\b\f/"), contains(R"("\"\\\n\t\r\b\f/")"));
  CHECK_THAT(text_of(std::string("\x00\x1b\x7f", 3)), contains(R"("\u0000\u001b\u007f")"));
}

TEST_CASE("a key that is missing is named", "[record][index]") {
  CHECK(refusal_of_index(with_tensors("[]")).empty());
  CHECK_THAT(refusal_of_index(R"({"tensor_payload": []})"), contains("key \"meta\": it is missing"));
  CHECK_THAT(refusal_of_index(R"({"meta": {}, "tensor_payload": []})"), contains("key \"mode\": it is missing"));
  CHECK_THAT(refusal_of_index(R"({"meta": {"mode": "EVAL"}, "tensor_payload": []})"),
             contains("key \"mode_step\": it is missing"));
  CHECK_THAT(refusal_of_index("{" + meta + "}"),
             contains("key \"tensor_payload\": it is missing, and so is shape_payload"));
  CHECK_THAT(refusal_of_index(with_tensors(R"([{"start_idx": 0, "length": 1}])")),
             contains("key \"tensorname\": it is missing"));
  CHECK_THAT(refusal_of_index(with_tensors(R"([{"tensorname": "a", "length": 1}])")),
             contains("key \"start_idx\": it is missing"));
  CHECK_THAT(refusal_of_index(with_tensors(R"([{"tensorname": "a", "start_idx": 1}])")),
             contains("key \"length\": it is missing"));
  CHECK_THAT(refusal_of_index("{" + meta + R"(, "shape_payload": [{"tensorname": "a"}]})"),
             contains("key \"shape\": it is missing"));
  CHECK_THAT(
      refusal_of_index(
          R"({"meta": {"mode": "EVAL", "mode_step": 0}, "tensor_payload": [{"tensorname": "a", "start_idx": 0, "length": 1}]})"),
      contains("key \"event_file_name\": it is missing, though tensors are listed"));
}

TEST_CASE("a key of the wrong kind is named", "[record][index]") {
  const auto with_meta = [](const std::string& text) { return R"({"tensor_payload": [], "meta": )" + text + "}"; };
  CHECK_THAT(refusal_of_index(with_meta("[]")), contains("key \"meta\": it is not an object"));
  CHECK_THAT(refusal_of_index(with_meta("null")), contains("key \"meta\": it is not an object"));
  CHECK_THAT(refusal_of_index(with_meta(R"({"mode": 1, "mode_step": 0})")),
             contains("key \"mode\": it is not a string"));
  CHECK_THAT(refusal_of_index(with_meta(R"({"mode": "train\u001b", "mode_step": 0})")),
             contains("key \"mode\": no mode is called \"train\\x1b\""));
  CHECK_THAT(refusal_of_index(with_meta(R"({"mode": "TRAIN", "mode_step": "0"})")),
             contains("key \"mode_step\": it is not an integer"));
  CHECK_THAT(refusal_of_index(with_meta(R"({"mode": "TRAIN", "mode_step": 0, "event_file_name": 5})")),
             contains("key \"event_file_name\": it is not a string"));
  CHECK_THAT(refusal_of_index(with_tensors("{}")), contains("key \"tensor_payload\": it is not an array"));
  CHECK_THAT(refusal_of_index(with_tensors("[5]")),
             contains("key \"tensorname\": the value around it is not an object"));
  CHECK_THAT(refusal_of_index(with_tensors(R"([{"tensorname": null, "start_idx": 0, "length": 1}])")),
             contains("key \"tensorname\": it is not a string"));
  CHECK_THAT(refusal_of_index("{" + meta + R"(, "shape_payload": 1})"),
             contains("key \"shape_payload\": it is not an array"));
  CHECK_THAT(refusal_of_index(with_shape("{}")), contains("key \"shape\": it is not an array"));
}

TEST_CASE("numbers other than integers in [0, 2^63) are refused", "[record][index]") {
  for (const std::string number : {"-1", "1.0", "1.5", "1e3", "9223372036854775808", "18446744073709551616",
                                   "-9223372036854775809", "null", "true", "\"1\""}) {
    CAPTURE(number);
    CHECK_THAT(refusal_of_index(R"({"tensor_payload": [], "meta": {"mode": "TRAIN", "mode_step": )" + number + "}}"),
               contains("key \"mode_step\": it is n"));
    CHECK_THAT(refusal_of_index(with_tensors(R"([{"tensorname": "a", "length": 1, "start_idx": )" + number + "}]")),
               contains("key \"start_idx\": it is n"));
    CHECK_THAT(refusal_of_index(with_tensors(R"([{"tensorname": "a", "start_idx": 1, "length": )" + number + "}]")),
               contains("key \"length\": it is n"));
    CHECK_THAT(refusal_of_index(with_shape("[1, " + number + "]")), contains("key \"shape\": "));
  }
  CHECK(refusal_of_index(with_shape("[0, 9223372036854775807]")).empty());
}

TEST_CASE("text that is not JSON is refused", "[record][index]") {
  const std::string whole = with_tensors("[]");
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THAT(refusal_of_index(whole.substr(0, size)), contains("not JSON ("));
  CHECK_THAT(refusal_of_index(whole + whole), contains("not JSON"));
  CHECK_THAT(refusal_of_index("[]"), contains("not a JSON object"));
  CHECK_THAT(refusal_of_index("5"), contains("not a JSON object"));
  CHECK_THAT(refusal_of_index("{\"\xff\": 1}"), contains("not JSON"));
  for (const std::string literal :
       {"NaN", "Infinity", "-Infinity", "nan", "inf", "1e999", "0x10", "01", "+1", "'a'", "undefined"}) {
    CAPTURE(literal);
    CHECK_THAT(refusal_of_index(R"({"tensor_payload": [], "meta": {"mode": "TRAIN", "mode_step": )" + literal + "}}"),
               contains("not JSON"));
  }
}

TEST_CASE("nesting beyond 32 levels is refused, and brackets in strings do not count", "[record][index]") {
  const auto nested = [](std::size_t depth, char open, char close) {
    return "{" + meta + R"(, "tensor_payload": [], "x": )" + std::string(depth, open) + std::string(depth, close) + "}";
  };
  CHECK(refusal_of_index(nested(31, '[', ']')).empty());
  CHECK_THAT(refusal_of_index(nested(32, '[', ']')), contains("nested too deeply"));
  CHECK_THAT(refusal_of_index(nested(1'000'000, '[', ']')), contains("nested too deeply"));
  CHECK_THAT(refusal_of_index(std::string(1'000'000, '[')), contains("nested too deeply"));
  CHECK_THAT(refusal_of_index(R"({"a": )" + std::string(40, '{')), contains("nested too deeply"));
  CHECK(refusal_of_index(nested(1, '"', '"')).empty());
  CHECK(refusal_of_index("{" + meta + R"(, "tensor_payload": [], "x": ")" + std::string(100, '[') + R"(\"[[["})")
            .empty());
}

TEST_CASE("an index in the usual form and one in another form of JSON say the same, however they are damaged",
          "[record][index]") {
  const auto outcome_of = [](const std::string& text) {
    try {
      return to_json(tt::parse_index(text, "index/i"));
    } catch (const tt::Error&) {
      return std::string("refused");
    }
  };
  std::vector<std::string> texts;
  for (const auto& run : golden::runs())
    for (const auto& [key, text] : golden::files_of(run))
      if (tt::layout::parse_index_key(key) && texts.size() < 40) texts.push_back(text.substr(0, 3000));
  texts.push_back(to_json(tt::IndexFile{.attempt = 3,
                                        .event_file = "events/e",
                                        .tensors = {{.name = "a", .start = 0, .length = 96, .crc32c = 4294967295},
                                                    {.name = "b", .start = 96, .length = 7}},
                                        .shapes = {{.name = "c", .original_name = "d", .shape = {0, 12, 3}},
                                                   {.name = "e", .original_name = "e", .shape = {}}}}));
  std::mt19937 random(29);
  const std::string characters = "0123456789-+.eE \t\n\"\\{}[]:,azA\xc3\xa9\x7f\x01";
  std::size_t accepted = 0, refused = 0;
  for (const std::string& text : texts)
    for (int i = 0; i < 200; ++i) {
      std::string changed = text;
      for (std::size_t changes = random() % 3; changes > 0; --changes) {
        const std::size_t at = random() % changed.size();
        switch (random() % 4) {
          case 0: changed[at] = characters[random() % characters.size()]; break;
          case 1: changed.insert(at, 1, characters[random() % characters.size()]); break;
          case 2: changed.erase(at, 1); break;
          default: changed.insert(at, changed.substr(at, 1)); break;
        }
      }
      const std::string expected = outcome_of(changed + "\n");  // a parser of JSON reads this
      CAPTURE(changed);
      REQUIRE(outcome_of(changed) == expected);
      ++(expected == "refused" ? refused : accepted);
    }
  CHECK(accepted > 1000);
  CHECK(refused > 1000);
}

TEST_CASE("an index with unknown keys is read", "[record][index]") {
  CHECK(refusal_of_index(R"({"x": [{}], )" + meta +
                         R"(, "tensor_payload": [{"tensorname": "a", "start_idx": 0, "length": 1, "y": {}}]})")
            .empty());
}

TEST_CASE("a million entries are read in reasonable time", "[record][index]") {
#if WITH_SANITIZER
  constexpr std::size_t entries = 100'000;  // each costs many times more here
#else
  constexpr std::size_t entries = 1'000'000;
#endif
  std::string payload = "[";
  for (std::size_t i = 0; i < entries; ++i)
    payload += (i > 0 ? "," : "") + std::string(R"({"tensorname":"a","start_idx":0,"length":1})");
  const auto start = std::chrono::steady_clock::now();
  CHECK(tt::parse_index(with_tensors(payload + "]"), "").tensors.size() == entries);
  CHECK(std::chrono::steady_clock::now() - start <
        std::chrono::seconds(60));  // one or two, but the machine may be busy
}
