// What one worker has saved in one step, as its index file says, and the tables of names that all steps share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A tensor of a run.
struct StoredTensor {
  const std::string* name = nullptr;  // its key in StoredTensors
  std::vector<std::int64_t> steps;    // global steps in which any worker has saved it; ascending
  std::uint64_t bytes = 0;            // of its records in these steps
};

/// All tensors by name. Entries never move.
using StoredTensors = std::map<std::string, StoredTensor, std::less<>>;

/// The parsed name of a record.
struct RecordName {
  StoredTensor* tensor = nullptr;
  std::optional<std::string> reduction;  // as spelled; none: the elements
};

/// All names of records. Entries never move or change.
using RecordNames = std::map<std::string, RecordName, std::less<>>;

/// Where a record lies in the events file of its step.
struct StoredRecord {
  const RecordNames::value_type* name = nullptr;
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  std::optional<std::uint32_t> crc32c;

  [[nodiscard]] StoredTensor* tensor() const noexcept { return name->second.tensor; }
  [[nodiscard]] const std::optional<std::string>& reduction() const noexcept { return name->second.reduction; }
};

/// A shape that was saved without elements.
struct StoredShape {
  StoredTensor* tensor = nullptr;
  std::vector<std::int64_t> shape;
};

/// What one worker has saved in one step. Immutable once it is part of a run.
struct WorkerStep {
  std::string worker;
  Step step;
  std::optional<std::int64_t> attempt;  // the number of the attempt that wrote it
  std::string key;                      // of its index file
  std::uint64_t index_size = 0;
  std::string event_file;
  std::vector<StoredRecord> records;  // by tensor; of several with one name the last counts
  std::vector<StoredShape> shapes;    // by tensor

  /// Returns the range of the records of `tensor`.
  [[nodiscard]] auto records_of(const StoredTensor* tensor) const {
    return std::equal_range(records.begin(), records.end(), tensor, ByTensor{});
  }

  /// Returns the record of `reduction` of `tensor`, or of its elements; null if there is none.
  [[nodiscard]] const StoredRecord* find(const StoredTensor* tensor, std::optional<std::string_view> reduction) const {
    const auto [first, last] = records_of(tensor);
    for (auto record = last; record != first;)
      if ((--record)->reduction() == reduction) return &*record;
    return nullptr;
  }

  [[nodiscard]] const std::vector<std::int64_t>* shape_of(const StoredTensor* tensor) const {
    const auto [first, last] = std::equal_range(shapes.begin(), shapes.end(), tensor, ByTensor{});
    return first == last ? nullptr : &std::prev(last)->shape;
  }

  [[nodiscard]] bool has(const StoredTensor* tensor) const {
    const auto [first, last] = records_of(tensor);
    return first != last || shape_of(tensor) != nullptr;
  }

  /// Returns the size of the records of `tensor`.
  [[nodiscard]] std::uint64_t bytes_of(const StoredTensor* tensor) const {
    const auto [first, last] = records_of(tensor);
    return std::accumulate(first, last, std::uint64_t{0},
                           [](std::uint64_t sum, const StoredRecord& record) { return sum + record.length; });
  }

  /// Calls `visit` once for each tensor that has a record or a shape.
  template <class Visit>
  void for_each_tensor(const Visit& visit) const {
    for (std::size_t i = 0; i < records.size(); ++i)
      if (i == 0 || records[i].tensor() != records[i - 1].tensor()) visit(records[i].tensor());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const auto [first, last] = records_of(shapes[i].tensor);
      if (first == last && (i == 0 || shapes[i].tensor != shapes[i - 1].tensor)) visit(shapes[i].tensor);
    }
  }

  /// Appends the names of all tensors in the order of their first records in the events file; a name may be repeated.
  /// Tensors of which there is but a shape are the last.
  void append_names_as_saved(std::vector<const std::string*>& names) const {
    std::vector<const StoredRecord*> as_saved;
    as_saved.reserve(records.size());
    for (const StoredRecord& record : records) as_saved.push_back(&record);
    std::stable_sort(as_saved.begin(), as_saved.end(),
                     [](const StoredRecord* a, const StoredRecord* b) { return a->start < b->start; });
    for (const StoredRecord* record : as_saved) names.push_back(record->tensor()->name);
    for (const StoredShape& shape : shapes) names.push_back(shape.tensor->name);
  }

  /// Sorts records and shapes by tensor.
  void sort() {
    std::stable_sort(records.begin(), records.end(), ByTensor{});
    std::stable_sort(shapes.begin(), shapes.end(), ByTensor{});
  }

 private:
  struct ByTensor {
    static const StoredTensor* of(const StoredTensor* tensor) noexcept { return tensor; }
    static const StoredTensor* of(const StoredRecord& record) noexcept { return record.tensor(); }
    static const StoredTensor* of(const StoredShape& shape) noexcept { return shape.tensor; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
      return std::less<const StoredTensor*>{}(of(a), of(b));
    }
  };
};

using WorkerStepPtr = std::shared_ptr<const WorkerStep>;

}  // namespace detail
TENSORTAP_END_NAMESPACE
