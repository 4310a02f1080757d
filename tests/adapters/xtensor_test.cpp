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

TEST_CASE("an adaptor of xtensor has the elements of the tensor", "[adapters][xtensor]") {
  tt::Tensor tensor(tt::DType::f32, {2, 3, 4});
  auto map = tt::xarray_map<float>(tensor);
  CHECK(map.dimension() == 3);
  CHECK(map.shape()[1] == 3);
  map(1, 2, 3) = 5;
  CHECK(tensor.as<float>()[23] == 5);
  const tt::Tensor& constant = tensor;
  CHECK(tt::xarray_map<float>(constant)(1, 2, 3) == 5);
  CHECK(tt::xarray_map<float>(constant).data() == constant.as<float>().data());
  CHECK_THROWS_AS(tt::xarray_map<double>(tensor), tt::Error);
}
#endif
