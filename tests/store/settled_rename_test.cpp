#include <tensortap/store/internal/settled_rename.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <tensortap/tensortap.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

TEST_CASE("a rename whose reply was lost has succeeded", "[store][settled_rename]") {
  const TemporaryDirectory directory;
  const fs::path from = directory / "from", to = directory / "to";
  if (GENERATE(true, false))
    std::ofstream(from) << "new";
  else
    fs::create_directory(from);
  tt::FileCalls calls;
  calls.renameat = [cause = GENERATE(ENOENT, EEXIST)](int a, const char* b, int c, const char* d) {
    (void)::renameat(a, b, c, d);
    return errno = cause, -1;
  };
  CHECK(tt::detail::rename_file(calls, from.string(), to.string()));
  CHECK(fs::exists(to));
  CHECK_FALSE(fs::exists(from));
}

TEST_CASE("a rename that has failed has failed, whatever has the new name", "[store][settled_rename]") {
  const TemporaryDirectory directory;
  const fs::path from = directory / "from", to = directory / "to";
  std::ofstream(from) << "new";
  if (GENERATE(true, false)) std::ofstream(to) << "old";
  tt::FileCalls calls;
  const int cause = GENERATE(ENOENT, EEXIST, EACCES);
  calls.renameat = [cause](int, const char*, int, const char*) { return errno = cause, -1; };
  CHECK_FALSE(tt::detail::rename_file(calls, from.string(), to.string()));
  CHECK(errno == cause);
  CHECK_FALSE(tt::detail::rename_file(tt::FileCalls(), (directory / "absent").string(), to.string()));
  CHECK(errno == ENOENT);
}
