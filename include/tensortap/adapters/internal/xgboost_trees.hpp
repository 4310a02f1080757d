// The trees of a booster as a table, with the columns of smdebug and of XGBoost's trees_to_dataframe().
#pragma once

#include <xgboost/c_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <tensortap/adapters/internal/xgboost_calls.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::xgboost {

/// One node. What a leaf does not have is NaN, or "nan", as smdebug writes it. The gain of a leaf is its value.
struct Node {
  std::int64_t tree = 0;
  std::int64_t node = 0;
  std::string feature = "Leaf";
  double split = std::numeric_limits<double>::quiet_NaN();
  std::string yes = "nan", no = "nan", missing = "nan";  // as "3-1": tree and node
  double gain = 0;
  double cover = 0;
  std::string category = "nan";
};

/// Returns the member of "yes=1,no=2,missing=1" that `key` names; empty if there is none.
inline std::string_view member(std::string_view members, std::string_view key) {
  while (!members.empty()) {
    const std::string_view one = members.substr(0, members.find(','));
    if (one.starts_with(key) && one.substr(key.size()).starts_with('=')) return one.substr(key.size() + 1);
    members.remove_prefix(std::min(one.size() + 1, members.size()));
  }
  return {};
}

/// Returns the node that a line of a text dump describes: "1:leaf=0.2,cover=40", "0:[f2<0.5] yes=1,no=2,missing=1,
/// gain=24.5,cover=107", "0:[f2:{1,3}] yes=…", or "0:[f2] yes=1,no=2" for a feature that is there or not.
inline Node parse_node(std::int64_t tree, std::string_view line) {
  const auto refuse = [&] { return failure("XGBoosterDumpModelEx", "the line " + in_quotes(line) + " is no node"); };
  const auto number_of = [&](std::string_view text) {
    const auto value = number(text);
    if (!value) throw refuse();
    return *value;
  };
  const std::size_t start = line.find_first_not_of('\t');
  const std::size_t colon = line.find(':');
  const auto id = start < colon && colon < line.size() ? whole_number(line.substr(start, colon - start)) : std::nullopt;
  if (!id) throw refuse();
  Node out{.tree = tree, .node = *id};
  std::string_view rest = line.substr(colon + 1);
  if (!rest.starts_with('[')) {
    out.gain = number_of(member(rest, "leaf"));
    out.cover = number_of(member(rest, "cover"));
    return out;
  }
  const std::size_t bracket = rest.find("] yes=");
  if (bracket > rest.size()) throw refuse();
  std::string_view feature = rest.substr(1, bracket - 1);
  rest.remove_prefix(bracket + 2);
  if (const std::size_t set = feature.rfind(":{"); set < feature.size() && feature.ends_with('}')) {
    out.category = feature.substr(set + 2, feature.size() - set - 3);
    feature = feature.substr(0, set);
  } else if (const std::size_t less = feature.rfind('<'); less < feature.size()) {
    out.split = number_of(feature.substr(less + 1));
    feature = feature.substr(0, less);
  }
  out.feature = feature;
  const std::string prefix = std::to_string(tree) + "-";
  out.yes = prefix + std::string(member(rest, "yes"));
  out.no = prefix + std::string(member(rest, "no"));
  if (const auto missing = member(rest, "missing"); !missing.empty()) out.missing = prefix + std::string(missing);
  out.gain = number_of(member(rest, "gain"));
  out.cover = number_of(member(rest, "cover"));
  return out;
}

/// A booster that holds some rounds of another one.
class Slice {
 public:
  Slice(BoosterHandle booster, int begin, int end) {
    require(XGBoosterSlice(booster, begin, end, 1, &booster_), "XGBoosterSlice");
  }
  Slice(const Slice&) = delete;
  Slice& operator=(const Slice&) = delete;
  ~Slice() { XGBoosterFree(booster_); }

  [[nodiscard]] BoosterHandle booster() const noexcept { return booster_; }

 private:
  BoosterHandle booster_ = nullptr;
};

/// Returns the nodes of the trees that the last round has added, by tree and node. Empty: no round has been boosted.
inline std::vector<Node> trees_of_last_round(BoosterHandle booster) {
  int rounds = 0;
  require(XGBoosterBoostedRounds(booster, &rounds), "XGBoosterBoostedRounds");
  std::vector<Node> out;
  if (rounds < 1) return out;
  const Slice last(booster, rounds - 1, rounds);  // so that the cost does not grow with the number of rounds
  bst_ulong count = 0;
  const char** texts = nullptr;
  constexpr std::string_view call = "XGBoosterDumpModelEx";
  require(XGBoosterDumpModelEx(last.booster(), "", 1, "text", &count, &texts), call);
  require_memory(texts, count, call);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t tree =
        std::int64_t{rounds - 1} * static_cast<std::int64_t>(count) + static_cast<std::int64_t>(i);
    for (std::string_view text = texts[i]; !text.empty();) {
      const std::string_view line = text.substr(0, text.find('\n'));
      if (line.find(':') < line.size()) out.push_back(parse_node(tree, line));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Node& a, const Node& b) { return std::tie(a.tree, a.node) < std::tie(b.tree, b.node); });
  return out;
}

}  // namespace detail::xgboost
TENSORTAP_END_NAMESPACE
