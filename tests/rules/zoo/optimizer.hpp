// The update of the parameters, and the mistakes in it.
#pragma once

#include <cstddef>
#include <vector>

#include "network.hpp"
#include "spec.hpp"

namespace zoo {

class Updates {
 public:
  Updates(const Spec& spec, Network& network);

  /// Returns whether layer `i` of those with parameters has a gradient at `step`.
  [[nodiscard]] bool has_gradient(std::size_t i, std::size_t step) const;

  /// Updates the parameters for the `step`-th time.
  void apply(std::size_t step);

 private:
  struct Moments {
    std::vector<float> first, second;
  };

  void clip();
  void update(Parameter& parameter, Moments& moments, float rate, std::size_t count) const;

  const Spec& spec_;
  Network& network_;
  std::vector<Moments> moments_;
  std::size_t count_ = 0;
};

}  // namespace zoo
