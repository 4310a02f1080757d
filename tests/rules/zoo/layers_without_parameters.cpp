#include <algorithm>
#include <cmath>

#include "layer.hpp"

namespace zoo {

namespace {

class Activate : public Layer {
 public:
  explicit Activate(Activation activation) : activation_(activation) { kind = name_of(activation); }

  void forward(const Array& input, bool, Random&) override {
    output.reset(input.shape);
    std::transform(input.values.begin(), input.values.end(), output.values.begin(), [this](float x) { return of(x); });
  }

  void backward(const Array& input, const Array& output_gradient) override {
    input_gradient.reset(input.shape);
    for (std::size_t i = 0; i < input.values.size(); ++i)
      input_gradient.values[i] = output_gradient.values[i] * slope(input.values[i], output.values[i]);
  }

 private:
  /// NaN stays NaN in each of them, as in PyTorch.
  [[nodiscard]] float of(float x) const {
    switch (activation_) {
      case Activation::relu: return x < 0 ? 0 : x;
      case Activation::leaky_relu: return x < 0 ? 0.01f * x : x;
      case Activation::tanh: return std::tanh(x);
      case Activation::sigmoid: return 1 / (1 + std::exp(-x));
      case Activation::none: break;
    }
    return x;
  }

  [[nodiscard]] float slope(float x, float y) const {
    switch (activation_) {
      case Activation::relu: return x <= 0 ? 0.0f : 1.0f;
      case Activation::leaky_relu: return x <= 0 ? 0.01f : 1.0f;
      case Activation::tanh: return 1 - y * y;
      case Activation::sigmoid: return y * (1 - y);
      case Activation::none: break;
    }
    return 1;
  }

  Activation activation_;
};

class MaxPool : public Layer {
 public:
  MaxPool() { kind = "pool"; }

  void forward(const Array& input, bool, Random&) override {
    const std::size_t side = input.shape[2], half = side / 2, images = input.shape[0] * input.shape[1];
    output.reset({input.shape[0], input.shape[1], half, half});
    from_.assign(output.values.size(), 0);
    for (std::size_t image = 0, to = 0; image < images; ++image)
      for (std::size_t y = 0; y < half; ++y)
        for (std::size_t x = 0; x < half; ++x, ++to) {
          const std::size_t at = image * side * side + 2 * y * side + 2 * x;
          from_[to] = at;
          for (const std::size_t other : {at + 1, at + side, at + side + 1})
            if (!(input.values[other] <= input.values[from_[to]])) from_[to] = other;
          output.values[to] = input.values[from_[to]];
        }
  }

  void backward(const Array& input, const Array& output_gradient) override {
    input_gradient.reset(input.shape);
    for (std::size_t i = 0; i < from_.size(); ++i) input_gradient.values[from_[i]] += output_gradient.values[i];
  }

 private:
  std::vector<std::size_t> from_;
};

class Flatten : public Layer {
 public:
  Flatten() { kind = "flatten"; }

  void forward(const Array& input, bool, Random&) override {
    output = input;
    output.shape = {input.rows(), input.row_size()};
  }

  void backward(const Array& input, const Array& output_gradient) override {
    input_gradient = output_gradient;
    input_gradient.shape = input.shape;
  }
};

class Dropout : public Layer {
 public:
  explicit Dropout(float share) : share_(share) { kind = "dropout"; }

  void forward(const Array& input, bool training, Random& random) override {
    output = input;
    factors_.assign(input.values.size(), 1.0f);
    if (!training) return;
    for (float& factor : factors_) factor = random.chance(share_) ? 0.0f : 1 / (1 - share_);
    for (std::size_t i = 0; i < factors_.size(); ++i) output.values[i] *= factors_[i];
  }

  void backward(const Array&, const Array& output_gradient) override {
    input_gradient = output_gradient;
    for (std::size_t i = 0; i < factors_.size(); ++i) input_gradient.values[i] *= factors_[i];
  }

 private:
  float share_;
  std::vector<float> factors_;
};

class Softmax : public Layer {
 public:
  Softmax() { kind = "softmax"; }

  void forward(const Array& input, bool, Random&) override {
    output = input;
    for (std::size_t i = 0; i < input.rows(); ++i) {
      float* const row = output.row(i);
      const float top = *std::max_element(row, row + input.row_size());
      float sum = 0;
      for (std::size_t j = 0; j < input.row_size(); ++j) sum += row[j] = std::exp(row[j] - top);
      for (std::size_t j = 0; j < input.row_size(); ++j) row[j] /= sum;
    }
  }

  void backward(const Array& input, const Array& output_gradient) override {
    input_gradient.reset(input.shape);
    for (std::size_t i = 0; i < input.rows(); ++i) {
      const float* const y = output.row(i);
      const float* const gradient = output_gradient.row(i);
      float mean = 0;
      for (std::size_t j = 0; j < input.row_size(); ++j) mean += y[j] * gradient[j];
      for (std::size_t j = 0; j < input.row_size(); ++j) input_gradient.row(i)[j] = y[j] * (gradient[j] - mean);
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_activation(Activation activation) { return std::make_unique<Activate>(activation); }
std::unique_ptr<Layer> make_max_pool() { return std::make_unique<MaxPool>(); }
std::unique_ptr<Layer> make_flatten() { return std::make_unique<Flatten>(); }
std::unique_ptr<Layer> make_dropout(float share) { return std::make_unique<Dropout>(share); }
std::unique_ptr<Layer> make_softmax() { return std::make_unique<Softmax>(); }

}  // namespace zoo
