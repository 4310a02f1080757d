// says: a container of containers is not one tensor; save each inner one
#include <tensortap/tensor/as_view.hpp>
#include <vector>

#if FAIL
const std::vector<std::vector<float>> rows(2);
#else
const std::vector<float> rows(2);
#endif

auto view() { return tensortap::as_view(rows); }
