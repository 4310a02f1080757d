// Opens a directory, or "s3://BUCKET/PREFIX" if tensortap::net is linked.
#pragma once

#include <memory>
#include <string>

#include <tensortap/tensortap.hpp>

namespace spot_training {

/// Opens a store as tensortap::open_store() does, but with a lease of 5 s instead of 30 s, so that the next machine
/// need not wait long. `phases` takes the calls to S3. Throws: an s3:// address without tensortap::net.
std::shared_ptr<tensortap::Store> open_store(const std::string& address,
                                             const std::shared_ptr<tensortap::PhaseSink>& phases = nullptr);

}  // namespace spot_training
