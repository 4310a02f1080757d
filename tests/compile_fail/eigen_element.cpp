// says: the element type of this Eigen object is not supported; convert it first
#include <Eigen/Dense>
#include <tensortap/tensor/as_view.hpp>

#if FAIL
using Element = long double;
#else
using Element = double;
#endif

const Eigen::Matrix<Element, 2, 2> matrix;

auto view() { return tensortap::as_view(matrix); }
