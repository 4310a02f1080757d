#include <tensortap/select/pattern.hpp>

#include <atomic>
#include <ctime>
#include <functional>
#include <locale>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include <tensortap/error.hpp>

#include "catch.hpp"
#include "sanitizer.hpp"

namespace tt = tensortap;
using tt::Pattern;

namespace {

/// Runs `job` on a stack of `kibibytes`.
void on_small_stack(std::size_t kibibytes, const std::function<void()>& job) {
#if WITH_SANITIZER || !defined(__OPTIMIZE__)
  kibibytes *= 16;  // frames are that much larger
#endif
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, kibibytes * 1024) == 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&job)) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
}

/// Returns the time that this thread has computed: that of a busy machine does not count.
double seconds_of_thread() {
  timespec time{};
  REQUIRE(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("a pattern searches; it need not match the whole name", "[select][pattern]") {
  CHECK(Pattern("loss").finds("train/loss_1"));
  CHECK(Pattern("loss$").finds("train/loss"));
  CHECK_FALSE(Pattern("loss$").finds("train/loss_1"));
  CHECK_FALSE(Pattern("^loss").finds("train/loss"));
  CHECK_FALSE(Pattern("Loss").finds("train/loss"));
  CHECK(Pattern("").finds(""));
  CHECK(Pattern("").finds("anything"));
  CHECK(Pattern("a|^b$").finds("b"));
  CHECK_FALSE(Pattern("a|^b$").finds("bb"));
  CHECK(Pattern("x\\ny").finds("x\ny"));
  CHECK(Pattern("y$").finds("x\ny"));
  CHECK(Pattern("\\bgrad\\b").finds("fc1 grad 3"));
  CHECK_FALSE(Pattern("\\bgrad\\b").finds("fc1_grad_3"));
}

TEST_CASE("a pattern finds what std::regex_search finds", "[select][pattern]") {
  const std::vector<std::string> patterns = {
      "a",    "^a",     "a$",        "^a$",       "a|b",       "^a|b$",  "(a|b)+c", "a*",      "a*b",
      "[^a]", "(?!a)b", "(?=ab)a.$", "^(?!a).*b", ".",         "a.b",    "a?b?c?$", "(ab){2}", "\\b",
      "\\Bb", "^$",     "(|a)b",     "[]",        "(?:a|ab)c", "(a+)+$", "\\w\\W",  "a{1,2}b", "^[ab]{3}$"};
  std::vector<std::string> names = {"\n", "a\nb", "a b", "b-a"};
  for (int number = 0; number < 1 + 3 + 9 + 27 + 81; ++number) {  // all of up to four letters
    std::string name;
    for (int rest = number; rest > 0; rest = (rest - 1) / 3) name += "abc"[(rest - 1) % 3];
    names.push_back(name);
  }
  for (const auto& text : patterns) {
    const Pattern pattern(text);
    const std::regex direct(text);
    for (const auto& name : names)
      if (pattern.finds(name) != std::regex_search(name, direct)) {
        CAPTURE(text, name);
        FAIL("they differ");
      }
  }
  SUCCEED();
}

TEST_CASE("a pattern keeps the text it was given", "[select][pattern]") {
  CHECK(Pattern("^[a-zA-z]+-.+(?<!(auc|map))$").text() == "^[a-zA-z]+-.+(?<!(auc|map))$");
  CHECK(Pattern("loss$").text() == "loss$");
}

TEST_CASE("smdebug's patterns with look-ahead work", "[select][pattern]") {
  const Pattern weights("^(?!gradient).*weight");
  CHECK(weights.finds("fc1.weight"));
  CHECK_FALSE(weights.finds("gradient/fc1.weight"));
  CHECK(weights.finds("a/gradient/fc1.weight"));
  const Pattern losses("[Ll]oss_(?!input).*output");
  CHECK(losses.finds("CrossEntropyLoss_output_0"));
  CHECK_FALSE(losses.finds("CrossEntropyLoss_input_0"));
  CHECK_FALSE(losses.finds("loss_input_output"));
}

TEST_CASE("XGBoost's losses, smdebug's one look-behind, are found as Python finds them", "[select][pattern]") {
  const Pattern losses("^[a-zA-z]+-.+(?<!(auc|map))$");
  CHECK(losses.finds("train-rmse"));
  CHECK(losses.finds("validation-error@0.7"));
  CHECK(losses.finds("train-map@3"));
  CHECK(losses.finds("train-aucx"));
  CHECK_FALSE(losses.finds("train-auc"));
  CHECK_FALSE(losses.finds("validation-map"));
  CHECK_FALSE(losses.finds("train-"));
  CHECK_FALSE(losses.finds("0train-rmse"));
}

TEST_CASE("syntax that ECMAScript lacks is refused with its position", "[select][pattern]") {
  const auto refused = [](const std::string& text, const std::string& cause, std::size_t position) {
    CAPTURE(text);
    try {
      const Pattern pattern(text);
      FAIL("it was accepted");
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::invalid_pattern);
      CHECK_THAT(e.what(), contains("pattern: " + tt::in_quotes(text) + ": " + cause + " (at position " +
                                    std::to_string(position) + "); "));
    }
  };
  refused("loss(?<!val_loss)", "look-behind is not supported", 4);
  refused("(?<=a)b", "look-behind is not supported", 0);
  refused("(?i)loss", "inline flags and named groups are not supported", 0);
  refused("x(?P<layer>\\d+)", "inline flags and named groups are not supported", 1);
  refused("x(?<layer>\\d+)", "inline flags and named groups are not supported", 1);
  refused("a(?#comment)", "inline flags and named groups are not supported", 1);
  refused("(a)\\1", "back-references are not supported", 3);
  refused("\\\\(?<=a)", "look-behind is not supported", 2);
  refused("[(](?i)", "inline flags and named groups are not supported", 3);
  refused("[[:alpha:](](?i)", "inline flags and named groups are not supported", 12);
  refused("\\Aloss\\Z", "this escape means nothing in ECMAScript", 0);
  refused("loss\\Z", "this escape means nothing in ECMAScript", 4);
  refused("a(?=b(?=c))", "look-ahead in look-ahead is not supported", 5);
  refused("a(?!(b|(?=c)))", "look-ahead in look-ahead is not supported", 7);
}

TEST_CASE("syntax that only looks foreign is accepted", "[select][pattern]") {
  CHECK(Pattern("\\(?<=").finds("(<="));
  CHECK(Pattern("[(?<=]").finds("?"));
  CHECK(Pattern("[[:digit:](?<!]x").finds("3x"));
  CHECK(Pattern("[\\](?i)]").finds("]"));
  CHECK(Pattern("(?:a)(?=b)(?!bc)").finds("ab"));
  CHECK(Pattern("(?=a)(?=.b)").finds("ab"));
  CHECK(Pattern("\\x41\\.\\d\\w\\s\\S").finds("A.1a x"));
  CHECK(Pattern("a\\0").finds(std::string_view("a\0", 2)));
}

TEST_CASE("a repetition of nothing is named, as in patterns of file names", "[select][pattern]") {
  const auto refused = [](const std::string& text, std::size_t position) {
    CAPTURE(text);
    CHECK_THROWS_WITH(Pattern(text), contains("nothing is there to repeat") &&
                                         contains("(at position " + std::to_string(position) + ")"));
  };
  refused("*.grad", 0);
  refused("+x", 0);
  refused("a|*b", 2);
  refused("a(*b)", 2);
  refused("a(?:*b)", 4);
  refused("[(*]\\(*(*", 8);
  CHECK_THROWS_WITH(Pattern("a("), contains("pattern: \"a(\": ") && !contains("repeat"));
}

TEST_CASE("syntax errors are refused with the message of the standard library", "[select][pattern]") {
  for (const std::string text :
       {"(", ")", "a)(b", "[a", "a{2", "a{2,1}", "*", "a\\", "(?", "[z-a]", "[[:nothing:]]", "{3}"}) {
    CAPTURE(text);
    try {
      const Pattern pattern(text);
      FAIL("it was accepted");
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::invalid_pattern);
      CHECK_THAT(e.what(), contains("pattern: \"" + tt::escaped(text) + "\": "));
    }
  }
}

TEST_CASE("a pattern or name of 1 KiB works, a longer pattern is refused and a longer name never matches",
          "[select][pattern]") {
  const std::string longest(1024, 'a');
  CHECK(Pattern(longest).finds(longest));
  CHECK_FALSE(Pattern(longest).finds(longest.substr(1)));
  CHECK_THROWS_WITH(Pattern(longest + "a"), contains("longer than 1024 bytes (at position 1024)"));
  CHECK(Pattern(".*").finds(longest));
  CHECK_FALSE(Pattern(".*").finds(longest + "a"));
}

TEST_CASE("counted repetitions count as if they were written out", "[select][pattern]") {
  CHECK(Pattern("^a{1000}$").finds(std::string(1000, 'a')));
  CHECK(Pattern("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").finds("01234567-89ab-cdef-0123-456789abcdef"));
  CHECK(Pattern("[{]99999[}]\\{99999\\}").finds("{99999}{99999}"));
  for (const std::string text :
       {"a{1025}", "a{1,1025}", "a{1025,}", "(a?){30000}", "((a?){150}){150}", "(a{32}){33}", "x*{600}",
        "(a?){100}*{4}", "a{18446744073709551617}", "[[:alpha:]]{1025}", "(?=a{1025})"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(Pattern(text), contains("longer than 1024 bytes, repetitions written out"));
  }
  CHECK_THROWS_WITH(Pattern(repeated("(", 33) + repeated(")", 33)),
                    contains("groups are nested too deeply (at position 32)"));
  CHECK(Pattern(repeated("(", 32) + "a" + repeated(")", 32)).finds("xa"));
  CHECK(Pattern(repeated("(a)", 340)).finds(std::string(340, 'a')));
}

TEST_CASE("every accepted pattern is fast and needs a small stack for every name", "[select][pattern]") {
  const std::vector<std::string> patterns = {"(a+)+b$",
                                             "(a|aa)+$b",
                                             "(a*)*b",
                                             ".*.*.*.*.*b",
                                             "(.*a){30}b",
                                             ".*(?=.*b)",
                                             "(a?){300}b",
                                             repeated("a?", 512),
                                             repeated("a|", 500),
                                             repeated("()", 340),
                                             repeated("(", 32) + "a" + repeated(")*", 32)};
  const std::string name(1024, 'a');
  for (const auto& text : patterns) {
    CAPTURE(text);
    double seconds = 0;
    on_small_stack(256, [&] {
      const double start = seconds_of_thread();
      (void)Pattern(text).finds(name);
      seconds = seconds_of_thread() - start;
    });
    CHECK(seconds < 10);  // milliseconds; with a sanitizer some seconds; by backtracking it would be ages
  }
}

TEST_CASE("patterns mean the same in every global locale", "[select][pattern]") {
  /// Returns false for digits and letters, and a separator for groups of digits.
  struct Classes : std::ctype<char> {
    Classes() : std::ctype<char>(nothing()) {}
    static const mask* nothing() {
      static const mask table[table_size] = {};
      return table;
    }
  };
  struct Numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\1"; }
  };
  const std::locale before =
      std::locale::global(std::locale(std::locale(std::locale::classic(), new Classes), new Numbers));
  const bool digits = Pattern("^\\d+$").finds("2024");
  const bool words = Pattern("^\\w+$").finds("weight_1");
  const bool letters = Pattern("^[[:alpha:]]{3}$").finds("abc");
  const bool counted = Pattern("^a{12}$").finds("aaaaaaaaaaaa");
  std::locale::global(before);
  CHECK(digits);
  CHECK(words);
  CHECK(letters);
  CHECK(counted);
}

TEST_CASE("several threads may use one pattern", "[select][pattern]") {
  const Pattern pattern("^layer_(\\d+)/(weight|bias)$");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        if (!pattern.finds("layer_" + std::to_string(i) + "/weight") || pattern.finds("layer_x/bias")) ++wrong;
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("patterns are one string or a list of them", "[select][pattern]") {
  const auto list = [](const tt::Patterns& patterns) { return patterns.list(); };
  using Texts = std::vector<std::string>;
  CHECK(list("loss$") == Texts{"loss$"});
  CHECK(list(std::string("loss$")) == Texts{"loss$"});
  CHECK(list({"a", "b"}) == Texts{"a", "b"});
  CHECK(list({"a", "b", "c"}) == Texts{"a", "b", "c"});
  CHECK(list(Texts{"a", "b"}) == Texts{"a", "b"});
  CHECK_FALSE(tt::Patterns().given());
  CHECK(tt::Patterns::none().given());
  CHECK(tt::Patterns::none().empty());
}
