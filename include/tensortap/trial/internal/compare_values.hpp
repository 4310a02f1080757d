// Compares two saved values of one tensor: bit for bit, and with a tolerance that follows from the round-off of their
// type.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/error_texts.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/compare.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// How two values compare.
struct Comparison {
  enum class Result : std::uint8_t { equal, within, differs };

  Result result = Result::equal;
  std::optional<std::uint64_t> first_bits;  // the first element with other bits
  std::optional<std::uint64_t> first;       // the first element beyond the tolerance
  double largest = 0;
  double tolerance = 0;
};

/// Returns element `i` as text.
inline std::string text_of_element(const Tensor& tensor, std::size_t i) {
  if (tensor.dtype() == DType::string) return in_quotes(tensor.strings()[i]);
  return visit_dtype(tensor.dtype(), [&]<class T>() -> std::string {
    const T element = tensor.as<T>()[i];
    if constexpr (std::is_integral_v<T>) {
      return std::to_string(+element);  // small types as int
    } else if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      return "(" + number_text(element.real()) + ", " + number_text(element.imag()) + ")";
    } else if constexpr (std::is_same_v<T, double>) {
      return number_text(element);
    } else {
      return number_text(static_cast<float>(element));
    }
  });
}

/// Returns whether two numbers have the same bits.
template <class T>
bool has_same_bits(T x, T y) noexcept {
  using Bits = std::array<std::byte, sizeof(T)>;
  return std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y);
}

/// Compares `n` numbers, of which `per_element` make up one element.
template <class T>
Comparison compare_numbers(const T* x, const T* y, std::size_t n, std::size_t per_element, double units) {
  Comparison out;
  if (n == 0 || std::memcmp(x, y, n * sizeof(T)) == 0) return out;
  double magnitude = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (const double value : {static_cast<double>(x[i]), static_cast<double>(y[i])})
      if (std::isfinite(value)) magnitude = std::max(magnitude, std::abs(value));
  out.tolerance = units * magnitude;
  for (std::size_t i = 0; i < n; ++i) {
    if (has_same_bits(x[i], y[i])) continue;
    const std::uint64_t element = i / per_element;
    if (!out.first_bits) out.first_bits = element;
    const auto a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
    if (std::isnan(a) && std::isnan(b)) continue;
    double distance = std::abs(a - b);
    if constexpr (std::is_integral_v<T>)  // beyond 2^53 two integers may have one double
      distance = std::max(distance, 1.0);
    if (std::isnan(a) != std::isnan(b)) distance = std::numeric_limits<double>::quiet_NaN();
    if (!(distance <= out.largest) && !std::isnan(out.largest)) out.largest = distance;
    if (!(distance <= out.tolerance) && !out.first) out.first = element;
  }
  out.result = out.first ? Comparison::Result::differs : Comparison::Result::within;
  return out;
}

/// Compares two tensors of one shape and type.
inline Comparison compare_elements(const Tensor& x, const Tensor& y, double round_offs) {
  if (x.dtype() == DType::string) {
    Comparison out;
    const auto [at, ignored] = std::mismatch(x.strings().begin(), x.strings().end(), y.strings().begin());
    if (at == x.strings().end()) return out;
    out.first = out.first_bits = static_cast<std::uint64_t>(at - x.strings().begin());
    out.result = Comparison::Result::differs;
    return out;
  }
  const double units = round_offs * unit_round_off(x.dtype());
  return visit_dtype(x.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      using Part = typename T::value_type;
      const auto parts = [](const Tensor& tensor) {
        return static_cast<const Part*>(static_cast<const void*>(tensor.bytes().data()));
      };
      return compare_numbers(parts(x), parts(y), 2 * x.size(), 2, units);
    } else {
      return compare_numbers(x.as<T>().data(), y.as<T>().data(), x.size(), 1, units);
    }
  });
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
