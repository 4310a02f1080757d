#include <tensortap/internal/fork_guard.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"

namespace {

/// Returns the result of `question` in a forked child.
template <class Question>
bool in_child(const Question& question) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(question() ? 0 : 1);
  int status = 0;
  REQUIRE(child > 0);
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 0;
}

}  // namespace

using tensortap::detail::ForkGuard;

TEST_CASE("a guard tells a forked child from its parent", "[internal][fork_guard]") {
  const ForkGuard guard;
  CHECK_FALSE(guard.is_child());
  CHECK(in_child([&] { return guard.is_child(); }));
  CHECK_FALSE(guard.is_child());
}

TEST_CASE("a copy of a guard belongs to the same process", "[internal][fork_guard]") {
  const ForkGuard guard;
  const ForkGuard copy = guard;
  CHECK_FALSE(copy.is_child());
  CHECK(in_child([&] { return copy.is_child() && ForkGuard(guard).is_child(); }));
}

TEST_CASE("a guard made in a child belongs to the child", "[internal][fork_guard]") {
  CHECK(in_child([] {
    const ForkGuard guard;
    const pid_t grandchild = ::fork();
    if (grandchild == 0) ::_exit(guard.is_child() ? 0 : 1);
    int status = 1;
    return !guard.is_child() && ::waitpid(grandchild, &status, 0) == grandchild && status == 0;
  }));
}
