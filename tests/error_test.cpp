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
    CHECK(
        std::string(e.what()) ==
        "hook: \"runs/42\": this run has ended; read it, set resume_ended to continue it, or choose another directory");
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
      {Error::due_outside_step("losses"), Errc::invalid_step, "\"losses\""},
      {Error::closed_hook("save"), Errc::invalid_step, "save"},
      {Error::run_has_ended("runs/42"), Errc::ended, "\"runs/42\""},
      {Error::run_not_found("runs/42"), Errc::not_found, "\"runs/42\""},
      {Error::tensor_not_found("w"), Errc::not_found, "\"w\""},
      {Error::collection_not_found("c"), Errc::not_found, "\"c\""},
      {Error::unknown_collection("loses", "losses"), Errc::invalid_option, "\"loses\"; did you mean \"losses\"?"},
      {Error::tensor_not_found("los", "loss"), Errc::not_found, "\"los\"; did you mean \"loss\"?"},
      {Error::collection_not_found("loses", "losses"), Errc::not_found, "\"loses\"; did you mean \"losses\"?"},
      {Error::bad_max_norm(-1.5), Errc::invalid_option, "(-1.5)"},
      {Error::isa_not_available("neon"), Errc::invalid_option, "neon"},
      {Error::bad_url("http:/x", "it has no host"), Errc::invalid_option, "\"http:/x\": it has no host"},
      {Error::bad_bucket("s3://?"), Errc::invalid_option, "\"s3://?\""},
      {Error::no_network("s3://b"), Errc::invalid_option, "\"s3://b\""},
      {Error::bad_credentials("profile x", "it has no secret"), Errc::invalid_option, "profile x: it has no secret"},
      {Error::no_credentials("environment: not set"), Errc::not_found, "environment: not set"},
      {Error::no_credentials_in_time("deadline"), Errc::io, "deadline"},
      {Error::bad_validity(0), Errc::invalid_option, "(0 seconds)"},
      {Error::digest_failed("MD5"), Errc::io, "MD5"},
      {Error::step_not_growing("step", 7, 5), Errc::invalid_step, "(7 before, 5 given)"},
      {Error::run_has_steps("runs/42", "key"), Errc::invalid_option, "(\"key\")"},
      {Error::step_too_large(7, 5), Errc::invalid_step, "(7, at most 5)"},
      {Error::called_by_writer("flush"), Errc::invalid_step, "flush: "},
      {Error::run_has_no_commit("runs/42", 3, "ckpt"), Errc::invalid_option, "3 steps of an earlier attempt"},
      {Error::state_of_another_run("commit", "runs/42", "ckpt", "runs/41"), Errc::invalid_option,
       "another run (\"runs/41\")"},
      {Error::out_of_memory(7, 400), Errc::io, "(first in step 7, for 400 bytes)"},
      {Error::run_is_claimed("runs/42", "process 7"), Errc::claimed, "(process 7)"},
      {Error::no_intact_state("ckpt", 3), Errc::damaged, "(3 commits)"},
      {Error::no_checkpoint("ckpt/a"), Errc::not_found, "\"ckpt/a\""},
      {Error::checkpoint_elsewhere("/a", "/ckpt"), Errc::invalid_option, "(\"/ckpt\")"},
      {Error::no_checkpoint_dir(), Errc::invalid_option, "checkpoint_dir"},
      {Error::fenced("runs/42", 1, 2), Errc::claimed, "(attempt 2, this is attempt 1)"},
      {Error::out_of_time("commit", "runs/42", 3), Errc::io, "(3 steps are waiting)"},
      {Error::steps_not_saved(3, "no space left"), Errc::io, "(3): no space left"},
      {Error::checkpoint_not_remote("s3://b", 2, "timeout"), Errc::io, "(2 files are missing): timeout"},
      {Error::not_restored("s3://b", 2, "timeout"), Errc::io, "(2 are missing): timeout"},
      {Error::checkpoint_damaged("s3://b", 2, "a"), Errc::damaged, "the first is \"a\")"},
      {Error::object_differs("s3://b", "a"), Errc::damaged, "\"s3://b/a\""},
      {Error::file_keeps_changing("a"), Errc::damaged, "\"a\""},
      {Error::file_not_synced("a", "it is a folder"), Errc::invalid_name, "\"a\": it is a folder"},
      {Error::sync_out_of_time("s3://b"), Errc::io, "\"s3://b\""},
      {Error::sync_taken_over("s3://b"), Errc::claimed, "\"s3://b\""},
      {Error::nothing_left_to_sync("ckpt"), Errc::not_found, "\"ckpt\""},
      {Error::checkpoint_not_whole("ckpt"), Errc::damaged, "\"ckpt\""},
      {Error::s3_unreachable("GET s3://b/a", "refused", "", 3), Errc::io, "refused (attempts: 3)"},
      {Error::s3_not_trusted("GET s3://b/a", "expired", 1), Errc::io, "expired (attempts: 1)"},
      {Error::s3_stopped("GET s3://b/a", 2), Errc::io, "a stop was requested (attempts: 2)"},
      {Error::s3_unreadable("PUT s3://b/a", "gone", 1), Errc::io, "gone (attempts: 1)"},
      {Error::s3_keeps_changing("GET s3://b/a", 4), Errc::io, "faster than it is read (attempts: 4)"},
      {Error::not_from_s3("PUT s3://b/a", "no ETag", 200, "text/html", "no attempt is left", 3), Errc::io,
       "no ETag (status 200, text/html, no attempt is left, attempts: 3)"},
      {Error::s3_refused("GET s3://b/a", 403, "Denied", "no", "id", "", 1), Errc::io, "403 Denied: no (attempts: 1, "},
      {Error::s3_refused("GET s3://b/a", 404, "NoSuchBucket", "", "", "", 1), Errc::not_found, "404 NoSuchBucket"},
      {Error::s3_corrupt("s3://b/a", "MD5"), Errc::damaged, "(MD5)"},
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

TEST_CASE("characters that are invisible or change the order of text are escaped", "[base][error]") {
  using tensortap::escaped;
  CHECK(escaped("a\u202Egpj.exe") == "a\\u{202e}gpj.exe");
  CHECK(escaped("\u2066x\u2069\u200F\u061C") == "\\u{2066}x\\u{2069}\\u{200f}\\u{61c}");
  CHECK(escaped("one\u2028two\u2029") == "one\\u{2028}two\\u{2029}");
  CHECK(escaped("\uFEFF\u200Bw\u00AD\U000E0041") == "\\u{feff}\\u{200b}w\\u{ad}\\u{e0041}");
  CHECK(escaped("größe Δw 損失 \u2010\u2030") == "größe Δw 損失 \u2010\u2030");
  CHECK(tensortap::in_quotes("\u202Eloss") == "\"\\u{202e}loss\"");
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
