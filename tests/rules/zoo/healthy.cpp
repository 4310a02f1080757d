#include "healthy.hpp"

#include <algorithm>

namespace zoo {

namespace {

bool is_simple(const Spec& spec) {
  return spec.task == "blobs" || spec.task == "blobs10d" || spec.task == "imbalanced" || spec.task == "text";
}

void choose_network(Spec& spec, Random& random) {
  const float kind = random.uniform();
  spec.activation = kind < 0.5f    ? Activation::relu
                    : kind < 0.6f  ? Activation::leaky_relu
                    : kind < 0.88f ? Activation::tanh
                                   : Activation::sigmoid;
  spec.width = 10 + 2 * random.below(6);
  if (spec.task == "fashion") {
    spec.convolutional = random.chance(0.6f);
    spec.depth = 1 + random.below(2) + (spec.convolutional ? 0 : 1);
  } else if (is_simple(spec)) {
    spec.depth = 1 + random.below(4);
  } else {
    spec.depth = random.one_of<std::size_t>({2, 2, 3, 3, 4, 5, 6, 8, 10, 12});
  }
  if (spec.activation == Activation::sigmoid) {
    if (spec.convolutional) spec.activation = Activation::tanh;
    spec.depth = std::min<std::size_t>(spec.depth, 2);
  }
  const bool rectifies = spec.activation == Activation::relu || spec.activation == Activation::leaky_relu;
  spec.init = rectifies
                  ? (spec.depth <= 3 ? random.one_of<Init>({Init::he2015, Init::he2015, Init::uniform, Init::xavier})
                                     : Init::he2015)
                  : random.one_of<Init>({Init::xavier, Init::lecun});
}

void choose_optimizer(Spec& spec, Random& random) {
  const bool deep = spec.depth > 5, sigmoid = spec.activation == Activation::sigmoid;
  spec.optimizer = deep || sigmoid ? random.one_of<Optimizer>({Optimizer::adam, Optimizer::adamw})
                                   : random.one_of<Optimizer>({Optimizer::sgd, Optimizer::momentum, Optimizer::momentum,
                                                               Optimizer::adam, Optimizer::adam, Optimizer::adamw});
  switch (spec.optimizer) {
    case Optimizer::sgd: spec.rate = random.uniform(0.1f, 0.3f); break;
    case Optimizer::momentum: spec.rate = random.uniform(0.02f, 0.06f); break;
    case Optimizer::adam:
    case Optimizer::adamw:
      spec.rate = sigmoid ? 0.04f : deep ? random.uniform(0.002f, 0.004f) : random.uniform(0.006f, 0.015f);
  }
  if (spec.optimizer == Optimizer::adamw) spec.weight_decay = 0.01f;
  spec.schedule = random.one_of<Schedule>(
      {Schedule::constant, Schedule::constant, Schedule::warm_up_cosine, Schedule::restarts, Schedule::step_decay});
}

/// Returns about how many bytes a saved step has.
std::size_t bytes_of_step(const Spec& spec) {
  const std::size_t layers = spec.depth + (spec.convolutional ? 2 : 0);
  const std::size_t images = spec.task == "fashion" ? 196 * spec.width : 0;
  const std::size_t parameters = 4 * (layers * spec.width * spec.width + (spec.convolutional ? 0 : images));
  const std::size_t pixels = spec.convolutional ? 6000 : images / spec.width;
  switch (spec.saving) {
    case Saving::all:
      return 12 * layers * 250 + 2 * parameters + 4 * spec.batch * (4 * spec.depth * spec.width + pixels);
    case Saving::gradients_weights: return 4 * layers * 250 + 2 * parameters;
    case Saving::weights: return 2 * layers * 250 + parameters;
    case Saving::statistics: return 6 * layers * 600;
    case Saving::reductions: return 5 * layers * 6 * 300;
    case Saving::labels:
    case Saving::losses: break;
  }
  return 0;
}

/// Saves fewer steps, or less of each step, of larger networks.
void limit_size(Spec& spec) {
  constexpr std::size_t limit = 1'300'000;
  for (const std::size_t interval : std::vector<std::size_t>{1, 5, 10})
    if (interval >= spec.interval && bytes_of_step(spec) * spec.steps / interval <= limit) {
      spec.interval = interval;
      return;
    }
  spec.saving = Saving::reductions;
  spec.interval = 10;
}

}  // namespace

Spec draw_healthy(Random& random, const std::vector<std::string>& tasks) {
  Spec spec;
  spec.seed = random.bits() >> 40;
  spec.task = random.one_of(tasks);
  choose_network(spec, random);
  choose_optimizer(spec, random);
  spec.steps = is_simple(spec) ? 150 + 25 * random.below(5) : 200 + 50 * random.below(4);
  spec.batch = random.one_of<std::size_t>({16, 16, 24, 32});
  spec.naming = random.one_of<Naming>(
      {Naming::net, Naming::net, Naming::net, Naming::mlp, Naming::sequential, Naming::nested, Naming::functional});
  return spec;
}

void choose_saving(Spec& spec, Random& random) {
  spec.saving =
      random.one_of<Saving>({Saving::all, Saving::all, Saving::all, Saving::gradients_weights,
                             Saving::gradients_weights, Saving::statistics, Saving::reductions, Saving::labels});
  spec.interval = random.one_of<std::size_t>({1, 1, 5, 10});
  limit_size(spec);
  spec.rare_losses = spec.interval > 1 && random.chance(0.3f);
  spec.extras = random.one_of<Extras>({Extras::none, Extras::none, Extras::classes, Extras::scores});
  if (spec.saving == Saving::labels && spec.extras == Extras::none) spec.extras = Extras::scores;
  spec.evaluate_every = random.one_of<std::size_t>({0, 10, 20, 25, 50, 50});
  spec.evaluation_batches = 1 + random.below(2);
}

void choose_thin_saving(Spec& spec, Random& random) {
  spec.steps = std::max<std::size_t>(60, spec.steps * random.one_of<std::size_t>({1, 2, 4, 8, 16}) / 4);
  spec.saving = random.one_of<Saving>({Saving::all, Saving::gradients_weights, Saving::weights, Saving::statistics,
                                       Saving::reductions, Saving::labels, Saving::losses, Saving::losses});
  spec.interval = random.one_of<std::size_t>({1, 2, 5, 10, 25, 50});
  while (bytes_of_step(spec) * spec.steps / spec.interval > 2'600'000) spec.interval *= 2;
  spec.rare_losses = random.chance(0.5f);
  spec.extras = random.one_of<Extras>({Extras::none, Extras::none, Extras::none, Extras::classes, Extras::scores});
  if (spec.saving == Saving::labels && spec.extras == Extras::none) spec.extras = Extras::scores;
  spec.evaluate_every = random.one_of<std::size_t>({0, 0, 5, 10, 30, 100});
  spec.evaluation_batches = 1 + random.below(3);
}

const std::vector<Trap>& traps() {
  const std::vector<std::string> all, hard = {"moons", "circles", "xor", "rings", "wave", "surface"};
  static const std::vector<Trap> list = {
      {"warm-up", all, [](Spec& s, Random&) { s.schedule = Schedule::warm_up_cosine; }},
      {"restarts", all, [](Spec& s, Random&) { s.schedule = Schedule::restarts; }},
      {"step decay", all, [](Spec& s, Random&) { s.schedule = Schedule::step_decay; }},
      {"dropout",
       {"moons", "xor", "rings", "blobs10d", "fashion"},
       [](Spec& s, Random& r) {
         s.dropout = r.uniform(0.1f, 0.3f);
         s.width = 32;
         s.depth = std::clamp<std::size_t>(s.depth, 2, 4);
         s.steps = 400;
       }},
      {"label noise",
       {"blobs", "blobs10d", "moons", "moons-bce", "circles", "rings", "wave", "surface"},
       [](Spec& s, Random& r) { s.label_noise = r.uniform(0.15f, 0.3f); }},
      {"clipping", all,
       [](Spec& s, Random& r) {
         s.clip_norm = r.uniform(0.1f, 0.5f);
         s.steps = 400;
       }},
      {"batch of four", all,
       [](Spec& s, Random&) {
         s.batch = 4;
         s.rate *= 0.5f;
         s.steps = 400;
       }},
      {"frozen by design", hard,
       [](Spec& s, Random&) {
         s.depth = std::max<std::size_t>(s.depth, 3);
         s.width = 24;
         s.fixed_layers = {0};
       }},
      {"unfreezing", hard,
       [](Spec& s, Random&) {
         s.depth = std::max<std::size_t>(s.depth, 3);
         s.fixed_layers = {0, 1};
         s.unfreeze_at = s.steps / 3;
       }},
      {"sparse embedding", {"text"}, [](Spec& s, Random&) { s.steps = 250; }},
      {"loss to zero",
       {"blobs10d", "xor"},
       [](Spec& s, Random&) {
         s.steps = 400;
         s.schedule = Schedule::constant;
         s.rate *= 1.5f;
       }},
      {"accumulation", all,
       [](Spec& s, Random& r) {
         s.accumulate = r.one_of<std::size_t>({2, 4});
         s.batch = 16;
         s.steps = 400;
       }},
      {"fine-tuning",
       {"moons", "circles", "xor", "rings", "wave", "surface", "fashion"},
       [](Spec& s, Random&) {
         s.schedule = Schedule::constant;
         s.pretrained = 500;
         s.steps = 150;
         s.rate *= 0.1f;
       }},
      {"zero output layer", all, [](Spec& s, Random&) { s.zero_output_layer = true; }},
      {"imbalanced", {"imbalanced"}, [](Spec& s, Random&) { s.steps = 250; }},
      {"some dead units", hard,
       [](Spec& s, Random& r) {
         s.activation = Activation::relu;
         s.init = Init::he2015;
         s.depth = std::clamp<std::size_t>(s.depth, 2, 3);
         s.width = 32;
         s.hidden_bias = r.uniform(-1.2f, -0.5f);
       }},
      {"weight decay", all,
       [](Spec& s, Random&) {
         s.optimizer = Optimizer::adamw;
         s.rate = 0.008f;
         s.depth = std::min<std::size_t>(s.depth, 4);
         s.weight_decay = 0.1f;
       }},
      {"one bad batch", all,
       [](Spec& s, Random&) {
         s.optimizer = Optimizer::adam;
         s.rate = 0.005f;
         s.clip_norm = 1;
         s.corrupt_at = s.steps / 3;
       }},
      {"large inputs",
       {"blobs", "blobs10d", "moons", "circles", "rings", "xor"},
       [](Spec& s, Random&) {
         s.input_scale = 5;
         s.rate *= 0.5f;
         s.depth = std::clamp<std::size_t>(s.depth, 2, 4);
         s.steps = 400;
       }},
      {"slow", hard,
       [](Spec& s, Random&) {
         s.rate *= 0.4f;
         s.steps = 400;
       }},
  };
  return list;
}

}  // namespace zoo
