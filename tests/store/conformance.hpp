// The contract of Store as a test. A store of your own conforms if this test case passes:
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
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/store/store.hpp>

#include "catch.hpp"

namespace conformance {

using tensortap::Store;

inline std::string text_of(const std::vector<std::byte>& bytes) { return std::string(tensortap::text_of(bytes)); }

/// Returns the whole object `key`; nullopt if it does not exist.
inline std::optional<std::string> text(const Store& store, std::string_view key) {
  const auto bytes = store.get(key);
  if (!bytes) return std::nullopt;
  return text_of(*bytes);
}

inline std::vector<tensortap::Bytes> views_of(const std::vector<std::string>& pieces) {
  std::vector<tensortap::Bytes> views;
  for (const auto& piece : pieces) views.push_back(tensortap::bytes_of(piece));
  return views;
}

inline void put_pieces(Store& store, std::string_view key, const std::vector<std::string>& pieces) {
  store.put(key, views_of(pieces), tensortap::Sync::no, tensortap::IfExists::replace);
}

inline void append(tensortap::ObjectWriter& writer, const std::vector<std::string>& pieces) {
  writer.append(views_of(pieces));
}

/// Returns whether the object of a claim begins with `says`.
inline bool claim_says(const Store& store, std::string_view key, std::string_view says) {
  const auto claim = text(store, key);
  return claim && claim->starts_with(says);
}

/// Returns a listing as one text: "key size, key size".
inline std::string listing(const Store& store, std::string_view prefix, std::string_view after = {}) {
  std::string out;
  for (const auto& object : store.list(prefix, after))
    out += (out.empty() ? "" : ", ") + object.key + " " + std::to_string(object.size);
  return out;
}

/// Returns `size` pseudo-random bytes.
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
                 contains("store: key " + tensortap::in_quotes(key) + ": it is not a relative path of plain names"));
    }
  };
  refused("put", [&] { store.put(key, "x"); });
  refused("begin", [&] { (void)store.begin_object(key); });
  refused("extend", [&] { (void)store.extend(key, 0, {}, tensortap::Sync::no); });
  refused("put if absent", [&] { store.put(key, "x", tensortap::Sync::yes, tensortap::IfExists::keep); });
  refused("get", [&] { (void)store.get(key); });
  refused("size", [&] { (void)store.size(key); });
  refused("remove", [&] { (void)store.remove(key); });
  refused("remove all", [&] { store.remove_all(std::vector<std::string>{"there", key}); });
  refused("move from", [&] { (void)store.move(key, "x"); });
  refused("move to", [&] { (void)store.move("there", key); });
  refused("move nothing to", [&] { (void)store.move("nothing", key); });
  refused("sync", [&] { store.sync(std::vector<std::string>{"there", key}); });
  refused("claim", [&] { (void)store.claim(key, "x"); });
}

/// Returns an object whose every byte is the same letter, so that a reader recognises a whole one: 'a' has 10'000
/// bytes, 'b' 20'000 …
inline std::string whole(int letter) {
  return std::string(static_cast<std::size_t>(letter + 1) * 10'000, static_cast<char>('a' + letter));
}

inline bool is_whole(const std::string& object) { return !object.empty() && object == whole(object[0] - 'a'); }

/// Calls `work(0)` … `work(count - 1)` at once; returns how many of them threw.
template <class Work>
int in_threads(int count, const Work& work) {
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&work, &failures, i] {
      try {
        work(i);
      } catch (const std::exception&) {
        ++failures;
      }
    });
  for (auto& thread : threads) thread.join();
  return failures;
}

/// Checks seven threads: four write the same key and keys of their own, one removes, two read.
inline void check_threads(Store& store) {
  constexpr int rounds = 60;
  std::atomic<int> writing = 4;
  std::atomic<int> errors = 0;
  const auto write = [&](int writer) {
    for (int i = 0; i < rounds; ++i) {
      store.put("shared/object", whole(writer));
      store.put("own/" + std::to_string(writer) + "/" + std::to_string(i), whole(writer));
    }
  };
  const auto read = [&] {
    if (const auto object = text(store, "shared/object"); object && !is_whole(*object)) ++errors;
    if (const auto size = store.size("shared/object"); size && (*size == 0 || *size % 10'000 != 0)) ++errors;
    for (const auto& object : store.list(""))
      if (object.size == 0 || object.size % 10'000 != 0) ++errors;
  };
  const int failures = in_threads(7, [&](int thread) {
    if (thread < 4) {
      const struct Done {
        std::atomic<int>& writing;
        ~Done() { --writing; }
      } done{writing};
      write(thread);
    } else if (thread == 4) {
      for (; writing > 0; std::this_thread::yield()) (void)store.remove("shared/object");
    } else {
      while (writing > 0) read();
    }
  });
  CHECK(failures == 0);
  CHECK(errors == 0);
  CHECK(store.list("own/").size() == 4 * rounds);
  for (int writer = 0; writer < 4; ++writer)
    CHECK(text(store, "own/" + std::to_string(writer) + "/7") == whole(writer));
}

/// Checks that one of four threads that put a key with IfExists::keep succeeds.
inline void check_exclusive_puts(Store& store) {
  constexpr int keys = 50;
  std::vector<std::string> winners(keys);
  std::atomic<int> wins = 0;
  const int failures = in_threads(4, [&](int writer) {
    for (int i = 0; i < keys; ++i) {
      const std::string content = whole(writer);
      const std::string key = "once/" + std::to_string(i);
      if (!store.put(key, content, tensortap::Sync::no, tensortap::IfExists::keep)) continue;
      winners[static_cast<std::size_t>(i)] = content;  // a data race if two threads win
      ++wins;
    }
  });
  CHECK(failures == 0);
  CHECK(wins == keys);
  for (int i = 0; i < keys; ++i)
    CHECK(text(store, "once/" + std::to_string(i)) == winners[static_cast<std::size_t>(i)]);
}

/// Checks four threads that take turns at one claim and hold another one each.
inline void check_claims_in_threads(Store& store) {
  std::atomic<int> holders = 0;
  std::atomic<int> errors = 0;
  const int failures = in_threads(4, [&](int thread) {
    const std::string own = "claims/own_" + std::to_string(thread);
    for (int turns = 0; turns < 25;) {
      const auto mine = store.claim(own, own);
      if (!mine || !claim_says(store, own, own)) ++errors;
      const auto claim = store.claim("claims/shared", own);
      if (!claim) {
        std::this_thread::yield();
        continue;
      }
      if (++holders != 1 || !claim_says(store, "claims/shared", own)) ++errors;
      store.put("claimed", own);
      --holders;
      ++turns;
    }
  });
  CHECK(failures == 0);
  CHECK(errors == 0);
  CHECK(store.list("claims/").empty());
}

/// Checks the whole contract on stores made by `make_store`.
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
    CHECK_FALSE(store.move("a/b/c", "d/e"));
    CHECK_NOTHROW(store.sync(std::vector<std::string>{"a", "a/b/c"}));
    CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 0);
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
    std::vector<std::string> many;  // more pieces than one system call accepts
    std::string expected;
    for (std::size_t i = 0; i < 5000; ++i) expected += many.emplace_back(noise(i % 7));
    put_pieces(store, "many", many);
    CHECK(text(store, "many") == expected);
  }

  SECTION("an object of one piece after the other is visible when it is finished") {
    using tensortap::IfExists;
    using tensortap::Sync;
    if (const auto first = store.begin_object("a/b")) {
      append(*first, {"one", "", "two"});
      const auto second = store.begin_object("a/b");
      append(*second, {std::string(70'000, 'x')});
      append(*first, {});
      append(*first, {std::string(70'000, 'y'), "end"});
      CHECK(store.list("").empty());
      CHECK_FALSE(store.get("a/b"));
      CHECK_FALSE(store.size("a/b"));
      CHECK(first->finish(Sync::yes, IfExists::keep));
      CHECK(text(store, "a/b") == "onetwo" + std::string(70'000, 'y') + "end");
      CHECK_FALSE(second->finish(Sync::no, IfExists::keep));
      CHECK(store.size("a/b") == 70'009);
      const auto third = store.begin_object("a/b");
      append(*third, {"third"});
      CHECK(third->finish(Sync::no, IfExists::replace));
      CHECK(text(store, "a/b") == "third");
      CHECK(store.begin_object("empty")->finish(Sync::no, IfExists::replace));
      append(*store.begin_object("abandoned"), {"x"});
      CHECK(listing(store, "") == "a/b 5, empty 0");
    }
    CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 0);
  }

  SECTION("an object grows, or the store says that it cannot") {
    const auto extend = [&](std::uint64_t start, const std::vector<std::string>& pieces, tensortap::Sync sync) {
      return store.extend("a/b", start, views_of(pieces), sync);
    };
    const bool can = extend(0, {}, tensortap::Sync::no);
    CHECK_FALSE(store.size("a/b"));
    CHECK(extend(0, {"one", "", "two"}, tensortap::Sync::no) == can);
    CHECK(text(store, "a/b") == (can ? std::optional<std::string>("onetwo") : std::nullopt));
    if (can) {
      CHECK(extend(6, {std::string(70'000, 'x'), "end"}, tensortap::Sync::yes));
      CHECK(extend(3, {"two", "x"}, tensortap::Sync::no));  // again
      CHECK(text(store, "a/b") == "onetwo" + std::string(70'000, 'x') + "end");
      CHECK_THROWS_AS(extend(70'010, {"x"}, tensortap::Sync::no), tensortap::Error);  // there is a gap
      CHECK(store.size("a/b") == 70'009);
      store.put("a/b", "new");
      CHECK(extend(3, {"er"}, tensortap::Sync::no));
      CHECK(text(store, "a/b") == "newer");
      CHECK(listing(store, "") == "a/b 5");
    }
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

  SECTION("removing an object removes no other") {
    store.put("a/b", "1");
    store.put("a/c", "2");
    CHECK(store.remove("a/b"));
    CHECK_FALSE(store.remove("a/b"));
    CHECK_FALSE(store.get("a/b"));
    CHECK(listing(store, "") == "a/c 1");
    store.put("a/b", "3");
    CHECK(text(store, "a/b") == "3");
    store.put("d", "4");
    store.remove_all(std::vector<std::string>{"d", "nothing/there", "a/b"});
    CHECK(listing(store, "") == "a/c 1");
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

  SECTION("a listing continues after a key") {
    for (const std::string key : {"a/x", "a/y", "a/b/z", "a/b/c/d", "ab/x", "a-b/x", "a.b", "b", "a/\xc3\xa4"})
      store.put(key, "x");
    CHECK(listing(store, "", "a") == listing(store, ""));
    CHECK(listing(store, "", "a-b") == listing(store, ""));
    CHECK(listing(store, "", "a-b/x") == "a.b 1, a/b/c/d 1, a/b/z 1, a/x 1, a/y 1, a/\xc3\xa4 1, ab/x 1, b 1");
    CHECK(listing(store, "", "a.b") == "a/b/c/d 1, a/b/z 1, a/x 1, a/y 1, a/\xc3\xa4 1, ab/x 1, b 1");
    CHECK(listing(store, "", "a/b/") == "a/b/c/d 1, a/b/z 1, a/x 1, a/y 1, a/\xc3\xa4 1, ab/x 1, b 1");
    CHECK(listing(store, "", "a/b/c/d") == "a/b/z 1, a/x 1, a/y 1, a/\xc3\xa4 1, ab/x 1, b 1");
    CHECK(listing(store, "", "a/b/c/nothing") == "a/b/z 1, a/x 1, a/y 1, a/\xc3\xa4 1, ab/x 1, b 1");
    CHECK(listing(store, "", "a/z") == "a/\xc3\xa4 1, ab/x 1, b 1");
    CHECK(listing(store, "", "b").empty());
    CHECK(listing(store, "", "\xff").empty());
    CHECK(listing(store, "a/", "a/x") == "a/y 1, a/\xc3\xa4 1");
    CHECK(listing(store, "a/", "A") == listing(store, "a/"));
    CHECK(listing(store, "a/", "b").empty());
    CHECK(listing(store, "a/b/", "a/b/c/d") == "a/b/z 1");
  }

  SECTION("listings continued after each key together equal the whole listing") {
    std::vector<std::string> keys;
    std::uint32_t state = 7;
    for (int i = 0; i < 60; ++i) {
      std::string key;
      for (int depth = 0; depth < 3; ++depth) {
        key += std::string(depth == 0 ? "" : "/") + "!-.0a"[(state = state * 1664525 + 1013904223) >> 30];
        key += "d";  // so that no file has the name of a directory
      }
      store.put(key + "/" + std::to_string(i % 4) + "f", "x");
    }
    for (const auto& object : store.list("")) keys.push_back(object.key);
    REQUIRE(keys.size() > 30);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::vector<std::string> rest;
      for (const auto& object : store.list("", keys[i])) rest.push_back(object.key);
      CHECK(rest == std::vector<std::string>(keys.begin() + static_cast<std::ptrdiff_t>(i) + 1, keys.end()));
    }
  }

  SECTION("IfExists::keep keeps an existing object") {
    for (const auto sync : {tensortap::Sync::no, tensortap::Sync::yes}) {
      const std::string key = sync == tensortap::Sync::yes ? "a/synced" : "a/plain";
      CHECK(store.put(key, "first", sync, tensortap::IfExists::keep));
      CHECK_FALSE(store.put(key, "second", sync, tensortap::IfExists::keep));
      CHECK(text(store, key) == "first");
      CHECK(store.put(key, "third", sync, tensortap::IfExists::replace));
      CHECK_FALSE(store.put(key, "fourth", sync, tensortap::IfExists::keep));
      CHECK(text(store, key) == "third");
      CHECK(store.remove(key));
      CHECK(store.put(key, "", sync, tensortap::IfExists::keep));
      CHECK_FALSE(store.put(key, "fifth", sync, tensortap::IfExists::keep));
      CHECK(text(store, key) == "");
    }
    CHECK(listing(store, "") == "a/plain 0, a/synced 0");
  }

  SECTION("a moved object has its new key only") {
    store.put("a/b", "1");
    store.put("a/c", "22");
    CHECK(store.move("a/b", "d/e/f"));
    CHECK_FALSE(store.get("a/b"));
    CHECK(text(store, "d/e/f") == "1");
    CHECK(listing(store, "") == "a/c 2, d/e/f 1");
    CHECK_FALSE(store.move("a/b", "x/y"));
    CHECK_FALSE(store.move("nothing/at/all", "x/y"));
    CHECK(store.move("a/c", "d/e/f"));  // replaces
    CHECK(text(store, "d/e/f") == "22");
    CHECK(store.move("d/e/f", "d/e/f"));
    CHECK(listing(store, "") == "d/e/f 2");
    CHECK(store.move("d/e/f", "top"));
    store.put("d/e/f", "new");
    CHECK(listing(store, "") == "d/e/f 3, top 2");
  }

  SECTION("put, moved and removed objects can be synced") {
    std::vector<std::string> keys;
    for (int i = 0; i < 200; ++i)
      store.put(keys.emplace_back("a/" + std::to_string(i % 7) + "/" + std::to_string(i)), "x");
    CHECK(store.move(keys[0], keys.emplace_back("b/c/d")));
    CHECK(store.remove(keys[1]));
    keys.push_back("never/there");
    const std::string before = listing(store, "");
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{64}, keys.size()})
      CHECK_NOTHROW(store.sync(std::span(keys).last(count)));
    CHECK(listing(store, "") == before);
  }

  SECTION("a claim has one holder at a time") {
    auto claim = store.claim("a/claim.smd", "me");
    REQUIRE(claim);
    CHECK(claim_says(store, "a/claim.smd", "me"));
    CHECK_FALSE(store.claim("a/claim.smd", "you"));
    CHECK(claim_says(store, "a/claim.smd", "me"));
    CHECK_THAT(listing(store, ""), contains("a/claim.smd "));
    const auto another = store.claim("a/claim_worker_1.smd", "you");
    CHECK(another);
    claim.reset();
    CHECK_FALSE(store.get("a/claim.smd"));
    claim = store.claim("a/claim.smd", "you");
    REQUIRE(claim);
    CHECK(claim_says(store, "a/claim.smd", "you"));
  }

  SECTION("a claim without an owner is taken over") {
    for (const std::string left : {"", "a dead process, with a longer text than the next one"}) {
      store.put("claim.smd", left);
      {
        const auto claim = store.claim("claim.smd", "me");
        REQUIRE(claim);
        CHECK(claim_says(store, "claim.smd", "me"));
        CHECK_FALSE(store.claim("claim.smd", "you"));
      }
      CHECK(store.list("").empty());
    }
  }

  SECTION("removing unfinished objects keeps finished ones") {
    store.put("a/b", "x");
    const auto claim = store.claim("claim.smd", "me");
    CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 0);
    CHECK_THAT(listing(store, ""), contains("a/b 1, claim.smd "));
  }

  SECTION("one of several puts with IfExists::keep succeeds") { check_exclusive_puts(store); }

  SECTION("one of several threads at a time holds a claim") { check_claims_in_threads(store); }

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
    store.put("there", "x");
    for (const std::string& key :
         {std::string(""), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"),
          std::string("."), std::string(".."), std::string("../a"), std::string("a/.."), std::string("a/../b"),
          std::string("./a"), std::string("a/."), std::string("a/./b"), std::string("a\0b", 3), std::string(1025, 'k')})
      check_refused(store, key);
    CHECK(listing(store, "") == "there 1");
  }

  SECTION("several threads use a store at once") { check_threads(store); }
}

}  // namespace conformance
