#include <array>
#include <complex>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/tensor.hpp>
#include "catch.hpp"

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#endif
#if __has_include(<xtensor/xarray.hpp>)
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#elif __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xfixed.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#include <xtensor/views/xview.hpp>
#endif
#if __has_include(<armadillo>)
#define ARMA_DONT_USE_WRAPPER
#include <armadillo>
#endif

namespace tt = tensortap;
using tt::as_view;
using tt::DType;
using Extents = std::vector<std::int64_t>;

namespace {

Extents shape_of(const tt::TensorView& view) { return {view.shape().begin(), view.shape().end()}; }

/// Returns the elements of a view of `tensor`, in row-major order.
template <class Value, class T>
std::vector<Value> elements_of(const T& tensor) {
  const tt::Tensor copy(as_view(tensor));
  const auto elements = copy.as<Value>();
  return {elements.begin(), elements.end()};
}

}  // namespace

TEST_CASE("scalars have shape [1]", "[tensor][as_view]") {
  const float x = 2;
  CHECK(as_view(x).data() == &x);
  CHECK(as_view(x).dtype() == DType::f32);
  CHECK(shape_of(as_view(x)) == Extents{1});
  CHECK(as_view(1).dtype() == DType::i32);
  CHECK(as_view(true).dtype() == DType::boolean);
  CHECK(as_view(std::complex<float>()).dtype() == DType::complex64);
  CHECK(as_view(tt::Half()).dtype() == DType::f16);
}

TEST_CASE("contiguous ranges have shape [n]", "[tensor][as_view]") {
  const std::vector<double> vector = {1, 2, 3};
  CHECK(as_view(vector).data() == vector.data());
  CHECK(shape_of(as_view(vector)) == Extents{3});
  CHECK(as_view(vector).dtype() == DType::f64);
  const std::array<std::int8_t, 2> array = {-1, 1};
  CHECK(elements_of<std::int8_t>(array) == std::vector<std::int8_t>{-1, 1});
  const std::uint16_t plain[4] = {1, 2, 3, 4};
  CHECK(elements_of<std::uint16_t>(plain) == std::vector<std::uint16_t>{1, 2, 3, 4});
  std::vector<float> floats = {1, 2, 3, 4};
  CHECK(elements_of<float>(std::span(floats).subspan(1, 2)) == std::vector<float>{2, 3});
  CHECK(elements_of<float>(std::span<const float, 4>(floats)) == floats);
  CHECK(shape_of(as_view(std::vector<float>{})) == Extents{0});
  CHECK(as_view(std::vector<tt::BFloat16>(2)).dtype() == DType::bf16);
}

TEST_CASE("strings and ranges of strings", "[tensor][as_view]") {
  const auto check = [](const tt::TensorView& view, const std::vector<std::string>& expected) {
    CHECK(view.dtype() == DType::string);
    REQUIRE(shape_of(view) == Extents{static_cast<std::int64_t>(expected.size())});
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(view.string(i) == expected[i]);
  };
  check(as_view("literal"), {"literal"});
  const char* pointer = "pointer";
  check(as_view(pointer), {"pointer"});
  const std::string text = "with\0zero";
  check(as_view(text), {text});
  const std::string_view part = std::string_view("part of it").substr(0, 4);
  check(as_view(part), {"part"});
  const std::vector<std::string> strings = {"a", "", "c"};
  check(as_view(strings), strings);
  const std::array<std::string_view, 2> views = {"x", "y"};
  check(as_view(views), {"x", "y"});
  const char* const pointers[] = {"p", "q"};
  check(as_view(pointers), {"p", "q"});
  check(as_view(std::vector<std::string>{}), {});
}

TEST_CASE("a view of a view is the same view", "[tensor][as_view]") {
  const std::vector<float> x(4);
  const std::array<std::int64_t, 2> shape = {2, 2};
  const tt::TensorView view(x.data(), DType::f32, shape);
  CHECK(as_view(view).data() == x.data());
  CHECK(as_view(view).rank() == 2);
}

namespace library {

/// A tensor of another library, with a function in the namespace of that library.
struct Matrix {
  std::vector<float> elements;
  std::int64_t rows = 0, columns = 0;
};

tt::TensorView tensortap_view(const Matrix& m) {
  const std::array<std::int64_t, 2> shape = {m.rows, m.columns};
  return {m.elements.data(), DType::f32, shape};
}

/// A type that is also a range: the function has priority.
struct Column : std::vector<double> {
  using std::vector<double>::vector;
};

tt::TensorView tensortap_view(const Column& c) {
  const std::array<std::int64_t, 2> shape = {static_cast<std::int64_t>(c.size()), 1};
  return {c.data(), DType::f64, shape};
}

}  // namespace library

TEST_CASE("types with tensortap_view", "[tensor][as_view]") {
  const library::Matrix matrix{{1, 2, 3, 4, 5, 6}, 2, 3};
  CHECK(shape_of(as_view(matrix)) == Extents{2, 3});
  CHECK(as_view(matrix).data() == matrix.elements.data());
  CHECK(shape_of(as_view(library::Column{1, 2, 3})) == Extents{3, 1});
}

namespace fake_torch {

enum class ScalarType : std::int8_t {
  Byte,
  Char,
  Short,
  Int,
  Long,
  Half,
  Float,
  Double,
  ComplexHalf,
  ComplexFloat,
  ComplexDouble,
  Bool,
  QInt8,
  QUInt8,
  QInt32,
  BFloat16
};
enum class Layout : std::int8_t { Strided, Sparse };

/// The members of torch::Tensor by which as_view() recognises it.
struct Tensor {
  std::vector<float>* memory = nullptr;
  std::vector<std::int64_t> shape, steps;
  ScalarType type = ScalarType::Float;
  Layout kind = Layout::Strided;
  bool cpu = true, conjugated = false, negated = false;

  bool defined() const { return memory != nullptr; }
  Layout layout() const { return kind; }
  bool is_cpu() const { return cpu; }
  bool is_conj() const { return conjugated; }
  bool is_neg() const { return negated; }
  ScalarType scalar_type() const { return type; }
  std::span<const std::int64_t> sizes() const { return shape; }
  std::span<const std::int64_t> strides() const { return steps; }
  void* data_ptr() const { return memory->data(); }
};

}  // namespace fake_torch

TEST_CASE("torch tensors are recognised by their members", "[tensor][as_view]") {
  std::vector<float> memory = {1, 2, 3, 4, 5, 6};
  fake_torch::Tensor tensor{&memory, {3, 2}, {1, 3}};
  CHECK(elements_of<float>(tensor) == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(shape_of(as_view(tensor)) == Extents{3, 2});
  CHECK(as_view(fake_torch::Tensor{&memory, {}, {}}).rank() == 0);

  const std::pair<int, DType> types[] = {{0, DType::u8},    {1, DType::i8},        {2, DType::i16},
                                         {3, DType::i32},   {4, DType::i64},       {5, DType::f16},
                                         {6, DType::f32},   {7, DType::f64},       {11, DType::boolean},
                                         {15, DType::bf16}, {9, DType::complex64}, {10, DType::complex128}};
  for (const auto& [type, dtype] : types) {
    tensor.type = static_cast<fake_torch::ScalarType>(type);
    CHECK(as_view(tensor).dtype() == dtype);
  }
}

TEST_CASE("torch tensors without elements in host memory are refused by name", "[tensor][as_view]") {
  std::vector<float> memory(6);
  const fake_torch::Tensor good{&memory, {6}, {1}};
  const auto refused = [&](auto change, const std::string& message) {
    fake_torch::Tensor tensor = good;
    change(tensor);
    CHECK_THROWS_WITH(as_view(tensor, "fc1.weight"), message);
    CHECK_THROWS_AS(as_view(tensor), tt::Error);
  };
  refused([](auto& t) { t.cpu = false; }, "save: tensor \"fc1.weight\": it is on a device; copy it to the CPU first");
  refused([](auto& t) { t.kind = fake_torch::Layout::Sparse; },
          "save: tensor \"fc1.weight\": its layout is not strided; make it dense first");
  refused([](auto& t) { t.memory = nullptr; },
          "save: tensor \"fc1.weight\": it is undefined; save it after it has a value");
  refused([](auto& t) { t.conjugated = true; },
          "save: tensor \"fc1.weight\": it is conjugated or negated lazily; resolve it first");
  refused([](auto& t) { t.negated = true; },
          "save: tensor \"fc1.weight\": it is conjugated or negated lazily; resolve it first");
  refused([](auto& t) { t.type = fake_torch::ScalarType::QInt8; },
          "save: tensor \"fc1.weight\": its element type is not supported (torch scalar type 12); convert it first");
  refused([](auto& t) { t.shape = t.steps = Extents(9, 1); },
          "tensor: its rank is too large (9, at most 8); reshape it first");
}

#if __has_include(<xtensor/xarray.hpp>) || __has_include(<xtensor/containers/xarray.hpp>)
TEST_CASE("xtensor containers", "[tensor][as_view]") {
  const xt::xarray<float> array = {{1, 2, 3}, {4, 5, 6}};
  CHECK(shape_of(as_view(array)) == Extents{2, 3});
  CHECK(as_view(array).is_contiguous());
  CHECK(as_view(array).data() == array.data());
  CHECK(elements_of<float>(array) == std::vector<float>{1, 2, 3, 4, 5, 6});

  const xt::xtensor<double, 1> tensor = {1, 2, 3};
  CHECK(shape_of(as_view(tensor)) == Extents{3});
  CHECK(elements_of<double>(tensor) == std::vector<double>{1, 2, 3});

  const xt::xarray<float, xt::layout_type::column_major> columns = {{1, 2, 3}, {4, 5, 6}};
  CHECK_FALSE(as_view(columns).is_contiguous());
  CHECK(elements_of<float>(columns) == std::vector<float>{1, 2, 3, 4, 5, 6});

  const xt::xtensor_fixed<int, xt::xshape<2, 2>> fixed = {{1, 2}, {3, 4}};
  CHECK(shape_of(as_view(fixed)) == Extents{2, 2});
  CHECK(elements_of<int>(fixed) == std::vector<int>{1, 2, 3, 4});

  const xt::xarray<bool> truth = {true, false};
  CHECK(as_view(truth).dtype() == DType::boolean);
  const xt::xtensor<std::complex<double>, 1> complex = xt::zeros<std::complex<double>>({2});
  CHECK(as_view(complex).dtype() == DType::complex128);

  std::vector<float> memory = {1, 2, 3, 4};
  const auto adapted = xt::adapt(memory, std::vector<std::size_t>{2, 2});
  CHECK(as_view(adapted).data() == memory.data());
  CHECK(shape_of(as_view(adapted)) == Extents{2, 2});
}

TEST_CASE("xtensor without axes, with extents of 1 and of 0", "[tensor][as_view]") {
  const xt::xarray<float> scalar = 5;
  CHECK(as_view(scalar).rank() == 0);
  CHECK(elements_of<float>(scalar) == std::vector<float>{5});
  const xt::xarray<float> ones = xt::ones<float>({1, 4, 1});
  CHECK(ones.strides()[0] == 0);  // a convention of xtensor
  CHECK(as_view(ones).is_contiguous());
  CHECK(elements_of<float>(ones) == std::vector<float>(4, 1));
  const xt::xarray<float> empty = xt::zeros<float>({3, 0});
  CHECK(as_view(empty).size() == 0);
  CHECK(elements_of<float>(empty).empty());
  CHECK_THROWS_WITH(as_view(xt::xarray<float>(xt::zeros<float>(std::vector<std::size_t>(9, 1)))),
                    contains("rank is too large (9"));
}

TEST_CASE("xtensor views refer to the elements of their container", "[tensor][as_view]") {
  xt::xarray<int> array = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
  CHECK(elements_of<int>(xt::view(array, 1, xt::all())) == std::vector<int>{5, 6, 7, 8});
  CHECK(shape_of(as_view(xt::view(array, 1, xt::all()))) == Extents{4});
  CHECK(elements_of<int>(xt::view(array, xt::range(1, 3), xt::range(2, 4))) == std::vector<int>{7, 8, 11, 12});
  CHECK(elements_of<int>(xt::view(array, xt::all(), xt::range(0, 4, 2))) == std::vector<int>{1, 3, 5, 7, 9, 11});
  CHECK(elements_of<int>(xt::view(array, xt::range(2, xt::placeholders::_, -1), 0)) == std::vector<int>{9, 5, 1});
  CHECK(elements_of<int>(xt::view(array, xt::newaxis(), 2)) == std::vector<int>{9, 10, 11, 12});
  CHECK(elements_of<int>(xt::transpose(array)) == std::vector<int>{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12});
  CHECK(as_view(xt::view(array, 2, 3)).data() == &array(2, 3));
  const xt::xtensor<double, 2> tensor = {{1, 2}, {3, 4}};
  CHECK(elements_of<double>(xt::view(tensor, xt::all(), 1)) == std::vector<double>{2, 4});
}
#endif

#if __has_include(<Eigen/Core>)
TEST_CASE("Eigen matrices are column-major and get strides", "[tensor][as_view]") {
  Eigen::MatrixXf matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  CHECK(as_view(matrix).data() == matrix.data());
  CHECK(shape_of(as_view(matrix)) == Extents{2, 3});
  CHECK_FALSE(as_view(matrix).is_contiguous());
  CHECK(elements_of<float>(matrix) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(elements_of<float>(matrix.transpose()) == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(as_view(matrix.transpose()).is_contiguous());
  CHECK(elements_of<float>(matrix.block(0, 1, 2, 2)) == std::vector<float>{2, 3, 5, 6});
  CHECK(elements_of<float>(matrix.topRightCorner<1, 2>()) == std::vector<float>{2, 3});

  const Eigen::Matrix<double, 2, 3, Eigen::RowMajor> rows = matrix.cast<double>();
  CHECK(as_view(rows).is_contiguous());
  CHECK(elements_of<double>(rows) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(elements_of<double>(rows.rightCols(2)) == std::vector<double>{2, 3, 5, 6});
  CHECK(elements_of<double>(rows.transpose()) == std::vector<double>{1, 4, 2, 5, 3, 6});

  const Eigen::ArrayXXi array = Eigen::ArrayXXi::Constant(2, 2, 7);
  CHECK(elements_of<int>(array) == std::vector<int>(4, 7));
  const Eigen::MatrixXf empty(0, 3);
  CHECK(shape_of(as_view(empty)) == Extents{0, 3});
}

TEST_CASE("Eigen vectors have rank 1", "[tensor][as_view]") {
  const Eigen::VectorXd column = Eigen::VectorXd::LinSpaced(4, 1, 4);
  CHECK(shape_of(as_view(column)) == Extents{4});
  CHECK(as_view(column).is_contiguous());
  const Eigen::RowVector3f row(1, 2, 3);
  CHECK(shape_of(as_view(row)) == Extents{3});
  CHECK(elements_of<float>(row) == std::vector<float>{1, 2, 3});

  Eigen::MatrixXd matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  CHECK(shape_of(as_view(matrix.row(1))) == Extents{3});
  CHECK(elements_of<double>(matrix.row(1)) == std::vector<double>{4, 5, 6});
  CHECK(elements_of<double>(matrix.col(2)) == std::vector<double>{3, 6});
  CHECK(elements_of<double>(matrix.row(1).tail(2)) == std::vector<double>{5, 6});
  CHECK(elements_of<double>(column.segment(1, 2)) == std::vector<double>{2, 3});
  CHECK(elements_of<double>(matrix.diagonal()) == std::vector<double>{1, 5});
}

TEST_CASE("Eigen maps and references", "[tensor][as_view]") {
  std::vector<float> memory = {1, 2, 3, 4, 5, 6, 7, 8};
  const Eigen::Map<const Eigen::MatrixXf> map(memory.data(), 2, 4);
  CHECK(as_view(map).data() == memory.data());
  CHECK(elements_of<float>(map) == std::vector<float>{1, 3, 5, 7, 2, 4, 6, 8});
  using Strided = Eigen::Map<Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  CHECK(elements_of<float>(Strided(memory.data(), 2, 2, {4, 2})) == std::vector<float>{1, 5, 3, 7});
  using Every = Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>>;
  CHECK(elements_of<float>(Every(memory.data(), 4, Eigen::InnerStride<>(2))) == std::vector<float>{1, 3, 5, 7});
  const Eigen::Matrix2f small = Eigen::Matrix2f::Identity();
  const Eigen::Ref<const Eigen::MatrixXf> ref(small);
  CHECK(elements_of<float>(ref) == std::vector<float>{1, 0, 0, 1});
}
#endif

namespace {

/// A column-major matrix with Armadillo's members. It is a contiguous range too.
struct ColumnMajor : std::vector<double> {
  std::size_t n_rows = 3;
  std::size_t n_cols = 2;
  [[nodiscard]] const double* memptr() const { return data(); }
};

struct ColumnMajorCube : ColumnMajor {
  std::size_t n_slices = 2;
};

struct Column : ColumnMajor {
  static constexpr bool is_row = false;
  static constexpr bool is_col = true;
};

}  // namespace

TEST_CASE("Armadillo's objects are recognised by their members", "[tensor][as_view]") {
  const ColumnMajor matrix{{11, 21, 31, 12, 22, 32}};
  CHECK(shape_of(as_view(matrix)) == Extents{3, 2});
  CHECK(elements_of<double>(matrix) == std::vector<double>{11, 12, 21, 22, 31, 32});
  const ColumnMajorCube cube{{{1, 2, 3, 4, 5, 6, 7, 8}, 2, 2}};
  CHECK(shape_of(as_view(cube)) == Extents{2, 2, 2});
  CHECK(elements_of<double>(cube) == std::vector<double>{1, 5, 3, 7, 2, 6, 4, 8});
  CHECK(shape_of(as_view(Column{{{1, 2, 3}, 3, 1}})) == Extents{3});
}

#if __has_include(<armadillo>)
TEST_CASE("Armadillo's matrices, vectors and cubes", "[tensor][as_view]") {
  const arma::mat matrix = {{11, 12}, {21, 22}, {31, 32}};
  CHECK(shape_of(as_view(matrix)) == Extents{3, 2});
  CHECK(elements_of<double>(matrix) == std::vector<double>{11, 12, 21, 22, 31, 32});
  CHECK(shape_of(as_view(arma::fmat::fixed<2, 5>())) == Extents{2, 5});
  CHECK(shape_of(as_view(arma::vec(4))) == Extents{4});
  CHECK(shape_of(as_view(arma::frowvec(4))) == Extents{4});
  CHECK(shape_of(as_view(arma::cube(2, 3, 4))) == Extents{2, 3, 4});
}
#endif
