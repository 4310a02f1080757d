// The bodies of tensorboard.hpp.
#pragma once

#include <algorithm>
#include <array>
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
#include <tensortap/record/internal/process_fact.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/report/internal/exported_steps.hpp>
#include <tensortap/report/internal/histogram_rows.hpp>
#include <tensortap/report/internal/new_directory.hpp>
#include <tensortap/report/internal/tensorboard_file.hpp>
#include <tensortap/report/internal/whole_objects.hpp>
#include <tensortap/report/tensorboard.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the facts of a run that describe its training, and not its process, without "hyperparameters/".
inline std::map<std::string, std::string> hyperparameters_of(const std::map<std::string, std::string>& facts) {
  constexpr std::string_view prefix = "hyperparameters/";
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : facts) {
    if (std::find(process_fact::all.begin(), process_fact::all.end(), name) != process_fact::all.end()) continue;
    const std::string rest = name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
    out[rest.empty() || facts.contains(rest) ? name : rest] = value;
  }
  return out;
}

/// Returns `worker` as the name of a directory that is below its parent.
inline std::string directory_of_worker(const std::string& worker) {
  std::string out = worker.empty() || worker.front() == '.' ? "_" + worker : worker;
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '/' || c == '\\'; }, '_');
  return out;
}

/// Exports the steps of one run.
class TensorBoardExport {
 public:
  TensorBoardExport(const Trial& trial, const ExportOptions& options, const std::filesystem::path& directory)
      : trial_(trial), options_(options), facts_(hyperparameters_of(trial.facts())) {
    std::set<std::string> taken;
    const std::vector<std::string> workers = trial.workers();
    for (const std::string& worker : workers) {
      std::string name = workers.size() > 1 ? directory_of_worker(worker) : std::string();
      while (!taken.insert(name).second) name += '~';
      places_[worker] = directory / name;
    }
  }

  ExportedToTensorBoard run() {
    for (const Mode mode : exported_modes(trial_, options_)) export_mode(mode);
    return std::move(done_);
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
      if (file.finish(trial_.ended())) ++done_.files;
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
    const std::string& name = tensor.name();
    const auto add = [&](const std::string& curve, double value) {
      file.add_scalar(name, curve, value);
      ++done_.scalars;
    };
    const auto value = tensor.value(number, worker);
    const auto saved = tensor.saved_reductions(number, worker);
    std::set<Reduction> written;
    for (std::size_t i = 0; i < reduction_count; ++i) {
      const auto r = static_cast<Reduction>(i);
      const auto record = saved.find(std::string(to_string(r)));
      if (record == saved.end() || record->second.size() != 1 || !is_real(record->second.dtype())) continue;
      add(name + "/" + record->first, record->second.number(0));
      written.insert(r);
    }
    if (!value) {
      if (!saved.empty()) ++done_.without_elements;
      const auto record = saved.find(std::string(to_string(Reduction::statistics)));
      if (record == saved.end() || record->second.dtype() != DType::f64) return;
      if (const auto statistics = Statistics::from_record(record->second.as<double>())) {
        using R = Reduction;
        for (const R r : std::array{R::min, R::max, R::mean, R::std, R::l2})
          if (const auto reduced = reduction_of(*statistics, r);
              reduced && statistics->count > 0 && written.insert(r).second)
            add(name + "/" + std::string(to_string(r)), *reduced);
        add(name + "/zeros", static_cast<double>(statistics->zeros));
        add(name + "/nan", static_cast<double>(statistics->nan));
        add(name + "/inf", static_cast<double>(statistics->non_finite() - statistics->nan));
      }
    } else if (!is_real(value->dtype())) {
      ++done_.left_out;
    } else if (value->size() == 1) {
      add(name, value->number(0));
    } else {
      const Statistics statistics = tensortap::statistics(*value);
      file.add_histogram(name, histogram_rows(*value, statistics));
      ++done_.histograms;
      // A histogram does not show them.
      if (statistics.nan > 0) add(name + "/nan", static_cast<double>(statistics.nan));
      if (const auto inf = statistics.non_finite() - statistics.nan; inf > 0)
        add(name + "/inf", static_cast<double>(inf));
    }
  }

  const Trial& trial_;
  const ExportOptions& options_;
  const std::map<std::string, std::string> facts_;
  std::map<std::string, std::filesystem::path> places_;  // by worker
  ExportedToTensorBoard done_;
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
