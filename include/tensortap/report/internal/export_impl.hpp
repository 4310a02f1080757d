// The bodies of export.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/report/export.hpp>
#include <tensortap/report/internal/npz_writer.hpp>
#include <tensortap/report/internal/parquet_writer.hpp>
#include <tensortap/report/internal/table_row.hpp>
#include <tensortap/report/internal/text_tables.hpp>
#include <tensortap/report/internal/whole_objects.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

template <class Writer>
void export_table(const Trial& trial, std::ostream& out, const ExportOptions& options, Exported& done) {
  Writer writer(out);
  for_each_saved(trial, options,
                 [&](const TensorHistory& tensor, std::int64_t number, const Step& step, const std::string& worker) {
                   const TableRow row = row_of(tensor, number, step, worker);
                   if (row.is_empty()) return;
                   writer.add(row);
                   ++done.rows;
                   if (!out) throw Error::export_failed(done.rows);
                 });
  writer.finish();
}

}  // namespace detail

TENSORTAP_INLINE std::string_view to_string(ExportFormat format) noexcept {
  constexpr std::array<std::string_view, 4> names = {"csv", "jsonl", "npz", "parquet"};
  return names[static_cast<std::size_t>(format)];
}

TENSORTAP_INLINE Exported export_run(const std::shared_ptr<const Store>& run, ExportFormat format, std::ostream& out,
                                     const ExportOptions& options) {
  const bool by_step = format != ExportFormat::npz;  // NPZ reads one tensor after the other
  const Trial trial(by_step ? std::make_shared<detail::WholeObjects>(run) : run);
  Exported done;
  switch (format) {
    case ExportFormat::csv: detail::export_table<detail::CsvWriter>(trial, out, options, done); break;
    case ExportFormat::json_lines: detail::export_table<detail::JsonLinesWriter>(trial, out, options, done); break;
    case ExportFormat::parquet: detail::export_table<detail::ParquetWriter>(trial, out, options, done); break;
    case ExportFormat::npz: detail::export_npz(trial, out, options, done); break;
  }
  out.flush();
  if (!out) throw Error::export_failed(done.rows);
  done.damage = trial.damage();
  return done;
}

TENSORTAP_END_NAMESPACE
