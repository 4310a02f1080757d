#include <array>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <tensortap/tensor/view.hpp>
#include "catch.hpp"

namespace tt = tensortap;
using tt::DType;
using tt::TensorView;
using Extents = std::vector<std::int64_t>;

namespace {

/// Returns the elements of `view`, by the definition of strides.
template <class T>
std::vector<T> by_definition(const TensorView& view) {
  std::vector<T> out;
  const auto visit = [&](const auto& self, std::size_t axis, std::int64_t offset) -> void {
    if (axis == view.rank()) {
      out.push_back(static_cast<const T*>(view.data())[offset]);
      return;
    }
    for (std::int64_t i = 0; i < view.shape()[axis]; ++i)
      self(self, axis + 1, offset + i * (view.shape()[axis] == 1 ? 0 : view.strides()[axis]));
  };
  visit(visit, 0, 0);
  return out;
}

template <class T>
std::vector<T> copied(const TensorView& view, std::size_t first, std::size_t count) {
  std::vector<T> out(count);
  tt::copy_row_major(view, first, count, reinterpret_cast<std::byte*>(out.data()));
  return out;
}

}  // namespace

TEST_CASE("a contiguous view", "[tensor][view]") {
  const float x[6] = {1, 2, 3, 4, 5, 6};
  const TensorView view(x, DType::f32, Extents{2, 3});
  CHECK(view.rank() == 2);
  CHECK(view.size() == 6);
  CHECK(view.nbytes() == 24);
  CHECK(view.is_contiguous());
  CHECK(view.strides()[0] == 3);
  CHECK(view.strides()[1] == 1);
  CHECK(view.bytes().size() == 24);
  CHECK(view.bytes().data() == reinterpret_cast<const std::byte*>(x));
}

TEST_CASE("a view of rank 0 has one element, and an extent of 0 has none", "[tensor][view]") {
  const double x = 4;
  const TensorView scalar(&x, DType::f64, Extents{});
  CHECK(scalar.rank() == 0);
  CHECK(scalar.size() == 1);
  CHECK(scalar.is_contiguous());
  CHECK(copied<double>(scalar, 0, 1) == std::vector<double>{4});
  const TensorView empty(nullptr, DType::f64, Extents{3, 0, 2}, Extents{7, 9, 11});
  CHECK(empty.size() == 0);
  CHECK(empty.nbytes() == 0);
  CHECK(empty.is_contiguous());
  CHECK(copied<double>(empty, 0, 0).empty());
}

TEST_CASE("the strides of extents of 1 do not matter to contiguity", "[tensor][view]") {
  const std::array<std::int16_t, 12> x{};
  CHECK(TensorView(x.data(), DType::i16, Extents{1, 3, 1, 4}, Extents{0, 4, -5, 1}).is_contiguous());
  CHECK(TensorView(x.data(), DType::i16, Extents{1}, Extents{0}).is_contiguous());
  CHECK_FALSE(TensorView(x.data(), DType::i16, Extents{3, 4}, Extents{1, 3}).is_contiguous());
  CHECK_FALSE(TensorView(x.data(), DType::i16, Extents{6}, Extents{2}).is_contiguous());
  CHECK_FALSE(TensorView(x.data(), DType::i16, Extents{3}, Extents{0}).is_contiguous());
}

TEMPLATE_TEST_CASE("elements with any strides are copied in row-major order, from any range", "[tensor][view]",
                   std::uint8_t, std::int16_t, float, double, std::complex<double>) {
  std::vector<TestType> memory(240);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<TestType>(static_cast<float>(i));
  struct Case {
    std::size_t first;
    Extents shape, strides;
  };
  const Case cases[] = {
      {0, {240}, {1}},
      {239, {240}, {-1}},
      {0, {12, 20}, {20, 1}},
      {0, {20, 12}, {1, 20}},      // transposed
      {239, {12, 20}, {-20, -1}},  // both axes backwards
      {19, {12, 20}, {20, -1}},
      {5, {4, 3, 2}, {40, 7, 2}},
      {0, {3, 5}, {0, 1}},  // broadcast
      {0, {5, 3}, {1, 0}},
      {0, {1, 6, 1, 7, 1}, {99, 14, 99, 2, 99}},  // the strides of extents of 1 are ignored
      {0, {2, 1, 2, 1, 2, 2, 1, 2}, {64, 0, 32, 0, 3, 8, 0, 2}},
      {7, {}, {}},
  };
  for (const auto& [first, shape, strides] : cases) {
    const TensorView view(memory.data() + first, *tt::dtype_v<TestType>, shape, strides);
    const auto expected = by_definition<TestType>(view);
    CAPTURE(shape, strides);
    REQUIRE(view.size() == expected.size());
    for (std::size_t begin = 0; begin <= expected.size(); begin += 1 + begin / 9)
      for (std::size_t end = begin; end <= expected.size(); end += 1 + (end - begin) / 5) {
        const std::vector<TestType> part(expected.begin() + static_cast<std::ptrdiff_t>(begin),
                                         expected.begin() + static_cast<std::ptrdiff_t>(end));
        REQUIRE(copied<TestType>(view, begin, end - begin) == part);
      }
    std::vector<TestType> all(expected.size());
    tt::copy_row_major(view, reinterpret_cast<std::byte*>(all.data()));
    REQUIRE(all == expected);
  }
}

TEST_CASE("invalid shapes are refused", "[tensor][view]") {
  const auto view = [](Extents shape) { return TensorView(nullptr, DType::f64, shape); };
  CHECK_NOTHROW(view(Extents(8, 1)));
  CHECK_THROWS_WITH(view(Extents(9, 1)), "tensor: its rank is too large (9, at most 8); reshape it first");
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  for (const Extents& shape : {Extents{-1}, Extents{2, -3}, Extents{largest}, Extents{largest / 8 + 1},
                               Extents{1L << 30, 1L << 31}, Extents{0, largest, largest}, Extents{largest, 0, largest},
                               Extents{-1, 0}, Extents{std::numeric_limits<std::int64_t>::min()}}) {
    CAPTURE(shape);
    CHECK_THROWS_WITH(view(shape), contains("shape is negative or its size overflows"));
    CHECK_THROWS_AS(view(shape), tt::Error);
  }
  CHECK_NOTHROW(view({largest / 8}));
  CHECK_THROWS_WITH(TensorView(nullptr, DType::f32, Extents{2, 3}, Extents{1}),
                    "tensor: the numbers of strides and axes differ (1 and 2); give one stride per axis");
}

TEST_CASE("a view of strings", "[tensor][view]") {
  const std::vector<std::string> words = {"one", "", "three"};
  const auto view = TensorView::of_strings(
      words.data(), words.size(),
      [](const void* data, std::size_t i) -> std::string_view { return static_cast<const std::string*>(data)[i]; });
  CHECK(view.dtype() == DType::string);
  CHECK(view.size() == 3);
  CHECK(view.nbytes() == 0);
  CHECK(view.string(0) == "one");
  CHECK(view.string(1).empty());
  CHECK(view.string(2) == "three");
}
