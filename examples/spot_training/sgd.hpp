// Stochastic gradient descent with momentum.
#pragma once

#include <cstddef>

#include "parameters.hpp"

namespace spot_training {

struct Sgd {
  float momentum = 0.9f;
  Parameters velocity = {};

  /// velocity = momentum * velocity + gradient; parameters -= learning_rate * velocity.
  template <class AnyNetwork>
  void update(AnyNetwork& network, float learning_rate) {
    const auto values = network.parameters.numbers(), gradients = network.gradient.numbers(),
               velocities = velocity.numbers();
    for (std::size_t tensor = 0; tensor < values.size(); ++tensor)
      for (std::size_t i = 0; i < values[tensor].size(); ++i) {
        float& speed = velocities[tensor][i];
        speed = momentum * speed + gradients[tensor][i];
        values[tensor][i] -= learning_rate * speed;
      }
  }
};

}  // namespace spot_training
