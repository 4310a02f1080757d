#include <tensortap/store/file_calls.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
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
