// Progress of an object that is sent to S3.
//
//   tensortap::TransferObserver observer{.sent = [](tensortap::Bytes part) { progress += part.size(); }};
#pragma once

#include <functional>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Observes the bytes of an object while it is sent. Threads: several at once.
struct TransferObserver {
  std::function<void(Bytes)> seen = {};  ///< called for bytes that were read for a checksum; they are sent later
  std::function<void(Bytes)> sent = {};  ///< called for bytes that have arrived
};

TENSORTAP_END_NAMESPACE
