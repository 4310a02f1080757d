#include <tensortap/net/s3/s3_store.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <tensortap/net/s3/internal/lease.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/store/open.hpp>

#include "buckets.hpp"
#include "catch.hpp"
#include "store/conformance.hpp"

using namespace tensortap;
using namespace tensortap::detail;

TEST_CASE("a bucket conforms to the contract of a store over HTTP", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  conformance::check_store([&] { return new_store(server, options_for(server)); });
}

TEST_CASE("a bucket conforms to the contract of a store over TLS", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  conformance::check_store([&] { return new_store(server, options_for(server, true)); });
}

TEST_CASE("each prefix of a bucket is a separate store", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const std::string bucket = make_bucket(server);
  S3Store all("s3://" + bucket, options_for(server));
  S3Store runs("s3://" + bucket + "/runs/", options_for(server));
  S3Store other("s3://" + bucket + "/runs2", options_for(server));
  runs.put("a/b", "1");
  other.put("c", "2");
  CHECK(runs.location() == "s3://" + bucket + "/runs");
  CHECK(conformance::listing(runs, "") == "a/b 1");
  CHECK(conformance::listing(runs, "a/") == "a/b 1");
  CHECK(conformance::listing(all, "") == "runs/a/b 1, runs2/c 1");
  CHECK(conformance::text(all, "runs/a/b") == "1");
}

TEST_CASE("objects of many parts are read back unchanged, from pieces of any size", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  S3Options options = options_for(server);
  options.part_size = std::uint64_t{5} << 20;
  const auto store = new_store(server, options);
  const std::string noise = conformance::noise((std::size_t{23} << 20) + 12'345);
  std::vector<Bytes> pieces;
  for (std::size_t at = 0, size = 1; at < noise.size(); at += size, size = size * 3 + 1) {
    size = std::min(size, noise.size() - at);
    pieces.push_back(bytes_of(std::string_view(noise).substr(at, size)));
    pieces.emplace_back();
  }
  CHECK(store->put("large", pieces, Sync::yes, IfExists::replace));
  CHECK(store->size("large") == noise.size());
  CHECK(conformance::text(*store, "large") == noise);
  const auto middle = store->get("large", {.start = 4'000'000, .length = 13'000'000});
  REQUIRE(middle);
  CHECK(text_of(*middle) == std::string_view(noise).substr(4'000'000, 13'000'000));
  CHECK_FALSE(store->put("large", pieces, Sync::yes, IfExists::keep));
  CHECK(store->put("new", pieces, Sync::yes, IfExists::keep));
  CHECK(conformance::text(*store, "new") == noise);
  CHECK(store->remove_unfinished([](std::string_view) { return true; }) == 0);
}

TEST_CASE("an unfinished multipart upload is found and removed", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const std::string bucket = make_bucket(server);
  auto [options, endpoint] = detail::s3::complete(options_for(server));
  detail::s3::Client client(bucket, endpoint, options);
  for (const std::string key : {"run/a b+c", "run/mine", "elsewhere"})
    (void)client.call({.method = "POST", .key = key, .query = {{"uploads", ""}}, .deadline = client.deadline()});
  S3Store store("s3://" + bucket + "/run", options_for(server));
  CHECK(store.remove_unfinished([](std::string_view key) { return key == "mine"; }) == 1);
  CHECK(store.remove_unfinished([](std::string_view key) { return key == "a b+c"; }) == 1);
  CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 0);
  CHECK(detail::s3::list_uploads(client, "").size() == 1);
}

TEST_CASE("a listing has many pages", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const auto store = new_store(server, options_for(server));
  constexpr std::size_t count = 2'345;
  parallel_for(count, 16, [&](std::size_t i) { store->put("k/" + std::to_string(100'000 + i), "x"); });
  const auto listed = store->list("k/");
  REQUIRE(listed.size() == count);
  for (std::size_t i = 0; i < count; ++i) REQUIRE(listed[i].key == "k/" + std::to_string(100'000 + i));
  const std::uint64_t before = store->requests();
  CHECK(store->list("k/", "k/102340").size() == 4);
  CHECK(store->requests() - before == 1);
}

TEST_CASE("an object is read only in the version that was listed", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const auto store = new_store(server, options_for(server));
  const std::string large = conformance::noise(std::size_t{18} << 20);
  store->put("a/small", "1");
  store->put("a/large", large);
  const auto listed = store->list("a/");
  REQUIRE(listed.size() == 2);
  const std::string large_version = listed[0].version, small_version = listed[1].version;
  CHECK(text_of(store->get_version("a/large", large_version).value()) == large);
  CHECK(text_of(store->get_version("a/small", small_version).value()) == "1");
  store->put("a/small", "2");
  CHECK_FALSE(store->get_version("a/small", small_version));
  CHECK(text_of(store->get_version("a/small", store->list("a/")[1].version).value()) == "2");
  CHECK(store->remove("a/small"));
  CHECK_FALSE(store->get_version("a/small", small_version));
}

TEST_CASE("a claim is renewed while it lives and taken over after it expires", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const std::string address = "s3://" + make_bucket(server);
  S3Options options = options_for(server);
  options.lease = std::chrono::seconds(3);
  S3Store mine(address, options);
  S3Store yours(address, options);
  auto claim = mine.claim("claim.smd", "me\n");
  REQUIRE(claim);
  const std::string first = conformance::text(mine, "claim.smd").value_or("");
  std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
  CHECK(conformance::text(mine, "claim.smd").value_or("") != first);
  CHECK_FALSE(yours.claim("claim.smd", "you\n"));

  // The lease of a process that died: it is not renewed.
  const std::string left = conformance::text(mine, "claim.smd").value_or("");
  claim.reset();
  CHECK_FALSE(mine.get("claim.smd"));
  auto [complete, endpoint] = detail::s3::complete(options);
  detail::s3::Client client(address.substr(5), endpoint, complete);
  detail::s3::Lease dead(client, "claim.smd", "dead\n");
  REQUIRE(dead.put(""));
  CHECK_FALSE(yours.claim("claim.smd", "you\n"));
  std::unique_ptr<Claim> taken;
  for (int i = 0; i < 100 && !taken; ++i) {
    taken = yours.claim("claim.smd", "you\n");
    if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  REQUIRE(taken);
  CHECK(conformance::claim_says(mine, "claim.smd", "you\n"));
  CHECK_FALSE(dead.renew());  // it wakes, and notices
  dead.remove();
  CHECK(conformance::claim_says(mine, "claim.smd", "you\n"));
}

TEST_CASE("a refusal is reported with the request's id and without secrets", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const auto message = [&](const std::string& address, const S3Options& options) {
    S3Store store(address, options);
    try {
      store.put("key", "x");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  S3Options options = options_for(server);
  const std::string missing = message("s3://no-such-bucket-here", options);
  CHECK_THAT(missing, contains("s3: PUT s3://no-such-bucket-here/key: the server answers 404 NoSuchBucket"));
  CHECK_THAT(missing, contains("request tx"));
  CHECK_THROWS_AS(S3Store("s3://no-such-bucket-here", options).get("key"), Error);
  options.credentials = [&] {
    return Credentials{.access_key_id = server.access_key, .secret_access_key = "wrong+secret"};
  };
  const std::string refused = message("s3://" + server.bucket, options);
  CHECK_THAT(refused, contains("the server answers 403 SignatureDoesNotMatch"));
  CHECK(refused.find("wrong+secret") == std::string::npos);
  CHECK(refused.find("Signature=") == std::string::npos);
}

TEST_CASE("a wrong clock is corrected, whatever the first request is", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const std::string address = "s3://" + make_bucket(server);
  for (const auto off : {std::chrono::hours(1), -std::chrono::hours(1)}) {
    S3Options options = options_for(server);
    options.clock = [off] { return std::chrono::system_clock::now() + off; };
    CHECK_FALSE(S3Store(address, options).size("nothing"));
    CHECK(S3Store(address, options).claim("claim.smd", "me\n"));
    CHECK(S3Store(address, options).put("key", "x"));
    CHECK(S3Store(address, options).list("").size() == 1);
  }
}

TEST_CASE("a run's address names its bucket", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();  // the environment says the rest
  const auto store = open_store("s3://" + server.bucket + "/opened");
  store->put("a", "1");
  CHECK(conformance::text(*store, "a") == "1");
  CHECK(store->location() == "s3://" + server.bucket + "/opened");
}

TEST_CASE("list_raw reports any keys of a bucket, in folders on request", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  const std::string bucket = make_bucket(server);
  auto [options, endpoint] = detail::s3::complete(options_for(server));
  detail::s3::Client client(bucket, endpoint, options);
  for (const char* key : {"top", "runs/a", "runs/sub/b", "runs/sub/c", "runs//d", "runs/e/", "runs2"})
    (void)client.call({.method = "PUT", .key = key, .deadline = client.deadline()});
  const auto told = [&](const std::string& prefix, const std::string& begin, bool folders) {
    const S3Store store("s3://" + bucket + "/" + prefix, options_for(server));
    std::string out;
    store.list_raw(begin, folders, [&](const S3Entry& entry) {
      out += (entry.is_folder ? "[" + entry.key + "]" : entry.key) + " ";
      const auto age = std::chrono::system_clock::now() - entry.last_modified;
      CHECK((entry.is_folder || (age > std::chrono::seconds(-5) && age < std::chrono::minutes(5))));
    });
    return out;
  };
  CHECK(told("", "", false) == "runs//d runs/a runs/e/ runs/sub/b runs/sub/c runs2 top ");
  CHECK(told("", "", true) == "[runs/] runs2 top ");
  CHECK(told("", "ru", true) == "[runs/] runs2 ");
  CHECK(told("runs", "", true) == "[/] [e/] [sub/] a ");
  CHECK(told("runs", "sub/", true) == "sub/b sub/c ");
  CHECK(told("nothing", "", true).empty());
}

TEST_CASE("put_observed reports the parts of an object", "[net][s3_store][radosgw]") {
  const S3Server server = S3Server::from_environment();
  S3Options options = options_for(server);
  options.part_size = std::uint64_t{5} << 20;
  const auto store = new_store(server, options);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1000}, (std::size_t{23} << 20) + 7}) {
    const std::string noise = conformance::noise(size);
    const Bytes piece = bytes_of(noise);
    std::atomic<std::uint64_t> seen = 0, sent = 0;
    CHECK(store->put_observed(
        "object", std::span(&piece, 1),
        {.seen = [&](Bytes part) { seen += part.size(); }, .sent = [&](Bytes part) { sent += part.size(); }}));
    CHECK(seen == size);
    CHECK(sent == size);
    CHECK(conformance::text(*store, "object") == noise);
  }
}
