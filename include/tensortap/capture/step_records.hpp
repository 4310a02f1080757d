// The records of one step of one worker while it runs: encoded as they come, published as an events file and its index
// when the step ends. Tensors are borrowed, so their elements are copied here, once.
//
//   tensortap::StepRecords records("worker_0", true);
//   records.begin({tensortap::Mode::train, 0, 0});
//   records.add("loss", view, wall_time);
//   records.publish(store);
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/record/crc32c.hpp>
#include <tensortap/record/event.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0 {

/// Memory is kept from step to step: a loop that saves the same again allocates nothing for elements.
class StepRecords {
 public:
  StepRecords(std::string worker, bool checksums) : worker_(std::move(worker)), checksums_(checksums) {}

  /// Forgets what was there and begins `step`.
  void begin(const Step& step) {
    step_ = step;
    bytes_.clear();
    index_.tensors.clear();
    index_.shapes.clear();
  }

  /// Adds a record of `view` under `name`. Of several under one name readers see the last.
  void add(std::string_view name, const TensorView& view, double wall_time) {
    const EncodedEvent record = encode_event({std::string(name), step_, wall_time}, view);
    const std::size_t start = bytes_.size();
    bytes_ += record.head;
    if (view.is_contiguous()) {
      bytes_.append(static_cast<const char*>(view.data()), view.nbytes());
    } else {
      bytes_.resize(bytes_.size() + view.nbytes());
      copy_row_major(view, reinterpret_cast<std::byte*>(&bytes_[bytes_.size() - view.nbytes()]));
    }
    bytes_ += record.tail;
    TensorLocation location{.name = std::string(name), .start = start, .length = bytes_.size() - start};
    if (checksums_) {
      const Bytes whole = bytes_of(bytes_).subspan(start);
      location.crc32c =
          crc32c(whole.subspan(tfrecord::header_size, whole.size() - tfrecord::header_size - tfrecord::footer_size));
    }
    index_.tensors.push_back(std::move(location));
  }

  /// Adds the shape of `view` without its elements.
  void add_shape(std::string_view name, const TensorView& view) {
    index_.shapes.push_back({std::string(name), std::string(name), {view.shape().begin(), view.shape().end()}});
  }

  [[nodiscard]] bool empty() const noexcept { return index_.tensors.empty() && index_.shapes.empty(); }
  /// Size of the events file so far.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.size(); }
  /// Number of records so far.
  [[nodiscard]] std::uint64_t size() const noexcept { return index_.tensors.size(); }

  /// Writes the step: its events, then the index that leads to them. Throws: the store failed.
  void publish(Store& store) {
    index_.mode = step_.mode;
    index_.mode_step = step_.mode_step;
    index_.event_file.clear();
    if (!index_.tensors.empty()) {
      index_.event_file = layout::event_key(step_.global_step, worker_);
      store.put(index_.event_file, bytes_);
    }
    store.put(layout::index_key(step_.global_step, worker_), to_json(index_));
  }

 private:
  std::string worker_;
  bool checksums_;
  Step step_;
  std::string bytes_;  // the events file; a string grows without writing zeros first
  IndexFile index_;
};

}  // namespace tensortap::inline v0
