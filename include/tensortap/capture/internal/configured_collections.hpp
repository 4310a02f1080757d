// The collections of a configuration: what is saved of which tensors, by the rules of smdebug's PyTorch hook.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/capture/internal/configured_steps.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/record/internal/configured_names.hpp>
#include <tensortap/record/internal/placed_json.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The collections that every configuration has.
inline constexpr std::array<std::string_view, 6> standard_collections = {"all",       "biases", "default",
                                                                         "gradients", "losses", "weights"};

/// Collections that smdebug's hooks fill by means of a framework. Without patterns they are empty here.
inline constexpr std::array<std::string_view, 7> framework_collections = {
    "inputs", "layers", "metrics", "optimizer_variables", "outputs", "sm_metrics", "tensorflow_summaries"};

/// Collections of numbers, which are always saved as they are.
inline constexpr std::array<std::string_view, 5> scalar_collections = {"average_shap", "feature_importance", "losses",
                                                                       "metrics", "sm_metrics"};

template <class List>
bool is_among(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// Reads the keys that say which parts are saved. Returns whether there is any that counts.
inline bool take_parts(const PlacedJson::Value& from, Collection& out, std::vector<std::string>& warnings) {
  const auto reductions = from.find("reductions");
  const auto raw = from.find("save_raw_tensor");
  const auto shape = from.find("save_shape");
  const bool saves_raw = raw && raw->flag();
  const bool saves_shape = shape && shape->flag();
  if (!reductions && !saves_shape) {
    if (raw && !saves_raw) warnings.push_back(raw->note("without reductions and shapes, the tensor itself is saved"));
    return saves_raw;
  }
  out.reductions = {};
  if (reductions)
    for (const std::string& name : reductions->list()) {
      if (name.empty()) continue;
      const auto reduction = parse_configured_name(name);
      if (!reduction) {
        std::vector<std::string> known;
        for (std::size_t i = 0; i < reduction_count; ++i) known.push_back(configured_name(static_cast<Reduction>(i)));
        const std::string meant = nearest(name, known);
        throw reductions->wrong("no reduction is called " + in_quotes(name) +
                                (meant.empty() ? "" : "; did you mean " + in_quotes(meant) + "?"));
      }
      out.reductions.insert(*reduction);
    }
  out.save_raw_tensor = saves_raw;
  out.save_shape = saves_shape;
  if (out.reductions.empty() && !saves_raw && !saves_shape)
    warnings.push_back(reductions->note("no reduction is named, so nothing is saved"));
  return true;
}

/// Returns the patterns of "include_regex": a text with commas, or a list of texts.
inline std::vector<std::string> patterns_of(const PlacedJson::Value& value) {
  std::vector<std::string> out;
  if (value.json().is_array())
    for (const PlacedJson::Value& one : value.elements()) out.push_back(one.text());
  else
    out = value.list();
  out.erase(std::remove(out.begin(), out.end(), std::string()), out.end());
  for (const std::string& pattern : out) try {
      (void)Pattern(pattern);
    } catch (const Error& e) {
      throw value.wrong(e.what());
    }
  return out;
}

/// The collections while the configuration is read.
class ConfiguredCollections {
 public:
  ConfiguredCollections(ConfiguredSteps steps, Collection parts) : steps_(std::move(steps)), parts_(std::move(parts)) {
    for (const std::string_view name : standard_collections) add(std::string(name));
    save("losses");
  }

  /// Adds patterns to the collection of tensors that no other one names, which is then saved.
  void include(const std::vector<std::string>& patterns) {
    append(at("default"), patterns);
    save("default");
  }

  void save_all() { saves_all_ = true; }

  /// Reads an element of "CollectionConfigurations".
  void take(const PlacedJson::Value& from, std::vector<std::string>& warnings) {
    for (std::string& warning : from.unknown({"CollectionName", "CollectionParameters"}))
      warnings.push_back(std::move(warning));
    const auto name = from.find("CollectionName");
    if (!name) throw from.wrong("it has no CollectionName; name the collection");
    const std::string key = name->text();
    if (key.empty()) throw name->wrong("the name is empty; name the collection");
    if (is_saved(key)) {
      if (!is_among(standard_collections, key) || is_taken(key))
        warnings.push_back(name->note("it comes twice; both are united, and the later keys count"));
    }
    if (find(key) == nullptr) add(key);
    Collection& collection = at(key);
    save(key);
    taken_.push_back(key);
    if (key == "all") save_all();
    if (const auto parameters = from.find("CollectionParameters")) take_parameters(*parameters, collection, warnings);
    if (find_patterns(collection).empty()) {
      if (is_among(framework_collections, key))
        warnings.push_back(name->note("no framework fills it here; give it include_regex"));
      else if (key != "default" && key != "all")
        throw name->wrong("it can match no tensor; give it include_regex" + meant_or_nothing(key));
    }
  }

  /// Returns all collections, sorted by name: those that are saved, then the others.
  [[nodiscard]] std::pair<std::vector<Collection>, std::vector<Collection>> result() && {
    std::sort(list_.begin(), list_.end(), [](const Collection& a, const Collection& b) { return a.name < b.name; });
    std::pair<std::vector<Collection>, std::vector<Collection>> out;
    for (Collection& collection : list_) {
      const bool saved = (saves_all_ || is_saved(collection.name)) && !find_patterns(collection).empty();
      // Of gradients with patterns of their own, EVAL and PREDICT would be saved, too.
      if (saved && collection.include_regex.given() && collection.save &&
          (collection.name == "gradients" || collection.name == "optimizer_variables"))
        for (const Mode mode : {Mode::eval, Mode::predict}) (*collection.save)[mode].clear();
      (saved ? out.first : out.second).push_back(std::move(collection));
    }
    return out;
  }

 private:
  void add(std::string name) {
    Collection collection{.name = std::move(name)};
    if (!is_among(scalar_collections, collection.name)) {
      collection.reductions = parts_.reductions;
      collection.save_raw_tensor = parts_.save_raw_tensor;
      collection.save_shape = parts_.save_shape;
    }
    list_.push_back(std::move(collection));
  }

  Collection* find(std::string_view name) {
    const auto found =
        std::find_if(list_.begin(), list_.end(), [&](const Collection& one) { return one.name == name; });
    return found == list_.end() ? nullptr : &*found;
  }
  Collection& at(std::string_view name) { return *find(name); }

  void save(const std::string& name) {
    if (!is_saved(name)) saved_.push_back(name);
  }
  [[nodiscard]] bool is_saved(std::string_view name) const { return is_among(saved_, name); }
  [[nodiscard]] bool is_taken(std::string_view name) const { return is_among(taken_, name); }

  /// Returns the patterns by which the collection finds tensors, and its names.
  [[nodiscard]] std::vector<std::string> find_patterns(const Collection& collection) const {
    std::vector<std::string> out = collection.include_regex.list();
    out.insert(out.end(), collection.tensor_names.begin(), collection.tensor_names.end());
    if (collection.include_regex.given() || !collection.tensor_names.empty()) return out;
    if (collection.name == "all" && !saves_all_) return out;
    if (const auto builtin = builtin_pattern(collection.name)) out.emplace_back(*builtin);
    return out;
  }

  /// Adds patterns to those that the collection has, which may be built in.
  static void append(Collection& collection, const std::vector<std::string>& patterns) {
    if (patterns.empty()) return;
    std::vector<std::string> all = collection.include_regex.list();
    if (!collection.include_regex.given())
      if (const auto builtin = builtin_pattern(collection.name)) all.emplace_back(*builtin);
    for (const std::string& pattern : patterns)
      if (!is_among(all, pattern)) all.push_back(pattern);
    collection.include_regex = Patterns(std::move(all));
  }

  void take_parameters(const PlacedJson::Value& from, Collection& out, std::vector<std::string>& warnings) {
    std::vector<std::string> known = {"include_regex",   "reductions", "save_histogram",
                                      "save_raw_tensor", "save_shape", "tensor_names"};
    add_step_keys(known);
    for (std::string& warning : from.unknown(known)) warnings.push_back(std::move(warning));
    ConfiguredSteps steps = steps_;
    if (steps.take(from)) out.save = steps.config();
    if (const auto patterns = from.find("include_regex")) append(out, patterns_of(*patterns));
    if (const auto names = from.find("tensor_names"))
      for (const PlacedJson::Value& one : names->elements()) out.tensor_names.push_back(one.text());
    if (const auto histogram = from.find("save_histogram")) (void)histogram->flag();
    Collection parts;
    if (!take_parts(from, parts, warnings)) return;
    if (is_among(scalar_collections, out.name)) {
      warnings.push_back(from.note("numbers are saved as they are, without reductions and shapes"));
      return;
    }
    out.reductions = parts.reductions;
    out.save_raw_tensor = parts.save_raw_tensor;
    out.save_shape = parts.save_shape;
  }

  static std::string meant_or_nothing(const std::string& name) {
    const std::string meant = nearest(name, builtin_names());
    return meant.empty() ? meant : ", or did you mean " + in_quotes(meant) + "?";
  }

  ConfiguredSteps steps_;
  Collection parts_;
  std::vector<Collection> list_;
  std::vector<std::string> saved_;
  std::vector<std::string> taken_;
  bool saves_all_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
