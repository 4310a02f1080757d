#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/processor.hpp>
#include <tensortap/reduce/internal/product.hpp>
#include <tensortap/reduce/internal/sum_squares.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include "catch.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using namespace tt::detail;

namespace {

/// Replaces the kernels in use while it lives.
template <class Element>
class Substitute {
 public:
  explicit Substitute(const Kernels<Element>& kernels) { substitute_kernels<Element> = &kernels; }
  Substitute(const Substitute&) = delete;
  Substitute& operator=(const Substitute&) = delete;
  ~Substitute() { substitute_kernels<Element> = nullptr; }
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

/// Returns the results of all kernels for a block, as bits.
template <class Element>
std::vector<std::uint64_t> findings(const Kernels<Element>& kernels, const std::byte* elements, std::size_t count) {
  std::vector<std::uint64_t> out;
  const auto append = [&](const std::vector<std::uint64_t>& more) { out.insert(out.end(), more.begin(), more.end()); };
  const double found_squares = kernels.squares(elements, count);
  if (is_finite(found_squares)) append({bits_of(found_squares)});
  const Zeros zeros = kernels.count_zeros(elements, count);
  append({zeros.count, zeros.negative});
  BlockTotals<Computed<Element>> totals;
  if (count > 0) {
    const auto start = load_computed<Element>(elements);
    kernels.extremes(elements, count, start, totals);
    append(bits_of_totals(totals, extremes));
    kernels.sums(elements, count, start, totals);
    append(bits_of_totals(totals, sums));
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
    for (const std::size_t i : {std::size_t{0}, count / 2, count - 1}) {
      const auto bits = load<BitsOf<Element>>(elements + i * sizeof(Element));
      const auto magnitude = static_cast<BitsOf<Element>>(bits & ~sign_bit<Element>);
      append({kernels.find_magnitude(elements, count, magnitude)});
    }
  }
  if constexpr (sizeof(Element) != 2) {
    const Substitute<Element> substitute(kernels);
    const Product product = block_product<Element>({elements, count});
    append({bits_of(product.mantissa), static_cast<std::uint64_t>(product.exponent), product.nan, product.infinite,
            product.zero});
  }
  return out;
}

/// A table of kernels that runs here.
template <class Element>
struct Table {
  std::string name;
  const Kernels<Element>* kernels;
};

/// Returns the tables of all instruction sets that this processor has, also those for other processors.
template <class Element>
std::vector<Table<Element>> all_tables() {
  std::vector<Table<Element>> out;
  for (const tt::Isa isa : tt::all_isas)
    for (const Processor processor : {Processor::other, Processor::amd, Processor::zen4})
      if (tt::is_available(isa))
        out.push_back({std::string(to_string(isa)) + " of processor " + std::to_string(static_cast<int>(processor)),
                       tables_of<Element>(processor)[static_cast<std::size_t>(isa)]});
  return out;
}

/// Makes blocks of normal numbers, and blocks with NaN, infinities, zeros and subnormals.
template <class Element>
std::vector<std::vector<Element>> inputs_of(std::size_t n) {
  std::vector<std::vector<Element>> out = {inputs::bell<Element>(n), inputs::bell<Element>(n, 1, 0.25),
                                           inputs::bell<Element>(n, -3, 1e-30)};
  for (const std::uint64_t odd :
       {std::uint64_t{0}, std::uint64_t{sign_bit<Element>}, std::uint64_t{infinity_bits<Element>},
        std::uint64_t{sign_bit<Element> | infinity_bits<Element>} + 1, std::uint64_t{1}})
    for (std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      if (n == 0) continue;
      out.push_back(out[0]);
      out.back()[at] = std::bit_cast<Element>(static_cast<BitsOf<Element>>(odd));
    }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("every table of kernels gives the bits of the plain loops", "[reduce][kernels]", float, double,
                   tt::Half, tt::BFloat16) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 100; ++n) sizes.push_back(n);
  for (const std::size_t n : {255u, 256u, 257u, 1000u, 1023u, 1100u, 4064u, 4065u, 4095u, 4096u}) sizes.push_back(n);
  for (const auto& table : all_tables<TestType>()) {
    CAPTURE(table.name);
    bool equal = true;
    for (const std::size_t n : sizes)
      for (const auto& x : inputs_of<TestType>(n)) {
        const std::byte nothing{};
        const auto* bytes = x.empty() ? &nothing : reinterpret_cast<const std::byte*>(x.data());
        if (findings(*table.kernels, bytes, n) != findings(portable_kernels<TestType>, bytes, n)) {
          CAPTURE(n);
          CHECK(equal);
          equal = false;
        }
      }
    CHECK(equal);
  }
}

TEMPLATE_TEST_CASE("kernels do not depend on the alignment", "[reduce][kernels]", float, double, tt::Half,
                   tt::BFloat16) {
  const auto x = inputs::bell<TestType>(150);
  const auto expected = findings(portable_kernels<TestType>, reinterpret_cast<const std::byte*>(x.data()), x.size());
  for (const auto& table : all_tables<TestType>())
    for (std::size_t offset = 0; offset < 64; ++offset) {
      const inputs::Misaligned moved(x, offset);
      CAPTURE(table.name, offset);
      CHECK(findings(*table.kernels, static_cast<const std::byte*>(moved.view().data()), x.size()) == expected);
    }
}

TEMPLATE_TEST_CASE("kernels for four blocks find the sums of each block", "[reduce][kernels]", float, double, tt::Half,
                   tt::BFloat16) {
  const auto x = inputs::bell<TestType>(12 * block_size, 0.5);
  const auto* bytes = reinterpret_cast<const std::byte*>(x.data());
  constexpr std::size_t block_bytes = block_size * sizeof(TestType);
  for (const std::size_t apart : {1u, 3u}) {
    std::array<double, 4> expected{};
    for (std::size_t place = 0; place < 4; ++place)
      expected[place] = portable_kernels<TestType>.squares(bytes + place * apart * block_bytes, block_size);
    for (const auto& table : all_tables<TestType>()) {
      if (table.kernels->squares_of_four == nullptr) continue;
      CAPTURE(table.name, apart);
      std::array<double, 4> found{};
      table.kernels->squares_of_four(bytes, apart * block_bytes, found.data());
      CHECK(found == expected);
    }
  }
}

TEST_CASE("at most 16 floats have the sum of squares of the kernels", "[reduce][kernels]") {
  for (std::size_t n = 1; n <= 16; ++n)
    for (const auto& x : inputs_of<float>(n)) {
      const auto* bytes = reinterpret_cast<const std::byte*>(x.data());
      const double expected = portable_kernels<float>.squares(bytes, n);
      CAPTURE(n);
      if (is_finite(expected))
        CHECK(bits_of(squares_of_few(bytes, n)) == bits_of(expected));
      else
        CHECK_FALSE(is_finite(squares_of_few(bytes, n)));
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
    kernels_of<tt::Half>(isa).widen(bytes, all.size(), half.data());
    kernels_of<tt::BFloat16>(isa).widen(bytes, all.size(), brain.data());
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

template <class Element>
Kernels<Element> counting_kernels() {
  using In = Computed<Element>;
  Kernels<Element> k = portable_kernels<Element>;
  k.extremes = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<Element>.extremes(e, n, s, out);
  };
  k.sums = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<Element>.sums(e, n, s, out);
  };
  k.squares = [](const std::byte* e, std::size_t n) noexcept {
    ++kernel_calls;
    return portable_kernels<Element>.squares(e, n);
  };
  k.everything = [](const std::byte* e, std::size_t n, In s, BlockTotals<In>& out) noexcept {
    ++kernel_calls;
    portable_kernels<Element>.everything(e, n, s, out);
  };
  if constexpr (sizeof(Element) != 2)
    k.products = [](const std::byte* e, std::size_t rows, LaneProducts& out) noexcept {
      ++kernel_calls;
      portable_kernels<Element>.products(e, rows, out);
    };
  return k;
}

}  // namespace

TEMPLATE_TEST_CASE("every reduction uses the table of kernels", "[reduce][kernels]", float, double, tt::Half,
                   tt::BFloat16) {
  const auto x = inputs::bell<TestType>(10000);
  const auto counting = counting_kernels<TestType>();
  const Substitute<TestType> substitute(counting);
  for (std::size_t i = 0; i < tt::reduction_count; ++i) {
    const auto reduction = static_cast<tt::Reduction>(i);
    if (sizeof(TestType) == 2 && plain(reduction) == tt::Reduction::prod) continue;  // which converts to float
    CAPTURE(i);
    kernel_calls = 0;
    CHECK(tt::reduce(tt::as_view(x), reduction));
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
    CAPTURE(to_string(isa));
    CHECK(&kernels<float>() == tables_of<float>(this_processor())[static_cast<std::size_t>(isa)]);
    using Totals = Kernels<float>::Totals;
    const auto everything_of = [&](Processor processor) -> Totals {
      return tables_of<float>(processor)[static_cast<std::size_t>(isa)]->everything;
    };
    const auto is_one_of = [&](Totals a, Totals b) {
      const Totals used = kernels<float>().everything;
      return (used == a || used == b) && used == everything_of(this_processor());
    };
    switch (isa) {
#if defined(__x86_64__)
      case tt::Isa::avx2:
        CHECK(is_one_of(avx2::totals<float, everything, true>, avx2::totals<float, everything, false>));
        break;
      case tt::Isa::avx512:
        CHECK(is_one_of(avx512::totals<float, everything, true>, avx512::totals<float, everything, false>));
        break;
#endif
      case tt::Isa::portable:
        CHECK(is_one_of(portable::totals<float, everything, false>, portable::totals<float, everything, false>));
        break;
      default: CHECK(is_one_of(vector16::totals<float, everything, false>, vector16::totals<float, everything, false>));
    }
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
      lanes.add(load<float>(e + i * sizeof(float)), i % lane_count < 4 ? 3 - i % lane_count : i % lane_count);
    lanes.fold(n, out);
  };
  const Substitute<float> substitute(wrong);
  CHECK(bits_of(tt::statistics(x).sum) != bits_of(right));
}
