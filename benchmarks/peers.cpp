#include "peers.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>

#if PEERS_OPENBLAS
#include <cblas.h>
#endif
#if PEERS_EIGEN
#include <Eigen/Core>
#endif
#if PEERS_XTENSOR
#include <xtensor/xadapt.hpp>
#include <xtensor/xmath.hpp>
#endif
#if PEERS_TORCH
#include <ATen/core/ivalue.h>  // first: libtorch 1.13 does not compile with clang in C++20 otherwise
#include <torch/torch.h>
#endif

namespace peers {
namespace {

// Element types that C++ has no name for.
struct Half {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

double number(float x) { return x; }
double number(double x) { return x; }
double number(BFloat16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }
double number(Half x) {  // finite
  const float magnitude = std::bit_cast<float>((x.bits & 0x7fffu) << 13) * 0x1p112F;
  return (x.bits & 0x8000u) != 0 ? -magnitude : magnitude;
}

template <class T>
const char* name_of() {
  return std::same_as<T, Half>       ? "f16"
         : std::same_as<T, BFloat16> ? "bf16"
         : std::same_as<T, float>    ? "f32"
         : std::same_as<T, double>   ? "f64"
                                     : "u8";
}

/// Makes the compiler compute a number that is not used.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "m"(value));
}

class List {
 public:
  /// Adds a peer whose `f(elements, count)` returns the values.
  template <class T, class F>
  void add(const char* operation, const char* name, F f) {
    peers.push_back({operation, name_of<T>(), name, [f](Pieces pieces) -> Run {
                       return [f, x = static_cast<const T*>(pieces[0].data), n = pieces[0].size]() -> Values {
                         return f(x, n);
                       };
                     }});
  }

  /// Adds a peer whose `f(elements, count)` returns a norm. The norm of many tensors is that of their norms.
  template <class T, class F>
  void add_norm(const char* name, F f) {
    add<T>("l2", name, [f](const T* x, std::size_t n) { return Values{static_cast<double>(f(x, n))}; });
    peers.push_back({"global_norm", name_of<T>(), name, [f](Pieces pieces) -> Run {
                       return [f, pieces]() -> Values {
                         double squares = 0;
                         for (const Piece& piece : pieces) {
                           const double norm = f(static_cast<const T*>(piece.data), piece.size);
                           squares += norm * norm;
                         }
                         return {std::sqrt(squares)};
                       };
                     }});
  }

  std::vector<Peer> peers;
};

// Plain reads: load each byte into a register and ignore it.

#if defined(__AVX512F__)
constexpr std::size_t widest = 64;
#elif defined(__AVX2__)
constexpr std::size_t widest = 32;
#else
constexpr std::size_t widest = 16;
#endif
#if defined(__aarch64__)
#define PEERS_REGISTER "w"
#else
#define PEERS_REGISTER "x"
#endif

template <std::size_t width>
inline void read_at(const std::byte* p) {
  using Vector [[gnu::vector_size(width), gnu::may_alias, gnu::aligned(1)]] = char;
  asm volatile("" : : PEERS_REGISTER(*reinterpret_cast<const Vector*>(p)));
}

/// Reads registers of `width` bytes, in several places in turn. Prefetches the bytes `ahead` into the L2 cache.
template <std::size_t width, std::size_t ahead = 0, std::size_t places = 1>
void read(const std::byte* p, std::size_t bytes) {
  constexpr std::size_t row = 512;
  const std::size_t apart = bytes / places / row * row;
  for (std::size_t at = 0; at < apart; at += row)
    for (std::size_t place = 0; place < places; ++place) {
      const std::byte* const from = p + place * apart + at;
      if constexpr (ahead > 0)
        for (std::size_t i = 0; i < row; i += 64) __builtin_prefetch(from + ahead + i, 0, 2);
#pragma GCC unroll 32
      for (std::size_t i = 0; i < row; i += width) read_at<width>(from + i);
    }
  std::size_t at = places * apart;
  for (; at + width <= bytes; at += width) read_at<width>(p + at);
  for (; at + 16 <= bytes; at += 16) read_at<16>(p + at);
  for (; at < bytes; ++at) asm volatile("" : : "r"(p[at]));
}

using Read = void (*)(const std::byte*, std::size_t);

/// Reads a part with a second thread, which waits between calls.
class TwoThreads {
 public:
  explicit TwoThreads(Read read) : read_(read), second_([this](const std::stop_token& stop) { work(stop); }) {}
  ~TwoThreads() {
    second_.request_stop();
    turn_ += 1;
    turn_.notify_one();
  }

  void operator()(const std::byte* p, std::size_t bytes) {
    begin_ = p;
    bytes_ = bytes;
    next_ = 0;
    const std::uint32_t turn = ++turn_;
    turn_.notify_one();
    take_chunks();
    while (done_ != turn) {
    }
  }

 private:
  void work(const std::stop_token& stop) {
    for (std::uint32_t turn = 0;;) {
      turn_.wait(turn);
      if (stop.stop_requested()) return;
      turn = turn_;
      take_chunks();
      done_ = turn;
    }
  }

  void take_chunks() {
    constexpr std::size_t chunk = 128 << 10;
    for (std::size_t i; (i = next_.fetch_add(chunk)) < bytes_;) read_(begin_ + i, std::min(chunk, bytes_ - i));
  }

  Read read_;
  const std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uint32_t> turn_ = 0, done_ = 0;
  std::jthread second_;
};

void add_reads(List& list) {
  const std::pair<const char*, Read> forms[] = {{"read_limit", read<widest>},
                                                {"read_limit_16K_ahead", read<widest, 16 << 10>},
                                                {"read_limit_64K_ahead", read<widest, 64 << 10>},
                                                {"read_limit_4_places", read<widest, 0, 4>},
                                                {"read_limit_narrow", read<widest / 2>},
                                                {"read_limit_narrow_16K_ahead", read<widest / 2, 16 << 10>}};
  for (const auto& [name, read] : forms) {
    list.peers.push_back({"read", "", name, [read = read](Pieces pieces) -> Run {
                            return [read, pieces]() -> Values {
                              for (const Piece& piece : pieces)
                                read(static_cast<const std::byte*>(piece.data), piece.bytes);
                              return {};
                            };
                          }});
    list.peers.push_back({"read_2_threads", "", name, [read = read](Pieces pieces) -> Run {
                            return [threads = std::make_shared<TwoThreads>(read), pieces]() -> Values {
                              (*threads)(static_cast<const std::byte*>(pieces[0].data), pieces[0].bytes);
                              return {};
                            };
                          }});
  }
}

// Plain loops that add in double.

template <class T>
void add_std(List& list) {
  list.add_norm<T>("std", [](const T* x, std::size_t n) {
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += number(x[i]) * number(x[i]);
    return std::sqrt(squares);
  });
  list.add<T>("prod", "std", [](const T* x, std::size_t n) -> Values {
    double product = 1;
    for (std::size_t i = 0; i < n; ++i) product *= number(x[i]);
    return {product};
  });
  list.add<T>("statistics", "std", [](const T* x, std::size_t n) -> Values {
    constexpr double inf = std::numeric_limits<double>::infinity();
    double min = inf, max = -inf, abs_min = inf, abs_max = 0, sum = 0, l1 = 0, squares = 0;
    std::size_t nans = 0, infs = 0, zeros = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double value = number(x[i]), magnitude = std::abs(value);
      nans += value != value;
      infs += magnitude == inf;
      zeros += value == 0;
      min = value < min ? value : min;
      max = value > max ? value : max;
      abs_min = magnitude < abs_min ? magnitude : abs_min;
      abs_max = magnitude > abs_max ? magnitude : abs_max;
      sum += value;
      l1 += magnitude;
      squares += value * value;
    }
    const auto count = static_cast<double>(n);
    keep(std::array{min, max, abs_min, abs_max, (squares - l1 * l1 / count) / count});
    keep(std::array{nans, infs, zeros});
    return {std::sqrt(squares), l1, sum, (squares - sum * sum / count) / count};
  });
}

void add_crc32c_by_table(List& list) {
  list.add<std::uint8_t>("crc32c", "std", [](const std::uint8_t* x, std::size_t n) -> Values {
    static const auto table = [] {
      std::array<std::uint32_t, 256> out{};
      for (std::uint32_t i = 0; i < 256; ++i) {
        out[i] = i;
        for (int bit = 0; bit < 8; ++bit) out[i] = (out[i] >> 1) ^ ((out[i] & 1) != 0 ? 0x82f63b78u : 0);
      }
      return out;
    }();
    std::uint32_t crc = ~0u;
    for (std::size_t i = 0; i < n; ++i) crc = (crc >> 8) ^ table[(crc ^ x[i]) & 0xff];
    return {static_cast<double>(~crc)};
  });
}

#if PEERS_OPENBLAS
void add_openblas(List& list) {
  openblas_set_num_threads(1);
  list.add_norm<float>("openblas",
                       [](const float* x, std::size_t n) { return cblas_snrm2(static_cast<blasint>(n), x, 1); });
  list.add_norm<float>("openblas_sdot", [](const float* x, std::size_t n) {
    return std::sqrt(cblas_sdot(static_cast<blasint>(n), x, 1, x, 1));
  });
  list.add_norm<float>("openblas_dsdot", [](const float* x, std::size_t n) {
    return std::sqrt(cblas_dsdot(static_cast<blasint>(n), x, 1, x, 1));
  });
  list.add_norm<double>("openblas",
                        [](const double* x, std::size_t n) { return cblas_dnrm2(static_cast<blasint>(n), x, 1); });
  list.add_norm<double>("openblas_ddot", [](const double* x, std::size_t n) {
    return std::sqrt(cblas_ddot(static_cast<blasint>(n), x, 1, x, 1));
  });
  // The part that the library offers: no counts, and no second pass for a variance.
  list.add<float>("statistics", "openblas", [](const float* x, std::size_t size) -> Values {
    const auto n = static_cast<blasint>(size);
    const auto count = static_cast<double>(size);
    const double sum = cblas_ssum(n, x, 1), l1 = cblas_sasum(n, x, 1), squares = cblas_sdot(n, x, 1, x, 1);
    keep(std::array{x[cblas_ismin(n, x, 1)], x[cblas_ismax(n, x, 1)]});
    keep(std::array{x[cblas_isamin(n, x, 1)], x[cblas_isamax(n, x, 1)]});
    return {std::sqrt(squares), l1, sum, (squares - sum * sum / count) / count};
  });
}
#endif

#if PEERS_EIGEN
/// Returns the statistics of the coefficients, with sums in Sum.
template <class Sum, class Map>
Values eigen_statistics(const Map& x) {
  const auto n = static_cast<Sum>(x.size());
  const auto wide = x.template cast<Sum>();
  const Sum sum = wide.sum(), l1 = wide.abs().sum(), squares = wide.square().sum();
  keep(std::array{x.minCoeff(), x.maxCoeff(), x.abs().minCoeff(), x.abs().maxCoeff()});
  keep(std::array{x.isNaN().count(), x.isInf().count(), (x == typename Map::Scalar(0)).count()});
  keep((wide.abs() - l1 / n).square().sum() / n);
  return {std::sqrt(squares), l1, sum, (wide - sum / n).square().sum() / n};
}

/// The peers for elements of type T, which Eigen calls Scalar.
template <class T, class Scalar>
void add_eigen(List& list) {
  const auto vector = [](const T* x, std::size_t n) {
    return Eigen::Map<const Eigen::Vector<Scalar, Eigen::Dynamic>>(reinterpret_cast<const Scalar*>(x),
                                                                   static_cast<Eigen::Index>(n));
  };
  using Narrow = std::conditional_t<std::same_as<Scalar, double>, double, float>;
  list.add_norm<T>("eigen", [=](const T* x, std::size_t n) { return vector(x, n).template cast<Narrow>().norm(); });
  if constexpr (!std::same_as<T, double>)
    list.add_norm<T>("eigen_double",
                     [=](const T* x, std::size_t n) { return vector(x, n).template cast<double>().norm(); });
  if constexpr (std::same_as<T, Scalar>) {
    list.add_norm<T>("eigen_stable", [=](const T* x, std::size_t n) { return vector(x, n).stableNorm(); });
    list.add<T>("prod", "eigen",
                [=](const T* x, std::size_t n) { return Values{static_cast<double>(vector(x, n).prod())}; });
    list.add<T>("statistics", "eigen",
                [=](const T* x, std::size_t n) { return eigen_statistics<T>(vector(x, n).array()); });
    if constexpr (!std::same_as<T, double>)
      list.add<T>("statistics", "eigen_double",
                  [=](const T* x, std::size_t n) { return eigen_statistics<double>(vector(x, n).array()); });
  }
}
#endif

#if PEERS_XTENSOR
/// The peers that add in Sum.
template <class T, class Sum>
void add_xtensor(List& list, const char* name) {
  const auto adapt = [](const T* x, std::size_t n) {
    return xt::adapt(x, n, xt::no_ownership(), std::array<std::size_t, 1>{n});
  };
  list.add_norm<T>(name, [=](const T* p, std::size_t n) {
    return static_cast<double>(std::sqrt(xt::sum<Sum>(xt::square(xt::cast<Sum>(adapt(p, n))))()));
  });
  list.add<T>("prod", name,
              [=](const T* p, std::size_t n) { return Values{static_cast<double>(xt::prod<Sum>(adapt(p, n))())}; });
  list.add<T>("statistics", name, [=](const T* p, std::size_t size) -> Values {
    const auto x = adapt(p, size);
    const auto n = static_cast<Sum>(size);
    const Sum sum = xt::sum<Sum>(x)(), l1 = xt::sum<Sum>(xt::abs(x))();
    const Sum squares = xt::sum<Sum>(xt::square(xt::cast<Sum>(x)))();
    keep(std::array{xt::amin(x)(), xt::amax(x)(), xt::amin(xt::abs(x))(), xt::amax(xt::abs(x))()});
    keep(std::array{xt::sum<std::size_t>(xt::isnan(x))(), xt::sum<std::size_t>(xt::isinf(x))(),
                    xt::sum<std::size_t>(xt::equal(x, T{0}))()});
    keep(xt::sum<Sum>(xt::square(xt::abs(x) - l1 / n))() / n);
    return {std::sqrt(squares), l1, sum, xt::sum<Sum>(xt::square(x - sum / n))() / n};
  });
}
#endif

#if PEERS_TORCH
torch::Tensor torch_tensor(const Piece& piece, torch::ScalarType type) {
  return torch::from_blob(const_cast<void*>(piece.data), {static_cast<std::int64_t>(piece.size)}, type);
}

Values torch_statistics(const torch::Tensor& x) {
  const auto [min, max] = x.aminmax();
  const torch::Tensor magnitudes = x.abs();
  const auto [abs_min, abs_max] = magnitudes.aminmax();
  keep(std::array{min.item<double>(), max.item<double>(), abs_min.item<double>(), abs_max.item<double>()});
  keep(std::array{x.isnan().sum().item<double>(), x.isinf().sum().item<double>(), x.eq(0).sum().item<double>()});
  keep(magnitudes.var(false).item<double>());
  return {x.norm().item<double>(), magnitudes.sum().item<double>(), x.sum().item<double>(),
          x.var(false).item<double>()};
}

template <class T>
void add_torch(List& list, torch::ScalarType type) {
  const auto add = [&](const char* operation, const char* name, auto f) {
    list.peers.push_back({operation, name_of<T>(), name, [=](Pieces pieces) -> Run {
                            return [f, x = torch_tensor(pieces[0], type)]() -> Values {
                              const torch::InferenceMode inference;
                              return f(x);
                            };
                          }});
  };
  add("l2", "libtorch", [](const torch::Tensor& x) { return Values{x.norm().item<double>()}; });
  add("l2", "libtorch_double", [](const torch::Tensor& x) { return Values{x.norm(2, torch::kDouble).item<double>()}; });
  if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    add("prod", "libtorch", [](const torch::Tensor& x) { return Values{x.prod().template item<double>()}; });
    add("statistics", "libtorch", torch_statistics);
  }
  if constexpr (std::same_as<T, float>)
    list.peers.push_back({"global_norm", "f32", "libtorch", [](Pieces pieces) -> Run {
                            std::vector<torch::Tensor> tensors;
                            for (const Piece& piece : pieces) tensors.push_back(torch_tensor(piece, torch::kFloat32));
                            return [tensors]() -> Values {
                              const torch::InferenceMode inference;
                              return {torch::stack(torch::_foreach_norm(tensors)).norm().item<double>()};
                            };
                          }});
}
#endif

}  // namespace

std::vector<Peer> all() {
  List list;
  add_reads(list);
  add_std<float>(list);
  add_std<double>(list);
  add_std<Half>(list);
  add_std<BFloat16>(list);
  add_crc32c_by_table(list);
#if PEERS_OPENBLAS
  add_openblas(list);
#endif
#if PEERS_EIGEN
  add_eigen<float, float>(list);
  add_eigen<double, double>(list);
  add_eigen<Half, Eigen::half>(list);
  add_eigen<BFloat16, Eigen::bfloat16>(list);
#endif
#if PEERS_XTENSOR
  add_xtensor<float, float>(list, "xtensor");
  add_xtensor<float, double>(list, "xtensor_double");
  add_xtensor<double, double>(list, "xtensor");
#endif
#if PEERS_TORCH
  torch::set_num_threads(1);
  add_torch<float>(list, torch::kFloat32);
  add_torch<double>(list, torch::kFloat64);
  add_torch<Half>(list, torch::kFloat16);
  add_torch<BFloat16>(list, torch::kBFloat16);
#endif
  return list.peers;
}

}  // namespace peers
