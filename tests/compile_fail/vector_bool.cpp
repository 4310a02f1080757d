// says: std::vector<bool> packs its elements into bits; use std::vector<std::uint8_t>
#include <cstdint>
#include <tensortap/tensor/as_view.hpp>
#include <vector>

#if FAIL
const std::vector<bool> mask(3);
#else
const std::vector<std::uint8_t> mask(3);
#endif

auto view() { return tensortap::as_view(mask); }
