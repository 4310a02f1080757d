// Runs of every kind that the command-line tool must show: of statistics only, of one reduction only, of types that are
// not floats, of losses in two modes, of nothing. tests/examples/kinds_of_runs_test.py reads them by the tool.
#include <complex>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// The directory of the run `name`, empty: below TENSORTAP_WRITTEN_RUNS if that is set.
class RunDirectory {
 public:
  explicit RunDirectory(const std::string& name) {
    const char* const directory = std::getenv("TENSORTAP_WRITTEN_RUNS");
    path_ = (directory != nullptr ? std::filesystem::path(directory) : temporary_.path()) / "kinds" / name;
    std::filesystem::remove_all(path_);
  }

  [[nodiscard]] std::string address() const { return path_.string(); }

 private:
  TemporaryDirectory temporary_;
  std::filesystem::path path_;
};

/// Returns a gradient of shape [2, 3].
tt::Tensor gradient(float scale) {
  tt::Tensor out(tt::DType::f32, {2, 3});
  float factor = 1;
  for (float& element : out.as<float>()) element = scale * (factor = -factor);
  return out;
}

/// Writes a run of two gradients, "w.grad" and the vanishing "dead.grad", of which `reductions` are saved.
void write_gradients(const std::string& address, const tt::Reductions& reductions, bool with_nan) {
  tt::Hook hook(address, {.collections = {{.name = "gradients", .save = tt::every(2), .reductions = reductions}}});
  for (int i = 0; i < 7; ++i) {
    hook.begin_step();
    tt::Tensor w = gradient(0.5F);
    if (with_nan && i == 4) {
      w.as<float>()[4] = std::numeric_limits<float>::quiet_NaN();
      w.as<float>()[5] = std::numeric_limits<float>::infinity();
    }
    hook.save("w.grad", w);
    hook.save("dead.grad", gradient(i < 3 ? 0.25F : 1e-9F));
  }
  hook.close();
}

}  // namespace

TEST_CASE("a run of statistics only", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("statistics");
  write_gradients(run.address(), {R::statistics}, true);
  CHECK(tt::Trial(run.address()).tensor("w.grad").statistics(4)->nan == 1);
}

TEST_CASE("a run of one reduction only", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("abs_mean");
  write_gradients(run.address(), {R::abs_mean}, false);
  CHECK(tt::Trial(run.address()).tensor("w.grad").reduction(4, R::abs_mean) == 0.5);
}

TEST_CASE("a run of gradients that are not numbers", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("nan");
  tt::Hook hook(run.address(), {.collections = {{.name = "gradients"}}, .save = tt::every(1)});
  hook.begin_step();
  hook.save("w.grad", std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()});
  hook.close();
  CHECK(tt::Trial(run.address()).tensor("w.grad").statistics(0)->nan == 1);
}

TEST_CASE("a run of reductions that the rule cannot use", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("min_max_l2");
  write_gradients(run.address(), {R::min, R::max, R::l2}, false);
  CHECK_FALSE(tt::Trial(run.address()).tensor("w.grad").reduction(4, R::abs_mean));
}

TEST_CASE("a run of integers, complex numbers and half floats", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("types");
  tt::Hook hook(run.address(), {.save = tt::every(1)});
  for (std::int64_t i = 0; i < 2; ++i) {
    hook.begin_step();
    hook.save("count", 1234567 + i);
    hook.save("counts", std::vector<std::int64_t>{1234567, -9007199254740993, i});
    hook.save("phase", std::complex<double>(0.1, -2));
    hook.save("phases", std::vector<std::complex<float>>{{1, 2}, {3, -4.5F}});
    tt::Tensor half(tt::DType::f16, {1});
    half.bytes()[0] = std::byte{0x66};  // 0x2e66, the half nearest to 0.1
    half.bytes()[1] = std::byte{0x2e};
    hook.save("half", half);
    hook.save("third", std::vector<float>{1.0F / 3, 16777216});
    hook.save("\u202Egpj", 1.5F);
  }
  hook.close();
  CHECK(tt::Trial(run.address()).tensor("counts").value(1)->as<std::int64_t>()[1] == -9007199254740993);
}

TEST_CASE("a run of losses in two modes, with a collection that meets no tensor", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("losses");
  tt::Hook hook(run.address(), {.collections = {{.name = "losses", .save = tt::every(1)},
                                                {.name = "gradients", .save = tt::every(1)}}});
  for (int i = 0; i < 6; ++i) {
    hook.begin_step(tt::Mode::train);
    hook.save("loss", 1.0F / static_cast<float>(i + 1));
    if (i % 3 != 2) continue;
    hook.begin_step(tt::Mode::eval);
    hook.save("val_loss", 0.75F);
  }
  hook.close();
  CHECK(hook.status().notes.size() == 1);
}

TEST_CASE("a run of nothing", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("nothing");
  tt::Hook hook(run.address());
  hook.begin_step();
  hook.close();
  CHECK(tt::Trial(run.address()).steps().empty());
}

TEST_CASE("a run of two workers", "[capture][kinds_of_runs][written]") {
  const RunDirectory run("workers");
  tt::Hook first(run.address(), {.save = tt::every(1), .worker = "worker_0", .num_workers = 2});
  tt::Hook second(run.address(), {.save = tt::every(1), .worker = "worker_1", .num_workers = 2});
  for (int i = 0; i < 2; ++i) {
    first.begin_step();
    first.save("loss", static_cast<float>(i));
    second.begin_step();
    second.save("loss", static_cast<float>(i) + 0.5F);
    second.save("only_of_1", 1.0F);
  }
  first.close();
  second.close();
  CHECK(tt::Trial(run.address()).steps().size() == 2);
}
