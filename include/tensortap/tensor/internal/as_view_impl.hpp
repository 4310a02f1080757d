// Translates torch's element types.
#pragma once

#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

TENSORTAP_INLINE DType dtype_of_torch(int scalar_type, std::string_view name) {
  switch (scalar_type) {
    case 0: return DType::u8;
    case 1: return DType::i8;
    case 2: return DType::i16;
    case 3: return DType::i32;
    case 4: return DType::i64;
    case 5: return DType::f16;
    case 6: return DType::f32;
    case 7: return DType::f64;
    case 9: return DType::complex64;
    case 10: return DType::complex128;
    case 11: return DType::boolean;
    case 15: return DType::bf16;
    default: throw Error::unknown_element_type(name, scalar_type);
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
