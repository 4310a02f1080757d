// A second S3 server, which checks signatures by code of its own: `tests/net/s3/s3rver.py COMMAND`.
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/s3_store.hpp>

#include "catch.hpp"
#include "store/conformance.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

std::string s3rver_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set; run this by tests/net/s3/s3rver.py");
  return value;
}

S3Options s3rver_options(const std::string& secret = "S3RVER") {
  return {.region = "us-east-1",
          .endpoint_url = s3rver_variable("TENSORTAP_S3RVER_ENDPOINT"),
          .part_size = std::uint64_t{5} << 20,
          .credentials = [secret] { return Credentials{.access_key_id = "S3RVER", .secret_access_key = secret}; }};
}

}  // namespace

TEST_CASE("a second server accepts the signature of every request", "[net][s3rver]") {
  S3Store store("s3://" + s3rver_variable("TENSORTAP_S3RVER_BUCKET") + "/a run", s3rver_options());
  const std::string large = conformance::noise((std::size_t{12} << 20) + 7);
  CHECK(store.put("b/c d+e", "text"));
  CHECK(store.put("b/z y", "text"));
  CHECK(store.put("large", large));
  CHECK(conformance::text(store, "b/c d+e") == "text");
  CHECK((conformance::text(store, "large") == large));
  CHECK(store.size("b/c d+e") == 4);
  CHECK_FALSE(store.size("nothing"));
  CHECK_FALSE(store.get("nothing"));
  CHECK(conformance::listing(store, "b/") == "b/c d+e 4, b/z y 4");
  CHECK(store.move("b/z y", "moved"));  // that server would not find a '+' there
  CHECK(conformance::text(store, "moved") == "text");
  CHECK(store.remove("moved"));
  store.remove_all(std::vector<std::string>{"large", "b/c d+e"});
  CHECK(store.list("").empty());
}

TEST_CASE("a second server refuses a wrong secret", "[net][s3rver]") {
  S3Store store("s3://" + s3rver_variable("TENSORTAP_S3RVER_BUCKET"), s3rver_options("another"));
  CHECK_THROWS_WITH(store.list(""), contains("403 SignatureDoesNotMatch"));
  CHECK_THROWS_WITH(store.size("a"), contains("403 SignatureDoesNotMatch"));
}
