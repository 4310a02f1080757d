// The values for one directory of TensorBoard: those of one mode of one worker. A reader of a directory reads its files
// one after the other, in the order of their names.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/internal/captured_step.hpp>
#include <tensortap/capture/internal/pending_board.hpp>
#include <tensortap/capture/internal/step_encoder.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/tensorboard_events.hpp>
#include <tensortap/record/internal/tensorboard_values.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class TensorBoardStream {
 public:
  /// What all streams of an attempt share.
  struct Shared {
    std::int64_t attempt = 0;                  ///< its number
    std::map<std::string, std::string> facts;  ///< the hyperparameters
    bool strip_output_numbers = false;
  };

  /// Files go to `directory`, which is empty or ends in '/'. The attempt begins at `first_step`.
  TensorBoardStream(const Shared& shared, std::string directory, std::int64_t first_step)
      : shared_(shared), directory_(std::move(directory)), first_step_(first_step) {}

  /// Adds the values of a step. Returns their number. Throws: no memory; then nothing is added.
  std::uint64_t add(const StepRecords& step, std::vector<StepText> texts) {
    const std::size_t size = events_.bytes().size();
    const std::uint64_t count = events_.count();
    try {
      encode(step, std::move(texts));
      if (events_.count() > count)
        marks_.push_back({step.step().global_step, events_.bytes().size(), events_.count() - count});
    } catch (...) {
      events_.bytes().resize(size);
      events_.describe_again();
      throw;
    }
    return events_.count() - count;
  }

  /// Says that the training has ended.
  void add_end() {
    if (shared_.facts.empty() || (marks_.empty() && key_.empty())) return;
    events_.add_hparams_end();
    if (marks_.empty()) marks_.push_back({last_step_, 0, 0});
    marks_.back().end = events_.bytes().size();
  }

  /// Removes the values of the last step. Returns their number.
  std::uint64_t drop_last() {
    const std::uint64_t count = marks_.back().count;
    marks_.pop_back();
    events_.bytes().resize(marks_.empty() ? 0 : marks_.back().end);
    events_.describe_again();  // a tag's first value may be gone, and with it what says how to read the others
    return count;
  }

  /// Bytes that are not written.
  [[nodiscard]] std::size_t waiting() const noexcept { return marks_.empty() ? 0 : marks_.back().end; }
  /// Values that are not written.
  [[nodiscard]] std::uint64_t waiting_values() const noexcept {
    std::uint64_t out = 0;
    for (const Mark& mark : marks_) out += mark.count;
    return out;
  }
  /// The last step that is not written; -1 if there is none.
  [[nodiscard]] std::int64_t last_waiting() const noexcept { return marks_.empty() ? -1 : marks_.back().global_step; }

  /// Returns the next write of values up to global step `last`, without pieces if there are none. The same until
  /// `is_written`. Lifetime: that of this object, until a step is added. Throws: the store failed.
  [[nodiscard]] BoardWrite next_write(const Store& store, std::int64_t last) {
    const std::size_t size = size_up_to(last);
    if (size == 0) return {};
    if (key_.empty()) begin_file(store);
    return {.key = key_,
            .start = size_,
            .pieces = {bytes_of(head_), bytes_of(std::string_view(events_.bytes()).substr(0, size))}};
  }

  /// Forgets what was written of values up to `last`. Returns their number.
  std::uint64_t is_written(std::int64_t last, bool can_grow) {
    const std::size_t size = size_up_to(last);
    std::uint64_t count = 0;
    for (; !marks_.empty() && marks_.front().global_step <= last; marks_.pop_front()) {
      last_step_ = marks_.front().global_step;
      count += marks_.front().count;
    }
    for (Mark& mark : marks_) mark.end -= size;
    size_ += head_.size() + size;
    events_.bytes().erase(0, size);
    head_.clear();
    if (!can_grow) key_.clear();
    return count;
  }

  /// What knows the tags.
  [[nodiscard]] TensorBoardEvents& events() noexcept { return events_; }

  /// Begins a new file if the last one is gone.
  void find_again(const Store& store) {
    if (size_ == 0 || store.size(key_).value_or(0) >= size_) return;
    key_.clear();
    events_.describe_again();
  }

 private:
  /// The end of a step among the bytes that are not written.
  struct Mark {
    std::int64_t global_step;
    std::size_t end;
    std::uint64_t count;
  };

  [[nodiscard]] std::size_t size_up_to(std::int64_t last) const noexcept {
    std::size_t out = 0;
    for (const Mark& mark : marks_)
      if (mark.global_step <= last) out = mark.end;
    return out;
  }

  void encode(const StepRecords& step, std::vector<StepText> texts) {
    // As an export does, which reads tensors in the order of their names: of two that are called alike, the first one
    // gets the tag.
    named_.clear();
    for (const CapturedRecord& record : step.records())
      if (record.kind != CapturedRecord::Kind::shape) named_.emplace_back(name_of(record), &record);
    std::stable_sort(named_.begin(), named_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    if (named_.empty()) return;
    const Step& at = step.step();
    const std::int64_t number = at.mode == Mode::global ? at.global_step : at.mode_step;
    events_.begin_step(number, named_.front().second->wall_time);
    tensorboard::ValueCounts counts;
    if (!time_ && marks_.empty()) began_ = events_.wall_time();
    for (std::size_t i = 0; i < named_.size();) {
      const std::string& name = named_[i].first;
      tensorboard::SavedParts parts;
      for (; i < named_.size() && named_[i].first == name; ++i) take(*named_[i].second, parts);
      tensorboard::add_tensor(events_, name, parts, counts);
    }
    // One text for each tag: of two in one step, readers keep the last.
    std::map<std::string, std::string> by_tag;
    for (StepText& text : texts) {
      std::string& all = by_tag[std::move(text.tag)];
      if (!all.empty()) all += "\n\n";
      all += text.text;
    }
    for (const auto& [tag, text] : by_tag) events_.add_text(tag, text);
  }

  [[nodiscard]] std::string name_of(const CapturedRecord& record) const {
    if (!shared_.strip_output_numbers || record.kind == CapturedRecord::Kind::raw) return record.tensor->name;
    std::string out;
    append_without_output_numbers(out, record.tensor->name);
    return out;
  }

  static void take(const CapturedRecord& record, tensorboard::SavedParts& to) {
    using Kind = CapturedRecord::Kind;
    if (record.kind == Kind::raw) {
      to.elements = record.view;
      return;
    }
    to.has_reductions = true;
    if (record.kind == Kind::statistics) to.statistics = statistics_of(record);
    for (const Reduced& value : record.reductions)
      to.reductions[static_cast<std::size_t>(value.reduction)] = value.value();
  }

  /// Chooses the next name and makes the first events of the file.
  void begin_file(const Store& store) {
    if (!time_) look_at(store);
    key_ = directory_ + tensorboard::file_name(*time_, shared_.attempt, part_++);
    size_ = 0;
    TensorBoardEvents head;
    head.begin_step(0, began_);
    head.add_version();
    if (part_ == 1) head.add_session_start(first_step_);
    if (std::exchange(is_new_, false)) head.add_hparams_start(shared_.facts);
    head_ = std::move(head.bytes());
  }

  /// Finds the files of earlier attempts, after whose names ours must come.
  void look_at(const Store& store) {
    std::int64_t time = tensorboard::time_in_name(began_);
    for (const ObjectInfo& object : store.list(directory_)) {
      const std::string_view name = std::string_view(object.key).substr(directory_.size());
      if (!name.starts_with(tensorboard::file_prefix)) continue;
      const std::string_view digits = name.substr(tensorboard::file_prefix.size(), tensorboard::time_digits);
      std::int64_t other = 0;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), other).ec == std::errc())
        time = std::max(time, other + 1);
      is_new_ = false;
    }
    time_ = time;
  }

  const Shared& shared_;
  std::string directory_;
  std::int64_t first_step_;
  TensorBoardEvents events_;  // those that wait
  std::deque<Mark> marks_;    // among them
  std::string key_;           // of the file at hand; empty: the next write begins one
  std::string head_;          // its first events, if they are not written
  std::uint64_t size_ = 0;    // of what is written of it
  std::optional<std::int64_t> time_;
  std::int64_t part_ = 0;
  double began_ = 0;
  bool is_new_ = true;
  std::int64_t last_step_ = -1;
  std::vector<std::pair<std::string, const CapturedRecord*>> named_;  // of the step at hand
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
