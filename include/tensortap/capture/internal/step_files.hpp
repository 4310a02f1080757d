// The files of a batch of steps: one index for each step, and events files, which several steps may share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/step_encoder.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Encodes batches of steps. Buffers are reused between calls to `encode`. Threads: the writer's.
class StepFiles {
 public:
  /// One events file; its key names the first step in it.
  struct Events {
    std::string key;
    std::vector<Bytes> pieces;
    std::uint64_t size = 0;
    std::size_t steps = 0;
  };

  /// The size at which a shared file ends. Units: bytes.
  static constexpr std::uint64_t enough = std::uint64_t{8} << 20;

  /// `attempt` and `strip_output_numbers`: see StepEncoder.
  StepFiles(std::string worker, std::optional<std::int64_t> attempt, bool strip_output_numbers,
            std::size_t steps_per_file)
      : encoder_(std::move(worker), attempt, strip_output_numbers), steps_per_file_(steps_per_file) {}

  /// Encodes `steps`. Lifetime: the results of the other functions are valid until the next call, and while `steps`
  /// live.
  void encode(std::span<const StepRecords* const> steps) {
    events_.clear();
    file_of_.assign(steps.size(), 0);
    while (encoders_.size() < steps.size()) encoders_.push_back(encoder_);
    bool is_full = true;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (is_full) events_.emplace_back();
      Events& file = events_.back();
      StepEncoder& encoder = encoders_[i];
      encoder.encode(*steps[i], file.key, file.size);
      if (file.key.empty()) file.key = encoder.event_key();
      if (encoder.bytes() > 0) file.pieces.insert(file.pieces.end(), encoder.events().begin(), encoder.events().end());
      file.size += encoder.bytes();
      file_of_[i] = events_.size() - 1;
      is_full = ++file.steps == steps_per_file_ || file.size >= enough;
    }
  }

  /// The events files. A file without a key is empty: its steps have only shapes.
  [[nodiscard]] std::span<const Events> events() const noexcept { return events_; }

  /// Returns the position in `events` of the file with the events of step `step` of the batch.
  [[nodiscard]] std::size_t file_of(std::size_t step) const { return file_of_[step]; }

  /// Returns the index of step `step` of the batch, and its part of an events file.
  [[nodiscard]] const StepEncoder& step(std::size_t step) const { return encoders_[step]; }

 private:
  StepEncoder encoder_;  // a prototype
  std::size_t steps_per_file_;
  std::vector<StepEncoder> encoders_;  // by step
  std::vector<Events> events_;
  std::vector<std::size_t> file_of_;  // by step
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
