#include <tensortap/store/store.hpp>

#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("key_parts splits a key at its slashes", "[store][store]") {
  using Parts = std::vector<std::string>;
  CHECK(tt::key_parts("a") == Parts{"a"});
  CHECK(tt::key_parts("events/000000000003/000000000003_worker_0.tfevents") ==
        Parts{"events", "000000000003", "000000000003_worker_0.tfevents"});
  CHECK(tt::key_parts("a/.b/..c/d..") == Parts{"a", ".b", "..c", "d.."});
}

TEST_CASE("text and bytes are the same memory", "[store][store]") {
  const std::string text("a\0\xff", 3);
  const tt::Bytes bytes = tt::bytes_of(text);
  CHECK(bytes.size() == 3);
  CHECK(bytes[2] == std::byte{0xff});
  CHECK(tt::text_of(bytes).data() == text.data());
  CHECK(tt::text_of({}).empty());
}
