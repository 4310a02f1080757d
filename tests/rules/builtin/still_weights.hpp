// A small training whose weights may stand still, for tests of rules that find that.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "rules/builtin/judged_steps.hpp"

/// Two layers. Weights move by `rate` in each step in which they move.
struct StillTraining {
  double rate = 0.01;
  std::function<bool(std::size_t layer, std::int64_t step)> moves = [](std::size_t, std::int64_t) { return true; };
  std::function<std::optional<double>(std::size_t layer, std::int64_t step)> gradient = [](std::size_t, std::int64_t) {
    return 1.0;
  };
  double loss = 1;
  double first_loss = loss;  ///< in step 0

  [[nodiscard]] Steps steps(std::int64_t count, Saved saved = Saved::elements, std::int64_t interval = 1,
                            tensortap::Mode mode = tensortap::Mode::train) const {
    return train_steps(
        count,
        [&](std::int64_t step) {
          StepOfList::Tensors out;
          for (std::size_t layer = 0; layer < 2; ++layer) {
            double moved = 0;
            for (std::int64_t before = 0; before < step; ++before) moved += moves(layer, before) ? rate : 0;
            out.emplace_back("fc" + std::to_string(layer) + ".weight",
                             filled({3, 4}, [&](std::size_t i) { return (1 + moved) * noise(i + 50 * layer); }));
          }
          out.emplace_back("loss", numbers({step == 0 ? first_loss : loss}));
          for (std::size_t layer = 0; layer < 2; ++layer)
            if (const auto size = gradient(layer, step))
              out.emplace_back("gradient/fc" + std::to_string(layer) + ".weight", filled({3, 4}, [&](std::size_t i) {
                                 return *size * noise(i + 99 * static_cast<std::size_t>(step) + 5 * layer);
                               }));
          return out;
        },
        saved, interval, mode);
  }
};
