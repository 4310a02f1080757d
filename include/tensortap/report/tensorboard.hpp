// Writes a run as event files for TensorBoard: curves of tensors of one element, reductions and statistics, histograms
// of the elements of others, and hyperparameters. The run may be finished, interrupted, or still being written.
//
//   const auto done = tensortap::export_tensorboard(tensortap::open_store("runs/42"), "board/42");
//   std::cout << done.scalars << " points of curves, " << done.histograms << " histograms\n";
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/export.hpp>
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// What was written for TensorBoard. Counts are of values, each of one tensor in one step of one worker.
struct ExportedToTensorBoard {
  std::uint64_t files = 0;             ///< event files, one for each worker and mode
  std::uint64_t scalars = 0;           ///< points of curves
  std::uint64_t histograms = 0;        ///< of elements
  std::uint64_t without_elements = 0;  ///< of which there are but reductions or statistics: curves, and no histogram
  std::uint64_t left_out = 0;          ///< strings and complex numbers
  std::vector<Damage> damage = {};     ///< what could not be read
};

/// Writes `run` to event files below `directory`, which must be new or empty, and which appears when it is whole:
/// "MODE/events.out.tfevents…", with several workers "WORKER/MODE/…". README.md lists the tags. Each step of a mode is
/// there once, however often the run was interrupted; its number is that of the mode, and its time the one at which it
/// was saved. Equal runs make equal files. Memory: for the largest tensor, and 1 MiB for each worker. Throws: the
/// directory holds something or cannot be written; there is no run or no such collection; a refused pattern; the store
/// failed.
ExportedToTensorBoard export_tensorboard(const std::shared_ptr<const Store>& run, std::string_view directory,
                                         const ExportOptions& options = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/report/internal/tensorboard_impl.hpp>
#endif
