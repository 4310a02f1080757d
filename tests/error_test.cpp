#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <tensortap/error.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using tt::Errc;
using tt::Error;

TEST_CASE("every error has the same type, with a code to branch on", "[base][error]") {
  STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, Error>);
  STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<Error>);
  try {
    throw Error::run_has_ended("runs/42");
  } catch (const std::exception& e) {
    CHECK(std::string(e.what()) == "hook: \"runs/42\": this run has ended; choose another directory");
    CHECK(dynamic_cast<const Error&>(e).code() == Errc::ended);
  }
}

TEST_CASE("each error has a code, names its subject, and offers a way out", "[base][error]") {
  struct Case {
    Error error;
    Errc code;
    std::string about;
  };
  const std::vector<std::int64_t> two_three = {2, 3};
  const Case cases[] = {
      {Error::device_tensor("w"), Errc::invalid_tensor, "\"w\""},
      {Error::sparse_tensor("w"), Errc::invalid_tensor, "\"w\""},
      {Error::lazy_conjugate("w"), Errc::invalid_tensor, "\"w\""},
      {Error::undefined_tensor("w"), Errc::invalid_tensor, "\"w\""},
      {Error::unknown_element_type("w", 12), Errc::invalid_tensor, "(torch scalar type 12)"},
      {Error::rank_too_large(9, 8), Errc::invalid_tensor, "(9, at most 8)"},
      {Error::strides_mismatch(1, 2), Errc::invalid_tensor, "(1 and 2)"},
      {Error::shape_too_large(), Errc::invalid_tensor, "shape"},
      {Error::wrong_type("float32", "int8"), Errc::invalid_tensor, "int8, not float32"},
      {Error::shapes_differ(two_three, {}), Errc::invalid_tensor, "([2, 3] and [])"},
      {Error::types_differ("float32", "int8"), Errc::invalid_tensor, "(float32 and int8)"},
      {Error::bad_tolerance("rtol", -0.5), Errc::invalid_option, "rtol"},
      {Error::bad_quantile(1.5), Errc::invalid_option, "(1.5)"},
      {Error::name_too_long("save", "w", 1024), Errc::invalid_name, "(1 bytes, at most 1024)"},
      {Error::name_not_utf8("save", "w\xff"), Errc::invalid_name, "\"w\\xff\""},
      {Error::bad_worker("a b"), Errc::invalid_name, "\"a b\""},
      {Error::bad_key("../x"), Errc::invalid_name, "\"../x\""},
      {Error::bad_pattern("(", 1, "unmatched parenthesis"), Errc::invalid_pattern, "(at position 1)"},
      {Error::no_such_store("ftp://x"), Errc::invalid_option, "\"ftp://x\""},
      {Error::unknown_collection("gradient"), Errc::invalid_option, "\"gradient\""},
      {Error::outside_step("w"), Errc::invalid_step, "\"w\""},
      {Error::closed_hook("save"), Errc::invalid_step, "save"},
      {Error::run_has_ended("runs/42"), Errc::ended, "\"runs/42\""},
      {Error::run_not_found("runs/42"), Errc::not_found, "\"runs/42\""},
      {Error::tensor_not_found("w"), Errc::not_found, "\"w\""},
  };
  for (const auto& [error, code, about] : cases) {
    const std::string message = error.what();
    CAPTURE(message);
    CHECK(error.code() == code);
    CHECK(message.find(about) != std::string::npos);
    CHECK(message.find(": ") != std::string::npos);  // what: …
    CHECK(message.find("; ") != std::string::npos);  // …; way out
    CHECK(message.find_first_of("\n\r\t\x1b") == std::string::npos);
    CHECK(message.back() != '.');
  }
}

TEST_CASE("a message contains the previous and the given number", "[base][error]") {
  CHECK(std::string(Error::step_not_growing("step of TRAIN", 7, 5).what()) ==
        "begin_step: step of TRAIN: it must grow (7 before, 5 given); give a larger number");
}

TEST_CASE("names in messages are escaped and cut", "[base][error]") {
  const std::string hostile = "a\n\x1b[2J\x7f" + std::string(10000, 'x');
  for (const Error& error :
       {Error::outside_step(hostile), Error::device_tensor(hostile), Error::tensor_not_found(hostile),
        Error::run_not_found(hostile), Error::damaged("index", hostile, "no JSON"),
        Error::io("store", hostile, "no space left")}) {
    const std::string message = error.what();
    CAPTURE(message);
    CHECK(message.find("a\\n\\x1b[2J\\x7fxxx") != std::string::npos);
    CHECK(message.size() < 400);
    CHECK(message.find_first_of("\n\x1b\x7f") == std::string::npos);
  }
}
