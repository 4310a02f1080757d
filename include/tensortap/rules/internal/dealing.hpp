// Which share of a judgement a process has, of several that judge a run together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/evaluate.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Deals pairs of a worker and a rule to shards, each pair to one. What a pair belongs to depends on its name and
/// number alone, so that processes agree although they may see the workers of a run appear in another order. With fewer
/// shards than workers, a worker belongs to one shard as a whole, so that its records are read once; else, each worker
/// has shards of its own, which share its rules.
class Dealing {
 public:
  Dealing() = default;
  /// `num_workers`: as the run is configured.
  Dealing(const Shard& shard, std::int64_t num_workers)
      : index_(static_cast<std::uint64_t>(shard.index)),
        count_(static_cast<std::uint64_t>(shard.count)),
        workers_(count_ == 1 ? 1 : static_cast<std::uint64_t>(std::max<std::int64_t>(num_workers, 1))) {}

  /// Returns whether the shard has the rule at place `rule` of `worker`. A rule that compares workers belongs to one
  /// shard for all of them.
  [[nodiscard]] bool has(std::string_view worker, std::size_t rule, bool compares_workers) const {
    if (count_ == 1) return true;
    if (compares_workers) return rule % count_ == index_;
    const std::uint64_t number = number_of(worker);
    if (workers_ >= count_) return number % count_ == index_;
    const std::uint64_t first = number % workers_;                            // the first shard of this worker
    const std::uint64_t shards = (count_ - first + workers_ - 1) / workers_;  // first, first + workers_ ...
    return first + rule % shards * workers_ == index_;
  }

  friend bool operator==(const Dealing&, const Dealing&) = default;

 private:
  /// Returns the number at the end of the name, as in "worker_3"; of other names, a checksum.
  static std::uint64_t number_of(std::string_view worker) {
    constexpr std::size_t most_digits = 9;
    std::size_t begin = worker.size();
    while (begin > 0 && worker[begin - 1] >= '0' && worker[begin - 1] <= '9') --begin;
    if (begin == worker.size() || worker.size() - begin > most_digits) return crc32c(bytes_of(worker));
    std::uint64_t out = 0;
    for (const char digit : worker.substr(begin)) out = 10 * out + static_cast<std::uint64_t>(digit - '0');
    return out;
  }

  std::uint64_t index_ = 0;
  std::uint64_t count_ = 1;
  std::uint64_t workers_ = 1;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
