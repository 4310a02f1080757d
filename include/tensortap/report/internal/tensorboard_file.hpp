// An event file that an export writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <map>
#include <string>
#include <system_error>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/tensorboard_events.hpp>
#include <tensortap/record/internal/tensorboard_values.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The values of a run of TensorBoard, which is one directory. The file is made with the first step.
class TensorBoardFile {
 public:
  /// `facts` are the hyperparameters.
  TensorBoardFile(std::filesystem::path directory, const std::map<std::string, std::string>* facts)
      : directory_(std::move(directory)), facts_(facts) {}

  /// The step of what follows. Units: seconds since 1970.
  void begin_step(std::int64_t step, double wall_time) {
    events_.begin_step(step, wall_time);
    if (path_.empty()) begin_file();
  }

  /// What takes the values of the step.
  [[nodiscard]] TensorBoardEvents& events() noexcept { return events_; }

  /// Keeps memory bounded; to be called after each tensor. Throws: the file cannot be written.
  void flush_if_large() {
    if (events_.bytes().size() >= buffer_size) flush();
  }

  /// Ends the file. Returns whether there is one. Throws: it cannot be written.
  bool finish(bool has_ended) {
    if (path_.empty()) return false;
    if (has_ended && !facts_->empty()) events_.add_hparams_end();
    flush();
    return true;
  }

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 20;

  void begin_file() {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) throw Error::export_failed(0);
    path_ = directory_ / tensorboard::file_name(tensorboard::time_in_name(events_.wall_time()));
    events_.add_version();
    events_.add_hparams_start(*facts_);
  }

  /// Opens the file for each MiB, so that no number of workers needs too many open files.
  void flush() {
    std::ofstream file(path_, std::ios::binary | std::ios::app);
    file.write(events_.bytes().data(), static_cast<std::streamsize>(events_.bytes().size()));
    file.close();
    if (!file) throw Error::export_failed(events_.count());
    events_.bytes().clear();
  }

  std::filesystem::path directory_, path_;
  const std::map<std::string, std::string>* facts_;
  TensorBoardEvents events_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
