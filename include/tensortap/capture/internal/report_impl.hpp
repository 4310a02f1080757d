// Prints a report as a table.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <ostream>
#include <string>
#include <utility>

#include <tensortap/capture/report.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string withheld_note(const CollectionReport& collection) {
  if (collection.withheld == 0) return {};
  return "collection " + in_quotes(collection.name) + ": " + std::to_string(collection.withheld) +
         " tensors of EVAL and PREDICT steps were left out, because a collection of this name is for TRAIN; give it "
         "include_regex and save of its own to save them";
}

TENSORTAP_INLINE std::ostream& operator<<(std::ostream& out, const Report& report) {
  const auto row = [&](std::string name, const std::array<std::string, 4>& numbers) {
    constexpr std::array<std::size_t, 4> widths = {9, 9, 10, 16};
    name.resize(std::max<std::size_t>(name.size(), 24), ' ');
    out << name;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      out << std::string(widths[i] - std::min(widths[i], numbers[i].size()), ' ') << numbers[i];
    out << '\n';
  };
  row(report.dry_run ? "would save" : "saved", {"tensors", "steps", "records", "bytes"});
  for (const auto& c : report.collections)
    row(escaped(c.name),
        {std::to_string(c.tensors), std::to_string(c.steps), std::to_string(c.records), std::to_string(c.bytes)});
  for (const auto& c : report.collections)
    for (const std::string& text : c.unmatched)
      out << "collection " << in_quotes(c.name) << ": " << in_quotes(text) << " has matched no tensor\n";
  for (const auto& c : report.collections)
    if (const std::string note = withheld_note(c); !note.empty()) out << note << '\n';
  return out;
}

TENSORTAP_END_NAMESPACE
