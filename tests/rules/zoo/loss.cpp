#include "loss.hpp"

#include <algorithm>
#include <cmath>

namespace zoo {

namespace {

float cross_entropy(const float* scores, std::size_t classes, std::int64_t label, float* gradient) {
  const float top = *std::max_element(scores, scores + classes);
  float sum = 0;
  for (std::size_t c = 0; c < classes; ++c) sum += gradient[c] = std::exp(scores[c] - top);
  for (std::size_t c = 0; c < classes; ++c) gradient[c] /= sum;
  const auto at = static_cast<std::size_t>(label);
  gradient[at] -= 1;
  return std::log(sum) + top - scores[at];
}

float binary_cross_entropy(float score, float label, float* gradient) {
  *gradient = 1 / (1 + std::exp(-score)) - label;
  return (score < 0 ? 0 : score) - score * label + std::log1p(std::exp(-std::fabs(score)));
}

float difference(Loss loss, float error, float* gradient) {
  *gradient = loss == Loss::mse ? 2 * error : error > 0 ? 1.0f : error < 0 ? -1.0f : error;
  return loss == Loss::mse ? error * error : std::fabs(error);
}

}  // namespace

LossResult loss_of(Loss loss, const Array& outputs, const Batch& batch) {
  LossResult result{0, Array(outputs.shape)};
  const std::size_t rows = outputs.rows();
  for (std::size_t i = 0; i < rows; ++i) {
    const float* const scores = outputs.row(i);
    float* const gradient = result.gradient.row(i);
    switch (loss) {
      case Loss::cross_entropy:
        result.value += cross_entropy(scores, outputs.row_size(), batch.labels[i], gradient);
        break;
      case Loss::bce:
        result.value += binary_cross_entropy(*scores, static_cast<float>(batch.labels[i]), gradient);
        break;
      case Loss::mse:
      case Loss::l1: result.value += difference(loss, *scores - batch.targets[i], gradient); break;
    }
  }
  result.value /= static_cast<float>(rows);
  for (float& value : result.gradient.values) value /= static_cast<float>(rows);
  return result;
}

const char* class_name_of(Loss loss) {
  switch (loss) {
    case Loss::cross_entropy: return "CrossEntropyLoss";
    case Loss::bce: return "BCEWithLogitsLoss";
    case Loss::mse: return "MSELoss";
    case Loss::l1: return "L1Loss";
  }
  return "";
}

std::vector<std::int64_t> classes_of(Loss loss, const Array& outputs) {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < outputs.rows(); ++i) {
    const float* const row = outputs.row(i);
    if (loss == Loss::bce)
      result.push_back(*row > 0 ? 1 : 0);
    else
      result.push_back(std::max_element(row, row + outputs.row_size()) - row);
  }
  return result;
}

double constant_loss(Loss loss, std::size_t classes, const std::vector<std::int64_t>& labels,
                     const std::vector<float>& targets) {
  double result = 0;
  if (classes != 0) {
    for (std::size_t c = 0; c < classes; ++c) {
      const auto count = std::count(labels.begin(), labels.end(), static_cast<std::int64_t>(c));
      const double share = static_cast<double>(count) / static_cast<double>(labels.size());
      if (share > 0) result -= share * std::log(share);
    }
    return result;
  }
  std::vector<float> sorted = targets;
  std::sort(sorted.begin(), sorted.end());
  double mean = 0;
  for (const float target : sorted) mean += target / static_cast<double>(sorted.size());
  const double constant = loss == Loss::l1 ? sorted[sorted.size() / 2] : mean;
  for (const float target : sorted) {
    const double error = std::fabs(target - constant);
    result += (loss == Loss::l1 ? error : error * error) / static_cast<double>(sorted.size());
  }
  return result;
}

}  // namespace zoo
