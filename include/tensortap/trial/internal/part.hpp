// What one worker saved in one step, as its index file tells it, and the table of names that all of them share.
//
// Not for users: Trial, TensorHistory and StoredStep are the ways in.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One tensor.
struct TensorSteps {
  std::vector<std::int64_t> steps;  // global steps in which anything was saved of it; ascending
};

/// All tensors by name.
using Tensors = std::map<std::string, TensorSteps, std::less<>>;
using TensorEntry = Tensors::value_type;

/// A name under which records are stored, taken apart once.
struct RecordName {
  TensorEntry* tensor = nullptr;
  std::optional<std::string> reduction;  // as spelled; none: the elements themselves
};

/// All names of records. An entry stays where it is, and as it is.
using RecordNames = std::map<std::string, RecordName, std::less<>>;

/// Where a record lies in the events file of its part.
struct Record {
  const RecordNames::value_type* name = nullptr;
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  std::optional<std::uint32_t> crc32c;

  [[nodiscard]] TensorEntry* tensor() const noexcept { return name->second.tensor; }
  [[nodiscard]] const std::optional<std::string>& reduction() const noexcept { return name->second.reduction; }
};

/// A shape that was saved without its elements.
struct ShapeOf {
  TensorEntry* tensor = nullptr;
  std::vector<std::int64_t> shape;
};

/// What one worker saved in one step. It never changes.
struct Part {
  Step step;
  std::optional<std::int64_t> run;  // the attempt that wrote it
  std::string key;                  // of its index file
  std::uint64_t index_size = 0;
  std::string event_file;
  std::vector<Record> records;  // by tensor; of several under one name the last counts
  std::vector<ShapeOf> shapes;  // by tensor

  /// The records of `tensor`.
  [[nodiscard]] auto records_of(const TensorEntry* tensor) const {
    return std::equal_range(records.begin(), records.end(), tensor, ByTensor{});
  }

  /// The record of reduction `reduction` of `tensor`, or of its elements; null if there is none.
  [[nodiscard]] const Record* find(const TensorEntry* tensor, std::optional<std::string_view> reduction) const {
    const auto [first, last] = records_of(tensor);
    for (auto record = last; record != first;)
      if ((--record)->reduction() == reduction) return &*record;
    return nullptr;
  }

  [[nodiscard]] const std::vector<std::int64_t>* shape_of(const TensorEntry* tensor) const {
    const auto [first, last] = std::equal_range(shapes.begin(), shapes.end(), tensor, ByTensor{});
    return first == last ? nullptr : &std::prev(last)->shape;
  }

  [[nodiscard]] bool has(const TensorEntry* tensor) const {
    const auto [first, last] = records_of(tensor);
    return first != last || shape_of(tensor) != nullptr;
  }

  /// Calls `visit` with each tensor of which there is anything, once.
  template <class Visit>
  void for_each_tensor(const Visit& visit) const {
    for (std::size_t i = 0; i < records.size(); ++i)
      if (i == 0 || records[i].tensor() != records[i - 1].tensor()) visit(records[i].tensor());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const auto [first, last] = records_of(shapes[i].tensor);
      if (first == last && (i == 0 || shapes[i].tensor != shapes[i - 1].tensor)) visit(shapes[i].tensor);
    }
  }

  /// Puts records and shapes into their order.
  void sort() {
    std::stable_sort(records.begin(), records.end(), ByTensor{});
    std::stable_sort(shapes.begin(), shapes.end(), ByTensor{});
  }

 private:
  struct ByTensor {
    static const TensorEntry* of(const TensorEntry* tensor) noexcept { return tensor; }
    static const TensorEntry* of(const Record& record) noexcept { return record.tensor(); }
    static const TensorEntry* of(const ShapeOf& shape) noexcept { return shape.tensor; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
      return std::less<const TensorEntry*>{}(of(a), of(b));
    }
  };
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
