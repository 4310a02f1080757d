// The bodies of worker_place.hpp.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <tensortap/capture/internal/worker_of_environment.hpp>
#include <tensortap/capture/worker_place.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::optional<WorkerPlace> WorkerPlace::from_environment(const Variable& variable) {
  std::vector<std::string> warnings;
  const auto found = detail::worker_of_environment(
      variable ? variable : Variable([](const char* name) { return std::getenv(name); }), warnings);
  if (!warnings.empty()) throw Error::bad_option("worker", warnings.front());
  if (!found) return std::nullopt;
  return WorkerPlace{found->rank, found->count};
}

TENSORTAP_END_NAMESPACE
