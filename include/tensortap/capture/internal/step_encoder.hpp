// Encodes the records of one step as its two files: the events, as pieces that borrow the elements, and the index.
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

#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/event_encoder.hpp>
#include <tensortap/record/internal/index_text.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Appends `name` without its output numbers: "a:0/b:12" gives "a/b".
inline void append_without_output_numbers(std::string& out, std::string_view name) {
  for (std::size_t i = 0; i < name.size();) {
    std::size_t digits = i + 1;
    while (digits < name.size() && std::isdigit(static_cast<unsigned char>(name[digits])) != 0) ++digits;
    if (name[i] == ':' && digits > i + 1) {
      i = digits;
    } else {
      out += name[i++];
    }
  }
}

/// Buffers are reused between calls to `encode`. Threads: the writer's.
class StepEncoder {
 public:
  /// The index names `attempt`; without it the index has only the keys of smdebug.
  StepEncoder(std::string worker, std::optional<std::int64_t> attempt, bool strip_output_numbers)
      : worker_(std::move(worker)), attempt_(attempt), strip_output_numbers_(strip_output_numbers) {}

  /// Encodes `step`. Its events begin at byte `start` of the file `shared_key`; an empty key gives the step a file of
  /// its own. Lifetime: the results of the other functions are valid until the next call, and while `step` lives.
  void encode(const StepRecords& step, std::string_view shared_key = {}, std::uint64_t start = 0) {
    encode(step.step(), step.records(), shared_key, start);
  }

  /// The same for some records of `step`.
  void encode(const Step& step, std::span<const CapturedRecord> records, std::string_view shared_key = {},
              std::uint64_t start = 0) {
    start_ = start;
    frames_.clear();
    cuts_.clear();
    index_.clear();
    bytes_ = 0;
    const EventEncoder events(step);
    for (const CapturedRecord& record : records) {
      const std::string& tensor = record.tensor->name;
      switch (record.kind) {
        case CapturedRecord::Kind::shape: index_.add_shape(tensor, tensor, record.view.shape()); break;
        case CapturedRecord::Kind::raw: add(events, tensor, record.wall_time, record.view, record.checksum); break;
        case CapturedRecord::Kind::statistics:
          add(events, name_of(tensor, Reduction::statistics), record.wall_time, record.view);
          break;
        case CapturedRecord::Kind::units:
          add(events, name_of(tensor, Reduction::units), record.wall_time, record.view);
          break;
        case CapturedRecord::Kind::classes:
          add(events, name_of(tensor, Reduction::classes), record.wall_time, record.view);
          break;
        case CapturedRecord::Kind::reductions:
          for (const Reduced& value : record.reductions)
            add(events, name_of(tensor, value.reduction), record.wall_time, as_view(value));
      }
    }
    cut_pieces();
    const std::int64_t global_step = step.global_step;
    event_key_ = bytes_ == 0          ? std::string()
                 : shared_key.empty() ? layout::event_key(global_step, worker_)
                                      : std::string(shared_key);
    index_key_ = layout::index_key(global_step, worker_);
    index_text_ = index_.text(step.mode, step.mode_step, event_key_, attempt_);
  }

  /// The key of the events file; empty if the step has only shapes.
  [[nodiscard]] const std::string& event_key() const noexcept { return event_key_; }
  [[nodiscard]] std::span<const Bytes> events() const noexcept { return pieces_; }
  [[nodiscard]] const std::string& index_key() const noexcept { return index_key_; }
  [[nodiscard]] const std::string& index() const noexcept { return index_text_; }
  /// The size of the events.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  /// Elements that belong at position `at` of the frames.
  struct Cut {
    std::size_t at;
    Bytes elements;
  };

  /// Elements of fewer bytes are copied into `frames_`, because that is cheaper than a separate piece.
  static constexpr std::size_t smallest_piece = 256;

  /// Adds one record to the events and the index. `of_elements` is the checksum of the elements, if it is known.
  void add(const EventEncoder& events, std::string_view name, double wall_time, const TensorView& view,
           const std::uint32_t* of_elements = nullptr) {
    const std::size_t before = frames_.size();
    events.append_head(frames_, name, wall_time, view);
    const std::size_t head = frames_.size() - before;
    const Bytes elements = view.bytes();
    const bool borrowed = elements.size() >= smallest_piece;
    if (borrowed) {
      cuts_.push_back({frames_.size(), elements});
    } else {
      frames_ += text_of(elements);
    }
    frames_ += events.tail();
    const std::uint64_t length = frames_.size() - before + (borrowed ? elements.size() : 0);
    std::optional<std::uint32_t> crc;
    if (attempt_) crc = borrowed ? checksum(before, head, elements, of_elements) : crc32c(payload_from(before));
    index_.add(name, start_ + bytes_, length, crc);
    bytes_ += length;
  }

  std::string_view name_of(std::string_view tensor, Reduction reduction) {
    name_.assign(layout::reductions_prefix).append(to_string(reduction)).append("/");
    if (strip_output_numbers_) {
      append_without_output_numbers(name_, tensor);
    } else {
      name_ += tensor;
    }
    return name_;
  }

  /// Returns the payload of the record that begins at `begin`, without borrowed elements.
  [[nodiscard]] Bytes payload_from(std::size_t begin) const {
    const Bytes frame = bytes_of(frames_).subspan(begin);
    return frame.subspan(tfrecord::header_size, frame.size() - tfrecord::header_size - tfrecord::footer_size);
  }

  /// Returns the checksum of a payload whose elements are borrowed.
  [[nodiscard]] std::uint32_t checksum(std::size_t begin, std::size_t head, Bytes elements,
                                       const std::uint32_t* of_elements) const {
    const Bytes around = payload_from(begin);
    const std::size_t before = head - tfrecord::header_size;
    std::uint32_t crc = crc32c(around.first(before));
    crc = of_elements != nullptr ? crc32c_of_both(crc, *of_elements, elements.size()) : crc32c(elements, crc);
    return crc32c(around.subspan(before), crc);
  }

  /// Makes the pieces: frames and elements alternate. Runs after the last record, because `frames_` may reallocate
  /// until then.
  void cut_pieces() {
    pieces_.clear();
    std::size_t begin = 0;
    for (const Cut& cut : cuts_) {
      pieces_.push_back(bytes_of(frames_).subspan(begin, cut.at - begin));
      pieces_.push_back(cut.elements);
      begin = cut.at;
    }
    pieces_.push_back(bytes_of(frames_).subspan(begin));
  }

  std::string worker_;
  std::optional<std::int64_t> attempt_;
  bool strip_output_numbers_;
  std::string name_;
  std::string frames_;  // everything except borrowed elements
  std::vector<Cut> cuts_;
  std::vector<Bytes> pieces_;
  IndexText index_;
  std::string event_key_;
  std::string index_key_;
  std::string index_text_;
  std::uint64_t start_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
