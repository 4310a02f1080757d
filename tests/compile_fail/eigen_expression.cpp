// says: this is a lazy expression without memory of its own; evaluate it first
#include <Eigen/Dense>
#include <tensortap/tensor/as_view.hpp>

const Eigen::MatrixXf a = Eigen::MatrixXf::Ones(2, 3);

#if FAIL
const auto sum = a + a;
#else
const auto sum = (a + a).eval();
#endif

auto view() { return tensortap::as_view(sum); }
