#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/unit_shape.hpp>
#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/unit_kernels.hpp>
#include <tensortap/reduce/units.hpp>
#include "catch.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using Shape = std::vector<std::int64_t>;
using Unit = tt::UnitStatistics::Unit;

namespace {

/// Counts one element, with plain comparisons.
void add_to_unit(Unit& unit, long double& squares, long double x) {
  using S = tt::UnitStatistics;
  const auto magnitude = std::fabs(x);
  unit.positive += x > 0;
  unit.negative += x < 0;
  unit.zeros += x == 0;
  unit.nan += std::isnan(x);
  unit.infinite += std::isinf(x);
  unit.within_tanh_input += magnitude < static_cast<long double>(S::tanh_input);
  unit.within_sigmoid_input += magnitude < static_cast<long double>(S::sigmoid_input);
  unit.within_tanh_output += magnitude < static_cast<long double>(S::tanh_output);
  unit.within_sigmoid_output += x > static_cast<long double>(S::sigmoid_output_low) &&  //
                                x < static_cast<long double>(S::sigmoid_output_high);
  if (std::isfinite(x)) squares += x * x;
}

/// Returns the statistics of contiguous elements, axis by axis, without the library's idea of units.
template <class T>
tt::UnitStatistics expected_units(const std::vector<T>& elements, const Shape& shape) {
  const std::size_t axis = shape.size() >= 4 ? 1 : shape.size() - 1;
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  const auto units = static_cast<std::size_t>(shape[axis]);
  tt::UnitStatistics out{.units = units, .per_unit = elements.size() / units};
  std::vector<long double> squares(units);
  out.list.resize(units);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::size_t unit = i / inner % units;
    add_to_unit(out.list[unit], squares[unit], inputs::exact(elements[i]));
  }
  for (std::size_t unit = 0; unit < units; ++unit) out.list[unit].sum_squares = static_cast<double>(squares[unit]);
  out.list.resize(std::min<std::size_t>(units, 4096));
  return out;
}

/// Returns a text of the first difference; empty if the counts are equal and the sums are near.
std::string difference_of(const tt::UnitStatistics& found, const tt::UnitStatistics& expected) {
  if (found.units != expected.units || found.per_unit != expected.per_unit || found.list.size() != expected.list.size())
    return "another number of units or elements";
  for (std::size_t i = 0; i < found.list.size(); ++i) {
    Unit a = found.list[i];
    Unit b = expected.list[i];
    const double error = std::abs(a.sum_squares - b.sum_squares);
    const bool is_near = a.sum_squares == b.sum_squares || error <= 1e-12 * b.sum_squares;
    a.sum_squares = b.sum_squares = 0;
    if (!is_near || !(a == b)) return "unit " + std::to_string(i) + (is_near ? ": counts" : ": the sum of squares");
  }
  return "";
}

/// Returns numbers of all kinds, also near the limits of saturation.
template <class T>
std::vector<T> activations(std::size_t count, bool with_odd = true) {
  using S = tt::UnitStatistics;
  inputs::Random random(count + 7);
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<T> out(count);
  for (T& x : out) {
    const std::uint64_t kind = random.bits() % 64;
    double value = random.bell() * 5;
    if (kind < 8) value = 0;
    if (kind == 8) value = -0.0;
    if (kind == 9) value = 1e-42;
    if (kind == 10 || kind == 11) value = (kind == 10 ? 1 : -1) * S::tanh_input;
    if (kind == 12 || kind == 13) value = (kind == 12 ? 1 : -1) * S::tanh_output;
    if (kind == 14) value = S::sigmoid_output_low;
    if (kind == 15) value = S::sigmoid_output_high;
    if (kind == 16) value = -S::sigmoid_input;
    if (with_odd && kind == 17 && random.bits() % 8 == 0) value = random.bits() % 2 == 0 ? inf : -inf;
    if (with_odd && kind == 18 && random.bits() % 8 == 0) value = std::nan("");
    if constexpr (std::is_integral_v<T>) {
      x = static_cast<T>(std::isfinite(value) ? std::max<double>(value, std::numeric_limits<T>::min()) : 3);
    } else {
      x = inputs::element<T>(value);
      if (kind >= 10 && kind <= 16 && random.bits() % 2 == 0)  // a neighbour of the limit
        x = inputs::element<T>(std::nextafter(static_cast<float>(value), static_cast<float>(random.bell() * 9)));
    }
  }
  return out;
}

std::size_t elements_in(const Shape& shape) {
  std::size_t out = 1;
  for (const std::int64_t extent : shape) out *= static_cast<std::size_t>(extent);
  return out;
}

const std::vector<Shape> shapes_of_layers = {{1},
                                             {7},
                                             {5, 1},
                                             {1, 8},
                                             {3, 9},
                                             {40, 13},
                                             {17, 64},
                                             {33, 520},
                                             {5000, 3},
                                             {2, 5000},
                                             {4, 6, 10},
                                             {9, 3, 1, 1},
                                             {5, 4, 7, 7},
                                             {2, 130, 3, 5},
                                             {300, 2, 1, 3},
                                             {1, 2, 9, 1000},
                                             {2, 3, 2, 2, 6}};

template <class T>
tt::TensorView view_of(const std::vector<T>& elements, const Shape& shape) {
  return {elements.data(), *tt::dtype_v<T>, shape};
}

}  // namespace

TEMPLATE_TEST_CASE("the statistics of units are those of a plain loop", "[reduce][units]", tt::Half, tt::BFloat16,
                   float, double, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
                   std::uint32_t, std::uint64_t) {
  for (const Shape& shape : shapes_of_layers) {
    CAPTURE(shape);
    const auto elements = activations<TestType>(elements_in(shape));
    const auto found = tt::unit_statistics(view_of(elements, shape));
    CHECK(difference_of(found, expected_units(elements, shape)) == "");
  }
}

TEMPLATE_TEST_CASE("every instruction set finds the same statistics of units", "[reduce][units]", tt::Half, float,
                   double) {
  for (const Shape& shape : shapes_of_layers) {
    CAPTURE(shape);
    const auto elements = activations<TestType>(elements_in(shape));
    const tt::TensorView view = view_of(elements, shape);
    std::vector<tt::UnitStatistics> found;
    for (const tt::Isa isa : tt::all_isas) {
      if (!tt::is_available(isa)) continue;
      const tt::ScopedIsa scope(isa);
      found.push_back(tt::unit_statistics(view));
    }
    REQUIRE(found.size() > 1);
    for (const auto& one : found) CHECK(one == found.front());
  }
}

TEST_CASE("a view with strides has the statistics of its copy", "[reduce][units]") {
  const auto elements = activations<float>(60 * 40);
  for (const bool has_channels : {false, true}) {
    const Shape shape = has_channels ? Shape{6, 20, 2, 5} : Shape{30, 40};
    const Shape strides = has_channels ? Shape{5, 30, 600, 1} : Shape{1, 60};
    std::vector<float> copy;
    const tt::TensorView view(elements.data(), tt::DType::f32, shape, strides);
    copy.resize(view.size());
    tt::copy_row_major(view, reinterpret_cast<std::byte*>(copy.data()));
    REQUIRE_FALSE(view.is_contiguous());
    CHECK(tt::unit_statistics(view) == tt::unit_statistics(view_of(copy, shape)));
    const Shape middle = has_channels ? Shape{5, 20, 1, 5} : Shape{29, 40};  // without the first row or column
    CHECK(tt::unit_statistics(tt::TensorView(elements.data() + 1, tt::DType::f32, middle, strides)).units ==
          static_cast<std::uint64_t>(middle[1]));
  }
}

TEST_CASE("NaN and infinities are counted, and leave the norm alone", "[reduce][units]") {
  std::vector<float> x(20 * 3, 2);
  x[3 * 4 + 1] = std::numeric_limits<float>::quiet_NaN();
  x[3 * 7 + 1] = -std::numeric_limits<float>::infinity();
  x[3 * 8 + 1] = std::numeric_limits<float>::infinity();
  const auto s = tt::unit_statistics(view_of(x, {20, 3}));
  CHECK(s.list[1].nan == 1);
  CHECK(s.list[1].infinite == 2);
  CHECK(s.list[1].non_finite() == 3);
  CHECK(s.list[1].positive == 18);
  CHECK(s.list[1].negative == 1);
  CHECK(s.list[1].within_tanh_input == 17);
  CHECK(s.list[1].l2() == std::sqrt(4.0 * 17));
  CHECK(s.list[0].l2() == std::sqrt(4.0 * 20));
  const std::vector<double> large(8 * 9, 1e200);  // finite, but not their squares
  const auto t = tt::unit_statistics(view_of(large, {8, 9}));
  CHECK(t.list[8].positive == 8);
  CHECK(t.list[8].non_finite() == 0);
  CHECK(std::isinf(t.list[8].l2()));
}

TEST_CASE("sums of many rows keep their digits", "[reduce][units]") {
  const std::size_t rows = 300'000;
  std::vector<float> x(rows * 3);
  inputs::Random random(5);
  for (float& one : x) one = static_cast<float>(1 + 0.01 * random.uniform());
  for (const Shape& shape :
       {Shape{static_cast<std::int64_t>(rows), 3}, Shape{static_cast<std::int64_t>(rows), 1, 3, 1}}) {
    const auto found = tt::unit_statistics(view_of(x, shape));
    const auto expected = expected_units(x, shape);
    for (std::size_t i = 0; i < found.list.size(); ++i)
      CHECK(std::abs(found.list[i].sum_squares / expected.list[i].sum_squares - 1) < 1e-14);
  }
}

TEST_CASE("tensors without units", "[reduce][units]") {
  const float one = 1;
  CHECK(tt::unit_statistics(tt::TensorView(&one, tt::DType::f32, Shape{})).list.empty());
  CHECK(tt::unit_statistics(tt::TensorView(&one, tt::DType::f32, Shape{0, 5})).units == 0);
  CHECK(tt::unit_statistics(tt::TensorView(&one, tt::DType::f32, Shape{5, 0})).units == 0);
  const std::vector<std::complex<float>> numbers(4);
  CHECK_THROWS_AS(tt::unit_statistics(numbers), tt::Error);
}

TEST_CASE("the limits of saturation are where the slopes fall to a thousandth", "[reduce][units]") {
  using S = tt::UnitStatistics;
  CHECK(std::abs(S::tanh_output - std::tanh(S::tanh_input)) < 1e-15);
  CHECK(std::abs(S::sigmoid_output_low - 1 / (1 + std::exp(S::sigmoid_input))) < 1e-15);
  CHECK(std::abs(S::sigmoid_output_high - 1 / (1 + std::exp(-S::sigmoid_input))) < 1e-15);
  CHECK(std::abs(1 - S::tanh_output * S::tanh_output - 1e-3) < 1e-6);
  CHECK(std::abs(S::sigmoid_output_low * S::sigmoid_output_high / 0.25 - 1e-3) < 1e-6);
}

TEST_CASE("a record of units is read back", "[reduce][units]") {
  const auto elements = activations<float>(40 * 13);
  const auto s = tt::unit_statistics(view_of(elements, {40, 13}));
  std::vector<double> record(s.record_rows() * tt::unit_fields.size());
  s.to_record(record);
  CHECK(tt::UnitStatistics::from_record(record, tt::unit_fields.size()) == s);

  const std::size_t longer = tt::unit_fields.size() + 2;  // of a later version
  std::vector<double> later(s.record_rows() * longer, 7);
  for (std::size_t i = 0; i < record.size(); ++i)
    later[i / tt::unit_fields.size() * longer + i % tt::unit_fields.size()] = record[i];
  CHECK(tt::UnitStatistics::from_record(later, longer) == s);

  const auto is_refused = [&](std::size_t at, double value) {
    std::vector<double> damaged = record;
    damaged[at] = value;
    return !tt::UnitStatistics::from_record(damaged, tt::unit_fields.size());
  };
  CHECK(is_refused(0, 12));
  CHECK(is_refused(0, -1));
  CHECK(is_refused(0, 1e300));
  CHECK(is_refused(1, 39));
  CHECK(is_refused(1, std::nan("")));
  for (std::size_t field = 0; field < 4; ++field) CHECK(is_refused(10 + field, record[10 + field] + 1));
  CHECK(is_refused(14, 41));
  CHECK(is_refused(15, 0.5));
  CHECK_FALSE(tt::UnitStatistics::from_record({}, tt::unit_fields.size()));
  CHECK_FALSE(tt::UnitStatistics::from_record(record, 9));
  CHECK_FALSE(tt::UnitStatistics::from_record(record, 0));
  CHECK_FALSE(tt::UnitStatistics::from_record(std::span(record).first(15), tt::unit_fields.size()));
}
