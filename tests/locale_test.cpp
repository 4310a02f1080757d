// Runs are written, read and judged the same under a locale that writes 1234.5 as "1.234,5".
#include <clocale>
#include <filesystem>
#include <locale>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"
#include "golden.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// A global locale with a decimal comma until the end of a scope: of C++, and of C where a German one is installed.
class DecimalComma {
 public:
  DecimalComma()
      : c_before_(std::setlocale(LC_ALL, nullptr)),
        before_(std::locale::global(std::locale(std::locale::classic(), new Numbers))) {
    for (const char* const name : {"de_DE.UTF-8", "de_DE"})
      if (std::setlocale(LC_ALL, name) != nullptr) break;
  }
  DecimalComma(const DecimalComma&) = delete;
  DecimalComma& operator=(const DecimalComma&) = delete;
  ~DecimalComma() {
    std::locale::global(before_);
    std::setlocale(LC_ALL, c_before_.c_str());
  }

 private:
  struct Numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };

  std::string c_before_;
  std::locale before_;
};

/// Returns the result of `make` without that locale, and with it.
template <class Make>
auto with_and_without(const Make& make) {
  const auto without = make();
  const DecimalComma scope;
  return std::pair(without, make());
}

template <class T>
std::string printed(const T& thing) {
  std::ostringstream out;
  out << thing;
  return out.str();
}

struct Written {
  std::shared_ptr<tt::MemoryStore> run = std::make_shared<tt::MemoryStore>();
  std::shared_ptr<tt::MemoryStore> checkpoints = std::make_shared<tt::MemoryStore>();
  std::string report;

  /// Returns every file by its key.
  [[nodiscard]] golden::Files files() const {
    golden::Files out;
    for (const auto& [name, store] : {std::pair("run/", run), std::pair("checkpoints/", checkpoints)})
      for (const auto& object : store->list("")) {
        const auto content = *store->get(object.key);
        out[name + object.key] = std::string(reinterpret_cast<const char*>(content.data()), content.size());
      }
    return out;
  }
};

/// Writes a run with numbers of four digits and more in all places where the format has numbers.
Written write_run() {
  Written out;
  const std::vector<float> weights(2500, 1234.5F);
  tt::HookOptions options{
      .collections = {{.name = "raw", .include_regex = "^w", .save = tt::every(1000) | tt::at({1234, 5678})},
                      {.name = "reduced",
                       .include_regex = "^w|^g",
                       .save = tt::every(1234),
                       .reductions = {R::mean, R::abs_std, R::l2, R::statistics}},
                      {.name = "shapes", .include_regex = "^s", .save = tt::from(1000), .save_shape = true}},
      .checkpoints = out.checkpoints,
      .run_id = "a",
      .wall_time = [] { return 1234567890.125; }};
  tt::Hook hook(out.run, options);
  for (const std::int64_t step : {1000, 1234, 2468, 12000}) {
    hook.begin_step(tt::Step{tt::Mode::train, step, 10 * step});
    hook.save("weight", weights);
    hook.save("gradient", 0.001F / static_cast<float>(step));
    hook.save("shape", weights);
  }
  out.checkpoints->put("at_12000", std::string(1234, 'x'));
  hook.commit("at_12000");
  hook.close();
  out.report = printed(hook.report());
  return out;
}

/// Returns the contents of a run as text.
std::vector<std::string> read_run(const Written& written) {
  const tt::Trial trial(written.run);
  std::vector<std::string> out;
  for (const auto& tensor : trial.tensors())
    for (const std::int64_t step : tensor.steps()) {
      std::string line = tensor.name() + " " + std::to_string(step) + " ";
      if (const auto value = tensor.value(step)) line += tt::shortest(tt::statistics(*value).sum) + " ";
      if (const auto mean = tensor.reduction(step, R::mean)) line += tt::shortest(*mean) + " ";
      if (const auto statistics = tensor.statistics(step))
        for (const double field : statistics->to_record()) line += tt::shortest(field) + " ";
      if (const auto shape = tensor.shape(step))
        for (const std::int64_t extent : *shape) line += std::to_string(extent) + " ";
      out.push_back(line);
    }
  for (const auto& damage : trial.damage()) out.push_back(damage.cause);
  return out;
}

}  // namespace

TEST_CASE("the locale of these tests writes a decimal comma", "[base][locale]") {
  const auto [without, with] = with_and_without([] { return printed(1234.5); });
  CHECK(without == "1234.5");
  CHECK(with == "1.234,5");
  CHECK(printed(1234.5) == "1234.5");
}

TEST_CASE("a run has the same bytes in every locale", "[base][locale]") {
  const auto [without, with] = with_and_without([] { return write_run(); });
  const auto expected = without.files();
  const auto found = with.files();
  REQUIRE(expected.size() > 10);
  CHECK(found.size() == expected.size());
  for (const auto& [key, content] : expected) {
    CAPTURE(key);
    REQUIRE(found.contains(key));
    CHECK(found.at(key) == content);
  }
  CHECK(with.report == without.report);
}

TEST_CASE("a run is read the same in every locale", "[base][locale]") {
  const Written written = write_run();
  const auto [without, with] = with_and_without([&] { return read_run(written); });
  CHECK(without.size() > 8);
  CHECK(with == without);
  for (const std::string& run : golden::runs()) {
    CAPTURE(run);
    const auto counted = with_and_without([&] {
      const tt::Trial trial(golden::store_of(golden::files_of(run)));
      return std::pair(trial.steps().size(), trial.damage().size());
    });
    CHECK(counted.first == counted.second);
  }
}

TEST_CASE("a run is judged the same in every locale", "[base][locale]") {
  const Written written = write_run();
  const auto [without, with] = with_and_without([&] {
    const tt::Trial trial(written.run);
    std::vector<std::string> lines;
    for (const auto& finding :
         tt::evaluate(trial, {tt::VanishingGradient{.threshold = 1e-5, .collection = "reduced"}}).findings) {
      lines.push_back(printed(finding));
      lines.push_back(to_json(finding));
    }
    return lines;
  });
  CHECK_FALSE(without.empty());
  CHECK(with == without);
}

TEST_CASE("a finding is printed the same in every locale and state of the stream", "[base][locale]") {
  const tt::Finding finding{
      .rule = "r", .step = {tt::Mode::train, 1234, 12345}, .value = 1234.5, .last_step = 23456, .count = 1234};
  const TemporaryDirectory directory;
  const auto [without, with] = with_and_without([&] {
    std::filesystem::remove(directory / "stop");
    tt::TouchFile{(directory / "stop").string()}(finding);
    return printed(finding) + "\n" + golden::read_file(directory / "stop");
  });
  const std::string expected = "r: step 12345 (TRAIN 1234): 1234.5; in 1234 steps, the last is step 23456";
  CHECK(without == expected + "\n" + expected + "\n");
  CHECK(with == without);
  std::ostringstream hex;
  hex << std::hex << std::showbase << finding;
  CHECK(hex.str() == expected);
}
