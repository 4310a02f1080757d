// Numbers of tensors that the ranks of an MPI communicator hold together, and checks of those that each rank holds
// whole. Norms and statistics of a sharded tensor have the bits of tensortap::l2, global_norm and statistics of the
// unsharded one, for any number of ranks and any borders between the shards.
//
//   const double norm = tensortap::sharded_global_norm(my_shards, MPI_COMM_WORLD);
//   for (const auto& [tensor, rank] : tensortap::differing_replicas(weights, MPI_COMM_WORLD)) …
//
// **Shards.** Rank 0 holds the first elements of the tensor in row-major order, rank 1 the next ones, and so on: rows
// of a matrix, or the flat shards of ZeRO and FSDP. A shard may have any size, 0 too, any shape, strides and real type.
// **Calls.** All functions are collective: each rank calls them with its shards of the same tensors, in the same order,
// on the thread that may call MPI. What is wrong with a shard is an error on every rank, so that none waits.
// **Cost.** Sums are added in blocks of 4096 elements and a tree over these (reduce/README.md). Each rank sends the
// elements before its first border of a block to the rank in which that block begins: at most 4095 elements of each
// tensor. Each rank then tells all others the values of the largest branches of the tree that it holds alone: at most
// 2 log2(blocks) of each tensor, 8 bytes for norms and 160 for statistics. Nothing else grows with the tensors.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tensortap/adapters/internal/sharded_call.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A tensor that should be equal on all ranks, and one that has another.
struct DifferingReplica {
  std::size_t tensor;  ///< its place among the tensors of the call
  int rank;            ///< holds another tensor than most; of two, than the first

  friend bool operator==(const DifferingReplica&, const DifferingReplica&) = default;
};

namespace detail {

template <class T>
concept OneShard = !std::is_convertible_v<const T&, std::span<const TensorView>>;

}  // namespace detail

/// Returns the euclidean norm of all elements of all tensors, in float64, on every rank. NaN propagates, and infinities
/// count. Numeric: the bits of `global_norm` of the whole tensors, for any number of ranks and threads. Empty: 0.
/// Throws, on every rank: the numbers of tensors differ between ranks, or the types of one; complex numbers, strings.
/// On one rank: MPI failed, if the communicator returns errors. Threads: as MPI_Init_thread has said.
[[nodiscard]] inline double sharded_global_norm(std::span<const TensorView> shards, MPI_Comm comm,
                                                ReduceOptions options = {}) {
  const detail::IeeeMode ieee;
  detail::ShardedCall call(shards, comm, options);
  return detail::norm_of_sharded(call);
}

/// Returns the norm of one tensor, of which `shard` is the part of this rank: any type that as_view() accepts.
/// Numeric: the bits of `l2` of the whole tensor. Throws, Threads: as `sharded_global_norm`.
template <detail::OneShard T>
[[nodiscard]] double sharded_l2(const T& shard, MPI_Comm comm, ReduceOptions options = {}) {
  const TensorView view = as_view(shard);
  return sharded_global_norm({&view, 1}, comm, options);
}

/// Returns the statistics of all elements of all tensors, in this order, on every rank. Indices count through all of
/// them. Numeric: the bits of `statistics` of the whole tensors. Throws, Threads: as `sharded_global_norm`.
[[nodiscard]] inline Statistics sharded_statistics(std::span<const TensorView> shards, MPI_Comm comm,
                                                   ReduceOptions options = {}) {
  const detail::IeeeMode ieee;
  detail::ShardedCall call(shards, comm, options);
  return shards.empty() ? Statistics() : detail::statistics_of_sharded(call);
}

/// Returns the statistics of one tensor, of which `shard` is the part of this rank.
template <detail::OneShard T>
[[nodiscard]] Statistics sharded_statistics(const T& shard, MPI_Comm comm, ReduceOptions options = {}) {
  const TensorView view = as_view(shard);
  return sharded_statistics({&view, 1}, comm, options);
}

/// Returns a digest of a tensor: its elements, shape and type, each bit of them, also those of NaN. Calls no MPI.
/// Numeric: 32 bits (CRC-32C); those of two different tensors are equal once in 4e9 times.
[[nodiscard]] inline std::uint32_t replica_digest(const TensorView& view) {
  constexpr std::size_t piece = 1 << 16;
  std::uint32_t out = crc32c(std::as_bytes(view.shape()), 1 + static_cast<std::uint32_t>(view.dtype()));
  if (view.dtype() == DType::string) {
    for (std::size_t i = 0; i < view.size(); ++i) {
      const std::string_view text = view.string(i);
      const std::uint64_t size = text.size();
      out = crc32c(std::as_bytes(std::span(text)), crc32c(std::as_bytes(std::span(&size, 1)), out));
    }
    return out;
  }
  if (view.is_contiguous()) return crc32c(view.bytes(), out);
  std::vector<std::byte> copy(std::min(piece, view.size()) * size_of(view.dtype()));
  for (std::size_t first = 0; first < view.size(); first += piece) {
    const std::size_t count = std::min(piece, view.size() - first);
    copy_row_major(view, first, count, copy.data());
    out = crc32c(std::span(copy).first(count * size_of(view.dtype())), out);
  }
  return out;
}

/// Returns which of the tensors that should be equal on all ranks are not, and on which ranks: in the order of the
/// tensors, then of the ranks; the same on every rank. Costs one pass over the memory, and 4 bytes from each rank for
/// each tensor. Throws, on every rank: the numbers of tensors differ. A run that holds statistics or elements of the
/// tensors needs no call of this: RankDivergence finds the same in it, later.
[[nodiscard]] inline std::vector<DifferingReplica> differing_replicas(std::span<const TensorView> tensors,
                                                                      MPI_Comm comm) {
  int ranks = 1;
  detail::require_mpi(MPI_Comm_size(comm, &ranks), "MPI_Comm_size");
  std::array<std::int64_t, 2> limits = {static_cast<std::int64_t>(tensors.size()),
                                        -static_cast<std::int64_t>(tensors.size())};
  detail::require_mpi(MPI_Allreduce(MPI_IN_PLACE, limits.data(), 2, MPI_INT64_T, MPI_MAX, comm), "MPI_Allreduce");
  if (limits[0] != -limits[1])
    detail::throw_shards_differ("the number of tensors", "it differs between ranks (" + std::to_string(-limits[1]) +
                                                             " to " + std::to_string(limits[0]) + ")");
  std::vector<std::uint32_t> mine, of_ranks(tensors.size() * static_cast<std::size_t>(ranks));
  for (const TensorView& tensor : tensors) mine.push_back(replica_digest(tensor));
  const int count = static_cast<int>(mine.size());
  detail::require_mpi(MPI_Allgather(mine.data(), count, MPI_UINT32_T, of_ranks.data(), count, MPI_UINT32_T, comm),
                      "MPI_Allgather");
  std::vector<DifferingReplica> out;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const auto digest = [&](int rank) { return of_ranks[static_cast<std::size_t>(rank) * tensors.size() + t]; };
    int usual = 0, most = 0;  // the first rank of the digest that most ranks have
    for (int rank = 0; rank < ranks; ++rank) {
      int same = 0;
      for (int other = 0; other < ranks; ++other) same += digest(other) == digest(rank) ? 1 : 0;
      if (same > most) usual = rank;
      most = std::max(most, same);
    }
    for (int rank = 0; rank < ranks; ++rank)
      if (digest(rank) != digest(usual)) out.push_back({t, rank});
  }
  return out;
}

TENSORTAP_END_NAMESPACE
