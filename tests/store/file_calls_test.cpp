#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/file_system_name.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tensortap/error.hpp>
#include <tensortap/store/file.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "store/conformance.hpp"
#include "store/temporary_directory.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;
using conformance::text;
using tt::IfExists;
using tt::Sync;

namespace {

using Content = std::map<std::string, std::string>;

/// System calls of which number `at`, counted from 1, fails with `error`.
class Saboteur {
 public:
  Saboteur(int at, int error) : at_(at), error_(error) {
    calls.fsync = calls.syncfs = [](int) { return 0; };  // a real sync only takes time
    wrap("openat", calls.openat);
    wrap("mkdirat", calls.mkdirat);
    wrap("writev", calls.writev);
    wrap("pread", calls.pread);
    wrap("fsync", calls.fsync);
    wrap("syncfs", calls.syncfs);
    wrap("renameat", calls.renameat);
    wrap("renameat_new", calls.renameat_new);
    wrap("linkat", calls.linkat);
    wrap("unlinkat", calls.unlinkat);
    wrap("fstat", calls.fstat);
    wrap("fstatat", calls.fstatat);
    wrap("fdopendir", calls.fdopendir);
    wrap("readdir", calls.readdir);
    wrap("lock", calls.lock);
    auto close = calls.close;
    calls.close = [this, close](int file) {  // closes the file even if it reports an error
      const int closed = close(file);
      return fails("close") ? errno = error_, -1 : closed;
    };
  }
  Saboteur(const Saboteur&) = delete;
  Saboteur& operator=(const Saboteur&) = delete;

  /// Returns the name of the call that failed; empty if there were fewer calls.
  [[nodiscard]] const std::string& failed() const noexcept { return failed_; }

  tt::FileCalls calls;

 private:
  template <class Result, class... Arguments>
  void wrap(const char* name, std::function<Result(Arguments...)>& call) {
    call = [this, name, real = call](Arguments... arguments) -> Result {
      if (!fails(name)) return real(arguments...);
      errno = error_;
      if constexpr (std::is_pointer_v<Result>)
        return nullptr;
      else
        return -1;
    };
  }
  bool fails(const char* name) {
    if (++count_ != at_) return false;
    failed_ = name;
    return true;
  }

  int at_, error_;
  int count_ = 0;
  std::string failed_;
};

/// One operation of a store; returns whether its result is right.
using Deed = std::function<bool(tt::Store&)>;

const std::map<std::string, Deed>& deeds() {
  static const std::vector<std::string> some = {"a/b", "a/gone", "c/d"};
  static const std::vector<std::string> many(70, "a/b");
  static const auto mine = [](std::string_view key) { return key == "c/e"; };
  static const std::map<std::string, Deed> all = {
      {"put", [](tt::Store& s) { return s.put("a/b", "new"); }},
      {"put synced", [](tt::Store& s) { return s.put("a/b", "new", Sync::yes); }},
      {"put in a new directory", [](tt::Store& s) { return s.put("x/y/z", "new", Sync::yes); }},
      {"put if absent", [](tt::Store& s) { return s.put("a/c", "new", Sync::yes, IfExists::keep); }},
      {"put if absent, which it is not", [](tt::Store& s) { return !s.put("a/b", "new", Sync::no, IfExists::keep); }},
      {"get", [](tt::Store& s) { return text(s, "a/b") == "old"; }},
      {"size", [](tt::Store& s) { return s.size("a/b") == 3; }},
      {"list", [](tt::Store& s) { return conformance::listing(s, "") == "a/b 3, c/d 5"; }},
      {"remove", [](tt::Store& s) { return s.remove("a/b"); }},
      {"move", [](tt::Store& s) { return s.move("a/b", "n/e/w"); }},
      {"sync", [](tt::Store& s) { return s.sync(some), true; }},
      {"sync many", [](tt::Store& s) { return s.sync(many), true; }},
      {"claim", [](tt::Store& s) { return s.claim("x/claim", "me") != nullptr; }},
      {"claim what is stale", [](tt::Store& s) { return s.claim("c/d", "me") != nullptr; }},
      {"remove the unfinished", [](tt::Store& s) { return s.remove_unfinished(mine) == 1; }},
  };
  return all;
}

/// A directory with two objects and one temporary of a dead process, and its contents after an operation.
struct Fixture {
  TemporaryDirectory directory;
  fs::path run = directory / "run";

  Fixture() {
    tt::FileStore store(run);
    store.put("a/b", "old");
    store.put("c/d", "stale");
    std::ofstream(run / "c/e.1-1.tmp") << "half";
  }

  [[nodiscard]] Content content() const {
    Content out;
    for (const auto& entry : fs::recursive_directory_iterator(run)) {
      std::ifstream file(entry.path());
      if (entry.is_regular_file())
        out[entry.path().lexically_relative(run).string()] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return out;
  }
};

std::ptrdiff_t open_descriptors() { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); }

/// Returns the contents of the directory after `deed` without failures.
Content content_after(const Deed& deed) {
  const Fixture f;
  Saboteur none(0, 0);
  tt::FileStore store(f.run, none.calls);
  CHECK(deed(store));
  return f.content();
}

/// Repeats `deed` with each of its calls failing in turn; returns the names of these calls.
std::set<std::string> sabotage(const std::string& name, const Deed& deed) {
  std::set<std::string> failed;
  const Content before = Fixture().content();
  const Content after = content_after(deed);
  for (int at = 1;; ++at) {
    const int error = std::array{EIO, ENOSPC, EMFILE, EROFS}[static_cast<std::size_t>(at) % 4];
    const Fixture f;
    Saboteur saboteur(at, error);
    tt::FileStore store(f.run, saboteur.calls);
    const auto descriptors = open_descriptors();
    bool threw = false;
    bool as_it_should = true;
    try {
      as_it_should = deed(store);
    } catch (const tt::Error& e) {
      threw = true;
      CHECK(e.code() == tt::Errc::io);
      CHECK_THAT(e.what(), contains("store: cannot "));
      CHECK_THAT(e.what(), contains(std::generic_category().message(error)));
      CHECK_THAT(e.what(), !contains("\n"));
    }
    CAPTURE(name, at, saboteur.failed(), error);
    CHECK(as_it_should);
    if (saboteur.failed().empty()) {
      CHECK_FALSE(threw);
      return failed;
    }
    failed.insert(saboteur.failed());
    Content now = f.content();
    // A claim that could not be released is left like the claim of a dead process.
    if (name.starts_with("claim") && !threw) now.erase(name == "claim" ? "x/claim" : "c/d");
    CHECK((now == before || now == after));
    if (!threw) CHECK(now == after);
    CHECK(open_descriptors() == descriptors);
    // Without failures the operation works again.
    Saboteur none(0, 0);
    tt::FileStore again(f.run, none.calls);
    if (f.content() != after) CHECK(deed(again));
    CHECK((f.content() == after));
  }
}

/// Returns the message with which `call` fails.
template <class Call>
std::string failure(const Call& call) {
  try {
    call();
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::io);
    return e.what();
  }
  return "";
}

const std::vector<std::string> only_a{"a"};

}  // namespace

TEST_CASE("an object is old or new and no temporary is left, whichever call fails", "[store][file_calls]") {
  std::set<std::string> failed;
  for (const auto& [name, deed] : deeds()) failed.merge(sabotage(name, deed));
  CHECK(failed == std::set<std::string>{"openat", "mkdirat", "writev", "pread", "fsync", "syncfs", "close", "renameat",
                                        "renameat_new", "unlinkat", "fstat", "fstatat", "fdopendir", "readdir",
                                        "lock"});
}

TEST_CASE("a signal at any moment changes nothing", "[store][file_calls]") {
  // signal(7) and the page of each call name the interruptible calls.
  const std::set<std::string> interruptible = {"openat", "writev", "pread", "fsync", "syncfs", "close", "lock"};
  std::set<std::string> interrupted;
  for (const auto& [name, deed] : deeds()) {
    const Content after = content_after(deed);
    for (int at = 1;; ++at) {
      const Fixture f;
      Saboteur saboteur(at, EINTR);
      tt::FileStore store(f.run, saboteur.calls);
      bool as_it_should = false;
      try {
        as_it_should = deed(store);
      } catch (const tt::Error&) {
      }
      if (saboteur.failed().empty()) break;
      if (!interruptible.contains(saboteur.failed())) continue;
      CAPTURE(name, at, saboteur.failed());
      interrupted.insert(saboteur.failed());
      CHECK(as_it_should);
      CHECK(f.content() == after);
    }
  }
  CHECK(interrupted == interruptible);
}

TEST_CASE("writes and reads may be short", "[store][file_calls]") {
  const TemporaryDirectory directory;
  tt::FileCalls calls;
  calls.writev = [](int file, const iovec* pieces, int) {
    const iovec part{pieces->iov_base, std::min<std::size_t>(pieces->iov_len, 3)};
    return ::writev(file, &part, 1);
  };
  calls.pread = [](int file, void* bytes, std::size_t size, off_t start) {
    return ::pread(file, bytes, std::min<std::size_t>(size, 5), start);
  };
  tt::FileStore store(directory / "run", calls);
  conformance::put_pieces(store, "a", {"0123456789", "", "a", "bcdefg"});
  CHECK(text(store, "a") == "0123456789abcdefg");
  CHECK(text(tt::FileStore(directory / "run"), "a") == "0123456789abcdefg");

  calls.writev = [](int, const iovec*, int) { return ssize_t{0}; };
  tt::FileStore stuck(directory / "run", calls);
  CHECK_THAT(failure([&] { stuck.put("a", "x"); }), contains("Input/output error"));
  CHECK(text(store, "a") == "0123456789abcdefg");
}

TEST_CASE("a store on a file system with fewer calls does what every store must", "[store][file_calls]") {
  conformance::check_store([] {
    struct Owned {
      static tt::FileCalls calls() {
        tt::FileCalls calls;
        calls.renameat_new = [](int, const char*, int, const char*) { return errno = ENOSYS, -1; };
        calls.syncfs = [](int) { return errno = ENOSYS, -1; };
        return calls;
      }
      TemporaryDirectory directory;
      tt::FileStore store{directory / "run", calls()};
    };
    const auto owned = std::make_shared<Owned>();
    return std::shared_ptr<tt::Store>(owned, &owned->store);
  });
}

TEST_CASE("a second name stands in for a rename that must not replace", "[store][file_calls]") {
  for (const int error : {EINVAL, ENOSYS, EOPNOTSUPP}) {
    Fixture f;
    tt::FileCalls calls;
    int links = 0;
    calls.renameat_new = [error](int, const char*, int, const char*) { return errno = error, -1; };
    calls.linkat = [&](int from_directory, const char* from, int to_directory, const char* to, int flags) {
      return ++links, ::linkat(from_directory, from, to_directory, to, flags);
    };
    // Hides the existing object, so that linkat must detect it.
    calls.fstatat = [](int, const char*, struct stat*, int) { return errno = ENOENT, -1; };
    tt::FileStore store(f.run, calls);
    CHECK(store.put("new", "x", Sync::yes, IfExists::keep));
    CHECK_FALSE(store.put("new", "y", Sync::yes, IfExists::keep));
    CHECK(links == 2);
    CHECK(f.content() == Content{{"a/b", "old"}, {"c/d", "stale"}, {"c/e.1-1.tmp", "half"}, {"new", "x"}});
  }
}

TEST_CASE("a directory that cannot be synced, because none can, is no error", "[store][file_calls]") {
  const TemporaryDirectory directory;
  tt::FileCalls calls;
  calls.fsync = [](int file) {
    struct stat status {};
    ::fstat(file, &status);
    return S_ISDIR(status.st_mode) ? errno = EINVAL, -1 : ::fsync(file);
  };
  tt::FileStore store(directory / "run", calls);
  CHECK_NOTHROW(store.put("a/b", "x", Sync::yes));
  CHECK_NOTHROW(store.sync(std::vector<std::string>{"a/b"}));
}

TEST_CASE("a failed sync is reported until the object is put again", "[store][file_calls]") {
  const TemporaryDirectory directory;
  bool works = false;
  tt::FileCalls calls;
  calls.fsync = [&](int file) { return works ? ::fsync(file) : (errno = EIO, -1); };
  calls.syncfs = [&](int) { return works ? 0 : (errno = EIO, -1); };
  tt::FileStore store(directory / "run", calls);
  store.put("a", "x");
  std::vector<std::string> keys = only_a;
  SECTION("of one object") {}
  SECTION("of the file system") { keys.resize(100, "a"); }
  CHECK_THAT(failure([&] { store.sync(keys); }), contains("Input/output error; check the disk"));
  works = true;  // the kernel has dropped what it could not write
  const std::string why = "an earlier sync failed, its bytes may be lost; put it again";
  CHECK_THAT(failure([&] { store.sync(keys); }), contains(why));
  CHECK(store.move("a", "b"));
  CHECK_NOTHROW(store.sync(keys));
  keys.assign({"b"});
  CHECK_THAT(failure([&] { store.sync(keys); }), contains(why));
  store.put("b", "x");
  CHECK_NOTHROW(store.sync(keys));
}

TEST_CASE("an object moved over one that could not be synced can be synced", "[store][file_calls]") {
  const TemporaryDirectory directory;
  bool works = false;
  tt::FileCalls calls;
  calls.fsync = [&](int file) { return works ? ::fsync(file) : (errno = EIO, -1); };
  tt::FileStore store(directory / "run", calls);
  store.put("a", "x");
  CHECK_FALSE(failure([&] { store.sync(only_a); }).empty());
  works = true;
  store.put("b", "y");
  CHECK(store.move("b", "a"));
  CHECK_NOTHROW(store.sync(only_a));
}

TEST_CASE("an object that vanishes during a move counts as missing", "[store][file_calls]") {
  Fixture f;
  tt::FileCalls calls;
  calls.renameat = [&](int from_directory, const char* from, int to_directory, const char* to) {
    ::unlinkat(from_directory, from, 0);
    return ::renameat(from_directory, from, to_directory, to);
  };
  tt::FileStore store(f.run, calls);
  CHECK_FALSE(store.move("a/b", "x"));
}

TEST_CASE("an object that could not be synced can be removed and synced", "[store][file_calls]") {
  const TemporaryDirectory directory;
  bool works = false;
  tt::FileCalls calls;
  calls.fsync = [&](int file) { return works ? ::fsync(file) : (errno = EIO, -1); };
  tt::FileStore store(directory / "run", calls);
  store.put("a", "x");
  CHECK_FALSE(failure([&] { store.sync(only_a); }).empty());
  works = true;
  CHECK(store.remove("a"));
  CHECK_NOTHROW(store.sync(only_a));
}

TEST_CASE("an object that vanished is synced where its directory is", "[store][file_calls]") {
  Fixture f;
  tt::FileStore store(f.run);
  fs::remove_all(f.run / "a");
  CHECK_NOTHROW(store.sync(std::vector<std::string>{"a/b", "c/d"}));
  fs::remove_all(f.run);
  CHECK_NOTHROW(store.sync(std::vector<std::string>{"a/b", "c/d"}));
  CHECK_NOTHROW(store.sync(std::vector<std::string>(100, "a/b")));
  CHECK_FALSE(fs::exists(f.run));
}

TEST_CASE("a directory that vanished is made again", "[store][file_calls]") {
  Fixture f;
  tt::FileStore store(f.run);
  store.put("a/b", "x", Sync::yes);
  fs::remove_all(f.run);
  CHECK_FALSE(store.get("a/b"));
  CHECK_FALSE(store.remove("a/b"));
  CHECK_FALSE(store.move("a/b", "c"));
  CHECK(store.list("").empty());
  CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 0);
  CHECK_FALSE(fs::exists(f.run));
  store.put("a/b", "x", Sync::yes);
  CHECK(text(store, "a/b") == "x");
  fs::remove_all(f.run);
  CHECK(store.claim("a/claim", "me"));
}

TEST_CASE("a directory that vanishes under a put is one clear error", "[store][file_calls]") {
  Fixture f;
  tt::FileCalls calls;
  calls.renameat = [&](int from_directory, const char* from, int to_directory, const char* to) {
    fs::remove_all(f.run);
    return ::renameat(from_directory, from, to_directory, to);
  };
  tt::FileStore store(f.run, calls);
  CHECK_THAT(failure([&] { store.put("a/b", "x"); }),
             contains("store: cannot rename: \"" + (f.run / "a/b").string() +
                      "\": No such file or directory; do not remove a run's directories while it is written"));
  CHECK(tt::FileStore(f.run).put("a/b", "x"));
}

TEST_CASE("an error names the operation, the path, the cause and a way out", "[store][file_calls]") {
  const std::vector<std::pair<int, std::string>> ways_out = {
      {ENOSPC, "No space left on device; make room for it"},
      {EDQUOT, "Disk quota exceeded; make room for it"},
      {EMFILE, "Too many open files; raise the limit on open files"},
      {ENFILE, "Too many open files in system; raise the limit on open files"},
      {EROFS, "Read-only file system; choose a directory that may be written"},
      {EACCES, "Permission denied; choose a directory that may be written"},
      {EPERM, "Operation not permitted; choose a directory that may be written"},
      {EIO, "Input/output error; check the disk"},
  };
  Fixture f;
  for (const auto& [error, cause] : ways_out) {
    tt::FileCalls calls;
    calls.writev = [error = error](int, const iovec*, int) -> ssize_t { return errno = error, -1; };
    tt::FileStore store(f.run, calls);
    CHECK(failure([&] { store.put("a/b", "x"); }) ==
          "store: cannot write: \"" + (f.run / "a/b").string() + "\": " + cause);
    calls = {};
    calls.mkdirat = [error = error](int, const char*, mode_t) { return errno = error, -1; };
    tt::FileStore elsewhere(f.directory / "else/where", calls);
    CHECK(failure([&] { elsewhere.put("x", "x"); }) ==
          "store: cannot make the directory of: \"" + (f.directory / "else/where/x").string() + "\": " + cause);
  }
}

TEST_CASE("errors of directories above a store do not matter if it can be made", "[store][file_calls]") {
  const TemporaryDirectory directory;
  tt::FileCalls calls;
  calls.mkdirat = [&](int at, const char* path, mode_t mode) {
    const int result = ::mkdirat(at, path, mode);
    if (result != 0 && errno == EEXIST) errno = EROFS;  // as some file systems do
    return result;
  };
  tt::FileStore store(directory / "a/b", calls);
  CHECK_NOTHROW(store.put("x", "x", Sync::yes));
}

TEST_CASE("an unreadable directory above a store is not synced", "[store][file_calls]") {
  const TemporaryDirectory directory;
  tt::FileCalls calls;
  calls.openat = [](int at, const char* path, int flags, mode_t mode) {
    return std::string(path) == ".." ? errno = EACCES, -1 : ::openat(at, path, flags, mode);
  };
  const std::string run = directory / "run";
  SECTION("if the store was there") {
    fs::create_directory(run);
    CHECK_NOTHROW(tt::FileStore(run, calls).put("x", "x", Sync::yes));
  }
  SECTION("but not if it was made") {
    tt::FileStore store(run, calls);
    CHECK_THAT(failure([&] { store.put("x", "x", Sync::yes); }), contains("store: cannot open the directory above"));
  }
}

namespace {

/// The calls of a file system that can neither rename exclusively nor make hard links, as mounts of a bucket.
tt::FileCalls calls_of_a_bucket(int no_rename, int no_link) {
  tt::FileCalls calls;
  calls.renameat_new = [no_rename](int, const char*, int, const char*) { return errno = no_rename, -1; };
  calls.linkat = [no_link](int, const char*, int, const char*, int) { return errno = no_link, -1; };
  return calls;
}

}  // namespace

TEST_CASE("a store in a mounted bucket does what every store must", "[store][file_calls]") {
  conformance::check_store([] {
    struct Owned {
      TemporaryDirectory directory;
      tt::FileStore store{directory / "run", calls_of_a_bucket(EINVAL, EOPNOTSUPP)};
    };
    const auto owned = std::make_shared<Owned>();
    return std::shared_ptr<tt::Store>(owned, &owned->store);
  });
}

TEST_CASE("without links and an exclusive rename, one of several puts succeeds and nothing else is left",
          "[store][file_calls]") {
  for (const int no_rename : {EINVAL, ENOSYS, EOPNOTSUPP, EPERM})
    for (const int no_link : {EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EMLINK}) {
      CAPTURE(no_rename, no_link);
      const Fixture f;
      tt::FileStore store(f.run, calls_of_a_bucket(no_rename, no_link));
      CHECK(store.put("new", "x", Sync::yes, IfExists::keep));
      CHECK_FALSE(store.put("new", "y", Sync::yes, IfExists::keep));
      CHECK(store.claim("x/claim", "me"));
      CHECK(f.content() == Content{{"a/b", "old"}, {"c/d", "stale"}, {"c/e.1-1.tmp", "half"}, {"new", "x"}});
    }
}

TEST_CASE("a file system is asked for an exclusive rename once", "[store][file_calls]") {
  const Fixture f;
  int renames = 0, links = 0;
  tt::FileCalls calls;
  calls.renameat_new = [&](int, const char*, int, const char*) { return ++renames, errno = EINVAL, -1; };
  calls.linkat = [&](int, const char*, int, const char*, int) { return ++links, errno = EPERM, -1; };
  tt::FileStore store(f.run, calls);
  for (int i = 0; i < 5; ++i) CHECK(store.put(std::to_string(i), "x", Sync::no, IfExists::keep));
  CHECK(renames == 1);
  CHECK(links == 1);
}

TEST_CASE("the guard of a process that died in an exclusive put is removed after a while", "[store][file_calls]") {
  const Fixture f;
  tt::FileCalls calls = calls_of_a_bucket(EINVAL, EPERM);
  std::chrono::nanoseconds waited{};
  const fs::path guard = f.run / "new.0-0.tmp";
  std::ofstream(guard) << "";
  SECTION("nothing comes of it") {
    calls.sleep = [&](std::chrono::nanoseconds time) { waited += time; };
    tt::FileStore store(f.run, calls);
    CHECK(store.put("new", "x", Sync::no, IfExists::keep));
    CHECK(waited >= std::chrono::seconds(10));
    CHECK(waited < std::chrono::seconds(11));
    CHECK(text(store, "new") == "x");
    CHECK_FALSE(fs::exists(guard));
  }
  SECTION("its process lives and finishes") {
    calls.sleep = [&](std::chrono::nanoseconds) {
      std::ofstream(f.run / "new") << "other";
      fs::remove(guard);
    };
    tt::FileStore store(f.run, calls);
    CHECK_FALSE(store.put("new", "x", Sync::no, IfExists::keep));
    CHECK(text(store, "new") == "other");
  }
  SECTION("readers do not see it, and the next writer removes it") {
    tt::FileStore store(f.run, calls);
    CHECK(conformance::listing(store, "") == "a/b 3, c/d 5");
    CHECK(store.remove_unfinished([](std::string_view key) { return key == "new"; }) == 1);
  }
}

TEST_CASE("a reply that a network file system lost is no failure", "[store][file_calls]") {
  const Fixture f;
  tt::FileCalls calls;
  calls.renameat = [](int from_directory, const char* from, int to_directory, const char* to) {
    ::renameat(from_directory, from, to_directory, to);
    return errno = ENOENT, -1;  // the repeated request does not find the old name
  };
  calls.renameat_new = [](int, const char*, int, const char*) { return errno = EINVAL, -1; };
  calls.linkat = [](int from_directory, const char* from, int to_directory, const char* to, int flags) {
    ::linkat(from_directory, from, to_directory, to, flags);
    return errno = EEXIST, -1;  // the repeated request finds its own link
  };
  tt::FileStore store(f.run, calls);
  CHECK(store.put("a/b", "new"));
  CHECK(text(store, "a/b") == "new");
  CHECK(store.put("a/c", "once", Sync::no, IfExists::keep));
  CHECK_FALSE(store.put("a/c", "twice", Sync::no, IfExists::keep));
  CHECK(text(store, "a/c") == "once");
  CHECK(store.move("a/c", "a/d"));
  CHECK(text(store, "a/d") == "once");
  CHECK(f.content() == Content{{"a/b", "new"}, {"a/d", "once"}, {"c/d", "stale"}, {"c/e.1-1.tmp", "half"}});
}

TEST_CASE("files that a network file system keeps for open descriptors are no objects", "[store][file_calls]") {
  const Fixture f;
  for (const char* name : {"a/.nfs000000000123abcd00000001", ".fuse_hidden0000000100000002"})
    std::ofstream(f.run / name) << "x";
  tt::FileStore store(f.run);
  CHECK(conformance::listing(store, "") == "a/b 3, c/d 5");
  store.put("a/.nfs", "of the user");
  CHECK(conformance::listing(store, "a/") == "a/.nfs 11, a/b 3");
  CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 1);
  CHECK(fs::exists(f.run / "a/.nfs000000000123abcd00000001"));
}

TEST_CASE("a stale claim is taken over where inode numbers change", "[store][file_calls]") {
  const Fixture f;
  ino_t next = 1'000'000;
  tt::FileCalls calls = calls_of_a_bucket(EINVAL, ENOSYS);
  calls.fstat = [&](int file, struct stat* status) {
    const int result = ::fstat(file, status);
    return status->st_ino = next++, result;
  };
  tt::FileStore store(f.run, calls);
  CHECK(store.claim("c/d", "me"));
}

TEST_CASE("the error of a file system that cannot rename names it and the way out", "[store][file_calls]") {
  const Fixture f;
  const std::string name = tt::detail::file_system_name(f.run);  // unknown below a changed root
  const std::string in_brackets = name.empty() ? "" : "(" + name + ") ";
  for (const int error : {ENOSYS, EOPNOTSUPP}) {
    tt::FileCalls calls = calls_of_a_bucket(error, error);
    calls.renameat = calls.renameat_new;
    tt::FileStore store(f.run, calls);
    for (const IfExists if_exists : {IfExists::replace, IfExists::keep}) {
      const std::string message = failure([&] { store.put("new", "x", Sync::no, if_exists); });
      CHECK_THAT(message, contains(std::generic_category().message(error) + "; its file system " + in_brackets));
      CHECK_THAT(message, contains("cannot do that: choose a directory of another one, or s3://BUCKET/PREFIX"));
    }
    CHECK(f.content() == Content{{"a/b", "old"}, {"c/d", "stale"}, {"c/e.1-1.tmp", "half"}});
  }
}

TEST_CASE("a directory that this user cannot list is passed over at the root, but not below a prefix",
          "[store][file_calls]") {
  const Fixture f;
  fs::create_directories(f.run / "lost+found");
  fs::create_directories(f.run / "a/closed");
  tt::FileCalls calls;
  calls.openat = [](int directory, const char* path, int flags, mode_t mode) {
    const std::string name = path;
    return name == "lost+found" || name == "closed" ? (errno = EACCES, -1) : ::openat(directory, path, flags, mode);
  };
  tt::FileStore store(f.run, calls);
  CHECK(conformance::listing(store, "") == "a/b 3, c/d 5");
  CHECK(store.remove_unfinished([](std::string_view) { return true; }) == 1);
  std::set<std::string> passed;
  (void)store.list("", "", [&](const std::string& directory) { passed.insert(directory); });
  CHECK(passed == std::set<std::string>{"a/closed/", "lost+found/"});
  const std::string message = failure([&] { (void)store.list("a/"); });
  CHECK_THAT(message, contains("store: cannot list: \"" + (f.run / "a/closed/").string() +
                               "\": Permission denied; allow this user to read it"));
}

TEST_CASE("a directory whose entries this user cannot look at is passed over", "[store][file_calls]") {
  const Fixture f;
  tt::FileCalls calls;
  calls.fstatat = [](int directory, const char* path, struct stat* status, int flags) {
    return std::string(path) == "d" ? (errno = EACCES, -1) : ::fstatat(directory, path, status, flags);
  };
  CHECK(conformance::listing(tt::FileStore(f.run, calls), "") == "a/b 3");
}

TEST_CASE("a directory that is removed while it is listed is empty", "[store][file_calls]") {
  const Fixture f;
  tt::FileCalls calls;
  calls.readdir = [&](DIR* stream) -> dirent* {
    fs::remove_all(f.run / "a");
    fs::remove_all(f.run / "c");
    return ::readdir(stream);
  };
  CHECK(tt::FileStore(f.run, calls).list("").empty());
}
