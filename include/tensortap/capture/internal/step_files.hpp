// Steps as the files they become: an index for each, and events, which several may share.
//
// Not for users: the writer's thread calls it.
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

/// Memory is kept from time to time.
class StepFiles {
 public:
  /// An events file, named by the first step in it.
  struct Events {
    std::string key;
    std::vector<Bytes> pieces;
    std::uint64_t size = 0;
    std::size_t steps = 0;
  };

  /// Beyond that a shared file is cut. Units: bytes.
  static constexpr std::uint64_t enough = std::uint64_t{8} << 20;

  /// `run` and `strip_output_numbers` as StepEncoder has them.
  StepFiles(std::string worker, std::optional<std::int64_t> run, bool strip_output_numbers, std::size_t steps_per_file)
      : encoder_(std::move(worker), run, strip_output_numbers), steps_per_file_(steps_per_file) {}

  /// Encodes `steps`. Lifetime: what the others return is good until the next call, and as long as `steps` are.
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

  /// The files; one without a key holds nothing, since only shapes were saved.
  [[nodiscard]] std::span<const Events> events() const noexcept { return events_; }

  /// The number of the file in which the events of the step of this number are.
  [[nodiscard]] std::size_t file_of(std::size_t step) const { return file_of_[step]; }

  /// The files of one step; its events are but a part of theirs.
  [[nodiscard]] const StepEncoder& step(std::size_t step) const { return encoders_[step]; }

 private:
  StepEncoder encoder_;  // to make others from
  std::size_t steps_per_file_;
  std::vector<StepEncoder> encoders_;  // by step
  std::vector<Events> events_;
  std::vector<std::size_t> file_of_;  // by step
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
