#include "tap.hpp"

#include <span>

namespace zoo {

namespace {

namespace tt = tensortap;

/// Returns the steps of a collection: every `interval`-th of training, and each evaluation.
tt::SaveConfig steps(std::int64_t interval) {
  return (tt::every(interval) & tt::during(tt::Mode::train)) | (tt::every(1) & tt::during(tt::Mode::eval));
}

std::vector<tt::Collection> collections_of(const Spec& spec) {
  using R = tt::Reduction;
  const auto pattern = [](const char* name) { return std::string(*tt::smdebug_pattern(name)); };
  const std::string losses = pattern("losses"), gradients = pattern("gradients"), weights = pattern("weights"),
                    biases = pattern("biases");
  std::vector<tt::Collection> result;
  const auto add = [&](const std::string& name, const std::string& regex, const tt::SaveConfig& save,
                       const tt::Reductions& reductions = {}) {
    result.push_back({.name = name, .include_regex = regex, .save = save, .reductions = reductions});
  };
  const auto interval = static_cast<std::int64_t>(spec.interval);
  const tt::SaveConfig train = tt::every(interval) & tt::during(tt::Mode::train);
  const auto add_parameters = [&](const tt::Reductions& reductions) {
    add("gradients", gradients, train, reductions);
    add("weights", weights, train, reductions);
    add("biases", biases, train, reductions);
  };
  add("losses", losses, steps(spec.rare_losses ? interval : 1));
  if (spec.extras != Extras::none) add("answers", "^(labels|predictions)$", steps(1));
  switch (spec.saving) {
    case Saving::all: add("all", ".*", steps(interval)); break;
    case Saving::gradients_weights: add_parameters({}); break;
    case Saving::weights:
      add("weights", weights, train);
      add("biases", biases, train);
      break;
    case Saving::statistics:
      add_parameters({R::statistics});
      add("layers", "_output_0$", train, {R::statistics});
      break;
    case Saving::reductions: {
      const tt::Reductions numbers = {R::min, R::max, R::mean, R::std, R::l2, R::abs_mean};
      add_parameters(numbers);
      add("relu_output", "relu.*_output", train, numbers);
      break;
    }
    case Saving::labels:
    case Saving::losses: break;
  }
  return result;
}

tt::HookOptions options_of(const Spec& spec, const std::shared_ptr<double>& time) {
  tt::HookOptions options{.collections = collections_of(spec), .process_facts = false};
  options.run_id = std::to_string(spec.seed);
  options.durability = tt::Durability::none;
  options.index_extras = false;
  // Few files, and yet some runs with one for each step, as smdebug writes them.
  options.events_per_file = spec.rare_losses ? 1 : 32;
  options.wall_time = [time] { return *time += 0.001; };
  return options;
}

}  // namespace

Tap::Tap(const std::string& run, const Spec& spec)
    : spec_(spec), time_(std::make_shared<double>(1.6e9)), hook_(run, options_of(spec, time_)) {}

void Tap::parameters(const Network& network) {
  for (const Layer* const layer : network.trained())
    for (const Parameter& parameter : layer->parameters)
      hook_.save(network.name_of(*layer, parameter), parameter.value);
}

void Tap::pass(const Network& network, const Batch& batch, Loss loss, float value) {
  for (std::size_t i = 0; i < network.layers().size(); ++i) {
    const Layer& layer = *network.layers()[i];
    if (layer.name.empty()) continue;
    hook_.save(layer.name + "_input_0", network.input_of(i));
    hook_.save(layer.name + "_output_0", layer.output);
  }
  hook_.save(network.class_name() + "_input_0", network.input_of(0));
  hook_.save(network.class_name() + "_output_0", network.output());
  const std::string name = class_name_of(loss);
  hook_.save(name + "_input_0", network.output());
  answers(name + "_input_1", batch);
  hook_.save(name + "_output_0", value);
  if (spec_.extras == Extras::none) return;
  answers("labels", batch);
  if (spec_.extras == Extras::classes && !batch.labels.empty())
    hook_.save("predictions", classes_of(loss, network.output()));
  else
    hook_.save("predictions", network.output());
}

void Tap::answers(const std::string& name, const Batch& batch) {
  if (batch.labels.empty())
    hook_.save(name, batch.targets);
  else
    hook_.save(name, batch.labels);
}

void Tap::gradients(const Network& network, const Updates& updates, std::size_t step) {
  for (std::size_t i = network.trained().size(); i-- > 0;) {
    if (!updates.has_gradient(i, step)) continue;
    const Layer& layer = *network.trained()[i];
    for (const Parameter& parameter : layer.parameters)
      hook_.save("gradient/" + network.name_of(layer, parameter), parameter.gradient);
  }
}

}  // namespace zoo
