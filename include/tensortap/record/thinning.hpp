// What a run has less of, because its hook kept to a budget of time: see `HookOptions::budget`.
//
//   for (const tensortap::Thinning& thinning : hook.status().thinned) std::cerr << to_string(thinning) << '\n';
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How much is saved of the tensors that are due; each saves less than the one before.
enum class Detail : std::uint8_t {
  all,         ///< what the collections say
  statistics,  ///< `Reduction::statistics` in place of the elements, and the reductions
  scalars,     ///< tensors of one element alone
};

/// Returns the detail as text, "statistics".
constexpr std::string_view to_string(Detail detail) noexcept {
  constexpr std::string_view names[] = {"all", "statistics", "scalars"};
  return names[static_cast<std::size_t>(detail)];
}

/// Steps of which less was saved than the collections say. What rules need was saved all the same.
struct Thinning {
  Detail detail = Detail::all;    ///< the detail of those that were saved
  std::int64_t first_step = 0;    ///< global steps
  std::int64_t last_step = 0;     ///< the steps between them that were due, but for the others of this list
  std::uint64_t saved = 0;        ///< steps with this detail
  std::uint64_t passed_over = 0;  ///< steps without any, because the time for them was used up

  friend bool operator==(const Thinning&, const Thinning&) = default;
};

/// Returns one line, "scalars of 40 steps, nothing of 60 steps, in steps 3 to 102".
std::string to_string(const Thinning& thinning);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/thinning_impl.hpp>
#endif
