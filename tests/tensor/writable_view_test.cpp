#include <array>
#include <span>
#include <type_traits>
#include <vector>

#include <tensortap/tensor/writable_view.hpp>
#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("a writable view gives access to the elements", "[tensor][writable_view]") {
  std::vector<float> x = {1, 2, 3};
  const tt::WritableView view(x);
  CHECK(view.data() == x.data());
  CHECK(view.size() == 3);
  static_cast<float*>(view.data())[1] = 7;
  CHECK(x[1] == 7);

  std::span<float> part(x.data() + 1, 2);
  CHECK(tt::WritableView(part).data() == x.data() + 1);
  std::array<double, 2> pair = {1, 2};
  CHECK(tt::WritableView(pair).dtype() == tt::DType::f64);
}

TEST_CASE("constant elements have no writable view", "[tensor][writable_view]") {
  CHECK_FALSE(std::is_constructible_v<tt::WritableView, const std::vector<float>&>);
  CHECK_FALSE(tt::detail::has_writable_elements<std::span<const float>>());
  CHECK(tt::detail::has_writable_elements<std::span<float>>());
}
