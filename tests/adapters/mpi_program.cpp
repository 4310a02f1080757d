// The functions of adapters/mpi.hpp, called by each rank of `mpirun`; mpi_test.py starts it with several numbers of
// ranks. Each rank has the whole tensors too, and compares bits with the functions for those. Rank 0 prints a hash of
// all results: it must not depend on the number of ranks. Calls of MPI are counted by its profiling interface. usage:
// mpi_program [--measure ELEMENTS]
#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <tensortap/adapters/mpi.hpp>
#include <tensortap/tensortap.hpp>

#include "reduce/inputs.hpp"

namespace tt = tensortap;

namespace {

int rank_of_this = 0, ranks = 1;
int failures = 0;
std::uint64_t bytes_sent = 0;    // by this rank to others
std::uint64_t bytes_of_all = 0;  // that the last MPI_Allgatherv has brought

void check(bool right, const std::string& what) {
  if (right) return;
  if (++failures <= 20) std::fprintf(stderr, "rank %d of %d: %s\n", rank_of_this, ranks, what.c_str());
}

/// A hash of all results.
std::uint64_t results = 0xcbf29ce484222325;
void note(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) results = (results ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
}

bool is_same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool is_same(const tt::Statistics& a, const tt::Statistics& b) {
  const auto x = a.to_record(), y = b.to_record();
  return std::memcmp(x.data(), y.data(), sizeof x) == 0 && a.first_non_finite == b.first_non_finite &&
         a.abs_max_index == b.abs_max_index && a.non_finite_bits == b.non_finite_bits;
}

/// Returns where each rank begins, and the end, for one way to cut `size` elements.
using Cut = std::vector<std::size_t> (*)(std::size_t size);

std::size_t count_of_ranks() { return static_cast<std::size_t>(ranks); }

std::vector<std::size_t> evenly(std::size_t size) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i <= count_of_ranks(); ++i) out.push_back(size * i / count_of_ranks());
  return out;
}
std::vector<std::size_t> at_blocks(std::size_t size) {
  std::vector<std::size_t> out = evenly(size);
  for (std::size_t i = 1; i < count_of_ranks(); ++i) out[i] = out[i] / 4096 * 4096;
  return out;
}
std::vector<std::size_t> all_in_last(std::size_t size) {
  std::vector<std::size_t> out(count_of_ranks(), 0);
  out.push_back(size);
  return out;
}
std::vector<std::size_t> all_in_first(std::size_t size) {
  std::vector<std::size_t> out(count_of_ranks() + 1, size);
  out[0] = 0;
  return out;
}
std::vector<std::size_t> small_ones_first(std::size_t size) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < count_of_ranks(); ++i) out.push_back(std::min(size, 7 * i));
  out.push_back(size);
  return out;
}
std::vector<std::size_t> small_ones_last(std::size_t size) {
  std::vector<std::size_t> out = small_ones_first(size);
  for (std::size_t& at : out) at = size - at;
  std::reverse(out.begin(), out.end());
  return out;
}
std::vector<std::size_t> anywhere(std::size_t size) {
  inputs::Random random(size + count_of_ranks());
  std::vector<std::size_t> out = {0, size};
  for (int i = 1; i < ranks; ++i) out.push_back(static_cast<std::size_t>(random.bits() >> 8) % (size + 1));
  std::sort(out.begin(), out.end());
  return out;
}

constexpr std::array<Cut, 7> cuts = {evenly,           at_blocks,       all_in_last, all_in_first,
                                     small_ones_first, small_ones_last, anywhere};

/// The part of this rank of some elements, contiguous or as every second of a row in reverse.
template <class T>
class Shard {
 public:
  Shard(const std::vector<T>& whole, const std::vector<std::size_t>& begins, bool contiguous)
      : contiguous_(contiguous) {
    const auto me = static_cast<std::size_t>(rank_of_this);
    for (std::size_t i = begins[me]; i < begins[me + 1]; ++i) {
      elements_.push_back(whole[i]);
      if (!contiguous) elements_.push_back(inputs::element<T>(77));  // between the elements
    }
    if (!contiguous) std::reverse(elements_.begin(), elements_.end());
  }
  [[nodiscard]] tt::TensorView view() const {
    const auto count = static_cast<std::int64_t>(elements_.size());
    if (contiguous_) return {elements_.data(), *tt::dtype_v<T>, std::array{count}};
    // The last one is the first of the shard.
    return {elements_.data() + std::max<std::int64_t>(count - 1, 0), *tt::dtype_v<T>, std::array{count / 2},
            std::array<std::int64_t, 1>{-2}};
  }

 private:
  bool contiguous_;
  std::vector<T> elements_;
};

template <class T>
void check_whole(const std::vector<T>& whole, const std::string& what) {
  const tt::TensorView all(whole.data(), *tt::dtype_v<T>, std::array{static_cast<std::int64_t>(whole.size())});
  const double l2 = tt::l2(all);
  const tt::Statistics statistics = tt::statistics(all);
  note(std::as_bytes(std::span(&l2, 1)));
  const auto record = statistics.to_record();
  note(std::as_bytes(std::span(record)));
  // A call of MPI takes milliseconds where ranks share a core, so each tensor is cut in three of the ways, in turn.
  static std::size_t turn = 0;
  for (int i = 0; i < 3; ++i, ++turn) {
    const std::size_t way = turn % cuts.size();
    const bool contiguous = turn / cuts.size() % 2 == 0;
    const Shard<T> shard(whole, cuts[way](whole.size()), contiguous);
    const tt::TensorView view = shard.view();
    const std::string text = what + ", " + std::to_string(whole.size()) + " elements, cut " + std::to_string(way) +
                             (contiguous ? "" : ", not contiguous");
    const tt::ReduceOptions options{.threads = turn % 16 == 0 ? 2 : 1};
    check(is_same(tt::sharded_l2(view, MPI_COMM_WORLD, options), l2), text + ": another norm");
    check(is_same(tt::sharded_statistics(view, MPI_COMM_WORLD, options), statistics), text + ": other statistics");
  }
}

template <class T>
void check_type(const char* name) {
  constexpr std::array<std::size_t, 10> sizes = {0,    1,        17,           4095,    4096,
                                                 4097, 3 * 4096, 5 * 4096 + 1, 100'003, 70 * 4096 + 5};
  for (const std::size_t size : sizes) {
    check_whole(inputs::bell<T>(size, 3, 20), name);
    if constexpr (tt::is_floating(*tt::dtype_v<T>)) {
      std::vector<T> odd = inputs::bell<T>(size, 0, 1e-4);
      for (std::size_t i = 0; i < size; i += 997) odd[i] = inputs::element<T>(i % 2 == 0 ? -0.0 : 6e4);
      check_whole(odd, std::string(name) + " of several sizes");
      for (std::size_t i = size / 3; i < size; i += 1 + size / 2)
        odd[i] = inputs::element<T>(i % 2 == 0 ? INFINITY : -INFINITY);
      check_whole(odd, std::string(name) + " with infinities");
      if (size > 0) std::memset(static_cast<void*>(&odd[size - 1 - size / 4]), 0xff, sizeof(T));  // NaN with a payload
      check_whole(odd, std::string(name) + " with NaN");
      if (size > 0) std::memset(static_cast<void*>(odd.data()), 0xff, size * sizeof(T));
      check_whole(odd, std::string(name) + " of NaN");
    }
  }
}

/// All tensors of a model in one call.
void check_many() {
  const std::vector<std::size_t> sizes = {9000, 12, 0, 4096, 1, 65'536, 100'000, 3, 0, 20'481};
  for (const Cut cut : cuts) {
    std::vector<std::vector<float>> tensors;
    std::vector<Shard<float>> shards;
    std::vector<tt::TensorView> whole, views;
    for (std::size_t i = 0; i < 10 * sizes.size(); ++i) {
      tensors.push_back(inputs::bell<float>(sizes[i % sizes.size()] + i / 50, 0.1, 1, i));
      shards.emplace_back(tensors.back(), cut(tensors.back().size()), i % 3 != 0);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      whole.push_back(tt::as_view(tensors[i]));
      views.push_back(shards[i].view());
    }
    const double norm = tt::sharded_global_norm(views, MPI_COMM_WORLD);
    check(is_same(norm, tt::global_norm(whole)), "another global norm");
    note(std::as_bytes(std::span(&norm, 1)));
    check(is_same(tt::sharded_statistics(std::span<const tt::TensorView>(views), MPI_COMM_WORLD),
                  tt::statistics(std::span<const tt::TensorView>(whole))),
          "other statistics of many");
  }
  const std::span<const tt::TensorView> none;
  check(is_same(tt::sharded_global_norm(none, MPI_COMM_WORLD), 0.0), "the norm of nothing");
  check(tt::sharded_statistics(none, MPI_COMM_WORLD).count == 0, "the statistics of nothing");
}

/// Sums that overflow, and the caller's floating-point mode.
void check_limits() {
  check_whole(std::vector<double>(20'000, 1e154), "squares that overflow together");
  check_whole(std::vector<double>(20'000, 1e200), "squares that overflow");
  check_whole(inputs::bell<double>(30'000, 1e6, 1), "a large mean");
  std::vector<double> small(30'000, 3e-162);
  for (std::size_t i = 0; i < small.size(); i += 3) small[i] = -5e-162;
#if defined(__x86_64__)
  const unsigned usual = _mm_getcsr();
  const Shard<double> shard(small, evenly(small.size()), true);
  const tt::TensorView view = shard.view();
  _mm_setcsr(usual | 0x8040);  // subnormals are 0
  const double norm = tt::sharded_l2(view, MPI_COMM_WORLD);
  const tt::Statistics statistics = tt::sharded_statistics(view, MPI_COMM_WORLD);
  _mm_setcsr(usual);
  check(norm > 0 && is_same(norm, tt::l2(small)), "the norm depends on the floating-point mode");
  check(is_same(statistics, tt::statistics(small)), "the statistics depend on the floating-point mode");
#endif
  // A sum in long double, which no block and no tree has made.
  const std::vector<float> values = inputs::bell<float>(200'001, 1, 3);
  const Shard<float> some(values, anywhere(values.size()), true);
  const auto exact = static_cast<double>(std::sqrt(inputs::reference(std::span<const float>(values)).sum_squares));
  const double found = tt::sharded_l2(some.view(), MPI_COMM_WORLD);
  check(std::abs(found - exact) <= 1e-13 * exact, "the norm is wrong");
}

void check_throws(const std::function<void()>& call, const std::string& words) {
  try {
    call();
    check(false, "no error with: " + words);
  } catch (const tt::Error& error) {
    check(std::string(error.what()).find(words) != std::string::npos, error.what());
  }
}

/// What does not fit is an error on every rank.
void check_errors() {
  const std::vector<float> floats(10, 1.0f);
  const std::vector<double> doubles(10, 1.0);
  const std::vector<std::complex<float>> complex(10);
  const bool is_last = rank_of_this == ranks - 1;
  check_throws([&] { (void)tt::sharded_l2(complex, MPI_COMM_WORLD); }, "real numbers");
  if (ranks == 1) return;
  check_throws([&] { (void)tt::sharded_l2(is_last ? tt::as_view(complex) : tt::as_view(floats), MPI_COMM_WORLD); },
               "real numbers");
  check_throws(
      [&] { (void)tt::sharded_statistics(is_last ? tt::as_view(doubles) : tt::as_view(floats), MPI_COMM_WORLD); },
      "tensor 0: its type differs between ranks (float32 in rank 0, float64 in rank " + std::to_string(ranks - 1) +
          ")");
  const std::vector<tt::TensorView> views(is_last ? 2 : 3, tt::as_view(floats));
  check_throws([&] { (void)tt::sharded_global_norm(views, MPI_COMM_WORLD); }, "the number of tensors: it differs");
  check_throws([&] { (void)tt::differing_replicas(views, MPI_COMM_WORLD); },
               "the number of tensors: it differs between ranks (2 to 3)");
  const std::vector<double> nothing;  // an empty shard has no type
  check(is_same(tt::sharded_l2(is_last ? tt::as_view(nothing) : tt::as_view(floats), MPI_COMM_WORLD),
                std::sqrt(10.0 * (ranks - 1))),
        "an empty shard of another type");
}

void check_replicas() {
  std::vector<std::vector<float>> weights = {inputs::bell<float>(100'000), inputs::bell<float>(7), {}};
  const std::vector<std::string> names = {"a", "b"};
  const auto differing = [&] {
    std::vector<tt::TensorView> views;
    for (const auto& weight : weights) views.push_back(tt::as_view(weight));
    views.push_back(tt::as_view(names));
    return tt::differing_replicas(views, MPI_COMM_WORLD);
  };
  using Found = std::vector<tt::DifferingReplica>;
  check(differing().empty(), "equal replicas differ");
  if (rank_of_this == ranks - 1) weights[1][6] = std::nextafter(weights[1][6], 9.0f);
  check(differing() == (ranks == 1 ? Found() : Found{{1, ranks - 1}}), "one bit is not found");
  if (rank_of_this == 0) weights[0][99'999] = -weights[0][99'999];
  // Of two, the first counts as the usual one; of more, the majority.
  const int odd_one = ranks == 2 ? 1 : 0;
  check(differing() == (ranks == 1 ? Found() : Found{{0, odd_one}, {1, ranks - 1}}), "two ranks are not found");

  std::vector<float> pairs;
  for (const float x : weights[0]) pairs.insert(pairs.end(), {x, 5.0f});
  const tt::TensorView strided(pairs.data(), tt::DType::f32, std::array<std::int64_t, 1>{100'000},
                               std::array<std::int64_t, 1>{2});
  check(tt::replica_digest(strided) == tt::replica_digest(tt::as_view(weights[0])), "digests depend on strides");
  const tt::TensorView matrix(weights[0].data(), tt::DType::f32, std::array<std::int64_t, 2>{10, 10'000});
  check(tt::replica_digest(matrix) != tt::replica_digest(tt::as_view(weights[0])), "digests miss the shape");
  std::swap(weights[0][3], weights[0][4]);
  check(tt::replica_digest(strided) != tt::replica_digest(tt::as_view(weights[0])), "digests miss the order");
}

/// The cost that mpi.hpp states.
void check_bytes() {
  for (const std::size_t size : {std::size_t{4096}, std::size_t{1'000'000}}) {
    const std::vector<float> whole = inputs::bell<float>(size);
    const Shard<float> shard(whole, anywhere(size), true);
    const std::size_t blocks = (size + 4095) / 4096;
    const double branches = 2 * std::log2(static_cast<double>(blocks)) + 1;
    bytes_sent = 0;
    (void)tt::sharded_l2(shard.view(), MPI_COMM_WORLD);
    check(bytes_sent <= 4095 * sizeof(float), "more than 4095 elements are sent");
    check(static_cast<double>(bytes_of_all) <= ranks * branches * 8, "too many sums are exchanged");
    (void)tt::sharded_statistics(shard.view(), MPI_COMM_WORLD);
    check(static_cast<double>(bytes_of_all) <= ranks * branches * 160, "too many statistics are exchanged");
  }
}

template <class Work>
double best_of(int times, const Work& work) {
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    MPI_Barrier(MPI_COMM_WORLD);
    const auto start = std::chrono::steady_clock::now();
    work();
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    best = std::min(best, seconds);
  }
  return best;
}

/// Prints the times of the sharded norm and of the plain one, and the bytes exchanged.
void measure(std::size_t size) {
  const std::vector<float> whole = inputs::bell<float>(size);
  const std::vector<std::size_t> begins = evenly(size);
  const auto me = static_cast<std::size_t>(rank_of_this);
  const std::span<const float> mine(whole.data() + begins[me], begins[me + 1] - begins[me]);
  volatile double sink = 0;
  const double sharded = best_of(21, [&] { sink = tt::sharded_l2(mine, MPI_COMM_WORLD); });
  const double part = best_of(21, [&] { sink = tt::l2(mine); });
  const double plain = best_of(21, [&] { sink = rank_of_this == 0 ? tt::l2(whole) : 0; });
  const double described = best_of(21, [&] { (void)tt::sharded_statistics(mine, MPI_COMM_WORLD); });
  const double digests = best_of(21, [&] { sink = tt::replica_digest(tt::as_view(mine)); });
  bytes_sent = 0;
  sink = tt::sharded_l2(mine, MPI_COMM_WORLD);
  std::array<std::uint64_t, 1> sent = {bytes_sent};
  MPI_Allreduce(MPI_IN_PLACE, sent.data(), 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  if (rank_of_this == 0)
    std::printf(
        "%zu float32 in %d ranks: sharded_l2 %.1f us, l2 of the shard on all ranks %.1f us, l2 of the whole on one "
        "rank "
        "%.1f us, sharded_statistics %.1f us, digests of the shards %.1f us; sent %llu bytes of elements, gathered "
        "%llu "
        "bytes: %.6f bytes for each element\n",
        size, ranks, 1e6 * sharded, 1e6 * part, 1e6 * plain, 1e6 * described, 1e6 * digests,
        static_cast<unsigned long long>(sent[0]), static_cast<unsigned long long>(bytes_of_all),
        static_cast<double>(sent[0] + bytes_of_all) / static_cast<double>(size));
}

}  // namespace

int MPI_Alltoallv(const void* sent, const int* send_counts, const int* send_offsets, MPI_Datatype send_type,
                  void* received, const int* counts, const int* offsets, MPI_Datatype type, MPI_Comm comm) {
  for (int rank = 0; rank < ranks; ++rank)
    if (rank != rank_of_this) bytes_sent += static_cast<std::uint64_t>(send_counts[rank]);
  return PMPI_Alltoallv(sent, send_counts, send_offsets, send_type, received, counts, offsets, type, comm);
}

int MPI_Allgatherv(const void* sent, int count, MPI_Datatype send_type, void* received, const int* counts,
                   const int* offsets, MPI_Datatype type, MPI_Comm comm) {
  bytes_of_all = sizeof(double) * static_cast<std::uint64_t>(std::accumulate(counts, counts + ranks, 0));
  return PMPI_Allgatherv(sent, count, send_type, received, counts, offsets, type, comm);
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_of_this);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  try {
    if (argc == 3 && std::string(argv[1]) == "--measure") {
      measure(static_cast<std::size_t>(std::atoll(argv[2])));
    } else {
      check_type<float>("float32");
      check_type<double>("float64");
      check_type<tt::Half>("float16");
      check_type<tt::BFloat16>("bfloat16");
      check_type<std::int32_t>("int32");
      check_type<std::uint8_t>("uint8");
      check_many();
      check_limits();
      check_errors();
      check_replicas();
      check_bytes();
    }
  } catch (const std::exception& error) {  // the other ranks may wait for this one
    std::fprintf(stderr, "rank %d of %d: %s\n", rank_of_this, ranks, error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  if (rank_of_this == 0) std::printf("results %016llx\n", static_cast<unsigned long long>(results));
  MPI_Finalize();
  return failures == 0 ? 0 : 1;
}
