// The peers of the reductions: other libraries, plain loops and plain reads of the memory. peers.cpp is compiled with
// -O3 -march=native and uses the libraries that CMake finds.
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
/// The input of an operation: one tensor or many.
using Pieces = std::span<const Piece>;

/// The values whose accuracy is measured: the result; for statistics l2, l1, sum and variance.
using Values = std::array<double, 4>;

/// The whole operation.
using Run = std::function<Values()>;

struct Peer {
  std::string operation, dtype, name;
  std::function<Run(Pieces)> prepare;
};

/// Returns all peers. The operations `read` and `read_2_threads`, for any dtype, are plain reads in several forms.
std::vector<Peer> all();

}  // namespace peers
