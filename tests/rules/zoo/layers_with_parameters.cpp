#include <algorithm>

#include "layer.hpp"

namespace zoo {

namespace {

Parameter parameter(const std::string& name, std::vector<std::size_t> shape, std::size_t fan_in, std::size_t fan_out) {
  return {.name = name, .value = Array(shape), .gradient = Array(shape), .fan_in = fan_in, .fan_out = fan_out};
}

class Dense : public Layer {
 public:
  Dense(std::size_t inputs, std::size_t outputs) : inputs_(inputs), outputs_(outputs) {
    kind = "fc";
    parameters.push_back(parameter("weight", {outputs, inputs}, inputs, outputs));
    parameters.push_back(parameter("bias", {outputs}, inputs, outputs));
  }

  void forward(const Array& input, bool, Random&) override {
    output.reset({input.rows(), outputs_});
    for (std::size_t i = 0; i < input.rows(); ++i)
      std::copy_n(parameters[1].value.values.data(), outputs_, output.row(i));
    const auto weight = transposed(parameters[0].value.values.data(), outputs_, inputs_);
    add_product(input.values.data(), weight.data(), output.values.data(), input.rows(), inputs_, outputs_);
  }

  void backward(const Array& input, const Array& output_gradient) override {
    const float* const from = output_gradient.values.data();
    add_product_of_transposed(from, input.values.data(), parameters[0].gradient.values.data(), input.rows(), outputs_,
                              inputs_);
    for (std::size_t i = 0; i < input.rows(); ++i)
      for (std::size_t j = 0; j < outputs_; ++j) parameters[1].gradient.values[j] += from[i * outputs_ + j];
    input_gradient.reset({input.rows(), inputs_});
    add_product(from, parameters[0].value.values.data(), input_gradient.values.data(), input.rows(), outputs_, inputs_);
  }

 private:
  std::size_t inputs_, outputs_;
};

class Convolution : public Layer {
 public:
  Convolution(std::size_t inputs, std::size_t outputs) : inputs_(inputs), outputs_(outputs) {
    kind = "conv";
    parameters.push_back(parameter("weight", {outputs, inputs, 3, 3}, inputs * 9, outputs * 9));
    parameters.push_back(parameter("bias", {outputs}, inputs * 9, outputs * 9));
  }

  void forward(const Array& input, bool, Random&) override {
    set_size(input);
    output.reset({input.rows(), outputs_, side_, side_});
    patches_.assign(input.rows() * inputs_ * 9 * pixels_, 0.0f);
    for (std::size_t i = 0; i < input.rows(); ++i) {
      const float* const image = input.row(i);
      float* const patches = patches_of(i);
      for_each_pixel([&](std::size_t patch, std::size_t pixel) { patches[patch] = image[pixel]; });
      for (std::size_t o = 0; o < outputs_; ++o)
        std::fill_n(output.row(i) + o * pixels_, pixels_, parameters[1].value.values[o]);
      add_product(parameters[0].value.values.data(), patches, output.row(i), outputs_, inputs_ * 9, pixels_);
    }
  }

  void backward(const Array& input, const Array& output_gradient) override {
    const std::size_t taps = inputs_ * 9;
    input_gradient.reset(input.shape);
    std::vector<float> patches(taps * pixels_);
    for (std::size_t i = 0; i < input.rows(); ++i) {
      const float* const from = output_gradient.row(i);
      const auto columns = transposed(patches_of(i), taps, pixels_);
      add_product(from, columns.data(), parameters[0].gradient.values.data(), outputs_, pixels_, taps);
      for (std::size_t o = 0; o < outputs_; ++o)
        for (std::size_t p = 0; p < pixels_; ++p) parameters[1].gradient.values[o] += from[o * pixels_ + p];
      std::fill(patches.begin(), patches.end(), 0.0f);
      add_product_of_transposed(parameters[0].value.values.data(), from, patches.data(), outputs_, taps, pixels_);
      float* const image = input_gradient.row(i);
      for_each_pixel([&](std::size_t patch, std::size_t pixel) { image[pixel] += patches[patch]; });
    }
  }

 private:
  void set_size(const Array& input) {
    side_ = input.shape[2];
    pixels_ = side_ * side_;
  }

  float* patches_of(std::size_t image) { return patches_.data() + image * inputs_ * 9 * pixels_; }

  /// Calls f(index in the patches, index in the image) for each pixel under each tap.
  template <class F>
  void for_each_pixel(const F& f) const {
    for (std::size_t tap = 0; tap < inputs_ * 9; ++tap) {
      const std::size_t channel = tap / 9, dy = tap % 9 / 3, dx = tap % 3;
      for (std::size_t y = 0; y < side_; ++y)
        for (std::size_t x = 0; x < side_; ++x)
          if (y + dy >= 1 && y + dy <= side_ && x + dx >= 1 && x + dx <= side_)
            f(tap * pixels_ + y * side_ + x, channel * pixels_ + (y + dy - 1) * side_ + x + dx - 1);
    }
  }

  std::size_t inputs_, outputs_, side_ = 0, pixels_ = 0;
  std::vector<float> patches_;
};

class Embedding : public Layer {
 public:
  Embedding(std::size_t words, std::size_t width) : width_(width) {
    kind = "embedding";
    parameters.push_back(parameter("weight", {words, width}, width, width));
  }

  void forward(const Array& input, bool, Random&) override {
    output.reset({input.rows(), width_});
    for_each_word(input, [&](std::size_t i, std::size_t word, float share) {
      for (std::size_t j = 0; j < width_; ++j) output.row(i)[j] += share * parameters[0].value.row(word)[j];
    });
  }

  void backward(const Array& input, const Array& output_gradient) override {
    for_each_word(input, [&](std::size_t i, std::size_t word, float share) {
      for (std::size_t j = 0; j < width_; ++j) parameters[0].gradient.row(word)[j] += share * output_gradient.row(i)[j];
    });
    input_gradient.reset(input.shape);
  }

 private:
  /// Calls f(example, word, share). A damaged number of a word counts as the first or the last word.
  template <class F>
  void for_each_word(const Array& input, const F& f) const {
    const auto last = static_cast<float>(parameters[0].value.rows() - 1);
    for (std::size_t i = 0; i < input.rows(); ++i)
      for (std::size_t k = 0; k < input.row_size(); ++k) {
        const float word = input.row(i)[k];
        f(i, word > 0 ? static_cast<std::size_t>(std::min(word, last)) : 0, 1 / static_cast<float>(input.row_size()));
      }
  }

  std::size_t width_;
};

}  // namespace

std::unique_ptr<Layer> make_dense(std::size_t inputs, std::size_t outputs) {
  return std::make_unique<Dense>(inputs, outputs);
}

std::unique_ptr<Layer> make_convolution(std::size_t inputs, std::size_t outputs) {
  return std::make_unique<Convolution>(inputs, outputs);
}

std::unique_ptr<Layer> make_embedding(std::size_t words, std::size_t width) {
  return std::make_unique<Embedding>(words, width);
}

}  // namespace zoo
