// The records of one step, with copies of the elements. The tensors of training change with the next step, so their
// elements are copied once, here; another thread turns the records into files later.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/internal/arena.hpp>
#include <tensortap/capture/internal/tensor_table.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/thinning.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/tensor/view.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One saved part of a tensor: its elements, its reductions, or its shape.
struct CapturedRecord {
  enum class Kind : std::uint8_t { raw, reductions, statistics, units, classes, shape };

  const TrackedTensor* tensor = nullptr;
  Kind kind = Kind::raw;
  double wall_time = 0;
  TensorView view;                          ///< the copy; without elements for a shape, unused for reductions
  const std::uint32_t* checksum = nullptr;  ///< of the elements, if they are many
  std::span<const Reduced> reductions;      ///< each becomes a record of its own
  std::shared_ptr<const Tensor> text;       ///< the copy of an array of strings
};

static_assert(std::is_trivially_destructible_v<Reduced>);  // the arena destroys nothing

/// The records of one step. Keeps its memory from step to step: a loop that saves the same tensors again allocates
/// nothing.
class StepRecords {
 public:
  /// Removes all records and begins `step`, of which no more than `detail` is saved.
  void begin(const Step& step, Detail detail = Detail::all) {
    step_ = step;
    detail_ = detail;
    records_.clear();
    arena_.clear();
    bytes_ = 0;
    event_records_ = 0;
    only_grows_ = true;
  }

  /// The memory for the elements of one record, and for their checksum.
  struct Slot {
    std::byte* elements = nullptr;
    std::uint32_t* checksum = nullptr;
  };

  /// Adds a record of `view` and returns its slot. The thread that saves then calls `copy`, outside of any lock.
  Slot add(const TrackedTensor& tensor, const TensorView& view, double wall_time) {
    std::byte* const to = arena_.allocate(view.nbytes());
    std::uint32_t* checksum = nullptr;
    if (view.nbytes() >= many_bytes) checksum = new (arena_.allocate(sizeof *checksum)) std::uint32_t(0);
    auto text = view.dtype() == DType::string ? std::make_shared<const Tensor>(view) : nullptr;
    auto& record = records_.emplace_back();  // the last call that allocates: without memory there is no half record
    record.checksum = checksum;
    record.tensor = &tensor;
    record.wall_time = wall_time;
    record.view = text ? as_view(*text) : TensorView(to, view.dtype(), view.shape());
    record.text = std::move(text);
    bytes_ += view.nbytes();
    ++event_records_;
    return {to, checksum};
  }

  /// Copies the elements of `view` to `slot`. Computes the checksum of large tensors piece by piece, while each piece
  /// is in the cache: a tenth of the cost of reading the elements again. Then calls `on_piece` with the bytes so far.
  template <class OnPiece>
  static void copy(const TensorView& view, const Slot& slot, const OnPiece& on_piece) {
    if (view.dtype() == DType::string || view.nbytes() == 0) return;
    if (slot.checksum == nullptr) return copy_row_major(view, slot.elements);
    const std::size_t width = size_of(view.dtype());
    const std::size_t piece = (std::size_t{64} << 10) / width;
    std::uint32_t crc = 0;
    for (std::size_t first = 0; first < view.size(); first += piece) {
      const std::size_t count = std::min(piece, view.size() - first);
      std::byte* const to = slot.elements + first * width;
      copy_row_major(view, first, count, to);
      crc = crc32c({to, count * width}, crc);
      on_piece((first + count) * width);
    }
    *slot.checksum = crc;
  }
  static void copy(const TensorView& view, const Slot& slot) {
    copy(view, slot, [](std::size_t) {});
  }

  /// Adds reductions of `tensor`, and its statistics if `values` has them.
  void add(const TrackedTensor& tensor, const ReducedSet& values, double wall_time) {
    if (!values.empty()) {
      auto* const copy = reinterpret_cast<Reduced*>(arena_.allocate(values.size() * sizeof(Reduced)));
      std::uninitialized_copy(values.begin(), values.end(), copy);
      auto& record = records_.emplace_back();
      record.tensor = &tensor;
      record.kind = CapturedRecord::Kind::reductions;
      record.wall_time = wall_time;
      record.reductions = {copy, values.size()};
      for (const Reduced& value : values) bytes_ += size_of(value.dtype);
      event_records_ += values.size();
    }
    if (values.statistics) {
      const auto fields = values.statistics->to_record();
      std::memcpy(add(tensor, as_view(fields), wall_time).elements, fields.data(), sizeof fields);
      records_.back().kind = CapturedRecord::Kind::statistics;
    }
  }

  /// Adds the statistics of the units of `tensor`.
  void add(const TrackedTensor& tensor, const UnitStatistics& units, double wall_time) {
    const std::array shape = {static_cast<std::int64_t>(units.record_rows()),
                              static_cast<std::int64_t>(unit_fields.size())};
    std::byte* const to = add(tensor, TensorView(nullptr, DType::f64, shape), wall_time).elements;
    units.to_record({static_cast<double*>(static_cast<void*>(to)), units.record_rows() * unit_fields.size()});
    records_.back().kind = CapturedRecord::Kind::units;
  }

  /// Adds the counts of the classes of `tensor`.
  void add(const TrackedTensor& tensor, const std::vector<std::int64_t>& classes, double wall_time) {
    const TensorView view = as_view(classes);
    copy(view, add(tensor, view, wall_time));
    records_.back().kind = CapturedRecord::Kind::classes;
  }

  /// Adds the shape of `view` without its elements.
  void add_shape(const TrackedTensor& tensor, const TensorView& view) {
    auto& record = records_.emplace_back();
    record.tensor = &tensor;
    record.kind = CapturedRecord::Kind::shape;
    record.view = TensorView(nullptr, view.dtype(), view.shape());
  }

  /// Removes what the first `count` records hold of `tensor`.
  void remove(const TrackedTensor& tensor, std::size_t count) {
    for (std::size_t i = count; i-- > 0;) {
      if (records_[i].tensor != &tensor) continue;
      const CapturedRecord& record = records_[i];
      if (record.kind == CapturedRecord::Kind::reductions) {
        for (const Reduced& value : record.reductions) bytes_ -= size_of(value.dtype);
        event_records_ -= record.reductions.size();
      } else if (record.kind != CapturedRecord::Kind::shape) {
        bytes_ -= record.view.nbytes();
        --event_records_;
      }
      records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(i));
      only_grows_ = false;
    }
  }

  [[nodiscard]] const Step& step() const noexcept { return step_; }
  [[nodiscard]] Detail detail() const noexcept { return detail_; }
  [[nodiscard]] const std::vector<CapturedRecord>& records() const noexcept { return records_; }
  [[nodiscard]] bool empty() const noexcept { return records_.empty(); }
  /// Whether no record was removed.
  [[nodiscard]] bool only_grows() const noexcept { return only_grows_; }
  /// Bytes of all elements.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Number of records; each reduction and each shape is one.
  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t out = 0;
    for (const CapturedRecord& record : records_)
      out += record.kind == CapturedRecord::Kind::reductions ? record.reductions.size() : 1;
    return out;
  }
  /// Number of records in the events file: all except shapes.
  [[nodiscard]] std::uint64_t size() const noexcept { return event_records_; }
  /// Bytes of memory held.
  [[nodiscard]] std::uint64_t memory() const noexcept {
    return arena_.capacity() + records_.capacity() * sizeof(CapturedRecord);
  }

 private:
  static constexpr std::size_t many_bytes = std::size_t{1} << 20;

  Step step_;
  Detail detail_ = Detail::all;
  std::vector<CapturedRecord> records_;
  Arena arena_;
  std::uint64_t bytes_ = 0;
  std::uint64_t event_records_ = 0;
  bool only_grows_ = true;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
