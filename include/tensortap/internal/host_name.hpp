// The name of this machine.
#pragma once

#include <unistd.h>

#include <array>
#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the name of this machine; empty if the system does not tell it.
inline std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// Returns what a claim says of this process: "process 4242 on host", and a line end.
inline std::string claim_of_process() { return "process " + std::to_string(::getpid()) + " on " + host_name() + "\n"; }

}  // namespace detail
TENSORTAP_END_NAMESPACE
