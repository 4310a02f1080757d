// Taps a logistic regression written with Armadillo, and reads its weights back into Armadillo.
//
// The added lines are those with `hook`. Readers get a matrix in row-major order, as [rows, columns].
#include <cmath>
#include <iostream>
#include <tensortap/adapters/armadillo.hpp>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;

int main() {
  arma::arma_rng::set_seed(1);
  const arma::mat input(200, 3, arma::fill::randn);
  const arma::vec truth = {2, -1, 0.5};
  arma::vec target(input.n_rows), weight(3, arma::fill::zeros);
  for (arma::uword i = 0; i < input.n_rows; ++i) target[i] = arma::dot(input.row(i), truth) > 0 ? 1 : 0;

  tt::Hook hook("runs/armadillo", {.save = tt::every(25)});
  for (int step = 0; step < 200; ++step) {
    hook.begin_step();
    arma::vec gradient(3, arma::fill::zeros);
    double loss = 0;
    for (arma::uword i = 0; i < input.n_rows; ++i) {
      const double output = 1 / (1 + std::exp(-arma::dot(input.row(i), weight)));
      gradient += (output - target[i]) / static_cast<double>(input.n_rows) * input.row(i).t();
      loss -= std::log(target[i] > 0.5 ? output : 1 - output) / static_cast<double>(input.n_rows);
    }
    weight -= 2 * gradient;
    hook.save("loss", loss);
    hook.save("weight", weight);
    hook.save("weight.grad", gradient);
  }
  hook.close();

  const tt::Trial trial("runs/armadillo");
  const tt::TensorHistory loss = trial.tensor("loss");
  for (const auto step : loss.steps()) std::cout << "step " << step << ": loss " << loss.value(step)->number(0) << '\n';
  tt::Tensor saved = *trial.tensor("weight").value(175);
  const arma::vec direction = arma::normalise(tt::arma_column_map<double>(saved));  // no copy of the tensor
  std::cout << "angle to the truth: " << std::acos(arma::dot(direction, arma::normalise(truth))) << '\n';
}
