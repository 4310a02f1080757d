// says: this is a lazy expression without memory of its own; evaluate it first
#include <tensortap/tensor/as_view.hpp>
#include <xtensor/xarray.hpp>

const xt::xarray<float> a = {1, 2, 3};

#if FAIL
const auto sum = a + a;
#else
const xt::xarray<float> sum = a + a;
#endif

auto view() { return tensortap::as_view(sum); }
