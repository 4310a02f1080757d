// Where a run or checkpoints live: a directory, or "s3://BUCKET/PREFIX" where this program is built for that.
#pragma once

#include <memory>
#include <string>

#include <tensortap/tensortap.hpp>

namespace spot_training {

/// As tensortap::open_store(); but a machine that has vanished is given up after some seconds, not half a minute.
/// Throws: this program cannot speak to S3.
std::shared_ptr<tensortap::Store> open_store(const std::string& address);

}  // namespace spot_training
