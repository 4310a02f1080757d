#include "faults.hpp"

#include <algorithm>

namespace zoo {

namespace {

using Names = std::vector<std::string>;

void nothing(Spec&, Random&) {}

void make_deep(Spec& s, Random& r) {
  s.depth = 7 + r.below(4);
  s.activation = Activation::relu;
  s.init = Init::he2015;
  s.optimizer = Optimizer::adam;
  s.rate = 0.003f;
  s.steps = 300;
}

void make_hidden(Spec& s, Random&) { s.depth = std::max<std::size_t>(s.depth, 3); }

void make_relu(Spec& s, Random& r) {
  make_hidden(s, r);
  s.activation = Activation::relu;
  s.init = Init::he2015;
  if (s.optimizer == Optimizer::adam || s.optimizer == Optimizer::adamw) s.rate = std::min(s.rate, 0.006f);
}

void make_sgd(Spec& s, Random& r) {
  s.depth = std::clamp<std::size_t>(s.depth, 2, 5);
  if (s.activation == Activation::sigmoid) {
    s.activation = Activation::tanh;
    s.init = Init::xavier;
  }
  s.optimizer = Optimizer::sgd;
  s.rate = r.uniform(0.1f, 0.2f);
}

void make_momentum(Spec& s, Random& r) {
  make_sgd(s, r);
  s.optimizer = Optimizer::momentum;
  s.rate = r.uniform(0.02f, 0.05f);
}

/// Makes a small training of which every step is saved whole, so that the place of a value is known.
void make_whole(Spec& s, Random&) {
  s.width = 10;
  s.batch = 16;
  s.depth = std::clamp<std::size_t>(s.depth, 2, 4);
}

void inject(Spec& s, Random& r, Injection::Place place, bool infinite) {
  s.injection = {.place = place,
                 .step = 5 + r.below(s.steps - 10),
                 .layer = r.below(8),
                 .pick = r.bits() >> 16,
                 .infinite = infinite};
  s.saving = place == Injection::Place::input || r.chance(0.5f) ? Saving::all : Saving::gradients_weights;
  s.interval = 1;
  s.rare_losses = false;
}

void keep_answers(Spec& s, Random&) {
  if (s.extras == Extras::none) s.extras = Extras::scores;
  if (s.evaluate_every == 0) s.evaluate_every = 20;
}

const Names any,
    points = {"blobs",       "blobs10d", "imbalanced", "moons", "moons-bce", "circles",
              "circles-bce", "rings",    "xor",        "wave",  "wave-l1",   "surface"},
    curved = {"moons", "circles", "circles-bce", "rings", "xor", "wave", "surface"},
    hard = {"circles", "rings", "xor", "wave", "surface"},
    classes = {"blobs", "blobs10d", "moons", "moons-bce", "circles", "circles-bce", "rings", "xor", "text", "fashion"},
    many_classes = {"blobs", "blobs10d", "moons", "circles", "rings", "xor", "fashion"};

std::vector<Fault> broken_networks() {
  return {
      {"vanishing: deep sigmoid", curved, make_deep,
       [](Spec& s, Random&) {
         s.activation = Activation::sigmoid;
         s.init = Init::xavier;
       }},
      {"vanishing: small weights, deep", curved, make_deep,
       [](Spec& s, Random& r) {
         s.activation = r.chance(0.5f) ? Activation::tanh : Activation::relu;
         s.gain = r.uniform(0.1f, 0.3f);
       }},
      {"exploding: initialisation", any,
       [](Spec& s, Random& r) {
         make_sgd(s, r);
         s.activation = Activation::relu;
         s.init = Init::he2015;
         s.depth = 4;
       },
       [](Spec& s, Random& r) { s.gain = r.uniform(4, 10); }},
      {"dead ReLU: bias", points, make_relu, [](Spec& s, Random& r) { s.hidden_bias = r.uniform(-20, -8); }},
      {"dead ReLU: huge step", points, make_relu, [](Spec& s, Random& r) { s.huge_step_at = 3 + r.below(30); }},
      {"saturated tanh", points,
       [](Spec& s, Random&) {
         s.depth = std::clamp<std::size_t>(s.depth, 3, 5);
         s.activation = Activation::tanh;
         s.init = Init::xavier;
         if (s.optimizer == Optimizer::adam || s.optimizer == Optimizer::adamw) s.rate = 0.006f;
       },
       [](Spec& s, Random& r) { s.gain = r.uniform(30, 100); }},
      {"saturated sigmoid", points,
       [](Spec& s, Random&) {
         s.depth = 2;
         s.activation = Activation::sigmoid;
         s.init = Init::xavier;
         s.optimizer = Optimizer::adam;
         s.rate = 0.04f;
       },
       [](Spec& s, Random& r) {
         s.gain = r.uniform(30, 100);
         s.hidden_bias = r.chance(0.5f) ? 30.0f : -30.0f;
       }},
      {"zero initialisation", curved, make_hidden, [](Spec& s, Random&) { s.init = Init::zero; }},
      {"identical units", hard, make_hidden,
       [](Spec& s, Random& r) {
         s.init = Init::constant;
         s.gain = r.uniform(0.5f, 2);
       }},
      {"weights too small", hard, make_hidden,
       [](Spec& s, Random& r) {
         s.gain = r.one_of<float>({1e-3f, 1e-2f, 1e-4f});
       }},
      {"weights too large", any, make_hidden, [](Spec& s, Random& r) { s.gain = r.uniform(10, 40); }},
      {"no activation",
       {"circles", "rings", "xor"},
       make_hidden,
       [](Spec& s, Random&) {
         s.activation = Activation::none;
         s.init = Init::lecun;
       }},
      {"double softmax", many_classes, make_sgd, [](Spec& s, Random&) { s.double_softmax = true; }},
      {"too much dropout", points,
       [](Spec& s, Random&) {
         s.width = 24;
         s.depth = std::clamp<std::size_t>(s.depth, 3, 4);
       },
       [](Spec& s, Random& r) { s.dropout = r.uniform(0.9f, 0.96f); }},
  };
}

std::vector<Fault> broken_updates() {
  return {
      {"rate zero", any, nothing, [](Spec& s, Random&) { s.rate = 0; }},
      {"rate too small", any, nothing,
       [](Spec& s, Random& r) {
         s.rate *= r.one_of<float>({1e-4f, 1e-3f, 3e-3f});
       }},
      {"rate too large: diverges", any, make_sgd,
       [](Spec& s, Random& r) {
         s.rate *= r.one_of<float>({100, 1000, 10000});
       }},
      {"rate too large: oscillates", any,
       [](Spec& s, Random& r) {
         make_hidden(s, r);
         s.optimizer = Optimizer::adam;
         s.rate = 0.005f;
       },
       [](Spec& s, Random& r) {
         s.rate *= r.one_of<float>({60, 150, 400});
       }},
      {"rate decays too early", any, nothing, [](Spec& s, Random&) { s.schedule = Schedule::stops_early; }},
      {"momentum too high", any, make_momentum,
       [](Spec& s, Random& r) {
         s.momentum = r.one_of<float>({0.999f, 1.0f, 1.01f, 1.03f});
       }},
      {"weight decay too strong", any, nothing,
       [](Spec& s, Random&) { s.weight_decay = s.optimizer == Optimizer::adamw ? 1 / (4 * s.rate) : 1.0f; }},
      {"clipping too tight", any, make_sgd,
       [](Spec& s, Random& r) {
         s.clip_norm = r.one_of<float>({1e-4f, 1e-3f, 1e-5f});
       }},
      {"layers not updated", hard, make_hidden,
       [](Spec& s, Random& r) {
         s.forgotten_layers.clear();
         const std::size_t first = r.below(2);
         for (std::size_t i = first; i < s.depth; ++i) s.forgotten_layers.push_back(i);
       }},
      {"first layers not updated", hard, make_hidden,
       [](Spec& s, Random&) {
         for (std::size_t i = 0; i + 1 < s.depth; ++i) s.forgotten_layers.push_back(i);
       }},
      {"frozen in mid-run", curved, nothing,
       [](Spec& s, Random& r) { s.stops_updating_at = s.steps / 20 + r.below(10); }},
      {"gradients not cleared", any, make_momentum, [](Spec& s, Random&) { s.keeps_gradients = true; }},
      {"loss scaled away", any, make_sgd,
       [](Spec& s, Random& r) {
         s.loss_scale = r.one_of<float>({1e-4f, 1e-3f, 1e-5f});
       }},
  };
}

std::vector<Fault> broken_data() {
  return {
      {"wrong sign", any, nothing, [](Spec& s, Random&) { s.sign_flipped = true; }},
      {"loss without labels", any, nothing,
       [](Spec& s, Random& r) {
         s.loss_against_zero = true;
         keep_answers(s, r);
       }},
      {"random labels", any, nothing, [](Spec& s, Random&) { s.random_labels = true; }},
      {"labels of another batch", any, nothing, [](Spec& s, Random&) { s.shifted_labels = true; }},
      {"one class only", classes, nothing,
       [](Spec& s, Random& r) {
         s.one_class = true;
         keep_answers(s, r);
       }},
      {"rare classes ignored",
       {"blobs", "moons", "circles", "rings", "xor"},
       make_sgd,
       [](Spec& s, Random& r) {
         s.rare_share = r.uniform(0.01f, 0.04f);
         keep_answers(s, r);
       }},
      {"inputs not normalised", points, make_hidden, [](Spec& s, Random& r) { s.input_scale = r.uniform(300, 3000); }},
      {"inputs constant", any, nothing, [](Spec& s, Random&) { s.constant_inputs = true; }},
      {"features shuffled",
       {"blobs10d", "xor", "surface", "fashion"},
       nothing,
       [](Spec& s, Random&) { s.shuffled_features = true; }},
      {"one batch repeated", any, nothing,
       [](Spec& s, Random& r) {
         s.repeats_batch = true;
         s.batch = 8;
         s.evaluate_every = r.one_of<std::size_t>({10, 20, 25});
       }},
      {"corrupt batch", any,
       [](Spec& s, Random& r) {
         make_momentum(s, r);
         s.activation = Activation::relu;
         s.init = Init::he2015;
       },
       [](Spec& s, Random& r) { s.corrupt_at = s.steps / 3 + r.below(s.steps / 3); }},
      {"overfitting",
       {"moons", "circles", "rings", "xor", "fashion"},
       [](Spec& s, Random&) {
         s.optimizer = Optimizer::adam;
         s.rate = 0.01f;
         s.schedule = Schedule::constant;
         s.width = 32;
         s.depth = std::clamp<std::size_t>(s.depth, 3, 4);
         s.steps = 300;
       },
       [](Spec& s, Random& r) {
         s.train_limit = r.one_of<std::size_t>({4, 6, 10});
         s.evaluate_every = 10;
       }},
      {"overtraining",
       {"blobs10d", "blobs10d", "surface", "fashion"},
       [](Spec& s, Random&) {
         s.optimizer = Optimizer::adam;
         s.rate = 0.01f;
         s.schedule = Schedule::constant;
         s.activation = Activation::relu;
         s.init = Init::he2015;
         s.width = 48;
         s.depth = 3;
         s.train_limit = 60;
         s.label_noise = 0.4f;
         s.steps = 60;
       },
       [](Spec& s, Random&) {
         s.steps = 600;
         s.evaluate_every = 10;
       }},
  };
}

std::vector<Fault> injected_values() {
  using Place = Injection::Place;
  return {
      {"NaN in a weight", points, make_whole, [](Spec& s, Random& r) { inject(s, r, Place::weight, false); }, true},
      {"NaN in a gradient", points, make_whole, [](Spec& s, Random& r) { inject(s, r, Place::gradient, false); }, true},
      {"NaN in an input", points, make_whole, [](Spec& s, Random& r) { inject(s, r, Place::input, false); }, true},
      {"infinity in a weight", points, make_whole, [](Spec& s, Random& r) { inject(s, r, Place::weight, true); }, true},
      {"infinity in a gradient", points, make_whole, [](Spec& s, Random& r) { inject(s, r, Place::gradient, true); },
       true},
  };
}

}  // namespace

const std::vector<Fault>& faults() {
  static const std::vector<Fault> list = [] {
    std::vector<Fault> all;
    for (const auto& part : {broken_networks(), broken_updates(), broken_data(), injected_values()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return list;
}

}  // namespace zoo
