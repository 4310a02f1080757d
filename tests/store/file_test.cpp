#include <tensortap/store/file.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/store/file_calls.hpp>

#include "catch.hpp"
#include "store/conformance.hpp"
#include "store/temporary_directory.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;
using conformance::listing;
using conformance::text;

namespace {

/// A store in a directory of its own, and a file and a directory outside of it that must not change.
struct Guarded {
  TemporaryDirectory directory;
  tt::FileStore store{directory / "run"};
  fs::path run = directory / "run";
  fs::path outside = directory / "outside";

  Guarded() {
    fs::create_directories(run);
    fs::create_directories(outside);
    std::ofstream(outside / "secret") << "secret";
  }

  [[nodiscard]] bool outside_is_untouched() const {
    std::ifstream secret(outside / "secret");
    const std::string content{std::istreambuf_iterator<char>(secret), {}};
    return content == "secret" && std::distance(fs::directory_iterator(outside), {}) == 1;
  }
};

/// Returns the message with which `call` fails; its code must be io.
template <class Call>
std::string store_failure(const Call& call) {
  try {
    call();
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::io);
    return e.what();
  }
  return "";
}

/// Returns the number of files below `directory` that end in ".tmp".
int temporaries_in(const fs::path& directory) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.path().extension() == ".tmp") ++count;
  return count;
}

/// Limits the size of files to `bytes` while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

}  // namespace

TEST_CASE("a store in a directory does what every store must", "[store][file]") {
  conformance::check_store([] {
    struct Owned {
      TemporaryDirectory directory;
      tt::FileStore store{directory / "some/where"};
    };
    const auto owned = std::make_shared<Owned>();
    return std::shared_ptr<tt::Store>(owned, &owned->store);
  });
}

TEST_CASE("a store's directory is made when the first object is written", "[store][file]") {
  const TemporaryDirectory directory;
  tt::FileStore store(directory / "a/b/c");
  CHECK(store.list("").empty());
  CHECK_FALSE(store.get("x"));
  CHECK_FALSE(store.remove("x"));
  CHECK_FALSE(fs::exists(directory / "a"));
  store.put("d/x", "content", tt::Sync::yes);
  CHECK(fs::file_size(directory / "a/b/c/d/x") == 7);
  CHECK(store.location() == (directory / "a/b/c").string());
}

TEST_CASE("an object is a plain file with the usual rights", "[store][file]") {
  Guarded f;
  const mode_t mask = ::umask(022);
  f.store.put("a/b", "x");
  ::umask(mask);
  CHECK(fs::is_regular_file(fs::symlink_status(f.run / "a/b")));
  CHECK(fs::status(f.run / "a/b").permissions() == fs::perms(0644));
  CHECK(temporaries_in(f.run) == 0);
}

TEST_CASE("a left-over temporary is not an object", "[store][file]") {
  Guarded f;
  f.store.put("a/b.json", "x");
  std::ofstream(f.run / "a/b.json.tmp") << "half";
  std::ofstream(f.run / "a/c.json.123-4.tmp") << "half";
  CHECK(listing(f.store, "") == "a/b.json 1");
  CHECK(listing(f.store, "a/") == "a/b.json 1");
}

TEST_CASE("unfinished objects of dead writers are removed, each by its owner", "[store][file]") {
  Guarded f;
  f.store.put("a/b.json", "x");
  fs::create_directory(f.run / "a/directory.tmp");
  fs::create_symlink(f.outside / "secret", f.run / "a/link.tmp");
  const std::vector<std::string> ours = {"top.12-0.tmp", "a/b.json.123-4.tmp", "a/b.json.5-67890.tmp",
                                         "a/deep/er.1-1.tmp", "a/with.9-9.name.1-2.tmp"};
  const std::vector<std::string> theirs = {"a/b.json.tmp", "a/12-3.tmp",  "a/x.12.tmp",     "a/x.-3.tmp",
                                           "a/x.12-.tmp",  "a/x12-3.tmp", "a/1.2-3.tmp.tmp"};
  fs::create_directory(f.run / "a/deep");
  for (const auto* names : {&ours, &theirs})
    for (const std::string& name : *names) std::ofstream(f.run / name) << "half";
  std::set<std::string> asked;
  CHECK(f.store.remove_unfinished([&](std::string_view key) { return asked.emplace(key), false; }) == 0);
  CHECK(asked == std::set<std::string>{"top", "a/b.json", "a/deep/er", "a/with.9-9.name", "a/12-3", "a/x.12", "a/x.-3",
                                       "a/x.12-", "a/x12-3", "a/1.2-3.tmp"});
  CHECK(temporaries_in(f.run) == 14);
  CHECK(f.store.remove_unfinished([](std::string_view key) { return key == "a/b.json"; }) == 3);
  CHECK(temporaries_in(f.run) == 11);
  CHECK(f.store.remove_unfinished([](std::string_view) { return true; }) == 9);
  CHECK(temporaries_in(f.run) == 2);  // names that no writer uses
  CHECK(listing(f.store, "") == "a/b.json 1");
  CHECK(f.outside_is_untouched());
}

TEST_CASE("continuing a listing costs only the rest of it", "[store][file]") {
  const Guarded f;
  int calls_made = 0;
  tt::FileCalls calls;
  calls.fstatat = [&](int directory, const char* path, struct stat* status, int flags) {
    return ++calls_made, ::fstatat(directory, path, status, flags);
  };
  calls.openat = [&](int directory, const char* path, int flags, mode_t mode) {
    return ++calls_made, ::openat(directory, path, flags, mode);
  };
  tt::FileStore store(f.run, calls);
  for (int thousand = 10; thousand < 40; ++thousand)
    for (int step = 10; step < 30; ++step)
      store.put("index/" + std::to_string(thousand) + "/" + std::to_string(step), "x");
  calls_made = 0;
  CHECK(store.list("index/").size() == 600);
  CHECK(calls_made > 600);
  calls_made = 0;
  CHECK(listing(store, "index/", "index/39/27") == "index/39/28 1, index/39/29 1");
  CHECK(calls_made <= 7);  // the root, index/, 39/ twice, three names in it
  calls_made = 0;
  CHECK(store.list("index/", "index/39/29").empty());
  CHECK(calls_made <= 5);
}

TEST_CASE("only objects are moved, and never through a link", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  f.store.put("c/d", "y");
  fs::create_symlink(f.outside / "secret", f.run / "a/link");
  fs::create_directory_symlink(f.outside, f.run / "events");
  for (const std::string from : {"a", "a/link", "events/secret"}) {
    CAPTURE(from);
    CHECK_FALSE(store_failure([&] { (void)f.store.move(from, "new"); }).empty());
  }
  CHECK_THAT(store_failure([&] { (void)f.store.move("a/b", "c"); }),
             contains("store: cannot move: \"" + (f.run / "a/b").string() + "\": Is a directory"));
  CHECK_THAT(store_failure([&] { (void)f.store.move("a/b", "events/x"); }), contains("symbolic links"));
  CHECK(f.store.move("a/b", "a/link"));  // replaces the link
  CHECK(text(f.store, "a/link") == "x");
  CHECK(f.outside_is_untouched());
}

TEST_CASE("a put that keeps the object writes nothing", "[store][file]") {
  const Guarded f;
  int written = 0;
  tt::FileCalls calls;
  calls.writev = [&](int file, const iovec* pieces, int count) { return ++written, ::writev(file, pieces, count); };
  tt::FileStore store(f.run, calls);
  CHECK(store.put("a", "x", tt::Sync::yes, tt::IfExists::keep));
  CHECK(written == 1);
  CHECK_FALSE(store.put("a", "y", tt::Sync::yes, tt::IfExists::keep));
  CHECK(written == 1);
}

TEST_CASE("a put that cannot be renamed leaves nothing behind", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  CHECK_THAT(store_failure([&] { f.store.put("a", "y"); }),
             contains("store: cannot rename: \"" + (f.run / "a").string() + "\": Is a directory"));
  CHECK(temporaries_in(f.run) == 0);
  CHECK(listing(f.store, "") == "a/b 1");
}

TEST_CASE("a put that cannot be written leaves the old object, and nothing else", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "old");
  std::string message;
  {
    const FileSizeLimit limit(1 << 20);
    message = store_failure([&] { f.store.put("a/b", conformance::noise(3 << 20)); });
  }
  CHECK_THAT(message, contains("store: cannot write: \"" + (f.run / "a/b").string() + "\": File too large"));
  CHECK(text(f.store, "a/b") == "old");
  CHECK(temporaries_in(f.run) == 0);
  f.store.put("a/b", conformance::noise(3 << 20));
  CHECK(text(f.store, "a/b") == conformance::noise(3 << 20));
}

TEST_CASE("an object of one piece after the other leaves nothing behind unless it is finished", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "old");
  std::string message;
  {
    const auto writer = f.store.begin_object("a/b");
    conformance::append(*writer, {conformance::noise(1 << 20)});
    CHECK(temporaries_in(f.run) == 1);
    const FileSizeLimit limit(1 << 20);
    message = store_failure([&] { conformance::append(*writer, {"too much"}); });
  }
  CHECK_THAT(message, contains("store: cannot write: \"" + (f.run / "a/b").string() + "\": File too large"));
  CHECK(temporaries_in(f.run) == 0);
  {
    const auto writer = f.store.begin_object("a/b");
    conformance::append(*writer, {"new"});
    CHECK_FALSE(writer->finish(tt::Sync::yes, tt::IfExists::keep));
  }
  CHECK(temporaries_in(f.run) == 0);
  CHECK(text(f.store, "a/b") == "old");
}

TEST_CASE("a file where a directory should be is an error that names it", "[store][file]") {
  Guarded f;
  f.store.put("a", "x");
  CHECK_THAT(store_failure([&] { f.store.put("a/b", "y"); }),
             contains("store: cannot open the directory of: \"" + (f.run / "a/b").string() + "\": Not a directory"));
  CHECK(text(f.store, "a") == "x");

  tt::FileStore in_file((f.outside / "secret").string());
  CHECK_THAT(
      store_failure([&] { in_file.put("a", "y"); }),
      contains("store: cannot make the directory of: \"" + (f.outside / "secret/a").string() + "\": Not a directory"));
  CHECK_THAT(store_failure([&] { (void)in_file.get("a"); }), contains("Not a directory"));
  CHECK_THAT(store_failure([&] { (void)in_file.list(""); }), contains("Not a directory"));
  tt::FileStore below_file((f.outside / "secret/run").string());
  CHECK_THAT(store_failure([&] { below_file.put("a", "y"); }), contains("Not a directory"));
  CHECK(f.outside_is_untouched());
}

TEST_CASE("a file does not grow through a link", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  fs::create_symlink(f.outside / "secret", f.run / "a/link");
  fs::create_directory_symlink(f.outside, f.run / "events");
  const tt::Bytes piece = tt::bytes_of("more");
  for (const std::string key : {"a/link", "events/secret", "events/x"})
    CHECK_THAT(store_failure([&] { f.store.extend(key, 0, std::span(&piece, 1), tt::Sync::no); }),
               contains("symbolic link"));
  CHECK_FALSE(store_failure([&] { f.store.extend("a", 0, std::span(&piece, 1), tt::Sync::no); }).empty());
  CHECK(f.outside_is_untouched());
}

TEST_CASE("no symbolic link to a directory is followed", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  fs::create_directory_symlink(f.outside, f.run / "events");
  fs::create_directory_symlink(f.outside, f.run / "a/deep");
  for (const std::string prefix : {"events/", "a/deep/"}) {
    CAPTURE(prefix);
    const std::string cause = "symbolic links inside a run are not followed";
    CHECK_THAT(store_failure([&] { f.store.put(prefix + "secret", "y"); }), contains(cause));
    CHECK_THAT(store_failure([&] { f.store.put(prefix + "new/object", "y"); }), contains(cause));
    CHECK_THAT(store_failure([&] { (void)f.store.get(prefix + "secret"); }), contains(cause));
    CHECK_THAT(store_failure([&] { (void)f.store.size(prefix + "secret"); }), contains(cause));
    CHECK_THAT(store_failure([&] { (void)f.store.remove(prefix + "secret"); }), contains(cause));
    CHECK_THAT(store_failure([&] { (void)f.store.list(prefix); }), contains(cause));
  }
  CHECK(listing(f.store, "") == "a/b 1");
  CHECK(f.outside_is_untouched());
}

TEST_CASE("no symbolic link to a file is followed, but one may be replaced or removed", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  fs::create_symlink(f.outside / "secret", f.run / "a/link");
  fs::create_symlink("b", f.run / "a/inside");
  fs::create_symlink("nothing", f.run / "a/dangling");
  for (const std::string key : {"a/link", "a/inside", "a/dangling"}) {
    CAPTURE(key);
    CHECK_THAT(store_failure([&] { (void)f.store.get(key); }),
               contains("symbolic links inside a run are not followed"));
    CHECK_THAT(store_failure([&] { (void)f.store.size(key); }),
               contains("symbolic links inside a run are not followed"));
  }
  CHECK(listing(f.store, "") == "a/b 1");
  f.store.put("a/link", "mine");
  CHECK(text(f.store, "a/link") == "mine");
  CHECK(f.store.remove("a/inside"));
  CHECK(text(f.store, "a/b") == "x");
  CHECK(f.outside_is_untouched());
}

TEST_CASE("the directory of a store may itself be reached through a link", "[store][file]") {
  Guarded f;
  fs::create_directory_symlink(f.run, f.directory / "link");
  tt::FileStore store(f.directory / "link");
  store.put("a/b", "x");
  CHECK(text(f.store, "a/b") == "x");
  CHECK(listing(store, "") == "a/b 1");
}

TEST_CASE("a file that is not regular is no object, and opening it does not block", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  REQUIRE(::mkfifo((f.run / "a/pipe").c_str(), 0600) == 0);
  for (const std::string key : {"a/pipe", "a"}) {
    CAPTURE(key);
    CHECK_THAT(store_failure([&] { (void)f.store.get(key); }),
               contains("store: cannot read: \"" + (f.run / key).string() + "\": it is not a regular file"));
    CHECK_THAT(store_failure([&] { (void)f.store.size(key); }), contains("it is not a regular file"));
  }
  CHECK(listing(f.store, "") == "a/b 1");
  CHECK_THAT(store_failure([&] { (void)f.store.remove("a"); }), contains("store: cannot remove: "));
  CHECK(text(f.store, "a/b") == "x");
}

TEST_CASE("a listing enters at most sixteen levels of directories", "[store][file]") {
  Guarded f;
  std::string key;
  for (int i = 0; i < 16; ++i) key += "d/";
  f.store.put(key + "x", "x");
  f.store.put(key + "d/x", "x");
  fs::path deep = f.run / key;
  for (int i = 0; i < 100; ++i) deep /= "d";
  fs::create_directories(deep);
  CHECK(listing(f.store, "") == key + "x 1");
  CHECK(text(f.store, key + "d/x") == "x");
}

TEST_CASE("a range beyond a large sparse file takes no memory for it", "[store][file]") {
  Guarded f;
  f.store.put("a", "0123456789");
  std::error_code unsupported;  // set by a file system without sparse files
  fs::resize_file(f.run / "a", std::uintmax_t{1} << 40, unsupported);
  if (unsupported) return;
  CHECK(f.store.size("a") == std::uint64_t{1} << 40);
  CHECK(conformance::text_of(*f.store.get("a", {5, 7})) == std::string("56789\0\0", 7));
  CHECK(f.store.get("a", {std::uint64_t{1} << 40, UINT64_MAX})->empty());
}

TEST_CASE("prefixes that lead out of a store are refused", "[store][file]") {
  const Guarded f;
  for (const std::string prefix : {"../", "a/../../", "/", "./", "//"})
    CHECK_THROWS_WITH(f.store.list(prefix), contains("is not a relative path of plain names"));
}

TEST_CASE("a store stays where it was opened when the working directory changes", "[store][file]") {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "a");
  fs::create_directories(directory / "b");
  const fs::path before = fs::current_path();
  fs::current_path(directory / "a");
  tt::FileStore store("run");
  tt::FileStore dotted("./dotted");
  tt::FileStore here(".");
  fs::current_path(directory / "b");
  store.put("x", "1");
  dotted.put("x", "2");
  here.put("y", "3");
  fs::current_path(before);
  CHECK(store.location() == (directory / "a/run").string());
  CHECK(dotted.location() == (directory / "a/dotted").string());
  CHECK(here.location() == (directory / "a").string());
  CHECK(listing(here, "") == "dotted/x 1, run/x 1, y 1");
  CHECK(fs::is_empty(directory / "b"));
}

TEST_CASE("a store follows its directory while it holds a claim", "[store][file]") {
  Guarded f;
  auto claim = f.store.claim("claim.smd", "me");
  f.store.put("a/b", "1");
  fs::rename(f.run, f.directory / "renamed");
  SECTION("a rename changes nothing") {
    f.store.put("a/c", "2", tt::Sync::yes);
    CHECK(listing(f.store, "a/") == "a/b 1, a/c 1");
    f.store.sync(std::vector<std::string>{"a/b", "a/c"});
    CHECK_FALSE(fs::exists(f.run));
    claim.reset();
    CHECK_FALSE(fs::exists(f.directory / "renamed/claim.smd"));
    CHECK_FALSE(f.store.get("a/b"));  // from now on by its path
  }
  SECTION("another store may begin in the old place") {
    tt::FileStore other(f.run);
    const auto another = other.claim("claim.smd", "other");
    REQUIRE(another);
    other.put("a/b", "other");
    CHECK(text(f.store, "a/b") == "1");
    f.store.put("a/c", "2");
    CHECK(listing(other, "a/") == "a/b 5");
  }
  SECTION("after its removal it is made again at its path") {
    fs::remove_all(f.directory / "renamed");
    f.store.put("a/c", "2");
    CHECK(listing(tt::FileStore(f.run), "") == "a/c 1");
  }
  claim.reset();
}

TEST_CASE("no object replaces a pipe, a socket or a device", "[store][file]") {
  Guarded f;
  f.store.put("a/b", "x");
  REQUIRE(::mkfifo((f.run / "a/pipe").c_str(), 0600) == 0);
  std::set<std::string> names = {"a/pipe"};
  if (::mknod((f.run / "a/null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) names.insert("a/null");
  for (const std::string& name : names) {
    CAPTURE(name);
    const auto before = fs::status(f.run / name).type();
    const std::string cause = "\"" + (f.run / name).string() + "\": it is not a regular file; choose another name";
    CHECK_THAT(store_failure([&] { f.store.put(name, "y"); }), contains("store: cannot replace: " + cause));
    CHECK_THAT(store_failure([&] { (void)f.store.move("a/b", name); }), contains(cause));
    CHECK_FALSE(f.store.put(name, "y", tt::Sync::no, tt::IfExists::keep));
    CHECK(fs::status(f.run / name).type() == before);
  }
  CHECK(listing(f.store, "") == "a/b 1");
  CHECK(temporaries_in(f.run) == 0);
}

TEST_CASE("an error speaks of a symbolic link only where there is one", "[store][file]") {
  Guarded f;
  f.store.put("a", "x");
  fs::create_directory_symlink(f.outside, f.run / "events");
  CHECK_THAT(store_failure([&] { f.store.put("a/b", "y"); }),
             contains("Not a directory; a file has the name of a directory") && !contains("link"));
  CHECK_THAT(store_failure([&] { tt::FileStore("/dev/null").put("a", "y"); }), !contains("link"));
  CHECK_THAT(store_failure([&] { f.store.put("events/b", "y"); }),
             contains("a symbolic link is in its place; symbolic links inside a run are not followed"));
}

#ifdef __linux__

TEST_CASE("a store whose directory is a link that leads nowhere says so", "[store][file]") {
  const TemporaryDirectory directory;
  fs::create_symlink(directory / "nowhere", directory / "link");
  fs::create_symlink(directory / "circle", directory / "circle");
  tt::FileStore lost((directory / "link").string()), circle((directory / "circle").string());
  CHECK_THROWS_WITH(lost.put("a", "1"), contains("link\": it is a symbolic link that leads nowhere"));
  CHECK_FALSE(lost.get("a"));
  CHECK_THROWS_WITH(circle.put("a", "1"), contains("circle\": it is a symbolic link that leads back to itself"));
  CHECK_THROWS_WITH(circle.get("a"), contains("it is a symbolic link that leads back to itself"));
}

TEST_CASE("a temporary never follows a link that waits under its name", "[store][file]") {
  Guarded f;
  fs::create_directories(f.run / "a");
  const int watch = ::inotify_init1(IN_NONBLOCK);
  REQUIRE(::inotify_add_watch(watch, (f.run / "a").c_str(), IN_CREATE) >= 0);
  f.store.put("a/b", "x");
  alignas(inotify_event) std::array<char, 4096> buffer{};
  REQUIRE(::read(watch, buffer.data(), buffer.size()) > 0);
  ::close(watch);
  const std::string name = reinterpret_cast<const inotify_event*>(buffer.data())->name;  // b.PID-COUNTER.tmp
  const std::size_t dash = name.rfind('-');
  const int counter = std::stoi(name.substr(dash + 1));
  for (int i = 1; i <= 20; ++i)
    fs::create_symlink(f.outside / "secret",
                       f.run / "a" / (name.substr(0, dash + 1) + std::to_string(counter + i) + ".tmp"));
  f.store.put("a/b", "y");
  CHECK(f.outside_is_untouched());
  CHECK(text(f.store, "a/b") == "y");
  CHECK(temporaries_in(f.run) == 20);
}

TEST_CASE("no descriptor stays open", "[store][file]") {
  const auto open_descriptors = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); };
  Guarded f;
  fs::create_directory_symlink(f.outside, f.run / "link");
  f.store.put("a/b", "x");
  const auto before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    f.store.put("c/d/e", "x", tt::Sync::yes);
    (void)f.store.get("c/d/e");
    (void)f.store.get("c/nothing");
    (void)f.store.size("a/b");
    (void)f.store.list("");
    (void)f.store.move("c/d/e", "c/moved");
    (void)f.store.move("c/nothing", "c/moved");
    (void)f.store.remove("c/moved");
    f.store.sync(std::vector<std::string>{"a/b", "c/d/e", "x/y/z"});
    (void)f.store.remove_unfinished([](std::string_view) { return true; });
    const auto claim = f.store.claim("c/claim", "me");
    CHECK(claim);
    CHECK_FALSE(f.store.claim("c/claim", "you"));
    CHECK_FALSE(store_failure([&] { (void)f.store.claim("a", "me"); }).empty());
    CHECK_FALSE(store_failure([&] { f.store.put("a", "x"); }).empty());
    CHECK_FALSE(store_failure([&] { f.store.put("link/x", "x"); }).empty());
    CHECK_FALSE(store_failure([&] { (void)f.store.get("a"); }).empty());
    CHECK_FALSE(store_failure([&] { (void)f.store.list("link/"); }).empty());
    f.store.extend("c/grows", 0, std::vector<tt::Bytes>{tt::bytes_of("x")}, tt::Sync::yes);
    CHECK_FALSE(store_failure([&] { f.store.extend("a", 0, std::vector<tt::Bytes>{{}}, tt::Sync::no); }).empty());
  }
  CHECK(open_descriptors() == before);
}

#endif
