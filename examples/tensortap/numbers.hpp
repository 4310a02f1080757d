// Numbers as text: the shortest digits that read back as the same number, in the element's own type.
#pragma once

#include <bit>
#include <charconv>
#include <cmath>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <tensortap/tensortap.hpp>

namespace tensortap_command {

/// Returns "1234567", "0.1", "1e-09", "nan".
template <std::floating_point T>
std::string number_text(T value) {
  constexpr T small = static_cast<T>(1e-4), large = static_cast<T>(1e16);
  const T magnitude = std::abs(value);
  const bool plain = magnitude == 0 || (magnitude >= small && magnitude < large);
  char text[64];
  char* const end = std::isfinite(value) && plain
                        ? std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr
                        : std::to_chars(text, text + sizeof text, value).ptr;
  std::string out(text, end);
  return std::isnan(value) ? "nan" : out;
}

template <std::integral T>
std::string number_text(T value) {
  return std::to_string(value);
}

/// Returns "1+2i".
template <class T>
std::string number_text(std::complex<T> value) {
  const std::string imaginary = number_text(value.imag());
  return number_text(value.real()) + (imaginary[0] == '-' ? "" : "+") + imaginary + "i";
}

/// Returns the shortest digits that read back as the same 16-bit float.
template <class T>
requires(std::same_as<T, tensortap::Half> || std::same_as<T, tensortap::BFloat16>) std::string number_text(T value) {
  const auto exact = static_cast<float>(value);
  if (!std::isfinite(exact) || exact == 0) return number_text(exact);
  const auto bits = std::bit_cast<std::uint16_t>(value);
  const auto magnitude = [](unsigned int near) {
    return std::abs(static_cast<double>(static_cast<float>(std::bit_cast<T>(static_cast<std::uint16_t>(near)))));
  };
  const double here = std::abs(static_cast<double>(exact));
  const double above = magnitude(bits + 1u);
  const double below = (here + magnitude(bits - 1u)) / 2;  // halfway to the neighbours
  const double beyond = std::isfinite(above) ? (here + above) / 2 : 2 * here - below;
  for (int digits = 1; digits <= 5; ++digits) {
    char text[32];
    const char* const end = std::to_chars(text, text + sizeof text, exact, std::chars_format::general, digits).ptr;
    double read = 0;
    std::from_chars(text, end, read);
    if (below < std::abs(read) && std::abs(read) < beyond) return number_text(read);
  }
  return number_text(exact);
}

/// Returns element `i` of `tensor`; strings are in quotes.
inline std::string element_text(const tensortap::Tensor& tensor, std::size_t i) {
  if (tensor.dtype() == tensortap::DType::string) return tensortap::in_quotes(tensor.strings()[i]);
  return tensortap::visit_dtype(tensor.dtype(), [&]<class T>() { return number_text(tensor.as<T>()[i]); });
}

inline std::string shape_text(const tensortap::Tensor::Shape& shape) {
  std::string out = "[";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) out += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  return out + "]";
}

/// Returns the place of the element with this row-major index: "[1, 2]" if the shape is known, else "element 5".
inline std::string place_text(std::uint64_t index, const tensortap::Tensor::Shape* shape) {
  if (shape == nullptr) return "element " + std::to_string(index);
  tensortap::Tensor::Shape place(shape->size());
  for (std::size_t axis = shape->size(); axis-- > 0;) {
    const auto extent = static_cast<std::uint64_t>((*shape)[axis]);
    if (extent == 0) return "element " + std::to_string(index);
    place[axis] = static_cast<std::int64_t>(index % extent);
    index /= extent;
  }
  return shape_text(place);
}

}  // namespace tensortap_command
