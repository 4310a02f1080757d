// Parts of vectors, for vector types of the compiler. g++ 11 has no __builtin_shufflevector.
#pragma once

#include <tensortap/internal/config.hpp>

// TENSORTAP_VECTOR_PART(Part, vector, i, elements...): part `i` of `vector`, which has the given elements. A macro,
// since the functions that use it are compiled for different instruction sets.
#if defined(__clang__) || __GNUC__ >= 12
#define TENSORTAP_VECTOR_PART(Part, vector, i, ...) __builtin_shufflevector(vector, vector, __VA_ARGS__)
#else
#define TENSORTAP_VECTOR_PART(Part, vector, i, ...)                                                                \
  __builtin_bit_cast(::tensortap::detail::VectorParts<Part TENSORTAP_COMMA sizeof(vector) / sizeof(Part)>, vector) \
      .part[i]
#define TENSORTAP_COMMA ,

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

template <class Part, unsigned long count>
struct VectorParts {
  Part part[count];
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
#endif
