// The element types that libtorch and the library both have, for tests. Include <torch/torch.h> before.
#pragma once

#include <utility>
#include <vector>

#include <tensortap/tensor/dtype.hpp>

inline const std::vector<std::pair<torch::ScalarType, tensortap::DType>> torch_types = {
    {torch::kUInt8, tensortap::DType::u8},
    {torch::kInt8, tensortap::DType::i8},
    {torch::kInt16, tensortap::DType::i16},
    {torch::kInt32, tensortap::DType::i32},
    {torch::kInt64, tensortap::DType::i64},
    {torch::kFloat16, tensortap::DType::f16},
    {torch::kBFloat16, tensortap::DType::bf16},
    {torch::kFloat32, tensortap::DType::f32},
    {torch::kFloat64, tensortap::DType::f64},
    {torch::kBool, tensortap::DType::boolean},
    {torch::kComplexFloat, tensortap::DType::complex64},
    {torch::kComplexDouble, tensortap::DType::complex128}};
