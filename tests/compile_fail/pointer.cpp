// says: a pointer has no size; pass std::span.pointer, size., or a TensorView with its shape
#include <span>
#include <tensortap/tensor/as_view.hpp>

const float elements[] = {1, 2, 3};

#if FAIL
auto view() { return tensortap::as_view(elements + 0); }
#else
auto view() { return tensortap::as_view(std::span(elements + 0, 3)); }
#endif
