// Taps a linear regression written with Eigen.
//
// Matrices, vectors, arrays, maps and blocks are saved as they are. A lazy expression such as `a * b` does not compile:
// evaluate it first. Readers get a matrix in row-major order, whatever its storage order is, and a vector as rank 1.
#include <Eigen/Core>
#include <iostream>
#include <tensortap/adapters/eigen.hpp>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;

int main() {
  const Eigen::MatrixXd input = Eigen::MatrixXd::Random(200, 3);
  const Eigen::VectorXd truth = Eigen::Vector3d(1, -2, 0.5), target = input * truth;
  Eigen::VectorXd weight = Eigen::VectorXd::Zero(3);

  tt::Hook hook("runs/eigen", {.save = tt::every(25)});
  for (int i = 0; i < 200; ++i) {
    hook.begin_step();
    const Eigen::VectorXd error = input * weight - target;
    const Eigen::VectorXd gradient = input.transpose() * error / static_cast<double>(input.rows());
    weight -= gradient;
    hook.save("loss", error.squaredNorm());
    hook.save("weight", weight);
    hook.save("weight.grad", gradient);
    hook.save("first_inputs", input.topRows(2));
  }
  hook.close();

  const tt::Trial trial("runs/eigen");
  const tt::TensorHistory loss = trial.tensor("loss");
  for (const auto step : loss.steps()) std::cout << "step " << step << ": loss " << loss.value(step)->number(0) << '\n';
  const tt::Tensor found = *trial.tensor("weight").value(175);
  const auto map = tt::eigen_vector_map<double>(found);  // no copy
  std::cout << "weight: " << map.transpose() << ", distance to the truth: " << (map - truth).norm() << '\n';
}
