// The events file of a step that is still being captured. The writer begins with it while training copies the next
// elements, so that copying and writing take place at the same time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/internal/attempt_context.hpp>
#include <tensortap/capture/internal/step_encoder.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/writer_thread.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes a beginning of the file; `finish` adds the rest. A failure leaves nothing: the step is then put as a whole,
/// since its elements stay in memory until it is published. Threads: the writer's.
class EarlyEvents {
 public:
  explicit EarlyEvents(AttemptContext& context)
      : context_(context), encoder_(context.options.worker, std::nullopt, context.options.strip_output_numbers) {}

  /// Writes what is complete of the records so far. `may_begin`: whether to begin the file of another step. Returns
  /// false if the store writes objects only whole.
  bool write(const ShownRecords& shown, bool may_begin) noexcept {
    try {
      if (shown.step != step_) {
        abandon();
        step_ = shown.step;
        if (may_begin)
          file_ = context_.store->begin_object(layout::event_key(step_->step().global_step, context_.options.worker));
        if (may_begin && !file_) return false;
      }
      if (!file_) return true;
      if (!shown.records.empty()) {
        write_until(encoded_);
        encoder_.encode(step_->step(), shown.records);
        encoded_ = encoder_.bytes();
        at_ = 0;
      }
      const std::span<const Bytes> pieces = encoder_.events();  // …, the last elements, and what follows them
      const Bytes elements = pieces[pieces.size() - 2];
      if (shown.copied < elements.size())
        write_until(encoded_ - pieces.back().size() - (elements.size() - shown.copied));
      else
        write_until(encoded_);
    } catch (...) {
      file_.reset();
    }
    return true;
  }

  /// Abandons what was written, unless it is a beginning of the events of `step`, which is complete now.
  void keep_only(const StepRecords& step) noexcept {
    if (step_ != &step || !step.only_grows()) abandon();
  }

  /// Returns whether `finish` may be called.
  [[nodiscard]] bool has_begun() const noexcept { return file_ != nullptr; }

  /// Adds the rest of the file, whose whole content is `pieces`, and makes it visible. Returns false if there is such
  /// an object already. Throws: the store failed.
  bool finish(std::span<const Bytes> pieces, std::uint64_t size, Sync sync) {
    const std::unique_ptr<ObjectWriter> file = std::move(file_);
    file->append(between(pieces, written_, size));
    return file->finish(sync, IfExists::keep);
  }

  /// Removes what was written and not finished.
  void abandon() noexcept {
    file_.reset();
    step_ = nullptr;
    encoded_ = at_ = written_ = 0;
  }

 private:
  /// Writes the encoded records up to byte `end`.
  void write_until(std::uint64_t end) {
    if (end == at_) return;
    file_->append(between(encoder_.events(), at_, end));
    written_ += end - at_;
    at_ = end;
  }

  /// Returns the bytes of `pieces` from `begin` to `end`. Lifetime: until the next call.
  [[nodiscard]] std::span<const Bytes> between(std::span<const Bytes> pieces, std::uint64_t begin, std::uint64_t end) {
    part_.clear();
    for (const Bytes piece : pieces) {
      const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(begin, piece.size()));
      const auto last = static_cast<std::size_t>(std::min<std::uint64_t>(end, piece.size()));
      if (first < last) part_.push_back(piece.subspan(first, last - first));
      begin -= first;
      end -= last;
    }
    return part_;
  }

  AttemptContext& context_;
  StepEncoder encoder_;  // without an attempt: the index, with its checksums, comes later
  std::unique_ptr<ObjectWriter> file_;
  const StepRecords* step_ = nullptr;
  std::uint64_t encoded_ = 0;  // bytes of the records in the encoder
  std::uint64_t at_ = 0;       // how many of these are written
  std::uint64_t written_ = 0;  // bytes of the file
  std::vector<Bytes> part_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
