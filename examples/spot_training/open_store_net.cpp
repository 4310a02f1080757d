// Opens stores, also those of S3.
#include <chrono>

#include <tensortap/net.hpp>

#include "open_store.hpp"

namespace spot_training {

std::shared_ptr<tensortap::Store> open_store(const std::string& address,
                                             const std::shared_ptr<tensortap::PhaseSink>& phases) {
  if (!address.starts_with("s3://")) return tensortap::open_store(address);
  return std::make_shared<tensortap::S3Store>(address,
                                              tensortap::S3Options{.lease = std::chrono::seconds(5), .phases = phases});
}

}  // namespace spot_training
