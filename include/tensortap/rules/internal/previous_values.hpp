// The parameters of the network as they were in the last step, for rules that judge how they change: a digest of all
// bits, and some of the elements. All rules share it; its size is bounded, and it is saved with their state.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns a digest of `bytes`: equal bytes have equal digests, and others practically never. It reads several words at
/// once, at the speed of memory.
inline std::uint64_t digest_of(std::span<const std::byte> bytes) {
  constexpr std::uint64_t factor = 0x9e3779b97f4a7c15;
  constexpr std::size_t lanes = 4;
  std::uint64_t lane[lanes] = {1, 2, 3, 4};
  std::size_t at = 0;
  for (; at + lanes * 8 <= bytes.size(); at += lanes * 8)
    for (std::size_t i = 0; i < lanes; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at + i * 8, 8);
      lane[i] = std::rotl((lane[i] ^ word) * factor, 29);
    }
  std::uint64_t out = bytes.size();
  for (; at < bytes.size(); ++at) out = std::rotl((out ^ static_cast<std::uint64_t>(bytes[at])) * factor, 29);
  for (const std::uint64_t one : lane) out = std::rotl((out ^ one) * factor, 29);
  return out;
}

/// The numbers that are known of a tensor without its elements. NaN: unknown.
struct KnownNumbers {
  double mean = TensorChange::unknown;
  double std = TensorChange::unknown;
  double rms = TensorChange::unknown;
  std::uint64_t digest = 0;  // of all of them

  void exchange(RuleState& state) { state(mean)(std)(rms)(digest); }
};

/// What is kept of one tensor.
class PreviousValue {
 public:
  static constexpr std::size_t most_elements = 4096;

  /// Returns how a tensor with these elements has changed; nullopt if nothing was known of it. Keeps at most `room` of
  /// the elements, and subtracts what it keeps.
  std::optional<TensorChange> take(const Tensor& now, std::int64_t mode_step, std::size_t& room) {
    const bool was_known = has_elements_;
    const std::uint64_t digest = digest_of(now.bytes());
    const std::size_t size = now.size();
    if (!was_known || size != size_) {
      const std::size_t wanted = std::min(size, most_elements);
      room += kept_.size();
      kept_.assign(wanted <= room ? wanted : 0, 0.0);
      room -= kept_.size();
    }
    double squares = 0;
    double squares_before = 0;
    with_numbers(now, [&](auto elements) {
      for (std::size_t i = 0; i < kept_.size(); ++i) {
        const double x = elements[kept_.size() == size ? i : i * size / kept_.size()];
        const double change = x - kept_[i];
        squares += change * change;
        squares_before += kept_[i] * kept_[i];
        kept_[i] = x;
      }
    });
    const bool comparable = was_known && size == size_;
    const bool equal = digest == digest_;
    const double count = kept_.empty() ? TensorChange::unknown : static_cast<double>(kept_.size());
    has_elements_ = true;
    size_ = size;
    digest_ = digest;
    if (!comparable) return begin(mode_step);
    return note(equal, std::sqrt(squares / count), std::sqrt(squares_before / count), false, mode_step);
  }

  /// The same, of a tensor of which only some numbers are known.
  std::optional<TensorChange> take(const KnownNumbers& now, std::int64_t mode_step) {
    const KnownNumbers before = numbers_;
    const bool was_known = has_numbers_;
    numbers_ = now;
    has_numbers_ = true;
    if (!was_known) return begin(mode_step);
    double least = TensorChange::unknown;
    for (const double difference : {now.mean - before.mean, now.std - before.std, now.rms - before.rms})
      if (!(std::abs(difference) <= least)) least = std::isnan(difference) ? least : std::abs(difference);
    return note(now.digest == before.digest, least, before.rms, true, mode_step);
  }

  void exchange(RuleState& state) {
    std::string bytes(kept_.size() * 8, '\0');
    if (!kept_.empty()) std::memcpy(bytes.data(), kept_.data(), bytes.size());
    state(bytes)(has_elements_)(has_numbers_)(size_)(digest_)(numbers_)(mode_step_);
    state(change_.unchanged)(change_.still_since)(change_.ever_changed);
    if (!state.reading()) return;
    kept_.assign(bytes.size() / 8, 0.0);
    if (!kept_.empty()) std::memcpy(kept_.data(), bytes.data(), kept_.size() * 8);
  }

  [[nodiscard]] std::size_t kept() const noexcept { return kept_.size(); }

 private:
  std::optional<TensorChange> begin(std::int64_t mode_step) {
    change_ = {};
    change_.still_since = mode_step;
    mode_step_ = mode_step;
    return std::nullopt;
  }

  std::optional<TensorChange> note(bool equal, double rms, double before, bool is_bound, std::int64_t mode_step) {
    change_.steps = mode_step - mode_step_;
    change_.equal = equal;
    change_.unchanged = equal ? change_.unchanged + 1 : 0;
    if (!equal) change_.still_since = mode_step;
    change_.ever_changed = change_.ever_changed || !equal;
    change_.rms = rms;
    change_.rms_before = before;
    change_.is_bound = is_bound;
    mode_step_ = mode_step;
    return change_;
  }

  bool has_elements_ = false;
  bool has_numbers_ = false;
  std::size_t size_ = 0;
  std::uint64_t digest_ = 0;
  std::vector<double> kept_;
  KnownNumbers numbers_;
  std::int64_t mode_step_ = 0;
  TensorChange change_;
};

/// Those of all tensors, by id.
class PreviousValues {
 public:
  static constexpr std::size_t most_elements = std::size_t{1} << 17;  // of all tensors: 1 MiB

  PreviousValue& of(std::size_t id) {
    if (id >= values_.size()) values_.resize(id + 1);
    return values_[id];
  }
  [[nodiscard]] std::size_t& room() noexcept { return room_; }

  void exchange(RuleState& state) {
    state(values_);
    if (!state.reading()) return;
    room_ = most_elements;
    for (const PreviousValue& value : values_) room_ -= std::min(room_, value.kept());
  }

 private:
  std::vector<PreviousValue> values_;
  std::size_t room_ = most_elements;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
