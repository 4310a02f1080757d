// The numbers in the messages of events: their fields and their element types. They are the format on disk.
// Source: smdebug's and TensorFlow's .proto files.
#pragma once

#include <array>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace field {
inline constexpr std::uint32_t event_wall_time = 1, event_step = 2, event_summary = 5;
inline constexpr std::uint32_t summary_value = 1;
inline constexpr std::uint32_t value_tag = 1, value_tensor = 8, value_metadata = 9;
inline constexpr std::uint32_t metadata_plugin = 1, plugin_name = 1, plugin_content = 2;
inline constexpr std::uint32_t tensor_dtype = 1, tensor_shape = 2, tensor_content = 4, float_val = 5, double_val = 6,
                               int_val = 7, string_val = 8, int64_val = 10, bool_val = 11;
inline constexpr std::uint32_t shape_dim = 2, dim_size = 1, dim_name = 2;
}  // namespace field

inline constexpr std::array<std::uint8_t, dtype_count> proto_dtypes = {
    19, 14, 1, 2, 6, 5, 3, 9, 4, 17, 22, 23, 10, 8, 18, 0};  // by DType; smdebug leaves strings at 0

}  // namespace detail
TENSORTAP_END_NAMESPACE
