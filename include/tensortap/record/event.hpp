// One record of events/: one tensor of one step, as one of smdebug's protobuf messages. Reading checks every length
// before it uses it.
//
//   const tensortap::Event event = tensortap::parse_event(tensortap::tfrecord::payload(bytes, key));
//   std::cout << event.info.tag << ": " << event.tensor.number(0) << '\n';
#pragma once

#include <string>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The parts of a record besides the tensor.
struct EventInfo {
  std::string tag;         ///< the name of the tensor, or of a reduction of it
  Step step;               ///< mode and mode step are the record's plugin data
  double wall_time = 0.0;  ///< Units: seconds since 1970
};

/// One record.
struct Event {
  EventInfo info;
  Tensor tensor;
};

/// Returns the event in `payload`, the inside of a record.
/// Throws: bytes that do not follow the format, or hold no tensor.
Event parse_event(Bytes payload);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/event_impl.hpp>
#endif
