// Differential fuzzing of the reductions: bytes become a tensor of any type, shape, strides and address. Every
// instruction set of this processor, in any floating-point mode of the caller, must give the bits of Isa::portable,
// whose results must agree with long double within the documented bounds.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -DTENSORTAP_LIBFUZZER -Iinclude -Itests
//     tests/fuzz/reduce_fuzz.cpp -o reduce_fuzz, and then ./reduce_fuzz -max_len=512
//
// Without TENSORTAP_LIBFUZZER it has a main of its own and needs no clang:
//   reduce_fuzz [--cases 1000] [--seed 1]    random cases, the same in each run; writes a failing one to a file
//   reduce_fuzz FILE...                      the cases in these files, with their contents printed
#include <array>
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tensortap/isa.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include "reduce/inputs.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// Reads the bytes of a case from the front; zeros after its end.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t byte() { return number(1); }
  std::size_t number(std::size_t width) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < width && !bytes_.empty(); ++i, bytes_ = bytes_.subspan(1))
      out |= static_cast<std::size_t>(bytes_[0]) << (8 * i);
    return out;
  }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Memory that begins `offset` bytes after a multiple of 64 and ends exactly at its size, so that a sanitizer detects
/// reads beyond it.
class Memory {
 public:
  Memory() = default;
  Memory(std::size_t size, std::size_t offset)
      : bytes_(static_cast<std::byte*>(::operator new (offset + size, std::align_val_t{64}))), offset_(offset) {}
  [[nodiscard]] std::byte* begin() const { return bytes_.get() + offset_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t offset_ = 0;
};

constexpr std::size_t max_elements = 40'000;  // ten blocks

struct Case {
  tt::DType dtype = tt::DType::f32;
  std::vector<std::int64_t> shape, strides;
  std::size_t offset = 0, kind = 0;
  Memory memory;
  tt::TensorView view;

  [[nodiscard]] std::string description() const {
    std::ostringstream out;
    out << to_string(dtype) << " [";
    for (const std::int64_t extent : shape) out << ' ' << extent;
    out << " ], strides [";
    for (const std::int64_t stride : strides) out << ' ' << stride;
    out << " ], " << offset << " bytes from alignment, elements of kind " << kind;
    return out.str();
  }
};

/// Returns an element that rounding, overflow or a comparison may get wrong.
template <class T>
T odd_element(std::uint64_t which) {
  if constexpr (std::is_integral_v<T>) {
    constexpr std::array<T, 5> odd = {std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T(0), T(1), T(-1)};
    return odd[which % odd.size()];
  } else {
    constexpr double inf = std::numeric_limits<double>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr std::array<double, 14> odd = {0,     -0.0,  inf,    -inf,     nan,     -nan,    1e20,
                                            -1e20, 1e-30, -1e-30, 0x1p-149, 0x1p-24, 65504.0, 3.4028234663852886e38};
    return inputs::element<T>(odd[which % odd.size()]);
  }
}

/// Fills `count` elements with one of these kinds: 0 the bytes of the case, repeated; 1 any bits; 2 numbers around a
/// mean; 3 such numbers with odd ones in between; 4 such numbers with many zeros.
template <class T>
void fill(std::byte* memory, std::size_t count, std::size_t kind, Input input) {
  constexpr std::array<double, 6> means = {0, 1, -3, 100, 5e4, 1e-4};
  constexpr std::array<double, 6> deviations = {1, 0.01, 30, 0, 1e-40, 1e-155};  // subnormal, and squares that are
  const double mean = means[input.byte() % means.size()];
  const double deviation = deviations[input.byte() % deviations.size()];
  std::uint64_t seed = 0xcbf29ce484222325u;
  for (const std::uint8_t byte : input.rest()) seed = (seed ^ byte) * 0x100000001b3u;
  inputs::Random random(seed);
  const auto bytes = std::as_bytes(input.rest());
  for (std::size_t i = 0; i < count * sizeof(T) && kind == 0; ++i)
    memory[i] = bytes.empty() ? std::byte{} : bytes[i % bytes.size()];
  for (std::size_t i = 0; i < count * sizeof(T) && kind == 1; ++i)
    memory[i] = static_cast<std::byte>(random.bits() >> 9);
  for (std::size_t i = 0; i < count && kind > 1; ++i) {
    const double value = mean + deviation * random.bell();
    const std::uint64_t which = random.bits() >> 20;
    T element;
    if constexpr (std::is_integral_v<T>)
      element = static_cast<T>(static_cast<std::int64_t>(value));  // modulo its width
    else
      element = inputs::element<T>(value);
    if (kind == 3 && which % 64 == 0) element = odd_element<T>(which / 64);
    if (kind == 4 && which % 2 == 0) element = inputs::element<T>(which % 4 == 0 ? 0.0 : -0.0);
    std::memcpy(memory + i * sizeof(T), &element, sizeof element);
  }
}

/// Fills bools with any bytes.
template <>
void fill<bool>(std::byte* memory, std::size_t count, std::size_t kind, Input input) {
  fill<std::uint8_t>(memory, count, kind, input);
}

Case case_of(Input input) {
  Case c;
  constexpr std::size_t real_dtypes = 13;
  c.dtype = static_cast<tt::DType>(input.byte() % real_dtypes);
  c.offset = input.byte() % 64;
  c.kind = input.byte() % 5;
  constexpr std::array<std::size_t, 4> limits = {40, 1100, 9000, max_elements};
  std::size_t left = limits[input.byte() % limits.size()];
  const std::size_t rank = input.byte() % 5;
  const std::size_t layout = input.byte() % 4;  // 0, 1: contiguous; 2: axes swapped and turned; 3: anything
  for (std::size_t axis = 0; axis < rank; ++axis) {
    c.shape.push_back(static_cast<std::int64_t>(input.number(2) % (left + 1)));
    left /= std::max<std::size_t>(1, static_cast<std::size_t>(c.shape.back()));
  }
  c.strides.resize(rank);
  std::vector<std::size_t> order(rank);  // innermost first
  for (std::size_t axis = 0; axis < rank; ++axis) order[axis] = rank - 1 - axis;
  if (layout == 2)
    for (std::size_t axis = 1; axis < rank; ++axis) std::swap(order[axis], order[input.byte() % (axis + 1)]);
  std::int64_t step = layout == 2 ? 1 + static_cast<std::int64_t>(input.byte() % 3) : 1;
  std::int64_t before = 0, after = 0;  // the elements that are reached, from the first one
  for (const std::size_t axis : order) {
    const std::int64_t extent = c.shape[axis];
    std::int64_t stride = step;
    if (layout == 2 && input.byte() % 2 != 0) stride = -stride;
    if (layout == 3) stride = static_cast<std::int8_t>(input.byte());
    c.strides[axis] = stride;
    step *= std::max<std::int64_t>(extent, 1);
    if (extent > 1) (stride < 0 ? before : after) += stride * (extent - 1);
  }
  const auto count = static_cast<std::size_t>(after - before + 1);
  const std::size_t width = tt::size_of(c.dtype);
  c.memory = Memory(count * width, c.offset);
  tt::visit_dtype(c.dtype, [&]<class T>() {
    if constexpr (sizeof(T) <= 8 && !requires(T t) { t.real(); }) fill<T>(c.memory.begin(), count, c.kind, input);
  });
  const std::byte* const first = c.memory.begin() - before * static_cast<std::int64_t>(width);
  c.view = layout < 2 ? tt::TensorView(first, c.dtype, c.shape) : tt::TensorView(first, c.dtype, c.shape, c.strides);
  return c;
}

/// Returns the elements in row-major order.
template <class T>
std::vector<T> elements_of(const Case& c) {
  std::vector<T> out(c.view.size());
  std::vector<std::int64_t> index(c.shape.size());
  for (T& element : out) {
    const std::int64_t at = std::inner_product(index.begin(), index.end(), c.strides.begin(), std::int64_t{0});
    std::memcpy(&element, static_cast<const std::byte*>(c.view.data()) + at * static_cast<std::int64_t>(sizeof(T)),
                sizeof(T));
    for (std::size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < c.shape[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

/// Sets the floating-point mode of the caller while it lives: the usual one, subnormals flushed to zero, or rounding
/// upward.
class CallersMode {
 public:
  explicit CallersMode(std::size_t which) {
    std::fegetenv(&before_);
    if (which == 2) std::fesetround(FE_UPWARD);
    if (which == 1) flush_to_zero();
  }
  CallersMode(const CallersMode&) = delete;
  CallersMode& operator=(const CallersMode&) = delete;
  ~CallersMode() { std::fesetenv(&before_); }

 private:
  static void flush_to_zero() {
#if defined(__x86_64__)
    std::uint32_t mode = 0;
    asm volatile("stmxcsr %0" : "=m"(mode)::"memory");
    mode |= 0x8040;
    asm volatile("ldmxcsr %0" ::"m"(mode) : "memory");
#elif defined(__aarch64__)
    std::uint64_t mode = 0;
    asm volatile("mrs %0, fpcr" : "=r"(mode)::"memory");
    asm volatile("msr fpcr, %0" ::"r"(mode | 1U << 24) : "memory");
#endif
  }

  std::fenv_t before_{};
};

/// All results of the library for the tensor.
struct Outcome {
  tt::Reductions some;
  tt::ReducedSet every, of_some;
  tt::Statistics statistics;
  double l2 = 0;

  Outcome(const tt::TensorView& view, std::size_t chosen, std::size_t mode) {
    tt::Reductions all;
    for (std::size_t i = 0; i <= tt::reduction_count; ++i) {
      all.insert(static_cast<R>(i));
      if ((chosen >> i & 1) != 0) some.insert(static_cast<R>(i));
    }
    const CallersMode caller(mode);
    l2 = tt::l2(view);
    statistics = tt::statistics(view);
    every = tt::reduce(view, all);
    of_some = tt::reduce(view, some);
  }
};

void require(bool truth, std::string_view what) {
  if (!truth) throw std::logic_error(std::string(what));
}

bool same_bits(const tt::Statistics& a, const tt::Statistics& b) {
  const auto x = a.to_record(), y = b.to_record();
  return std::memcmp(x.data(), y.data(), sizeof x) == 0;
}

void require_same(const tt::ReducedSet& a, const tt::ReducedSet& b) {
  require(a.size() == b.size(), "as many reductions");
  for (std::size_t i = 0; i < a.size(); ++i) {
    const tt::Reduced &x = a.begin()[i], &y = b.begin()[i];
    require(x.reduction == y.reduction && x.dtype == y.dtype && x.bytes == y.bytes, to_string(x.reduction));
  }
  require(a.statistics.has_value() == b.statistics.has_value(), "statistics in the set");
  if (a.statistics) require(same_bits(*a.statistics, *b.statistics), "statistics in the set");
}

void require_same(const Outcome& a, const Outcome& b) {
  require(same_bits(a.statistics, b.statistics), "statistics");
  require(std::bit_cast<std::uint64_t>(a.l2) == std::bit_cast<std::uint64_t>(b.l2), "l2()");
  require_same(a.every, b.every);
  require_same(a.of_some, b.of_some);
}

/// Checks that a reduction alone equals the same one among others.
void require_consistent(const Outcome& a) {
  require(a.every.statistics && same_bits(*a.every.statistics, a.statistics), "statistics beside reductions");
  for (const tt::Reduced& x : a.of_some)
    for (const tt::Reduced& y : a.every)
      if (x.reduction == y.reduction)
        require(x.dtype == y.dtype && x.bytes == y.bytes, std::string(to_string(x.reduction)) + " in another set");
  if (a.statistics.non_finite() == 0)
    require(std::bit_cast<std::uint64_t>(a.l2) == std::bit_cast<std::uint64_t>(a.statistics.l2()), "l2() of finite");
}

void require_close(double found, long double exact, long double tolerance, std::string_view what) {
  const long double error = std::fabs(static_cast<long double>(found) - exact);
  if (error <= tolerance) return;
  std::ostringstream out;
  out << what << " is " << found << ", not " << exact;
  throw std::logic_error(out.str());
}

/// Checks the statistics against long double within the bounds of `Statistics`. Below 1e-307 float64 has fewer bits,
/// and beyond 1e307 sums overflow.
void require_accurate(const tt::Statistics& s, const std::vector<double>& elements) {
  std::vector<double> finite;
  std::uint64_t nan = 0, positive_inf = 0;
  std::optional<std::uint64_t> first_odd;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (std::isfinite(elements[i])) {
      finite.push_back(elements[i]);
      continue;
    }
    if (!first_odd) first_odd = i;
    nan += std::isnan(elements[i]) ? 1 : 0;
    positive_inf += elements[i] > 0 ? 1 : 0;
  }
  require(s.count == elements.size() && s.finite() == finite.size(), "count");
  require(s.nan == nan && s.positive_inf == positive_inf, "NaNs and infinities");
  require(s.first_non_finite == first_odd, "first_non_finite");
  const auto r = inputs::reference(std::span<const double>(finite));
  require(s.zeros == r.zeros, "zeros");
  if (finite.empty()) {
    require(std::isnan(s.min) && std::isnan(s.abs_max) && s.sum == 0 && s.sum_squares == 0, "of no finite element");
    return;
  }
  require(s.min == static_cast<double>(r.min) && s.max == static_cast<double>(r.max), "extremes");
  require(s.abs_min == static_cast<double>(r.abs_min) && s.abs_max == static_cast<double>(r.abs_max), "abs extremes");
  const auto n = static_cast<long double>(finite.size());
  const long double tiny = n * 1e-307L;
  if (r.abs_sum > 1e307L) return;
  require_close(s.sum, r.sum, 1e-13L * r.abs_sum + tiny, "sum");
  require_close(s.abs_sum, r.abs_sum, 1e-13L * r.abs_sum + tiny, "abs_sum");
  require_close(s.mean(), r.sum / n, 1e-13L * r.abs_sum / n + tiny, "mean");
  if (r.sum_squares > 1e307L) return;
  require_close(s.sum_squares, r.sum_squares, 1e-13L * r.sum_squares + tiny, "sum_squares");
  if (r.sum_squares > 1e-290L) require_close(s.l2(), std::sqrt(r.sum_squares), 1e-13L * std::sqrt(r.sum_squares), "l2");
  const auto cancels = [&](long double sum, long double deviations) {  // beyond a mean of 1e6 std
    return sum / n * (sum / n) > 1e12L * (deviations / n);
  };
  if (!cancels(r.sum, r.squared_deviations))
    require_close(s.squared_deviations, r.squared_deviations, 1e-12L * r.squared_deviations + tiny, "deviations");
  if (!cancels(r.abs_sum, r.abs_squared_deviations))
    require_close(s.abs_squared_deviations, r.abs_squared_deviations, 1e-12L * r.abs_squared_deviations + tiny,
                  "deviations of magnitudes");
}

/// Checks sums and products of integers, which are modulo 2^64, and their extremes, which keep the type.
template <class T>
void require_exact(const tt::ReducedSet& found, const std::vector<T>& elements) {
  std::uint64_t sum = 0, product = 1;
  T min = std::numeric_limits<T>::max(), max = std::numeric_limits<T>::min();
  for (const T x : elements) {
    sum += static_cast<std::uint64_t>(x);
    product *= static_cast<std::uint64_t>(x);
    min = std::min(min, x);
    max = std::max(max, x);
  }
  for (const tt::Reduced& r : found) {
    const auto holds = [&](auto value) { return std::memcmp(r.bytes.data(), &value, sizeof value) == 0; };
    if (r.reduction == R::sum) require(holds(sum), "sum of integers");
    if (r.reduction == R::prod) require(holds(product), "prod of integers");
    if (r.reduction == R::min) require(holds(min), "min of integers");
    if (r.reduction == R::max) require(holds(max), "max of integers");
  }
}

void check(const Case& c, std::size_t chosen) {
  const auto outcome = [&](tt::Isa isa, std::size_t mode) {
    const tt::ScopedIsa scope(isa);
    return Outcome(c.view, chosen, mode);
  };
  const Outcome portable = outcome(tt::Isa::portable, 0);
  require_consistent(portable);
  tt::visit_dtype(c.dtype, [&]<class T>() {
    if constexpr (std::is_same_v<T, bool>) {
      std::vector<double> numbers;
      for (const std::uint8_t byte : elements_of<std::uint8_t>(c)) numbers.push_back(byte != 0 ? 1 : 0);
      require_accurate(portable.statistics, numbers);
    } else if constexpr (sizeof(T) <= 8 && !requires(T t) { t.real(); }) {
      const auto elements = elements_of<T>(c);
      std::vector<double> numbers;
      for (const T element : elements) numbers.push_back(static_cast<double>(inputs::exact(element)));
      require_accurate(portable.statistics, numbers);
      if constexpr (std::is_integral_v<T>) require_exact(portable.every, elements);
    }
  });
  for (const tt::Isa isa : tt::all_isas) {
    if (!tt::is_available(isa)) continue;
    const std::size_t mode = (chosen >> 20) % 3;
    try {
      require_same(outcome(isa, mode), portable);
    } catch (const std::logic_error& difference) {
      throw std::logic_error("not as portable under " + std::string(to_string(isa)) + " in mode " +
                             std::to_string(mode) + ": " + difference.what());
    }
  }
}

/// Checks one case. Throws: a result is wrong.
void run(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const std::size_t chosen = input.number(3);
  const Case c = case_of(input);
  try {
    check(c, chosen);
  } catch (const std::logic_error& wrong) {
    throw std::logic_error(c.description() + ": " + wrong.what());
  }
}

}  // namespace

#if defined(TENSORTAP_LIBFUZZER)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run({data, size});
  return 0;
}

#else

namespace {

std::vector<std::uint8_t> random_case(std::uint64_t seed) {
  inputs::Random random(seed);
  for (int i = 0; i < 8; ++i) random.bits();  // seeds that follow each other begin alike
  std::vector<std::uint8_t> bytes(20 + (random.bits() >> 11) % 200);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.bits() >> 13);
  return bytes;
}

int replay(const std::vector<std::string>& files) {
  int failed = 0;
  for (const std::string& name : files) {
    std::ifstream file(name, std::ios::binary);
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    try {
      std::cout << name << ": "
                << case_of(Input(std::span(bytes).subspan(std::min<std::size_t>(3, bytes.size())))).description()
                << std::endl;
      run(bytes);
    } catch (const std::logic_error& wrong) {
      std::cout << "  " << wrong.what() << '\n';
      ++failed;
    }
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t cases = 1000, seed = 1;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--cases" && i + 1 < argc)
      cases = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--seed" && i + 1 < argc)
      seed = std::strtoull(argv[++i], nullptr, 10);
    else
      files.emplace_back(word);
  }
  if (!files.empty()) return replay(files) == 0 ? 0 : 1;
  for (std::uint64_t i = 0; i < cases; ++i) {
    const auto bytes = random_case(seed * 1'000'003 + i);
    try {
      run(bytes);
    } catch (const std::logic_error& wrong) {
      const std::string name = "reduce_fuzz." + std::to_string(seed) + "." + std::to_string(i);
      std::ofstream(name, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      std::cout << "case " << i << ", left in " << name << ": " << wrong.what() << '\n';
      return 1;
    }
  }
  std::cout << cases << " cases, all the same under";
  for (const tt::Isa isa : tt::all_isas)
    if (tt::is_available(isa)) std::cout << ' ' << to_string(isa);
  std::cout << '\n';
  return 0;
}

#endif
