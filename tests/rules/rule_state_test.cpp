#include <tensortap/rules/rule_state.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

enum class Color : std::uint8_t { red, green };

struct Inner {
  std::string name = {};
  std::vector<double> values = {};
  void exchange(tt::RuleState& state) { state(name)(values); }
  friend bool operator==(const Inner&, const Inner&) = default;
};

/// A state of every type that can be one.
struct All {
  std::uint64_t natural = 0;
  std::int64_t integer = 0;
  std::uint8_t small = 0;
  int number = 0;
  bool flag = false;
  Color color = Color::red;
  float single = 0;
  double real = 0;
  std::string text = {};
  std::optional<double> perhaps = {};
  std::optional<Inner> inner = {};
  std::vector<Inner> list = {};
  std::vector<std::vector<std::int64_t>> rows = {};
  std::map<std::string, std::vector<double>> by_name = {};
  std::map<std::int64_t, Inner> by_number = {};

  void exchange(tt::RuleState& state) {
    state(natural)(integer)(small)(number)(flag)(color)(single)(real)(text)(perhaps)(inner)(list)(rows)(by_name);
    state(by_number);
  }
  friend bool operator==(const All&, const All&) = default;
};

All example() {
  All out{.natural = std::numeric_limits<std::uint64_t>::max(),
          .integer = std::numeric_limits<std::int64_t>::min(),
          .small = 255,
          .number = -7,
          .flag = true,
          .color = Color::green,
          .single = -1.5F,
          .real = -0.0,
          .text = std::string("a\0b\xff", 4)};
  out.perhaps = 1e300;
  out.inner = Inner{.name = "inner", .values = {1, 2.5}};
  out.list = {Inner{}, Inner{.name = "second", .values = {std::numeric_limits<double>::infinity()}}};
  out.rows = {{1, 254, 255, 256}, {}, {-1}};
  out.by_name = {{"", {}}, {"x", {1, 2, 3}}};
  out.by_number = {{-5, Inner{}}, {7, Inner{.name = "seven"}}};
  return out;
}

std::string bytes_of_state(All all) {
  tt::RuleState state;
  state(all);
  return state.bytes();
}

}  // namespace

TEST_CASE("a state is read back as written", "[rules][rule_state]") {
  for (const All& all : {All{}, example()}) {
    const std::string bytes = bytes_of_state(all);
    tt::RuleState reader(bytes);
    CHECK(reader.reading());
    All read = example();
    read.text = "is replaced";
    reader(read);
    CHECK(reader.complete());
    CHECK(read == all);
    CHECK(std::signbit(read.real) == std::signbit(all.real));
    CHECK(bytes_of_state(read) == bytes);
  }
  CHECK(bytes_of_state(All{}).size() < 40);  // small numbers are short
  std::vector<double> odd = {std::nan(""), -std::numeric_limits<double>::infinity(), 5e-324};
  tt::RuleState writer;
  writer(odd);
  CHECK_FALSE(writer.reading());
  tt::RuleState reader(writer.bytes());
  std::vector<double> back;
  reader(back);
  REQUIRE(back.size() == 3);
  CHECK(std::isnan(back[0]));
  CHECK(back[1] == odd[1]);
  CHECK(back[2] == odd[2]);
}

TEST_CASE("a state that ends early is not complete", "[rules][rule_state]") {
  const std::string bytes = bytes_of_state(example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    tt::RuleState reader(std::string_view(bytes).substr(0, size));
    All all;
    reader(all);
    CHECK_FALSE(reader.good());
    CHECK_FALSE(reader.complete());
  }
  const std::string longer = bytes + "x";
  tt::RuleState reader(longer);
  All all;
  reader(all);
  CHECK(reader.good());
  CHECK_FALSE(reader.complete());
}

TEST_CASE("what was read must fit together if it is required", "[rules][rule_state]") {
  const std::string bytes = bytes_of_state(example());
  tt::RuleState reader(bytes);
  All all;
  reader(all);
  reader.require(true);
  CHECK(reader.complete());
  reader.require(false);
  CHECK_FALSE(reader.good());
  tt::RuleState writer;
  writer.require(false);  // a writer has nothing to doubt
  CHECK(writer.good());
}

TEST_CASE("garbage is read without a crash, and takes little memory", "[rules][rule_state]") {
  std::mt19937 random(5);
  const std::string bytes = bytes_of_state(example());
  for (int times = 0; times < 20000; ++times) {
    std::string garbage;
    if (times % 2 == 0) {
      garbage.resize(random() % 300);
      for (char& c : garbage) c = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    } else {
      garbage = bytes;
      for (int n = 0; n < 3; ++n) garbage[random() % garbage.size()] = static_cast<char>(random());
    }
    tt::RuleState reader(garbage);
    All all;
    reader(all);
    // Each element takes a byte at least.
    CHECK(all.text.size() + all.list.size() + all.rows.size() + all.by_name.size() <= garbage.size());
  }
  // A length far beyond the bytes that follow.
  std::string huge(9, '\xff');
  tt::RuleState reader(huge);
  std::vector<All> all;
  reader(all);
  CHECK(all.empty());
  CHECK_FALSE(reader.good());
}
