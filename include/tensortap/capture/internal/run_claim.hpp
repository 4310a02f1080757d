// The claim of a process on a run.
#pragma once

#include <memory>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/host_name.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Claims `key` in `store` for this process; returns null while another process holds it.
inline std::unique_ptr<Claim> claim_run(Store& store, const std::string& key) {
  return store.claim(key, claim_of_process());
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
