// What tensortap is measured against: other libraries, plain loops and the mere read of the memory. Each at its best:
// peers.cpp is compiled with -O3 -march=native, and holds the libraries that CMake found.
//
//   for (const peers::Peer& peer : peers::all())
//     if (peer.operation == "l2" && peer.dtype == "f32") const double norm = peer.prepare(pieces)()[0];
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace peers {

/// One tensor. Units of size: elements.
struct Piece {
  const void* data;
  std::size_t size, bytes;
};
/// What an operation works on: one tensor, or many.
using Pieces = std::span<const Piece>;

/// What it finds, as far as its accuracy is of interest: the result; of statistics l2, l1, sum and variance.
using Values = std::array<double, 4>;

/// The operation itself, all of it each time it is called.
using Run = std::function<Values()>;

struct Peer {
  std::string operation, dtype, name;
  std::function<Run(Pieces)> prepare;
};

/// All of them. The operations `read` and `read_2_threads`, of any dtype, are the plain reads, in several forms.
std::vector<Peer> all();

}  // namespace peers
