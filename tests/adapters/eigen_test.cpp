#if __has_include(<Eigen/Core>)
#include <tensortap/adapters/eigen.hpp>

#include <memory>
#include <utility>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;

namespace {

template <class T>
concept EigenMapTakes = requires(T&& tensor) {
  tt::eigen_map<float>(std::forward<T>(tensor));
};

}  // namespace

TEST_CASE("a matrix saved from Eigen is read back into Eigen", "[adapters][eigen]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  Eigen::MatrixXf weight(2, 3);  // column-major
  weight << 1, 2, 3, 4, 5, 6;
  const Eigen::VectorXd bias = Eigen::Vector2d(7, 8);
  tt::Hook hook(store);
  hook.begin_step();
  hook.save("weight", weight);
  hook.save("bias", bias);
  hook.close();
  const tt::Trial trial(store);
  const tt::Tensor read = *trial.tensor("weight").value(0);
  CHECK(tt::eigen_map<float>(read) == weight);
  CHECK(tt::eigen_map<float>(read).data() == read.as<float>().data());  // no copy
  const tt::Tensor vector = *trial.tensor("bias").value(0);
  CHECK(tt::eigen_map<double>(vector) == bias);
  CHECK(tt::eigen_vector_map<double>(vector) == bias);
}

TEST_CASE("a map of Eigen changes the tensor, and refuses what does not fit", "[adapters][eigen]") {
  tt::Tensor tensor(tt::DType::f32, {2, 3});
  tt::eigen_map<float>(tensor)(1, 0) = 5;
  CHECK(tensor.as<float>()[3] == 5);
  tt::eigen_vector_map<float>(tensor)[1] = 2;
  CHECK(tt::eigen_map<float>(std::as_const(tensor))(0, 1) == 2);
  CHECK_THROWS_WITH(tt::eigen_map<double>(tensor), contains("float32, not float64"));
  const tt::Tensor cube(tt::DType::f32, {2, 3, 4});
  CHECK_THROWS_WITH(tt::eigen_map<float>(cube), contains("(3, not 0 to 2)") && contains("eigen_vector_map"));
  CHECK(tt::eigen_vector_map<float>(cube).size() == 24);
  tt::Tensor scalar(tt::DType::f32, {});
  CHECK(tt::eigen_map<float>(scalar).size() == 1);
  tt::Tensor empty(tt::DType::f32, {0, 3});
  CHECK(tt::eigen_map<float>(empty).cols() == 3);
  STATIC_REQUIRE(EigenMapTakes<tt::Tensor&>);
  STATIC_REQUIRE_FALSE(EigenMapTakes<tt::Tensor>);
}
#endif
