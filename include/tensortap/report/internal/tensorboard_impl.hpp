// The bodies of tensorboard.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/tensorboard_values.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/report/internal/exported_steps.hpp>
#include <tensortap/report/internal/new_directory.hpp>
#include <tensortap/report/internal/tensorboard_file.hpp>
#include <tensortap/report/internal/whole_objects.hpp>
#include <tensortap/report/tensorboard.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Exports the steps of one run.
class TensorBoardExport {
 public:
  TensorBoardExport(const Trial& trial, const ExportOptions& options, const std::filesystem::path& directory)
      : trial_(trial), options_(options), facts_(tensorboard::hyperparameters_of(trial.facts())) {
    std::set<std::string> taken;
    const std::vector<std::string> workers = trial.workers();
    for (const std::string& worker : workers) {
      std::string name = workers.size() > 1 ? tensorboard::directory_of_worker(worker) : std::string();
      while (!taken.insert(name).second) name += '~';
      places_[worker] = directory / name;
    }
  }

  ExportedToTensorBoard run() {
    for (const Mode mode : exported_modes(trial_, options_)) export_mode(mode);
    return {.files = files_,
            .scalars = counts_.scalars,
            .histograms = counts_.histograms,
            .without_elements = counts_.without_elements,
            .left_out = counts_.left_out};
  }

 private:
  void export_mode(Mode mode) {
    TensorQuery query = options_.query;
    query.mode = mode;
    const std::vector<TensorHistory> tensors = trial_.tensors(query);
    std::map<std::int64_t, std::vector<const TensorHistory*>> by_step;
    for (const TensorHistory& tensor : tensors)
      for (const std::int64_t number : tensor.steps()) by_step[number].push_back(&tensor);
    std::map<std::string, TensorBoardFile> files;
    for (const auto& [number, saved] : by_step) {
      if (!is_exported(trial_, options_, mode, number)) continue;
      // Worker by worker, because each has an events file of its own.
      std::map<std::string, std::vector<const TensorHistory*>> by_worker;
      for (const TensorHistory* tensor : saved)
        for (const std::string& worker : tensor->workers(number))
          if (options_.worker.empty() || options_.worker == worker) by_worker[worker].push_back(tensor);
      for (const auto& [worker, of_worker] : by_worker) {
        auto& file = files.try_emplace(worker, places_[worker] / to_string(mode), &facts_).first->second;
        export_step(of_worker, number, worker, file);
      }
    }
    for (auto& [worker, file] : files)
      if (file.finish(trial_.ended())) ++files_;
  }

  void export_step(const std::vector<const TensorHistory*>& tensors, std::int64_t number, const std::string& worker,
                   TensorBoardFile& file) {
    std::optional<double> wall_time;
    for (const TensorHistory* tensor : tensors)
      if ((wall_time = tensor->wall_time(number, worker))) break;
    if (!wall_time) return;  // nothing can be read, or there are but shapes
    file.begin_step(number, *wall_time);
    for (const TensorHistory* tensor : tensors) export_tensor(*tensor, number, worker, file);
  }

  void export_tensor(const TensorHistory& tensor, std::int64_t number, const std::string& worker,
                     TensorBoardFile& file) {
    const auto value = tensor.value(number, worker);
    const auto saved = tensor.saved_reductions(number, worker);
    tensorboard::SavedParts parts;
    if (value) parts.elements = as_view(*value);
    parts.has_reductions = !saved.empty();
    for (const auto& [kind, record] : saved) {
      const auto r = parse_reduction(kind);
      if (!r) continue;
      if (*r == Reduction::statistics) {
        if (record.dtype() == DType::f64) parts.statistics = Statistics::from_record(record.as<double>());
      } else if (!is_record(*r) && record.size() == 1 && is_real(record.dtype())) {
        parts.reductions[static_cast<std::size_t>(*r)] = record.number(0);
      }
    }
    tensorboard::add_tensor(file.events(), tensor.name(), parts, counts_);
    file.flush_if_large();
  }

  const Trial& trial_;
  const ExportOptions& options_;
  const std::map<std::string, std::string> facts_;
  std::map<std::string, std::filesystem::path> places_;  // by worker
  std::uint64_t files_ = 0;
  tensorboard::ValueCounts counts_;
};

}  // namespace detail

TENSORTAP_INLINE ExportedToTensorBoard export_tensorboard(const std::shared_ptr<const Store>& run,
                                                          std::string_view directory, const ExportOptions& options) {
  const Trial trial(std::make_shared<detail::WholeObjects>(run));
  detail::NewDirectory target(directory);
  ExportedToTensorBoard done = detail::TensorBoardExport(trial, options, target.path()).run();
  target.finish();
  done.damage = trial.damage();
  return done;
}

TENSORTAP_END_NAMESPACE
