#include <tensortap/adapters/mdspan.hpp>

#if TENSORTAP_HAS_MDSPAN
#include <utility>

#include <tensortap/tensortap.hpp>
#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("a tensor is seen as a std::mdspan", "[adapters][mdspan]") {
  tt::Tensor tensor(tt::DType::f32, {2, 3});
  const auto map = tt::mdspan_of<float, 2>(tensor);
  CHECK(map.extent(0) == 2);
  CHECK(map.extent(1) == 3);
  CHECK(map.data_handle() == tensor.as<float>().data());
  map(1, 0) = 5;
  CHECK(tensor.as<float>()[3] == 5);
  CHECK(tt::mdspan_of<float, 2>(std::as_const(tensor))(1, 0) == 5);
  CHECK_THROWS_WITH((tt::mdspan_of<float, 3>(tensor)), contains("(2, not 3)"));
  CHECK_THROWS_WITH((tt::mdspan_of<double, 2>(tensor)), contains("float32, not float64"));
  tt::Tensor scalar(tt::DType::f64, {});
  CHECK(tt::mdspan_of<double, 0>(scalar).rank() == 0);
}
#endif
