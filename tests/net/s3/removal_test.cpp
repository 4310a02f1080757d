#include <tensortap/net/s3/internal/objects.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/parallel_for.hpp>

#include "buckets.hpp"
#include "catch.hpp"
#include "scripted.hpp"
#include "store/conformance.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("many objects are removed with few requests for any keys", "[net][removal][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const auto store = new_store(server, options_for(server));
  std::vector<std::string> keys{"a&b<c>d\"e'f", "ü/ß €", "a+b %2F=?#", "with\ncontrol\x01"};
  while (keys.size() < 1'504) keys.push_back("k/" + std::to_string(keys.size()));
  parallel_for(keys.size(), 16, [&](std::size_t i) { store->put(keys[i], "x"); });
  store->put("stays", "x");
  REQUIRE(store->list("").size() == keys.size() + 1);
  keys.push_back("never/was");
  const std::uint64_t before = store->requests();
  store->remove_all(keys);
  CHECK(store->requests() - before == 3);
  CHECK(conformance::listing(*store, "") == "stays 1");
  store->remove_all({});
  CHECK(store->requests() - before == 4);  // the listing
}

TEST_CASE("a removal is repeated for objects with transient errors", "[net][removal]") {
  Script script;
  S3Store store("s3://bucket/run", options_for(script));
  const std::vector<std::string> keys{"a", "b<", "c\n"};
  const auto failed = [](const std::string& code) {
    return "<DeleteResult><Deleted><Key>run/a</Key></Deleted><Error><Key>run/b&lt;</Key><Code>" + code +
           "</Code><Message>why not</Message></Error></DeleteResult>";
  };
  script.then(204);  // "c\n", which XML cannot say
  SECTION("transient") {
    script.then(200, {}, failed("InternalError")).then(200, {}, failed("SlowDown")).then(200, {}, "<DeleteResult/>");
    store.remove_all(keys);
    REQUIRE(script.sent.size() == 4);
    CHECK(script.sent[0].target == "/bucket/run/c%0A");
    CHECK(script.sent[3].target == "/bucket?delete=");
    CHECK(script.sent[3].body ==
          "<?xml "
          "version=\"1.0\"?><Delete><Quiet>true</Quiet><Object><Key>run/a</Key></Object><Object><Key>run/b&lt;</Key></"
          "Object></Delete>");
    const Bytes body = bytes_of(script.sent[3].body);
    CHECK(script.sent[3].headers.at("content-md5") == md5_base64({&body, 1}));
  }
  SECTION("did not exist") {
    script.then(200, {}, failed("NoSuchKey"));
    CHECK_NOTHROW(store.remove_all(keys));
  }
  SECTION("permanent") {
    script.then(200, {}, failed("AccessDenied"));
    CHECK_THROWS_WITH(store.remove_all(keys), contains("AccessDenied: why not"));
    CHECK(script.sent.size() == 2);
  }
  SECTION("the reply is malformed") {
    script.otherwise = [](const HttpRequest&) { return HttpReply{.status = 200, .body = "<html/>"}; };
    CHECK_THROWS_WITH(store.remove_all(keys), contains("its root is not DeleteResult"));
  }
}
