// Names that no other process makes.
#pragma once

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include <tensortap/bytes/hex.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns 128 random bits as 32 digits; of the process and the time where the system has no random bits yet.
inline std::string random_text() {
  std::array<std::byte, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), GRND_NONBLOCK) != static_cast<ssize_t>(bytes.size())) {
    const std::array<std::int64_t, 2> numbers = {::getpid(),
                                                 std::chrono::steady_clock::now().time_since_epoch().count()};
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
  }
  return hex_of(bytes);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
