#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/product.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include "catch.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using namespace tt::detail;

namespace {

/// Replaces the kernels in use while it lives.
template <class In>
class Substitute {
 public:
  explicit Substitute(const Kernels<In>& kernels) { substitute_kernels<In> = &kernels; }
  Substitute(const Substitute&) = delete;
  Substitute& operator=(const Substitute&) = delete;
  ~Substitute() { substitute_kernels<In> = nullptr; }
};

template <class In>
std::vector<std::uint64_t> bits_of_totals(const BlockTotals<In>& t, unsigned parts) {
  std::vector<std::uint64_t> out = {t.all_finite};
  if (!t.all_finite) return out;  // the rest is undefined
  if ((parts & sums) != 0) {
    out.push_back(bits_of(t.sum));
    out.push_back(bits_of(t.abs_sum));
  }
  if ((parts & squares) != 0) out.push_back(bits_of(t.sum_squares));
  if ((parts & extremes) != 0)
    for (const In x : {t.min, t.max, t.abs_min}) out.push_back(x == 0 ? 0 : bits_of(x));  // the sign of 0 means nothing
  return out;
}

template <class In>
bool has_subnormal(const std::byte* elements, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (const In x = load<In>(elements + i * sizeof(In)); std::fpclassify(x) == FP_SUBNORMAL) return true;
  return false;
}

/// Returns the results of all kernels for a block, as bits.
template <class In>
std::vector<std::uint64_t> findings(const Kernels<In>& kernels, const std::byte* elements, std::size_t count) {
  std::vector<std::uint64_t> out;
  const auto append = [&](const std::vector<std::uint64_t>& more) { out.insert(out.end(), more.begin(), more.end()); };
  BlockTotals<In> totals;
  if (count > 0) {
    const In start = load<In>(elements);
    kernels.extremes(elements, count, start, totals);
    append(bits_of_totals(totals, extremes));
    kernels.sums(elements, count, start, totals);
    append(bits_of_totals(totals, sums));
    kernels.squares(elements, count, start, totals);
    append(bits_of_totals(totals, squares));
    kernels.everything(elements, count, start, totals);
    append(bits_of_totals(totals, everything));
    if (is_finite(start)) {
      kernels.everything_finite(elements, count, start, totals);
      append(bits_of_totals(totals, everything));
    }
    for (const bool absolute : {false, true}) {
      const auto finite = kernels.deviations_finite(elements, count, 0.375, absolute);
      append({bits_of(finite.sum), bits_of(finite.sum_squares)});
      const auto all = kernels.deviations(elements, count, 0.375, absolute);
      if (is_finite(all.sum_squares)) append({bits_of(all.sum), bits_of(all.sum_squares)});
    }
  }
  if (sizeof(In) == 8 || !has_subnormal<In>(elements, count)) {  // else a kernel of float may report the block as odd
    LaneProducts products;
    kernels.products(elements, count / lane_count, products);
    out.push_back(products.odd);
    for (std::size_t j = 0; j < lane_count && !products.odd; ++j) {
      out.push_back(bits_of(products.mantissa[j]));
      out.push_back(static_cast<std::uint64_t>(products.exponent[j]));
    }
  }
  const Substitute<In> substitute(kernels);
  const Product product = block_product<In>({elements, count});
  append({bits_of(product.mantissa), static_cast<std::uint64_t>(product.exponent), product.nan, product.infinite,
          product.zero});
  return out;
}

template <class In>
const Kernels<In>& kernels_of(tt::Isa isa) {
  const tt::ScopedIsa scope(isa);
  return kernels<In>();
}

/// Makes blocks of normal numbers, and blocks with NaN, infinities, zeros and subnormals.
template <class In>
std::vector<std::vector<In>> inputs_of(std::size_t n) {
  std::vector<std::vector<In>> out = {inputs::bell<In>(n), inputs::bell<In>(n, 1, 0.25),
                                      inputs::bell<In>(n, -3, 1e-30)};
  for (const std::uint64_t odd : {0x0ull, 0x8000000000000000ull, 0x7ff0000000000000ull, 0xfff8000000000000ull, 0x1ull})
    for (std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      if (n == 0) continue;
      out.push_back(out[0]);
      const auto narrow = static_cast<BitsOf<In>>(sizeof(In) == 8 ? odd : odd >> 32 | (odd & 1));
      std::memcpy(&out.back()[at], &narrow, sizeof narrow);
    }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("every instruction set gives the bits of the plain loops", "[reduce][kernels]", float, double) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 100; ++n) sizes.push_back(n);
  for (const std::size_t n : {255u, 256u, 257u, 1000u, 1023u, 1100u, 4080u, 4081u, 4095u, 4096u}) sizes.push_back(n);
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa)) continue;
    CAPTURE(to_string(isa));
    bool equal = true;
    for (const std::size_t n : sizes)
      for (const auto& x : inputs_of<TestType>(n)) {
        const std::byte nothing{};
        const auto* bytes = x.empty() ? &nothing : reinterpret_cast<const std::byte*>(x.data());
        if (findings(kernels_of<TestType>(isa), bytes, n) != findings(portable_kernels<TestType>, bytes, n)) {
          CAPTURE(n);
          CHECK(equal);
          equal = false;
        }
      }
    CHECK(equal);
  }
}

TEMPLATE_TEST_CASE("kernels do not depend on the alignment", "[reduce][kernels]", float, double) {
  const auto x = inputs::bell<TestType>(150);
  const auto expected = findings(portable_kernels<TestType>, reinterpret_cast<const std::byte*>(x.data()), x.size());
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa)) continue;
    for (std::size_t offset = 0; offset < 64; ++offset) {
      const inputs::Misaligned moved(x, offset);
      CAPTURE(to_string(isa), offset);
      CHECK(findings(kernels_of<TestType>(isa), static_cast<const std::byte*>(moved.view().data()), x.size()) ==
            expected);
    }
  }
}

namespace {

/// Compares the sums of squares of several blocks of `Element` with those of each block.
template <class Element, class In>
void check_in_turns(typename Kernels<In>::Squares* Kernels<In>::*kernel, std::size_t places) {
  const auto x = inputs::bell<Element>(12 * block_size, 0.5);
  const auto* bytes = reinterpret_cast<const std::byte*>(x.data());
  for (const std::size_t apart : {1u, 3u}) {
    std::array<double, 4> expected{};
    for (std::size_t place = 0; place < places; ++place) {
      std::vector<In> block(block_size);
      convert_elements<Element>(bytes + place * apart * block_size * sizeof(Element), block_size, block.data());
      BlockTotals<In> totals;
      portable_kernels<In>.squares(reinterpret_cast<const std::byte*>(block.data()), block_size, 0, totals);
      expected[place] = totals.sum_squares;
    }
    for (const tt::Isa isa : tt::all_isas) {
      if (!tt::is_available(isa) || kernels_of<In>(isa).*kernel == nullptr) continue;
      CAPTURE(to_string(isa), apart);
      std::array<double, 4> found{};
      (kernels_of<In>(isa).*kernel)(bytes, apart * block_size * sizeof(Element), found.data());
      CHECK(found == expected);
    }
  }
}

}  // namespace

TEST_CASE("kernels for several blocks find the sums of each block", "[reduce][kernels]") {
  check_in_turns<float, float>(&Kernels<float>::squares_of_two, 2);
  check_in_turns<double, double>(&Kernels<double>::squares_of_two, 2);
  check_in_turns<float, float>(&Kernels<float>::squares_of_four, 4);
  check_in_turns<double, double>(&Kernels<double>::squares_of_four, 4);
  check_in_turns<tt::Half, float>(&Kernels<float>::squares_of_four_f16, 4);
  check_in_turns<tt::BFloat16, float>(&Kernels<float>::squares_of_four_bf16, 4);
}

TEMPLATE_TEST_CASE("the kernel for two blocks finds everything of each block", "[reduce][kernels]", float, double) {
  auto x = inputs::bell<TestType>(4 * block_size, 0.5);
  const auto* bytes = reinterpret_cast<const std::byte*>(x.data());
  const std::size_t block_bytes = block_size * sizeof(TestType);
  SECTION("with finite elements") {}
  SECTION("with a NaN in one block") { x[3 * block_size + 7] = std::bit_cast<TestType>(infinity_bits<TestType> + 1); }
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa) || kernels_of<TestType>(isa).everything_of_two == nullptr) continue;
    for (const std::size_t apart : {1u, 3u}) {
      CAPTURE(to_string(isa), apart);
      BlockTotals<TestType> found[2], expected;
      kernels_of<TestType>(isa).everything_of_two(bytes, apart * block_bytes, found);
      for (const std::size_t place : {0u, 1u}) {
        const auto* from = bytes + place * apart * block_bytes;
        portable_kernels<TestType>.everything(from, block_size, load<TestType>(from), expected);
        CHECK(bits_of_totals(found[place], everything) == bits_of_totals(expected, everything));
      }
    }
  }
}

TEST_CASE("every instruction set widens 16-bit floats alike", "[reduce][kernels]") {
  std::vector<std::uint16_t> all(65536 + 5);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  const auto* bytes = reinterpret_cast<const std::byte*>(all.data());
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa)) continue;
    CAPTURE(to_string(isa));
    std::vector<float> half(all.size()), brain(all.size());
    kernels_of<float>(isa).widen_f16(bytes, all.size(), half.data());
    kernels_of<float>(isa).widen_bf16(bytes, all.size(), brain.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto expected = static_cast<float>(tt::Half::from_bits(all[i]));
      const bool nan = (all[i] & 0x7fffu) > 0x7c00u;  // which may become quiet
      wrong += nan ? half[i] == half[i] : bits_of(half[i]) != bits_of(expected);
      wrong += bits_of(brain[i]) != static_cast<std::uint32_t>(all[i]) << 16;
    }
    CHECK(wrong == 0);
  }
}

// Counts the calls of every kernel, which reveals a path that does not use the table.
namespace {

std::size_t kernel_calls = 0;

template <class In>
Kernels<In> counting_kernels() {
  Kernels<In> k = portable_kernels<In>;
  k.extremes = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<In>.extremes(e, n, s, out);
  };
  k.sums = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<In>.sums(e, n, s, out);
  };
  k.squares = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<In>.squares(e, n, s, out);
  };
  k.everything = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<In>.everything(e, n, s, out);
  };
  k.products = [](const std::byte* e, std::size_t rows, LaneProducts& out) noexcept {
    ++kernel_calls;
    portable_kernels<In>.products(e, rows, out);
  };
  return k;
}

}  // namespace

TEMPLATE_TEST_CASE("every reduction uses the table of kernels", "[reduce][kernels]", float, double) {
  const auto x = inputs::bell<TestType>(10000);
  const auto counting = counting_kernels<TestType>();
  const Substitute<TestType> substitute(counting);
  for (std::size_t i = 0; i < tt::reduction_count; ++i) {
    CAPTURE(i);
    kernel_calls = 0;
    CHECK(tt::reduce(tt::as_view(x), static_cast<tt::Reduction>(i)));
    CHECK(kernel_calls == 3);  // blocks
  }
  kernel_calls = 0;
  CHECK(tt::l2(x) > 0);
  CHECK(kernel_calls == 3);
  kernel_calls = 0;
  CHECK(tt::statistics(x).count == 10000);
  CHECK(kernel_calls == 3);
}

TEST_CASE("the table is that of the instruction set in use", "[reduce][kernels]") {
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa)) continue;
    const tt::ScopedIsa scope(isa);
    const Kernels<float>::Totals expected = isa == tt::Isa::portable ? portable_kernels<float>.squares
#if defined(__x86_64__)
                                            : isa == tt::Isa::avx2   ? avx2_kernels<float>.squares
                                            : isa == tt::Isa::avx512 ? avx512_kernels<float>.squares
#endif
                                                                     : sse2_neon_kernels<float>.squares;
    CHECK(kernels<float>().squares == expected);
  }
}

// Kernels with typical mistakes. The comparison with sums of long double in the tests of the statistics detects them.
namespace {

bool statistics_are_right(const std::vector<float>& x) {
  const auto expected = inputs::reference<float>(x);
  const auto s = tt::statistics(x);
  const auto near = [](double found, long double wanted, long double scale) {
    return std::abs(static_cast<long double>(found) - wanted) <= 1e-13L * scale;
  };
  return near(s.sum, expected.sum, expected.abs_sum) && near(s.abs_sum, expected.abs_sum, expected.abs_sum) &&
         near(s.sum_squares, expected.sum_squares, expected.sum_squares) &&
         static_cast<long double>(s.min) == expected.min && static_cast<long double>(s.max) == expected.max;
}

}  // namespace

TEST_CASE("wrong kernels are detected", "[reduce][kernels]") {
  const auto x = inputs::bell<float>(1003, 0.1);
  REQUIRE(statistics_are_right(x));
  Kernels<float> wrong = portable_kernels<float>;
  SECTION("a kernel that drops the last row") {
    wrong.everything = [](const std::byte* e, std::size_t n, float s, BlockTotals<float>& out) noexcept {
      portable_kernels<float>.everything(e, n / lane_count * lane_count, s, out);
    };
  }
  SECTION("a kernel that combines half of the lanes") {
    wrong.everything = [](const std::byte* e, std::size_t n, float start, BlockTotals<float>& out) noexcept {
      LaneTotals<float, everything> lanes;
      lanes.begin(start);
      for (std::size_t i = 0; i < n; ++i) lanes.add(load<float>(e + i * sizeof(float)), i % lane_count);
      for (std::size_t j = 8; j < lane_count; ++j) lanes.sum[j] = lanes.abs_sum[j] = lanes.sum_squares[j] = 0;
      lanes.fold(n, out);
    };
  }
  SECTION("a kernel that reads the wrong element in one lane") {
    wrong.everything = [](const std::byte* e, std::size_t n, float start, BlockTotals<float>& out) noexcept {
      LaneTotals<float, everything> lanes;
      lanes.begin(start);
      for (std::size_t i = 0; i < n; ++i)
        lanes.add(load<float>(e + (i % lane_count == 5 ? i - 1 : i) * sizeof(float)), i % lane_count);
      lanes.fold(n, out);
    };
  }
  const Substitute<float> substitute(wrong);
  CHECK_FALSE(statistics_are_right(x));
}

TEST_CASE("another order of the lanes changes the bits", "[reduce][kernels]") {
  auto x = inputs::bell<float>(1003, 0.1);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::ldexp(x[i], static_cast<int>(i * 37 % 61));  // sums are not exact
  const double right = tt::statistics(x).sum;
  Kernels<float> wrong = portable_kernels<float>;
  wrong.everything = [](const std::byte* e, std::size_t n, float start, BlockTotals<float>& out) noexcept {
    LaneTotals<float, everything> lanes;
    lanes.begin(start);
    for (std::size_t i = 0; i < n; ++i)
      lanes.add(load<float>(e + i * sizeof(float)), i % lane_count < 2 ? 1 - i % lane_count : i % lane_count);
    lanes.fold(n, out);
  };
  const Substitute<float> substitute(wrong);
  CHECK(bits_of(tt::statistics(x).sum) != bits_of(right));
}
