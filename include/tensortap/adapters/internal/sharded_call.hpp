// One collective call about sharded tensors: which rank holds which blocks, the exchange of the elements of blocks that
// several ranks hold, and of the values of branches of the tree. mpi.hpp says what it costs.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <array>
#include <bit>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/many.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline void require_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(Errc::io, std::string("mpi: ") + call + ": failed (" +
                            std::string(text.data(), static_cast<std::size_t>(length)) +
                            "); end the training, and start all ranks again");
}

/// Throws the error of a call that does not fit on every rank.
[[noreturn]] inline void throw_shards_differ(const std::string& thing, const std::string& cause) {
  throw Error(Errc::invalid_tensor,
              "mpi: " + thing + ": " + cause + "; give each rank its shards of the same tensors, in the same order");
}

/// Which elements of a tensor each rank holds. A block belongs to the rank that holds its first element.
class ShardBorders {
 public:
  explicit ShardBorders(std::span<const std::uint64_t> sizes) : begins_{0} {
    for (const std::uint64_t size : sizes) begins_.push_back(begins_.back() + size);
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return begins_.back(); }
  [[nodiscard]] std::size_t blocks() const noexcept { return first_block_after(size()); }
  [[nodiscard]] std::uint64_t begin(int rank) const { return begins_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::uint64_t end(int rank) const { return begins_[static_cast<std::size_t>(rank) + 1]; }
  [[nodiscard]] std::size_t first_block(int rank) const { return first_block_after(begin(rank)); }
  [[nodiscard]] std::size_t end_block(int rank) const { return first_block_after(end(rank)); }

  /// Returns the rank that holds element `i`.
  [[nodiscard]] int holder(std::uint64_t i) const {
    return static_cast<int>(std::upper_bound(begins_.begin(), begins_.end(), i) - begins_.begin()) - 1;
  }

  /// Returns how many elements of `rank` belong to a block that begins in another rank.
  [[nodiscard]] std::size_t head(int rank) const {
    return static_cast<std::size_t>(std::min<std::uint64_t>(end(rank), first_block(rank) * block_size) - begin(rank));
  }
  /// Returns the rank that such a block belongs to.
  [[nodiscard]] int receiver(int rank) const { return holder(begin(rank) / block_size * block_size); }

  /// Returns the end of the last block of `rank`, in elements; nothing of it may be of other ranks.
  [[nodiscard]] std::uint64_t end_of_blocks(int rank) const {
    return std::min<std::uint64_t>(end_block(rank) * block_size, size());
  }

  /// Calls `branch(rank, first, count)` for the largest branches of the tree over the blocks that one rank holds, from
  /// left to right, and combines what it returns.
  template <class Branch, class Merge>
  auto over_branches(std::size_t first, std::size_t count, Branch& branch, const Merge& merge) const
      -> decltype(branch(0, first, count)) {
    const int rank = holder(first * block_size);
    if (first + count <= end_block(rank)) return branch(rank, first, count);
    const std::size_t half = std::bit_floor(count - 1);
    const auto left = over_branches(first, half, branch, merge);
    return merge(left, over_branches(first + half, count - half, branch, merge));
  }

 private:
  static std::size_t first_block_after(std::uint64_t element) noexcept {
    return static_cast<std::size_t>((element + block_size - 1) / block_size);
  }

  std::vector<std::uint64_t> begins_;  // of each rank; then the size
};

/// What norms need of a branch: its sum of squares.
struct BranchSquares {
  using Value = double;
  static constexpr std::size_t numbers = 1;
  static Value of(const TensorView& view, ReduceOptions options) { return sums_of_squares({&view, 1}, options)[0]; }
  static Value merged(Value a, Value b) noexcept { return rounded(a + b); }
  static std::array<double, numbers> to_numbers(Value value) noexcept { return {value}; }
  static Value from_numbers(const double* from) noexcept { return *from; }
};

/// All statistics of a branch.
struct BranchStatistics {
  using Value = Statistics;
  static constexpr std::size_t numbers = statistics_fields.size();
  static Value of(const TensorView& view, ReduceOptions options) { return statistics(view, options); }
  static Value merged(const Value& a, const Value& b) noexcept { return merge(a, b); }
  static std::array<double, numbers> to_numbers(const Value& value) noexcept { return value.to_record(); }
  static Value from_numbers(const double* from) noexcept { return Statistics::from_record({from, numbers}).value(); }
};

/// One collective call: the shards of this rank, and those of others that it must know.
class ShardedCall {
 public:
  ShardedCall(std::span<const TensorView> shards, MPI_Comm comm, ReduceOptions options)
      : shards_(shards), comm_(comm), options_(options) {
    require_mpi(MPI_Comm_rank(comm, &rank_), "MPI_Comm_rank");
    require_mpi(MPI_Comm_size(comm, &ranks_), "MPI_Comm_size");
    exchange_sizes();
    exchange_heads();
  }

  /// Returns the value of each whole tensor: Part::Value{} if it has no elements. The caller sets the `IeeeMode`.
  template <class Part>
  [[nodiscard]] std::vector<typename Part::Value> values() {
    std::vector<double> mine;
    std::vector<std::size_t> places(static_cast<std::size_t>(ranks_) + 1);  // counted first, each after its place
    for (std::size_t t = 0; t < borders_.size(); ++t) {
      const auto find = [&](int rank, std::size_t first, std::size_t count) {
        places[static_cast<std::size_t>(rank) + 1] += Part::numbers;
        if (rank != rank_) return 0;
        const auto found = Part::to_numbers(branch<Part>(t, first, count));
        mine.insert(mine.end(), found.begin(), found.end());
        return 0;
      };
      if (borders_[t].size() > 0) borders_[t].over_branches(0, borders_[t].blocks(), find, [](int, int) { return 0; });
    }
    std::vector<int> counts, offsets;
    for (std::size_t rank = 0; rank + 1 < places.size(); ++rank) {
      counts.push_back(static_cast<int>(places[rank + 1]));
      places[rank + 1] += places[rank];
      if (places[rank + 1] > INT_MAX) throw_too_many();
      offsets.push_back(static_cast<int>(places[rank]));
    }
    std::vector<double> all(places.back());
    require_mpi(MPI_Allgatherv(mine.data(), static_cast<int>(mine.size()), MPI_DOUBLE, all.data(), counts.data(),
                               offsets.data(), MPI_DOUBLE, comm_),
                "MPI_Allgatherv");
    std::vector<typename Part::Value> out(borders_.size());
    for (std::size_t t = 0; t < borders_.size(); ++t) {
      const auto read = [&](int rank, std::size_t, std::size_t) {
        std::size_t& place = places[static_cast<std::size_t>(rank)];
        place += Part::numbers;
        return Part::from_numbers(all.data() + place - Part::numbers);
      };
      if (borders_[t].size() > 0) out[t] = borders_[t].over_branches(0, borders_[t].blocks(), read, Part::merged);
    }
    return out;
  }

 private:
  using Bytes = std::vector<std::byte>;

  /// Tells all ranks the types and sizes of all shards, and throws on each if they do not fit.
  void exchange_sizes() {
    const auto ranks = static_cast<std::size_t>(ranks_);
    const std::uint64_t tensors = shards_.size();
    std::vector<std::uint64_t> of_ranks(ranks);
    require_mpi(MPI_Allgather(&tensors, 1, MPI_UINT64_T, of_ranks.data(), 1, MPI_UINT64_T, comm_), "MPI_Allgather");
    for (std::size_t rank = 1; rank < ranks; ++rank)
      if (of_ranks[rank] != of_ranks[0])
        throw_shards_differ("the number of tensors", "it differs between ranks (" + std::to_string(of_ranks[0]) +
                                                         " in rank 0, " + std::to_string(of_ranks[rank]) + " in rank " +
                                                         std::to_string(rank) + ")");
    if (tensors > INT_MAX / (block_size * sizeof(std::uint64_t))) throw_too_many();
    std::vector<std::uint64_t> mine;
    for (const TensorView& shard : shards_) {
      mine.push_back(shard.size());
      mine.push_back(static_cast<std::uint64_t>(shard.dtype()));
    }
    std::vector<std::uint64_t> all(mine.size() * ranks);
    const int count = static_cast<int>(mine.size());
    require_mpi(MPI_Allgather(mine.data(), count, MPI_UINT64_T, all.data(), count, MPI_UINT64_T, comm_),
                "MPI_Allgather");
    for (std::size_t t = 0; t < tensors; ++t) {
      std::vector<std::uint64_t> sizes;
      std::size_t first = ranks;  // the first rank that holds elements
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        const std::uint64_t* const at = all.data() + rank * mine.size() + 2 * t;
        sizes.push_back(at[0]);
        if (at[0] == 0) continue;
        const auto dtype = static_cast<DType>(at[1]);
        if (!is_real(dtype)) throw Error::wrong_type("real numbers", to_string(dtype));
        if (first == ranks) first = rank;
        const auto expected = static_cast<DType>(all[first * mine.size() + 2 * t + 1]);
        if (dtype != expected)
          throw_shards_differ("tensor " + std::to_string(t),
                              "its type differs between ranks (" + std::string(to_string(expected)) + " in rank " +
                                  std::to_string(first) + ", " + std::string(to_string(dtype)) + " in rank " +
                                  std::to_string(rank) + ")");
      }
      borders_.emplace_back(sizes);
    }
  }

  /// Sends the elements before the first block of this rank, and completes its last blocks.
  void exchange_heads() {
    const auto ranks = static_cast<std::size_t>(ranks_);
    std::vector<Bytes> outgoing(ranks);
    std::vector<int> incoming(ranks);
    for (std::size_t t = 0; t < borders_.size(); ++t) {
      const std::size_t width = size_of(shards_[t].dtype());
      if (const std::size_t head = borders_[t].head(rank_); head > 0) {
        Bytes& to = outgoing[static_cast<std::size_t>(borders_[t].receiver(rank_))];
        to.resize(to.size() + head * width);
        copy_row_major(shards_[t], 0, head, to.data() + to.size() - head * width);
      }
      for_each_head(t, [&](std::size_t sender, std::size_t bytes) { incoming[sender] += static_cast<int>(bytes); });
    }
    Bytes sent;
    std::vector<int> send_counts, send_offsets, offsets;
    int received_bytes = 0;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      send_offsets.push_back(static_cast<int>(sent.size()));
      send_counts.push_back(static_cast<int>(outgoing[rank].size()));
      sent.insert(sent.end(), outgoing[rank].begin(), outgoing[rank].end());
      offsets.push_back(received_bytes);
      received_bytes += incoming[rank];
    }
    Bytes received(static_cast<std::size_t>(received_bytes));
    require_mpi(MPI_Alltoallv(sent.data(), send_counts.data(), send_offsets.data(), MPI_BYTE, received.data(),
                              incoming.data(), offsets.data(), MPI_BYTE, comm_),
                "MPI_Alltoallv");
    for (std::size_t t = 0; t < borders_.size(); ++t)
      for_each_head(t, [&](std::size_t sender, std::size_t bytes) {
        Bytes& block = last_blocks_[t];
        if (block.empty()) block = rest_of_shard(t);
        const std::byte* const from = received.data() + offsets[sender];
        block.insert(block.end(), from, from + bytes);
        offsets[sender] += static_cast<int>(bytes);
      });
  }

  /// Calls `f(rank, bytes)` for each rank whose head completes the last block of this rank in tensor `t`.
  template <class F>
  void for_each_head(std::size_t t, const F& f) const {
    const ShardBorders& borders = borders_[t];
    if (borders.first_block(rank_) == borders.end_block(rank_)) return;
    const std::size_t width = size_of(shards_[t].dtype());
    for (int rank = rank_ + 1; rank < ranks_ && borders.begin(rank) < borders.end_of_blocks(rank_); ++rank)
      if (borders.head(rank) > 0) f(static_cast<std::size_t>(rank), borders.head(rank) * width);
  }

  /// Returns the elements of this rank in the last block of tensor `t`, which has more.
  [[nodiscard]] Bytes rest_of_shard(std::size_t t) const {
    const ShardBorders& borders = borders_[t];
    const auto first = static_cast<std::size_t>((borders.end_block(rank_) - 1) * block_size - borders.begin(rank_));
    const std::size_t count = shards_[t].size() - first;
    Bytes out(count * size_of(shards_[t].dtype()));
    copy_row_major(shards_[t], first, count, out.data());
    return out;
  }

  /// Returns the value of a branch of blocks that this rank has.
  template <class Part>
  [[nodiscard]] typename Part::Value branch(std::size_t t, std::size_t first, std::size_t count) {
    constexpr std::size_t most_copied = 64;  // blocks of a shard that is not contiguous
    const TensorView& shard = shards_[t];
    const ShardBorders& borders = borders_[t];
    const auto last = last_blocks_.find(t);
    const bool is_joined = last != last_blocks_.end() && first + count == borders.end_block(rank_);
    if (is_joined && count == 1)
      return value_of<Part>(last->second.data(), t, last->second.size() / size_of(shard.dtype()));
    if (!is_joined && (shard.is_contiguous() || count <= most_copied)) {
      const auto begin = static_cast<std::size_t>(first * block_size - borders.begin(rank_));
      const std::size_t elements = std::min<std::size_t>(count * block_size, shard.size() - begin);
      if (shard.is_contiguous())
        return value_of<Part>(shard.bytes().data() + begin * size_of(shard.dtype()), t, elements);
      copied_.resize(elements * size_of(shard.dtype()));
      copy_row_major(shard, begin, elements, copied_.data());
      return value_of<Part>(copied_.data(), t, elements);
    }
    const std::size_t half = std::bit_floor(count - 1);
    const auto left = branch<Part>(t, first, half);
    return Part::merged(left, branch<Part>(t, first + half, count - half));
  }

  template <class Part>
  [[nodiscard]] typename Part::Value value_of(const std::byte* elements, std::size_t t, std::size_t count) const {
    const std::array<std::int64_t, 1> shape = {static_cast<std::int64_t>(count)};
    return Part::of(TensorView(elements, shards_[t].dtype(), shape), options_);
  }

  [[noreturn]] static void throw_too_many() {
    throw Error(Errc::invalid_tensor, "mpi: the shards: too many tensors for one call; give some of them at a time");
  }

  std::span<const TensorView> shards_;
  MPI_Comm comm_;
  ReduceOptions options_;
  int rank_ = 0, ranks_ = 1;
  std::vector<ShardBorders> borders_;         // by tensor
  std::map<std::size_t, Bytes> last_blocks_;  // by tensor: the last block of this rank, if other ranks hold some of it
  Bytes copied_;                              // blocks of a shard that is not contiguous
};

[[gnu::noinline]] inline double norm_of_sharded(ShardedCall& call) {
  const std::vector<double> squares = call.values<BranchSquares>();
  const double sum = *reduce(as_view(squares), Reduction::sum);
  if (is_finite(sum)) return std::sqrt(sum);
  const bool nan = (bits_of(sum) << 1) > (infinity_bits<double> << 1);  // a comparison would not see it in -ffast-math
  return number_of(nan ? nan_bits : infinity_bits<double>);
}

[[gnu::noinline]] inline Statistics statistics_of_sharded(ShardedCall& call) {
  const std::vector<Statistics> found = call.values<BranchStatistics>();
  const auto leaf = [&](std::size_t i) { return found[i]; };
  return pairwise(0, found.size(), leaf, BranchStatistics::merged);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
