// From the records of a step to its two files: the events, as pieces that borrow the elements, and the index.
//
// Not for users: the writer's thread calls it.
#pragma once

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/step_records.hpp>
#include <tensortap/record/crc32c.hpp>
#include <tensortap/record/event.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

/// Memory is kept from step to step.
class StepEncoder {
 public:
  /// `run` is the attempt to be named in the index; without it there are no keys of ours.
  StepEncoder(std::string worker, std::optional<std::int64_t> run, bool strip_output_numbers)
      : worker_(std::move(worker)), run_(run), strip_output_numbers_(strip_output_numbers) {}

  /// Encodes `step`. Lifetime: what the others return is good until the next call, and as long as `step` is.
  void encode(const StepRecords& step) {
    frames_.clear();
    cuts_.clear();
    index_.clear();
    std::uint64_t start = 0;
    const EventEncoder events(step.step());
    for (const CapturedRecord& record : step.records()) {
      if (record.kind == CapturedRecord::Kind::shape) {
        index_.add_shape(record.tensor->name, record.tensor->name, record.view.shape());
        continue;
      }
      const std::size_t before = frames_.size();
      set_name(record);
      events.append_head(frames_, name_, record.wall_time, record.view);
      cuts_.push_back({frames_.size(), &record});
      const std::size_t head = frames_.size() - before;
      frames_ += events.tail();
      const std::uint64_t length = frames_.size() - before + record.view.nbytes();
      index_.add(name_, start, length, run_ ? std::optional(checksum(record, before, head)) : std::nullopt);
      start += length;
    }
    bytes_ = start;
    cut_pieces();
    const std::int64_t global_step = step.step().global_step;
    event_key_ = cuts_.empty() ? std::string() : layout::event_key(global_step, worker_);
    index_key_ = layout::index_key(global_step, worker_);
    index_text_ = index_.text(step.step().mode, step.step().mode_step, event_key_, run_);
  }

  /// Empty if only shapes were saved: then there is no events file.
  [[nodiscard]] const std::string& event_key() const noexcept { return event_key_; }
  [[nodiscard]] std::span<const Bytes> events() const noexcept { return pieces_; }
  [[nodiscard]] const std::string& index_key() const noexcept { return index_key_; }
  [[nodiscard]] const std::string& index() const noexcept { return index_text_; }
  /// Size of the events file.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  /// The elements of `record` belong at `at` of the frames.
  struct Cut {
    std::size_t at;
    const CapturedRecord* record;
  };

  void set_name(const CapturedRecord& record) {
    name_.clear();
    if (record.kind == CapturedRecord::Kind::reduction)
      name_.append(layout::reductions_prefix).append(to_string(record.reduction)).append("/");
    if (record.kind == CapturedRecord::Kind::reduction && strip_output_numbers_) {
      append_without_output_numbers(record.tensor->name);
    } else {
      name_ += record.tensor->name;
    }
  }

  /// "a:0/b:12" is "a/b".
  void append_without_output_numbers(std::string_view name) {
    for (std::size_t i = 0; i < name.size();) {
      std::size_t digits = i + 1;
      while (digits < name.size() && std::isdigit(static_cast<unsigned char>(name[digits])) != 0) ++digits;
      if (name[i] == ':' && digits > i + 1) {
        i = digits;
      } else {
        name_ += name[i++];
      }
    }
  }

  /// Of the payload: all of a record but the framing.
  [[nodiscard]] std::uint32_t checksum(const CapturedRecord& record, std::size_t begin, std::size_t head) const {
    const Bytes frame = bytes_of(frames_).subspan(begin);
    std::uint32_t crc = crc32c(frame.subspan(tfrecord::header_size, head - tfrecord::header_size));
    if (record.view.nbytes() > 0) crc = crc32c(record.view.bytes(), crc);
    return crc32c(frame.subspan(head, frame.size() - head - tfrecord::footer_size), crc);
  }

  /// Frames and elements by turns; only now, for `frames_` moves while it grows.
  void cut_pieces() {
    pieces_.clear();
    std::size_t begin = 0;
    for (const Cut& cut : cuts_) {
      if (cut.record->view.nbytes() == 0) continue;
      pieces_.push_back(bytes_of(frames_).subspan(begin, cut.at - begin));
      pieces_.push_back(cut.record->view.bytes());
      begin = cut.at;
    }
    pieces_.push_back(bytes_of(frames_).subspan(begin));
  }

  std::string worker_;
  std::optional<std::int64_t> run_;
  bool strip_output_numbers_;
  std::string name_;
  std::string frames_;  // what stands around the elements, one record after the other
  std::vector<Cut> cuts_;
  std::vector<Bytes> pieces_;
  IndexText index_;
  std::string event_key_;
  std::string index_key_;
  std::string index_text_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tensortap::inline v0
