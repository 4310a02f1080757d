#include <tensortap/store/open.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <tensortap/error.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;

namespace {

/// Sets HOME while it lives.
class Home {
 public:
  explicit Home(const char* directory) {
    if (const char* before = std::getenv("HOME")) before_ = before;
    set(directory);
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  ~Home() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static void set(const char* directory) {
    if (directory != nullptr) ::setenv("HOME", directory, 1);
    if (directory == nullptr) ::unsetenv("HOME");
  }
  std::optional<std::string> before_;
};

std::string location(const std::string& address) { return tt::open_store(address)->location(); }

}  // namespace

TEST_CASE("an address is a directory", "[store][open]") {
  const TemporaryDirectory directory;
  tt::open_store((directory / "runs/42").string())->put("a/b", "x");
  CHECK(std::filesystem::file_size(directory / "runs/42/a/b") == 1);
}

TEST_CASE("slashes at the end of an address are ignored", "[store][open]") {
  const std::string here = std::filesystem::current_path().string();
  CHECK(location("runs/42///") == here + "/runs/42");
  CHECK(location("runs/42") == here + "/runs/42");
  CHECK(location("/") == "/");
  CHECK(location("///") == "/");
  const TemporaryDirectory directory;
  tt::open_store(directory.path().string() + "//new//run//")->put("a", "x");
  CHECK(std::filesystem::file_size(directory / "new/run/a") == 1);
}

TEST_CASE("a leading ~ is the home directory, at the beginning only", "[store][open]") {
  const TemporaryDirectory directory;
  const Home home(directory.path().c_str());
  CHECK(location("~") == directory.path());
  CHECK(location("~/runs/42/") == (directory / "runs/42").string());
  const std::string here = std::filesystem::current_path().string();
  CHECK(location("~user/runs") == here + "/~user/runs");
  CHECK(location("runs/~") == here + "/runs/~");
  tt::open_store("~/runs/42")->put("a", "x");
  CHECK(std::filesystem::exists(directory / "runs/42/a"));
}

TEST_CASE("without a home directory ~ is a plain name", "[store][open]") {
  const Home home(nullptr);
  CHECK(location("~/runs") == std::filesystem::current_path().string() + "/~/runs");
}

TEST_CASE("addresses of other kinds are refused", "[store][open]") {
  for (const std::string address : {"gs://bucket/run", "file:///runs", "http://host/run", "://", ""}) {
    CAPTURE(address);
    try {
      (void)tt::open_store(address);
      FAIL("it was accepted");
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::invalid_option);
      CHECK_THAT(e.what(), contains("store: \"" + address + "\": no store has this kind of address"));
    }
  }
}

TEST_CASE("an address that the system would cut off at a null is refused", "[store][open]") {
  CHECK_THROWS_WITH(tt::open_store(std::string("/tmp/run\0s", 10)), contains("no store has this kind of address"));
}

TEST_CASE("the error in a program without S3 names the header to include", "[store][open]") {
  try {
    (void)tt::open_store("s3://bucket/run");
    FAIL("it was accepted");
  } catch (const tt::Error& e) {
    CHECK_THAT(e.what(), contains("store: \"s3://bucket/run\": this program is built without S3; include"));
  }
}
