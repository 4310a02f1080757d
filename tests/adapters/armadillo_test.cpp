#if __has_include(<armadillo>)
#ifndef ARMA_DONT_USE_WRAPPER
#define ARMA_DONT_USE_WRAPPER  // headers alone
#endif
#include <tensortap/adapters/armadillo.hpp>

#include <cstddef>
#include <memory>
#include <utility>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;

namespace {

template <class T>
concept ArmadilloMapTakes = requires(T&& tensor) {
  tt::arma_map<float>(std::forward<T>(tensor));
};

}  // namespace

TEST_CASE("what is saved from Armadillo is read back into Armadillo", "[adapters][armadillo]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const arma::fmat weight = {{1, 2, 3}, {4, 5, 6}};
  const arma::vec bias = {7, 8};
  arma::cube images(2, 3, 4);
  for (std::size_t i = 0; i < images.n_elem; ++i) images.memptr()[i] = static_cast<double>(i);
  tt::Hook hook(store);
  hook.begin_step();
  hook.save("weight", weight);
  hook.save("bias", bias);
  hook.save("images", images);
  hook.close();
  const tt::Trial trial(store);
  tt::Tensor read = *trial.tensor("weight").value(0);
  const arma::fmat copy = tt::to_arma<float>(read);
  CHECK(copy.n_rows == 2);
  CHECK(arma::approx_equal(copy, weight, "absdiff", 0));
  arma::fmat map = tt::arma_map<float>(read);
  CHECK(map.memptr() == read.as<float>().data());  // no copy
  CHECK(map.n_rows == 3);
  CHECK(map(2, 0) == weight(0, 2));
  map(2, 0) = 30;
  CHECK(read.as<float>()[2] == 30);

  tt::Tensor vector = *trial.tensor("bias").value(0);
  CHECK(arma::approx_equal(tt::to_arma<double>(vector), bias, "absdiff", 0));
  CHECK(arma::approx_equal(tt::arma_map<double>(vector), bias, "absdiff", 0));
  const arma::vec column = tt::arma_column_map<double>(vector);
  CHECK(column.memptr() == vector.as<double>().data());

  tt::Tensor cube = *trial.tensor("images").value(0);
  CHECK(arma::approx_equal(tt::to_arma_cube<double>(cube), images, "absdiff", 0));
  const arma::cube reversed = tt::arma_cube_map<double>(cube);
  CHECK(reversed.memptr() == cube.as<double>().data());
  CHECK(reversed(3, 1, 0) == images(0, 1, 3));
}

TEST_CASE("Armadillo's adapter refuses what does not fit", "[adapters][armadillo]") {
  tt::Tensor cube(tt::DType::f32, {2, 3, 4});
  CHECK_THROWS_WITH(tt::to_arma<float>(cube), contains("to_arma: tensor: its rank does not fit (3, not 0 to 2)"));
  CHECK_THROWS_WITH(tt::arma_map<float>(cube), contains("arma_cube_map"));
  CHECK_THROWS_WITH(tt::to_arma_cube<double>(cube), contains("float32, not float64"));
  tt::Tensor matrix(tt::DType::f32, {2, 3});
  CHECK_THROWS_WITH(tt::arma_cube_map<float>(matrix), contains("(2, not 3)"));
  CHECK_THROWS_WITH(tt::arma_map<double>(matrix), contains("float32, not float64"));
  CHECK(tt::arma_column_map<float>(cube).n_elem == 24);
  tt::Tensor empty(tt::DType::f32, {0, 3});
  CHECK(tt::to_arma<float>(empty).n_cols == 3);
  CHECK(tt::arma_map<float>(empty).n_rows == 3);
  STATIC_REQUIRE(ArmadilloMapTakes<tt::Tensor&>);
  STATIC_REQUIRE_FALSE(ArmadilloMapTakes<tt::Tensor>);
}
#endif
