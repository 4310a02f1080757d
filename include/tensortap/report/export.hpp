// Writes a run as a table for other programs: CSV for spreadsheets, JSON lines for scripts, Parquet for DuckDB, Polars
// and pandas, NPZ for numpy.
//
//   std::ofstream file("run.parquet", std::ios::binary);
//   tensortap::export_run(tensortap::open_store("runs/42"), tensortap::ExportFormat::parquet, file);
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/trial.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// The formats.
enum class ExportFormat : std::uint8_t {
  csv,         ///< RFC 4180; a name that a spreadsheet would take for a formula begins with an apostrophe
  json_lines,  ///< one object a line, without the columns that a row lacks; NaN and infinities are strings
  npz,         ///< an archive of arrays, without pickle; the elements alone
  parquet,     ///< row groups of at most a million rows, sorted by tensor and step
};

/// Returns "csv", "jsonl", "npz", "parquet".
std::string_view to_string(ExportFormat format) noexcept;

/// What is exported. A field that is left out does not restrict.
struct ExportOptions {
  TensorQuery query = {};   ///< tensors; with a mode, steps are those of the mode
  StepRange steps = {};     ///< steps of that mode, else global ones
  std::string worker = {};  ///< the worker
};

/// What was exported.
struct Exported {
  std::uint64_t rows = 0;           ///< of a table; of NPZ: tensors, each in one step of one worker
  std::uint64_t left_out = 0;       ///< of NPZ: tensors of strings or bfloat16, which numpy lacks, or without elements
  std::vector<Damage> damage = {};  ///< what could not be read
};

/// Writes `run` to `out`. A table has a row for each tensor, step and worker, in the order of steps, and the columns of
/// README.md. NPZ has an array "MODE/TENSOR" of all steps, and "MODE/TENSOR/steps" with their numbers; "/WORKER"
/// follows TENSOR if there are several workers. If the elements of a tensor change their type or shape, or have more
/// than 256 MiB, each step has an array of its own, "MODE/TENSOR/step_N". Throws: there is no run or no such
/// collection; a refused pattern; the store failed; `out` cannot be written.
Exported export_run(const std::shared_ptr<const Store>& run, ExportFormat format, std::ostream& out,
                    const ExportOptions& options = {});

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/report/internal/export_impl.hpp>
#endif
