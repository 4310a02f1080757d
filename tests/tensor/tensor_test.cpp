#include <array>
#include <complex>
#include <cstdint>
#include <string>
#include <vector>

#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/tensor.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using tt::DType;
using tt::Tensor;

TEST_CASE("a new tensor is zero", "[tensor][tensor]") {
  const Tensor tensor(DType::f32, {2, 3});
  CHECK(tensor.dtype() == DType::f32);
  CHECK(tensor.shape() == Tensor::Shape{2, 3});
  CHECK(tensor.rank() == 2);
  CHECK(tensor.size() == 6);
  CHECK(tensor.bytes().size() == 24);
  for (const float x : tensor.as<float>()) CHECK(x == 0);
  CHECK(Tensor().size() == 0);
  CHECK(Tensor(DType::f64, {}).size() == 1);
  CHECK(Tensor(DType::string, {4}).strings().size() == 4);
  CHECK_THROWS_AS(Tensor(DType::f64, {-1}), tt::Error);
  CHECK_THROWS_AS(Tensor(DType::f64, Tensor::Shape(9, 1)), tt::Error);
}

TEST_CASE("a tensor owns a row-major copy", "[tensor][tensor]") {
  std::vector<std::int32_t> memory = {1, 2, 3, 4, 5, 6};
  const std::array<std::int64_t, 2> shape = {3, 2};
  const std::array<std::int64_t, 2> strides = {1, 3};
  const Tensor tensor(tt::TensorView(memory.data(), DType::i32, shape, strides));
  memory.assign(6, 0);
  const auto elements = tensor.as<std::int32_t>();
  CHECK(std::vector<std::int32_t>(elements.begin(), elements.end()) == std::vector<std::int32_t>{1, 4, 2, 5, 3, 6});
  CHECK(tensor.shape() == Tensor::Shape{3, 2});
}

TEST_CASE("elements are only returned as their own type", "[tensor][tensor]") {
  Tensor tensor(DType::i16, {2});
  tensor.as<std::int16_t>()[1] = -7;
  CHECK(tensor.as<std::int16_t>()[1] == -7);
  CHECK_THROWS_WITH(tensor.as<float>(), "tensor: its elements are int16, not float32; read them as int16");
}

TEST_CASE("an element of any type is converted to a number", "[tensor][tensor]") {
  CHECK(Tensor(tt::as_view(std::vector<float>{1, 2.5F})).number(1) == 2.5);
  CHECK(Tensor(tt::as_view(std::vector<std::uint8_t>{200})).number(0) == 200);
  CHECK(Tensor(tt::as_view(std::array{true, false})).number(0) == 1);
  CHECK(Tensor(tt::as_view(tt::Half(0.1F))).number(0) == static_cast<double>(static_cast<float>(tt::Half(0.1F))));
  CHECK(Tensor(tt::as_view(tt::BFloat16(-2))).number(0) == -2);
  CHECK(Tensor(tt::as_view(std::complex<double>(3, 4))).number(0) == 3);
  CHECK_THROWS_AS(Tensor(tt::as_view(1.0)).number(1), tt::Error);
  CHECK_THROWS_AS(Tensor(tt::as_view("text")).number(0), tt::Error);
}

TEST_CASE("a tensor of strings", "[tensor][tensor]") {
  const Tensor tensor({"one", "two"});
  CHECK(tensor.dtype() == DType::string);
  CHECK(tensor.shape() == Tensor::Shape{2});
  CHECK(tensor.size() == 2);
  CHECK(tensor.bytes().empty());
  CHECK(Tensor(tt::as_view(std::vector<std::string>{"one", "two"})) == tensor);
  CHECK(tt::as_view(tensor).string(1) == "two");
}

TEST_CASE("a tensor is viewed, copied and compared", "[tensor][tensor]") {
  const Tensor tensor(tt::as_view(std::vector<double>{1, 2}));
  const auto view = tt::as_view(tensor);
  CHECK(view.data() == tensor.bytes().data());
  CHECK(view.dtype() == DType::f64);
  CHECK(Tensor(view) == tensor);
  CHECK_FALSE(Tensor(DType::f64, {2}) == tensor);
  CHECK_FALSE(Tensor(DType::i64, {2}) == Tensor(DType::f64, {2}));
  CHECK_FALSE(Tensor(DType::f64, {1, 2}) == Tensor(DType::f64, {2}));
}

TEST_CASE("the elements of a temporary tensor outlive the expression", "[tensor][tensor]") {
  const std::vector<float> elements = {1, 2, 3};
  float sum = 0;
  for (const float x : Tensor(tt::as_view(elements)).as<float>()) sum += x;
  CHECK(sum == 6);
  std::int64_t extents = 0;
  for (const std::int64_t extent : Tensor(tt::as_view(elements)).shape()) extents += extent;
  CHECK(extents == 3);
  CHECK(Tensor(tt::as_view(elements)).bytes().size() == 12);
  CHECK(Tensor(std::vector<std::string>{"a", "b"}).strings().back() == "b");
}
