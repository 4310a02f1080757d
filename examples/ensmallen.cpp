// Taps a logistic regression that ensmallen's Adam optimises. mlpack's Train() takes the same callback object.
//
// The added lines are those with `hook`. A request to stop, as by SIGTERM on a spot machine, ends the optimisation
// after a whole step.
#include <algorithm>
#include <cmath>
#include <ensmallen.hpp>
#include <iostream>
#include <tensortap/adapters/ensmallen.hpp>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;

namespace {

/// A function as ensmallen's optimizers of sums take it: the sum of the losses of rows.
class LogisticRegression {
 public:
  LogisticRegression() : input_(500, 4, arma::fill::randn), target_(500) {
    const arma::vec truth = {2, -1, 0.5, 0};
    for (arma::uword i = 0; i < input_.n_rows; ++i) target_[i] = arma::dot(input_.row(i), truth) > 0 ? 1 : 0;
  }

  [[nodiscard]] static arma::mat initial() { return arma::zeros(4, 1); }
  [[nodiscard]] std::size_t NumFunctions() const { return input_.n_rows; }
  void Shuffle() {}

  double EvaluateWithGradient(const arma::mat& weight, std::size_t begin, arma::mat& gradient, std::size_t count) {
    gradient.zeros(weight.n_rows, 1);
    double loss = 0;
    for (std::size_t i = begin; i < std::min(begin + count, NumFunctions()); ++i) {
      const double output = 1 / (1 + std::exp(-arma::dot(input_.row(i), weight)));
      gradient += (output - target_[i]) * input_.row(i).t();
      loss -= std::log(std::max(target_[i] > 0.5 ? output : 1 - output, 1e-12));
    }
    return loss;
  }
  double Evaluate(const arma::mat& weight, std::size_t begin, std::size_t count) {
    arma::mat unused;
    return EvaluateWithGradient(weight, begin, unused, count);
  }
  void Gradient(const arma::mat& weight, std::size_t begin, arma::mat& gradient, std::size_t count) {
    (void)EvaluateWithGradient(weight, begin, gradient, count);
  }

 private:
  arma::mat input_;
  arma::vec target_;
};

}  // namespace

int main() {
  arma::arma_rng::set_seed(1);
  LogisticRegression function;
  arma::mat weight = LogisticRegression::initial();
  ens::Adam optimizer(0.05, 50);
  optimizer.MaxIterations() = 10'000;  // rows: 200 steps
  optimizer.Tolerance() = -1;

  tt::Hook hook("runs/ensmallen", {.save = tt::every(25)});
  optimizer.Optimize(function, weight, tt::EnsmallenTap(hook));
  hook.close();

  const tt::Trial trial("runs/ensmallen");
  const tt::TensorHistory loss = trial.tensor("loss");
  for (const auto step : loss.steps()) std::cout << "step " << step << ": loss " << loss.value(step)->number(0) << '\n';
  return loss.steps().size() == 8 ? 0 : 1;
}
