#include <tensortap/capture/internal/record_index.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

namespace {

std::vector<std::unique_ptr<tt::detail::TrackedTensor>> tensors_to_index(std::size_t count) {
  std::vector<std::unique_ptr<tt::detail::TrackedTensor>> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(
        std::make_unique<tt::detail::TrackedTensor>(tt::detail::TrackedTensor{.name = "layer/" + std::to_string(i)}));
  return out;
}

}  // namespace

TEST_CASE("an index finds the records that a search from the end finds", "[capture][record_index]") {
  using Kind = tt::detail::CapturedRecord::Kind;
  std::mt19937 random(3);
  tt::detail::RecordIndex index;  // of all steps, as in a hook
  const auto tensors = tensors_to_index(400);
  for (const std::size_t size : std::vector<std::size_t>{0, 1, 5, 900, 17, 300}) {
    CAPTURE(size);
    std::vector<tt::detail::CapturedRecord> records(size);
    for (auto& record : records) {
      record.tensor = tensors[random() % tensors.size()].get();
      record.kind = static_cast<Kind>(random() % 4);
    }
    index.build(records);
    for (const auto& tensor : tensors)
      for (const Kind kind : {Kind::raw, Kind::reductions, Kind::statistics, Kind::shape}) {
        const tt::detail::CapturedRecord* expected = nullptr;
        for (const auto& record : records)
          if (record.tensor == tensor.get() && record.kind == kind) expected = &record;
        CHECK(index.find_last(records, tensor->name, [&](const auto& one) { return one.kind == kind; }) == expected);
      }
    CHECK(index.find_last(records, "unknown", [](const auto&) { return true; }) == nullptr);
    CHECK(index.find_last(records, "", [](const auto&) { return true; }) == nullptr);
  }
}

TEST_CASE("an index of many records looks at few of them", "[capture][record_index]") {
  const auto tensors = tensors_to_index(100'000);
  std::vector<tt::detail::CapturedRecord> records(tensors.size());
  for (std::size_t i = 0; i < records.size(); ++i) records[i].tensor = tensors[i].get();
  tt::detail::RecordIndex index;
  index.build(records);
  std::size_t looked_at = 0;
  for (const auto& tensor : tensors)
    index.find_last(records, tensor->name, [&](const auto& one) {
      ++looked_at;
      return one.tensor == tensor.get();
    });
  CHECK(looked_at == tensors.size());
}
