#if __has_include(<xtensor/xarray.hpp>) || __has_include(<xtensor/containers/xarray.hpp>)
#include <tensortap/adapters/xtensor.hpp>

#include <memory>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("an array saved from xtensor is read back into xtensor", "[adapters][xtensor]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const xt::xarray<float> weights = {{1.0F, 2.0F, 3.0F}, {4.0F, 5.0F, 6.0F}};
  const xt::xarray<double> scalar = 7.5;
  {
    tt::Hook hook(store);
    hook.begin_step();
    hook.save("weights", weights);
    hook.save("scalar", scalar);
    hook.close();
  }
  const tt::Trial trial(store);
  const auto read = tt::to_xarray<float>(*trial.tensor("weights").value(0));
  CHECK(read == weights);
  CHECK(tt::to_xarray<double>(*trial.tensor("scalar").value(0)).dimension() == 0);
  CHECK(tt::to_xarray<double>(*trial.tensor("scalar").value(0))() == 7.5);
  CHECK_THROWS_AS(tt::to_xarray<double>(*trial.tensor("weights").value(0)), tt::Error);
}
#endif
