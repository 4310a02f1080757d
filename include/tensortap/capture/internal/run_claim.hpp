// The claim of a process on a run.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Claims `key` in `store` for this process; returns null while another process holds it.
inline std::unique_ptr<Claim> claim_run(Store& store, const std::string& key) {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  return store.claim(key, "process " + std::to_string(::getpid()) + " on " + host + "\n");
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
