// The claim of a process on a run.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Claims the run in `store` for the worker of `options`; returns null while another process holds it.
inline std::unique_ptr<Claim> claim_run(Store& store, const HookOptions& options) {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  return store.claim(layout::claim_key(options.num_workers, options.worker),
                     "process " + std::to_string(::getpid()) + " on " + host + "\n");
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
