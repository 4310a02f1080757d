#include <tensortap/adapters/ensmallen.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

#ifdef TENSORTAP_TEST_ENSMALLEN
#include <ensmallen.hpp>
#endif

namespace tt = tensortap;

namespace {

/// Looks as arma::mat does to as_view().
struct Coordinates {
  std::vector<double> elements = {0, 0};
  std::size_t n_rows = 2, n_cols = 1;
  [[nodiscard]] const double* memptr() const { return elements.data(); }
};

/// Looks as arma::sp_mat does: without memory.
struct SparseGradient {
  std::size_t n_rows = 2, n_cols = 1;
};

/// (x - 3)^2 + (y + 1)^2
struct Bowl {
  [[nodiscard]] static double at(const Coordinates& c) {
    return (c.elements[0] - 3) * (c.elements[0] - 3) + (c.elements[1] + 1) * (c.elements[1] + 1);
  }
  [[nodiscard]] static Coordinates gradient(const Coordinates& c) {
    return {{2 * (c.elements[0] - 3), 2 * (c.elements[1] + 1)}};
  }
};

/// Calls a callback object as ensmallen 2.19 does: an event that returns true ends the optimisation.
class GradientDescent {
 public:
  int epochs = 3, steps = 4, trials = 1;  // trials: of a line search
  bool sparse = false;

  template <class Callback>
  void Optimize(Bowl& bowl, Coordinates& c, Callback&& callback) {
    callback.BeginOptimization(*this, bowl, c);
    double objective = 0;
    bool ends = false;
    for (std::size_t epoch = 1; !ends && epoch <= static_cast<std::size_t>(epochs); ++epoch) {
      ends = callback.BeginEpoch(*this, bowl, c, epoch, objective);
      for (int step = 0; !ends && step < steps; ++step) ends = take_step(bowl, c, callback);
      objective = bowl.at(c);
      if (!ends) ends = callback.EndEpoch(*this, bowl, c, epoch, objective);
    }
    callback.Evaluate(*this, bowl, c, bowl.at(c));  // the exact objective, at the end
  }

 private:
  template <class Callback>
  bool take_step(Bowl& bowl, Coordinates& c, Callback& callback) {
    Coordinates direction = bowl.gradient(c);
    for (int trial = trials; trial > 0; --trial) {  // the last one is at the point itself
      Coordinates tried = c;
      for (std::size_t i = 0; i < 2; ++i) tried.elements[i] += trial - 1;
      if (callback.Evaluate(*this, bowl, tried, bowl.at(tried))) return true;
      const SparseGradient none;
      if (sparse ? callback.Gradient(*this, bowl, tried, none)
                 : callback.Gradient(*this, bowl, tried, bowl.gradient(tried)))
        return true;
    }
    for (std::size_t i = 0; i < 2; ++i) c.elements[i] -= 0.25 * direction.elements[i];
    return callback.StepTaken(*this, bowl, c);
  }
};

}  // namespace

TEST_CASE("a callback object saves what an optimizer computes", "[adapters][ensmallen]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(
      store, {.collections = {{.name = "losses"}, {.name = "weights"}, {.name = "gradients"}}, .save = tt::every(1)});
  Bowl bowl;
  Coordinates c;
  GradientDescent optimizer;
  optimizer.trials = GENERATE(1, 3);
  optimizer.Optimize(bowl, c, tt::EnsmallenTap(hook));
  CHECK(hook.step() == 11);  // the last objective is in no step
  hook.close();

  const tt::Trial trial(store);
  Coordinates expected;
  for (std::int64_t step = 0; step < 12; ++step) {
    CHECK(trial.tensor("loss").value(step)->number(0) == Bowl::at(expected));
    const Coordinates gradient = Bowl::gradient(expected);
    CHECK(trial.tensor("gradient/weight").value(step)->number(1) == gradient.elements[1]);
    for (std::size_t i = 0; i < 2; ++i) expected.elements[i] -= 0.25 * gradient.elements[i];
    CHECK(trial.tensor("weight").value(step)->number(0) == expected.elements[0]);
  }
  CHECK(expected.elements == c.elements);
  CHECK(trial.tensor("epoch_loss").steps() == std::vector<std::int64_t>{3, 7, 11});
  CHECK(trial.tensor("epoch_loss").value(11)->number(0) == Bowl::at(c));
}

TEST_CASE("the callback object takes names, sparse gradients and optimizers without gradients",
          "[adapters][ensmallen]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1)});
  Bowl bowl;
  Coordinates c;
  GradientDescent optimizer;
  optimizer.sparse = true;
  tt::EnsmallenTap tap(hook, "net");
  optimizer.Optimize(bowl, c, tap);
  tap.BeginOptimization(optimizer, bowl, c);  // of an optimizer without gradients
  tap.Evaluate(optimizer, bowl, c, 5);
  tap.StepTaken(optimizer, bowl, c);
  tap.StepTaken(optimizer, bowl, c);  // without an objective
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("net/weight").steps().size() == 14);
  CHECK(trial.tensor("net/loss").steps().size() == 13);
  CHECK(trial.tensor("net/loss").value(12)->number(0) == 5);
  CHECK_FALSE(trial.has_tensor("gradient/net/weight"));
}

TEST_CASE("a stop request ends the optimisation after a whole step", "[adapters][ensmallen]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::StopSignal stop;
  tt::Hook hook(store, {.save = tt::every(1), .stop = stop});
  Bowl bowl;
  Coordinates c;
  GradientDescent optimizer;
  tt::EnsmallenTap tap(hook);
  optimizer.Optimize(bowl, c, tap);
  CHECK(hook.step() == 11);
  stop.request(tt::StopReason::user);
  const std::vector<double> before = c.elements;
  optimizer.Optimize(bowl, c, tap);
  CHECK(hook.step() == 11);
  CHECK(c.elements == before);
  CHECK(tap.Evaluate(optimizer, bowl, c, 1.0));
  CHECK_FALSE(tap.Gradient(optimizer, bowl, c, c));
  CHECK(tap.StepTaken(optimizer, bowl, c));
  CHECK(tap.BeginEpoch(optimizer, bowl, c, 1, 1.0));
  CHECK(tap.EndEpoch(optimizer, bowl, c, 1, 1.0));
}

#ifdef TENSORTAP_TEST_ENSMALLEN
TEST_CASE("ensmallen calls the callback object", "[adapters][ensmallen]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1)});
  ens::test::SphereFunction function(4);
  arma::mat coordinates = function.GetInitialPoint();
  ens::StandardSGD optimizer(0.1, 1, 40);
  optimizer.Optimize(function, coordinates, tt::EnsmallenTap(hook));
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensor("weight").steps().size() == 40);
  CHECK(trial.tensor("loss").steps().size() == 40);
  CHECK(trial.tensor("gradient/weight").steps().size() == 40);
  CHECK(trial.tensor("epoch_loss").steps().size() >= 8);
  CHECK(trial.tensor("weight").value(39)->number(2) == coordinates(2));
}
#endif
