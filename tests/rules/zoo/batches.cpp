#include "batches.hpp"

#include <algorithm>
#include <numeric>

namespace zoo {

namespace {

/// Returns the examples that training sees.
std::vector<std::size_t> kept_of(const Spec& spec, const Task& task) {
  Random random(spec.seed, "kept");
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < task.train.size(); ++i)
    if (spec.rare_share >= 1 || task.train.labels[i] == 0 || random.chance(spec.rare_share)) result.push_back(i);
  if (spec.train_limit != 0) result.resize(std::min(result.size(), spec.train_limit));
  return result;
}

void add_noise(Examples& examples, const Spec& spec, std::size_t classes, Random& random) {
  for (auto& label : examples.labels)
    if (random.chance(spec.label_noise)) label = static_cast<std::int64_t>(random.below(classes));
  for (auto& target : examples.targets) target += 1.5f * spec.label_noise * random.normal();
}

}  // namespace

Batches::Batches(const Spec& spec, const Task& task)
    : spec_(spec),
      task_(task),
      truth_(task.evaluation),
      order_random_(spec.seed, "order"),
      damage_random_(spec.seed, "damage"),
      kept_(kept_of(spec, task)) {
  damage_labels();
}

void Batches::damage_labels() {
  for (Examples* const examples : {&task_.train, &task_.evaluation}) {
    if (spec_.label_noise > 0) add_noise(*examples, spec_, task_.classes, damage_random_);
    if (spec_.random_labels) {
      damage_random_.shuffle(examples->labels);
      damage_random_.shuffle(examples->targets);
    }
  }
  if (spec_.one_class) std::fill(task_.train.labels.begin(), task_.train.labels.end(), 0);
}

Batch Batches::batch_of(const Examples& examples, const std::vector<std::size_t>& positions) const {
  Batch batch;
  const std::size_t features = examples.inputs.row_size();
  if (spec_.convolutional)
    batch.inputs.reset({positions.size(), 1, task_.side, task_.side});
  else
    batch.inputs.reset({positions.size(), features});
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const float* const from = examples.inputs.row(positions[i]);
    std::transform(from, from + features, batch.inputs.row(i), [this](float x) { return spec_.input_scale * x; });
    if (!examples.labels.empty()) batch.labels.push_back(examples.labels[positions[i]]);
    if (!examples.targets.empty()) batch.targets.push_back(examples.targets[positions[i]]);
  }
  if (spec_.constant_inputs) std::fill(batch.inputs.values.begin(), batch.inputs.values.end(), 0.0f);
  return batch;
}

Batch Batches::next(std::size_t step) {
  std::vector<std::size_t> positions;
  while (positions.size() < spec_.batch) {
    if (order_.empty()) {
      order_ = kept_;
      order_random_.shuffle(order_);
    }
    positions.push_back(order_.back());
    order_.pop_back();
  }
  if (spec_.repeats_batch) order_.insert(order_.end(), positions.rbegin(), positions.rend());
  Batch batch = batch_of(task_.train, positions);
  damage_inputs(batch, step);
  if (spec_.shifted_labels) {
    Batch now = batch;
    if (!previous_.inputs.values.empty()) {
      batch.labels = previous_.labels;
      batch.targets = previous_.targets;
    }
    previous_ = std::move(now);
  }
  return batch;
}

void Batches::damage_inputs(Batch& batch, std::size_t step) {
  if (spec_.shuffled_features)
    for (std::size_t i = 0; i < batch.inputs.rows(); ++i) {
      std::vector<float> row(batch.inputs.row(i), batch.inputs.row(i) + batch.inputs.row_size());
      damage_random_.shuffle(row);
      std::copy(row.begin(), row.end(), batch.inputs.row(i));
    }
  if (spec_.corrupt_at != 0 && step == spec_.corrupt_at)
    for (float& value : batch.inputs.values) value *= 3000;
}

Batch Batches::evaluation(std::size_t number) const {
  const std::size_t size = std::clamp<std::size_t>(spec_.batch, 32, 64);
  std::vector<std::size_t> positions(size);
  for (std::size_t i = 0; i < size; ++i) positions[i] = (number * size + i) % task_.evaluation.size();
  return batch_of(task_.evaluation, positions);
}

Batch Batches::outcome() const {
  std::vector<std::size_t> positions(truth_.size());
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  return batch_of(truth_, positions);
}

}  // namespace zoo
