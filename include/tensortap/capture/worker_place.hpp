// The place of a process among those of a distributed training, as its launcher says: no call of MPI is needed. A
// program with options of its own takes the name of its worker from it; Hook::from_environment() does so by itself.
//
//   const auto place = tensortap::WorkerPlace::from_environment().value_or(tensortap::WorkerPlace{});
//   tensortap::Hook hook("run", {.worker = place.worker(), .num_workers = place.count});
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The place of a process among `count`.
struct WorkerPlace {
  /// Returns the value of an environment variable; null if it is not set.
  using Variable = std::function<const char*(const char* name)>;

  std::int64_t rank = 0;   ///< from 0 to count - 1
  std::int64_t count = 1;  ///< processes of the training

  /// Returns the name of this process in a run: "worker_0", "worker_1" …
  [[nodiscard]] std::string worker() const { return "worker_" + std::to_string(rank); }

  /// Returns the place that the launcher nearest to the process tells: Open MPI (OMPI_COMM_WORLD_RANK and _SIZE), MPICH
  /// and others with PMI (PMI_RANK, PMI_SIZE), torchrun (RANK, WORLD_SIZE), srun (SLURM_PROCID, SLURM_STEP_NUM_TASKS),
  /// then the hosts of SageMaker (SM_HOSTS, SM_CURRENT_HOST). nullopt: there is no launcher. Throws: a launcher tells a
  /// place that cannot be, since two processes with one name would take each other's steps.
  [[nodiscard]] static std::optional<WorkerPlace> from_environment(const Variable& variable = {});
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/worker_place_impl.hpp>
#endif
