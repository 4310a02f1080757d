// The network of spot_training, whose ranks share the parts of each batch. All ranks have the same weights.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <tensortap/adapters/mpi.hpp>

#include "../spot_training/activation.hpp"
#include "../spot_training/fashion_mnist.hpp"
#include "../spot_training/parameters.hpp"
#include "../spot_training/parts.hpp"
#include "../spot_training/pass.hpp"

namespace mpi_training {

using spot_training::Activation;
using spot_training::Batch;
using spot_training::Parameters;
using spot_training::Pass;
using spot_training::Random;
using spot_training::Scores;

/// Sums over a batch are taken within each of its parts, then over the parts in their order, as one process does: the
/// same bits for any number of ranks, and as those of spot_training. More ranks than parts have nothing to do.
class ParallelNetwork {
 public:
  /// Each rank computes on one thread.
  explicit ParallelNetwork(Random& random, std::size_t, Activation activation) : activation_(activation) {
    parameters.randomise(random);
    int rank = 0, ranks = 1;
    MPI_Comm_rank(comm_, &rank);
    MPI_Comm_size(comm_, &ranks);
    rank_ = static_cast<std::size_t>(rank);
    ranks_ = static_cast<std::size_t>(ranks);
  }

  /// Returns the scores of the network on a batch; each rank gives the whole batch.
  Scores forward(const Batch& batch) {
    const std::size_t total = batch.labels.size();
    parts_ = std::min(total, spot_training::part_count);
    passes_.resize(begin_of(parts_, rank_ + 1) - begin_of(parts_, rank_));
    std::vector<double> mine;
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      const std::size_t part = begin_of(parts_, rank_) + i;
      const std::size_t begin = total * part / parts_, end = total * (part + 1) / parts_;
      passes_[i].activation = activation_;
      passes_[i].forward(parameters, xt::view(batch.images, xt::range(begin, end)),
                         std::span(batch.labels).subspan(begin, end - begin), total);
      mine.insert(mine.end(), {passes_[i].scores.loss, passes_[i].scores.accuracy});
    }
    std::vector<double> all(2 * parts_);
    std::vector<int> counts, offsets;
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      offsets.push_back(static_cast<int>(2 * begin_of(parts_, rank)));
      counts.push_back(static_cast<int>(2 * begin_of(parts_, rank + 1)) - offsets.back());
    }
    MPI_Allgatherv(mine.data(), static_cast<int>(mine.size()), MPI_DOUBLE, all.data(), counts.data(), offsets.data(),
                   MPI_DOUBLE, comm_);
    Scores sum;
    for (std::size_t part = 0; part < parts_; ++part) {
      sum.loss += all[2 * part];
      sum.accuracy += all[2 * part + 1];
    }
    return sum;
  }

  /// Sets `gradient` to that of the loss of the last forward. Each rank adds up a slice of it, and sends that to all.
  void backward() {
    std::vector<std::vector<float>> terms;
    for (Pass& pass : passes_) {
      pass.backward(parameters);
      terms.push_back(joined(pass.gradient));
    }
    const std::size_t size = joined(gradient).size();
    std::vector<float> sent;
    std::vector<int> sent_counts, sent_offsets, counts, offsets, slice_counts, slice_offsets;
    const std::size_t slice = begin_of(size, rank_ + 1) - begin_of(size, rank_);  // of this rank
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      const std::size_t begin = begin_of(size, rank), end = begin_of(size, rank + 1);
      sent_offsets.push_back(static_cast<int>(sent.size()));
      for (const std::vector<float>& term : terms)
        sent.insert(sent.end(), term.begin() + static_cast<std::ptrdiff_t>(begin),
                    term.begin() + static_cast<std::ptrdiff_t>(end));
      sent_counts.push_back(static_cast<int>(sent.size()) - sent_offsets.back());
      offsets.push_back(static_cast<int>(slice * begin_of(parts_, rank)));
      counts.push_back(static_cast<int>(slice * begin_of(parts_, rank + 1)) - offsets.back());
      slice_offsets.push_back(static_cast<int>(begin));
      slice_counts.push_back(static_cast<int>(end - begin));
    }
    std::vector<float> of_parts(slice * parts_);  // this slice of each part, in their order
    MPI_Alltoallv(sent.data(), sent_counts.data(), sent_offsets.data(), MPI_FLOAT, of_parts.data(), counts.data(),
                  offsets.data(), MPI_FLOAT, comm_);
    slice_.assign(slice, 0.0f);
    for (std::size_t part = 0; part < parts_; ++part)
      for (std::size_t i = 0; i < slice; ++i) slice_[i] += of_parts[part * slice + i];
    std::vector<float> all(size);
    MPI_Allgatherv(slice_.data(), static_cast<int>(slice), MPI_FLOAT, all.data(), slice_counts.data(),
                   slice_offsets.data(), MPI_FLOAT, comm_);
    const float* from = all.data();
    for (const auto numbers : gradient.numbers()) {
      std::copy(from, from + numbers.size(), numbers.begin());
      from += numbers.size();
    }
  }

  /// Returns the norm of the gradient from the slices of the ranks, each of which reads its own alone. All ranks call
  /// it.
  double gradient_norm() const { return tensortap::sharded_l2(slice_, comm_); }

  Parameters parameters;
  Parameters gradient;

 private:
  /// Returns the first of `count` things that belongs to `rank`.
  std::size_t begin_of(std::size_t count, std::size_t rank) const { return count * rank / ranks_; }

  static std::vector<float> joined(const Parameters& tensors) {
    std::vector<float> out;
    for (const auto numbers : tensors.numbers()) out.insert(out.end(), numbers.begin(), numbers.end());
    return out;
  }

  MPI_Comm comm_ = MPI_COMM_WORLD;
  std::size_t rank_ = 0, ranks_ = 1;
  Activation activation_;
  std::size_t parts_ = 0;     // of the last batch
  std::vector<Pass> passes_;  // of the parts of this rank
  std::vector<float> slice_;  // of the gradient
};

}  // namespace mpi_training
