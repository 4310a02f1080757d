// How often a run holds each step of each worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <map>
#include <ostream>
#include <string>
#include <utility>

#include <tensortap/tensortap.hpp>

namespace mpi_training {

namespace tt = tensortap;

/// Prints a line for each worker: the steps that the run holds once, more often, never, and those that should not be
/// there. Returns whether all are there once. Reads the index files themselves: a Trial would hide duplicates.
inline bool print_worker_table(const std::string& run, std::int64_t workers, std::size_t train_steps,
                               std::size_t eval_steps, std::ostream& out) {
  const auto store = tt::open_store(run);
  using ModeStep = std::pair<tt::Mode, std::int64_t>;
  std::map<std::string, std::map<ModeStep, std::size_t>> times;
  for (std::int64_t rank = 0; rank < workers; ++rank) times[tt::WorkerPlace{rank, workers}.worker()];
  for (const tt::ObjectInfo& object : store->list(tt::layout::index_prefix)) {
    const auto name = tt::layout::parse_index_key(object.key);
    if (!name) continue;
    const tt::IndexFile index = tt::parse_index(tt::text_of(store->get(object.key).value()), object.key);
    ++times[name->worker][{index.mode, index.mode_step}];
  }
  out << "\nworker       steps    once    more   never   unknown\n";
  bool sound = true;
  for (auto& [worker, steps] : times) {
    std::size_t once = 0, more = 0, never = 0;
    for (const auto& [mode, count] : {std::pair{tt::Mode::train, train_steps}, {tt::Mode::eval, eval_steps}})
      for (std::size_t step = 0; step < count; ++step) {
        const auto found = steps.extract({mode, static_cast<std::int64_t>(step)});
        ++(!found ? never : found.mapped() == 1 ? once : more);
      }
    out << std::left << std::setw(10) << worker << std::right << std::setw(8) << train_steps + eval_steps
        << std::setw(8) << once << std::setw(8) << more << std::setw(8) << never << std::setw(10) << steps.size()
        << '\n';
    sound = sound && once == train_steps + eval_steps && more + never + steps.size() == 0;
  }
  return sound && times.size() == static_cast<std::size_t>(workers);
}

}  // namespace mpi_training
