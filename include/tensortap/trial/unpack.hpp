// Unpacking: puts the files in the segments of a packed run in their places, byte for byte, so that the run is the one
// that a hook without packing writes, and readers of SageMaker Debugger see it.
//
//   const auto run = tensortap::open_store("runs/42");
//   const tensortap::Unpacked done = tensortap::unpack(run);                                    // in place
//   const tensortap::Unpacked copied = tensortap::unpack(run, tensortap::open_store("copy"));  // the run stays
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// What was unpacked.
struct Unpacked {
  std::uint64_t segments = 0;
  std::uint64_t steps = 0;          ///< of all workers
  std::uint64_t files = 0;          ///< events and indexes in segments
  std::uint64_t bytes = 0;          ///< of these
  std::uint64_t copied = 0;         ///< other objects that were copied
  std::vector<Damage> damage = {};  ///< what could not be read; such a segment stays where it is
};

/// Unpacks `run` in place: writes the files of each segment, makes them durable, and removes the segment; segments in
/// superseded/ too. If it ends early, for any reason, nothing is lost or doubled for readers of tensortap, and the next
/// call goes on. Does nothing if nothing is packed. Throws: a living process writes the run; the store failed.
Unpacked unpack(const std::shared_ptr<Store>& run);

/// Copies `run` to the store `to`, unpacked; `run` stays. The end marker comes last. If it ends early, the next call
/// completes the copy. Throws: `to` holds another run; a store failed.
Unpacked unpack(const std::shared_ptr<Store>& run, const std::shared_ptr<Store>& to);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/unpack_impl.hpp>
#endif
