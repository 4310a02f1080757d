#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <tensortap/isa.hpp>
#include <tensortap/reduce/many.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include "catch.hpp"
#include "expected.hpp"
#include "inputs.hpp"

namespace tt = tensortap;
using tt::DType;

namespace {

/// The FNV-1a hash of the bits of all reductions.
class Hash {
 public:
  void add(const tt::TensorView& view) {
    tt::Reductions all;
    for (std::size_t i = 0; i <= tt::reduction_count; ++i) all.insert(static_cast<tt::Reduction>(i));
    const auto set = tt::reduce(view, all);
    for (const tt::Reduced& r : set) add(r.bytes.data(), r.bytes.size());
    const auto record = set.statistics->to_record();
    add(reinterpret_cast<const std::byte*>(record.data()), tt::first_statistics_fields * sizeof(double));
  }
  template <class T>
  void add(const std::vector<T>& elements) {
    add(tt::as_view(elements));
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void add(const std::byte* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) value_ = (value_ ^ static_cast<std::uint64_t>(bytes[i])) * 0x100000001b3u;
  }

  std::uint64_t value_ = 0xcbf29ce484222325u;
};

/// Makes elements from the bits of random integers & mask.
template <class T>
std::vector<T> masked(std::size_t n, tt::detail::BitsOf<T> mask) {
  inputs::Random random(n);
  std::vector<T> out(n);
  for (T& x : out) {
    const auto bits = static_cast<tt::detail::BitsOf<T>>(random.bits() >> 3 & mask);
    std::memcpy(&x, &bits, sizeof x);
  }
  return out;
}

std::vector<tt::Isa> available_isas() {
  std::vector<tt::Isa> out;
  for (const tt::Isa isa : tt::all_isas)
    if (tt::is_available(isa)) out.push_back(isa);
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("sums follow the published tree, to the bit", "[reduce][bits]", float, double) {
  for (const std::size_t n :
       {1u, 15u, 16u, 17u, 31u, 32u, 33u, 40u, 333u, 4096u, 4097u, 8192u, 12288u, 12289u, 50000u, 300000u, 1200000u}) {
    CAPTURE(n);
    const auto x = inputs::bell<TestType>(n, 0.1);
    const std::vector<double> plain(x.begin(), x.end());
    std::vector<double> magnitudes = plain;
    for (double& e : magnitudes) e = e < 0 ? -e : e;
    std::vector<double> squares = plain;
    for (double& e : squares) e *= e;
    const auto s = tt::statistics(x);
    CHECK(s.sum == expected::tree_sum(plain));
    CHECK(s.abs_sum == expected::tree_sum(magnitudes));
    CHECK(s.sum_squares == expected::tree_sum(squares));
    CHECK(tt::l2(x) == std::sqrt(expected::tree_sum(squares)));
  }
}

// With 16 lanes in a block instead of 32 they were others: 32 lanes keep the adders of every instruction set busy
// within one block, so that small tensors are as fast as large ones. The hashes were the same with every instruction
// set, g++ 12 and clang 14, at -O0, -O2, -O3 -march=native, -ffast-math and -Ofast -march=native. If one changes, so do
// numbers that users compare between runs and machines: that needs a reason and a note in the release.
TEST_CASE("the bits of the reductions are those of the first release", "[reduce][bits]") {
  const tt::Isa isa = GENERATE(from_range(available_isas()));
  CAPTURE(to_string(isa));
  const tt::ScopedIsa scope(isa);
  Hash floats, doubles, others, odd, strided;
  for (const std::size_t n : {0u, 1u, 5u, 16u, 31u, 100u, 1000u, 4095u, 4096u, 4097u, 10000u, 70001u}) {
    for (const double mean : {0.0, 1.0, 1e6}) {
      floats.add(inputs::bell<float>(n, mean));
      doubles.add(inputs::bell<double>(n, mean));
    }
    floats.add(inputs::bell<float>(n, 0, 1e20));
    floats.add(masked<float>(n, 0x80ffffff));  // subnormals among others
    doubles.add(masked<double>(n, 0x801fffffffffffff));
    doubles.add(inputs::bell<double>(n, 1e200, 1e190));
    floats.add(masked<float>(n, 0xdfffffff));  // all magnitudes up to 2^64
    doubles.add(masked<double>(n, 0x9fffffffffffffff));
    odd.add(masked<float>(n, 0xffffffff));  // NaN and infinities among others
    odd.add(masked<double>(n, 0x7fffffffffffffff));
    others.add(inputs::bell<tt::Half>(n, 1));
    others.add(inputs::bell<tt::BFloat16>(n, 1));
    others.add(inputs::anything<std::int8_t>(n));
    others.add(inputs::anything<std::int16_t>(n));
    others.add(inputs::anything<std::int32_t>(n));
    others.add(inputs::anything<std::int64_t>(n));
    others.add(inputs::anything<std::uint8_t>(n));
    others.add(inputs::anything<std::uint16_t>(n));
    others.add(inputs::anything<std::uint32_t>(n));
    others.add(inputs::anything<std::uint64_t>(n));
    std::vector<float> relu = inputs::bell<float>(n);
    for (float& x : relu) {  // by bits, or -ffast-math drops the sign of the zeros
      const std::uint32_t bits = tt::detail::bits_of(x);
      x = std::bit_cast<float>(tt::detail::rounded(bits >> 31 != 0 ? 0x80000000u : bits));
    }
    odd.add(relu);
    for (std::size_t i = 3; i < n; i += 11) relu[i] = std::bit_cast<float>(i % 2 == 0 ? 0x7f800000u : 0xffc00001u);
    odd.add(relu);
  }
  const std::vector<std::uint64_t> negative_zeros(20, 0x8000000000000000u);
  const std::int64_t twenty = 20;
  odd.add(tt::TensorView(negative_zeros.data(), DType::f64, {&twenty, 1}));
  const auto memory = inputs::bell<double>(30000, 10);
  const std::array<std::int64_t, 2> shape = {100, 300};
  const std::array<std::int64_t, 2> strides = {-1, 100};
  strided.add(tt::TensorView(memory.data() + 99, DType::f64, shape, strides));
  CHECK(floats.value() == 0xe84444fad73d8a9c);
  CHECK(doubles.value() == 0x6322afdad7d49704);
  CHECK(others.value() == 0xf2324d5f8b40c46f);
  CHECK(odd.value() == 0x825f7786ece291bf);
  CHECK(strided.value() == 0xa57b404d7a8087c7);
}

TEMPLATE_TEST_CASE("the number of threads does not change a bit", "[reduce][bits]", float, double, tt::BFloat16) {
  auto x = inputs::bell<TestType>(1'000'003, 0.25);
  SECTION("with finite elements") {}
  SECTION("with a NaN") { x[777'777] = inputs::element<TestType>(std::nan("")); }
  const auto one = tt::statistics(x).to_record();
  const double norm = tt::l2(x);
  for (const int threads : {2, 3, 5, 16, 64}) {
    CAPTURE(threads);
    const auto several = tt::statistics(x, {.threads = threads}).to_record();
    CHECK(std::memcmp(one.data(), several.data(), sizeof one) == 0);
    CHECK(tt::detail::bits_of(tt::l2(x, {.threads = threads})) == tt::detail::bits_of(norm));
  }
}

TEST_CASE("the norm of many tensors has the same bits everywhere", "[reduce][bits]") {
  std::vector<std::vector<float>> tensors;
  for (std::size_t i = 0; i < 700; ++i) tensors.push_back(inputs::bell<float>(i % 7 == 3 ? 9000 + i : i % 40, 0.125));
  tensors.push_back(std::vector<float>(1'200'000, 0));  // threads share this many blocks
  std::vector<tt::TensorView> views;
  for (const auto& tensor : tensors) views.push_back(tt::as_view(tensor));
  for (const tt::Isa isa : available_isas()) {
    const tt::ScopedIsa scope(isa);
    for (const int threads : {1, 2, 7}) {
      CAPTURE(to_string(isa), threads);
      CHECK(tt::detail::bits_of(tt::global_norm(views, {.threads = threads})) == 0x408ea72ae5cd65e2u);
    }
  }
}
