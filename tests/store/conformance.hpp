// What every Store must do. A store of your own passes if this test case does:
//
//   TEST_CASE("my store does what every store must") {
//     check_store([] { return std::make_shared<MyStore>(); });    // a new, empty one each time
//   }
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <tensortap/store/store.hpp>

#include "catch.hpp"

namespace conformance {

using tensortap::Store;

inline std::string text_of(const std::vector<std::byte>& bytes) { return std::string(tensortap::text_of(bytes)); }

/// The whole of object `key`; nothing if there is none.
inline std::optional<std::string> text(const Store& store, std::string_view key) {
  const auto bytes = store.get(key);
  if (!bytes) return std::nullopt;
  return text_of(*bytes);
}

inline void put_pieces(Store& store, std::string_view key, const std::vector<std::string>& pieces) {
  std::vector<tensortap::Bytes> views;
  for (const auto& piece : pieces) views.push_back(tensortap::bytes_of(piece));
  store.put(key, views, tensortap::Sync::no);
}

/// A listing as one text: "key size, key size".
inline std::string listing(const Store& store, std::string_view prefix) {
  std::string out;
  for (const auto& object : store.list(prefix))
    out += (out.empty() ? "" : ", ") + object.key + " " + std::to_string(object.size);
  return out;
}

/// `size` bytes of which no two stretches are alike.
inline std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 1;
  for (char& c : out) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return out;
}

inline void check_refused(Store& store, const std::string& key) {
  const auto refused = [&](const char* verb, const auto& call) {
    CAPTURE(verb, key);
    try {
      call();
      FAIL("it was accepted");
    } catch (const tensortap::Error& e) {
      CHECK(e.code() == tensortap::Errc::invalid_name);
      CHECK_THAT(e.what(),
                 contains("store: key " + tensortap::in_quotes(key) + " is not a relative path of plain names"));
    }
  };
  refused("put", [&] { store.put(key, "x"); });
  refused("get", [&] { (void)store.get(key); });
  refused("size", [&] { (void)store.size(key); });
  refused("remove", [&] { (void)store.remove(key); });
}

/// Objects whose every byte is the same letter, so that a reader can tell a whole one: 'a' has 10'000 bytes, 'b' 20'000
/// …
inline std::string whole(int letter) {
  return std::string(static_cast<std::size_t>(letter + 1) * 10'000, static_cast<char>('a' + letter));
}

inline bool is_whole(const std::string& object) { return !object.empty() && object == whole(object[0] - 'a'); }

/// Four threads write the same key and keys of their own, one removes, two read.
inline void check_threads(Store& store) {
  constexpr int rounds = 60;
  std::atomic<int> writing = 4;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  const auto run = [&](auto work) {
    threads.emplace_back([&failures, work] {
      try {
        work();
      } catch (const std::exception&) {
        ++failures;
      }
    });
  };
  for (int writer = 0; writer < 4; ++writer)
    run([&, writer] {
      for (int i = 0; i < rounds; ++i) {
        store.put("shared/object", whole(writer));
        store.put("own/" + std::to_string(writer) + "/" + std::to_string(i), whole(writer));
      }
      --writing;
    });
  run([&] {
    while (writing > 0) {
      (void)store.remove("shared/object");
      std::this_thread::yield();
    }
  });
  for (int reader = 0; reader < 2; ++reader)
    run([&] {
      while (writing > 0) {
        if (const auto object = text(store, "shared/object"); object && !is_whole(*object)) ++failures;
        if (const auto size = store.size("shared/object"); size && (*size == 0 || *size % 10'000 != 0)) ++failures;
        for (const auto& object : store.list(""))
          if (object.size == 0 || object.size % 10'000 != 0) ++failures;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(store.list("own/").size() == 4 * rounds);
  for (int writer = 0; writer < 4; ++writer)
    CHECK(text(store, "own/" + std::to_string(writer) + "/7") == whole(writer));
}

/// Tries all of it on stores made by `make_store`.
template <class MakeStore>
void check_store(const MakeStore& make_store) {
  const std::shared_ptr<Store> owner = make_store();
  Store& store = *owner;

  SECTION("an empty store") {
    CHECK_FALSE(store.get("a"));
    CHECK_FALSE(store.size("a"));
    CHECK_FALSE(store.remove("a"));
    CHECK_FALSE(store.get("a/b/c"));
    CHECK_FALSE(store.size("a/b/c"));
    CHECK_FALSE(store.remove("a/b/c"));
    CHECK(store.list("").empty());
    CHECK(store.list("a/").empty());
    CHECK_FALSE(store.location().empty());
  }

  SECTION("an object is what was put") {
    for (const auto sync : {tensortap::Sync::no, tensortap::Sync::yes})
      for (const std::string& content :
           {std::string("content"), std::string(), std::string("\0\n\xff", 3), noise(1 << 20)}) {
        store.put("a/b.c", content, sync);
        CHECK(text(store, "a/b.c") == content);
        CHECK(store.size("a/b.c") == content.size());
      }
    CHECK(store.list("").size() == 1);
  }

  SECTION("an object replaces the one before, larger or smaller") {
    for (const std::size_t size : {100U, 10'000U, 5U, 0U, 7U}) {
      store.put("a", noise(size));
      CHECK(text(store, "a") == noise(size));
      CHECK(listing(store, "") == "a " + std::to_string(size));
    }
  }

  SECTION("pieces are one object") {
    put_pieces(store, "a", {"one", "", "two", std::string(70'000, 'x'), ""});
    CHECK(text(store, "a") == "onetwo" + std::string(70'000, 'x'));
    put_pieces(store, "a", {});
    CHECK(text(store, "a") == "");
    put_pieces(store, "a", {"", ""});
    CHECK(text(store, "a") == "");
    std::vector<std::string> many;  // more than a system call takes at once
    std::string expected;
    for (std::size_t i = 0; i < 5000; ++i) expected += many.emplace_back(noise(i % 7));
    put_pieces(store, "many", many);
    CHECK(text(store, "many") == expected);
  }

  SECTION("a range is that part of the object") {
    const std::string content = "0123456789";
    store.put("a", content);
    constexpr std::uint64_t most = UINT64_MAX;
    for (const std::uint64_t start :
         {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{9}, std::uint64_t{10}, std::uint64_t{11}, most - 1, most})
      for (const std::uint64_t length :
           {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{8}, std::uint64_t{1} << 60, most}) {
        CAPTURE(start, length);
        const auto part = store.get("a", {start, length});
        REQUIRE(part);
        CHECK(text_of(*part) == (start > content.size() ? "" : content.substr(start, length)));
      }
    CHECK_FALSE(store.get("b", {0, 1}));
  }

  SECTION("a removed object is gone, others are not") {
    store.put("a/b", "1");
    store.put("a/c", "2");
    CHECK(store.remove("a/b"));
    CHECK_FALSE(store.remove("a/b"));
    CHECK_FALSE(store.get("a/b"));
    CHECK(listing(store, "") == "a/c 1");
    store.put("a/b", "3");
    CHECK(text(store, "a/b") == "3");
  }

  SECTION("a listing has the keys below its prefix and no others, sorted as bytes") {
    std::string size;
    for (const std::string key :
         {"a/x", "a/y", "a/b/z", "a/b/c/d/e/f/g/h/i/j", "ab/x", "a-b/x", "a.b", "b", "A/x", "a/\xc3\xa4", "a/ "})
      store.put(key, size += "x");
    CHECK(listing(store, "") ==
          "A/x 9, a-b/x 6, a.b 7, a/  11, a/b/c/d/e/f/g/h/i/j 4, a/b/z 3, a/x 1, a/y 2, a/\xc3\xa4 10, ab/x 5, b 8");
    CHECK(listing(store, "a/") == "a/  11, a/b/c/d/e/f/g/h/i/j 4, a/b/z 3, a/x 1, a/y 2, a/\xc3\xa4 10");
    CHECK(listing(store, "a/b/") == "a/b/c/d/e/f/g/h/i/j 4, a/b/z 3");
    CHECK(listing(store, "a/b/c/d/e/f/g/h/i/") == "a/b/c/d/e/f/g/h/i/j 4");
    CHECK(listing(store, "nothing/").empty());
  }

  SECTION("plain names are any but . and ..") {
    const std::string parts_of_100 = std::string(100, 'k') + "/";
    std::string longest;
    while (longest.size() + 101 <= 1024) longest += parts_of_100;
    longest += std::string(1024 - longest.size(), 'k');
    REQUIRE(longest.size() == 1024);
    for (const std::string& key : {std::string("..."), std::string("a..b"), std::string(".hidden"), std::string("-"),
                                   std::string("a b"), std::string("a\nb"), std::string("a\\b"), std::string("*?[x]"),
                                   std::string("%2e%2e"), std::string("=&+ #"), longest}) {
      CAPTURE(key);
      store.put(key, "x");
      CHECK(text(store, key) == "x");
      CHECK(listing(store, "") == key + " 1");
      CHECK(store.remove(key));
    }
  }

  SECTION("other keys are refused") {
    for (const std::string& key :
         {std::string(""), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"),
          std::string("."), std::string(".."), std::string("../a"), std::string("a/.."), std::string("a/../b"),
          std::string("./a"), std::string("a/."), std::string("a/./b"), std::string("a\0b", 3), std::string(1025, 'k')})
      check_refused(store, key);
    CHECK(store.list("").empty());
  }

  SECTION("several threads at once") { check_threads(store); }
}

}  // namespace conformance
