// Every file of every golden run, cut at every byte and with every byte changed: reading must never crash, hang or read
// out of bounds, and must never lose a sound value. Large files are sampled.
#include <set>

#include "catch.hpp"
#include "golden.hpp"

namespace tt = tensortap;

namespace {

#ifdef NDEBUG
constexpr std::size_t places_per_file = 1024;
#else
constexpr std::size_t places_per_file = 60;  // each is much slower in a debug build; Release tries 1024
#endif

/// Identifies a value. `reduction` is "" for the elements.
struct Value {
  std::string tensor;
  std::int64_t step = 0;
  std::string worker;
  std::string reduction;
  auto operator<=>(const Value&) const = default;
};

using Values = std::map<Value, tt::Tensor>;

/// Returns all values that can be read. Matches the patterns of collections, which is slow, only if asked to.
Values read_all(const std::shared_ptr<tt::Store>& store, bool collections) {
  Values out;
  try {
    const tt::Trial trial(store);
    if (collections)
      for (const auto& collection : trial.collections()) (void)trial.tensors({.collection = collection.name});
    for (const auto& tensor : trial.tensors())
      for (const std::int64_t step : tensor.steps())
        for (const std::string& worker : tensor.workers(step)) {
          if (auto value = tensor.value(step, worker)) out[{tensor.name(), step, worker, ""}] = std::move(*value);
          for (auto& [name, value] : tensor.saved_reductions(step, worker))
            out[{tensor.name(), step, worker, name}] = value;
          (void)tensor.shape(step, worker);
        }
    (void)trial.damage();
  } catch (const tt::Error& e) {
    if (e.code() != tt::Errc::not_found) throw;  // no object of the run is left
  }
  return out;
}

/// Returns the step of a file; -1 for files of the whole run.
std::int64_t step_of(const std::string& key) {
  if (const auto name = tt::layout::parse_index_key(key)) return name->global_step;
  if (key.starts_with(tt::layout::events_prefix)) return std::stoll(key.substr(tt::layout::events_prefix.size(), 12));
  return -1;
}

/// Returns `key`, the files of its step and those of one other step: a small run that can be read a thousand times.
golden::Files excerpt(const golden::Files& files, const std::string& key) {
  std::set<std::int64_t> steps = {step_of(key)};
  for (const auto& [other, content] : files)
    if (steps.size() < 2 && step_of(other) >= 0) steps.insert(step_of(other));
  golden::Files out;
  for (const auto& [other, content] : files)
    if (other == key || (step_of(other) >= 0 && steps.contains(step_of(other)))) out[other] = content;
  return out;
}

/// Bytes of a file: [first, second).
using Span = std::pair<std::size_t, std::size_t>;

/// Returns the values that depend on `key`, each with the bytes it depends on: all bytes of an index file.
std::map<Value, Span> dependents(const golden::Files& files, const std::string& key) {
  std::map<Value, Span> out;
  std::map<std::pair<tt::Mode, std::int64_t>, std::int64_t> first;  // several global steps may have the same mode step
  for (const auto& [index_key, content] : files) {
    const auto name = tt::layout::parse_index_key(index_key);
    if (!name) continue;
    const auto index = tt::parse_index(content, index_key);
    const auto step = index.mode == tt::Mode::global
                          ? name->global_step
                          : first.try_emplace({index.mode, index.mode_step}, name->global_step).first->second;
    if (index_key != key && index.event_file != key) continue;
    for (const auto& tensor : index.tensors) {
      const auto reduction = tt::layout::parse_reduction_record(tensor.name);
      const Value value =
          reduction ? Value{std::string(reduction->tensor), step, name->worker, std::string(reduction->reduction)}
                    : Value{tensor.name, step, name->worker, ""};
      out[value] = index_key == key ? Span{0, content.size()} : Span{tensor.start, tensor.start + tensor.length};
    }
  }
  return out;
}

/// Returns the values that must survive a change of the bytes [from, to).
Values sound_rest(const Values& before, const std::map<Value, Span>& dependents, std::size_t from, std::size_t to) {
  Values out;
  for (const auto& [value, tensor] : before) {
    const auto place = dependents.find(value);
    if (place == dependents.end() || place->second.second <= from || place->second.first >= to)
      out.emplace(value, tensor);
  }
  return out;
}

/// Returns whether the damaged index is well-formed and names another step: no reader can detect that.
bool names_another_step(const std::string& key, const std::string& before, const std::string& now) {
  if (!tt::layout::parse_index_key(key)) return false;
  try {
    const auto a = tt::parse_index(before, key);
    const auto b = tt::parse_index(now, key);
    return a.mode != b.mode || a.mode_step != b.mode_step;
  } catch (const tt::Error&) {
    return false;
  }
}

void require_sound_rest(const std::shared_ptr<tt::MemoryStore>& store, const std::string& key,
                        const std::string& content, const Values& expected) {
  store->put(key, content);
  const Values now = read_all(store, tt::layout::parse_collections_key(key).has_value());
  for (const auto& [value, tensor] : expected) {
    const auto found = now.find(value);
    if (found == now.end() || found->second != tensor) {
      CAPTURE(value.tensor, value.step, value.worker, value.reduction);
      FAIL("a sound value was lost");
    }
  }
}

/// Returns the number of damaged versions that it has tried.
std::size_t try_every_damage(const golden::Files& files, const std::string& key) {
  const std::string& sound = files.at(key);
  const auto store = golden::store_of(files);
  const Values before = read_all(store, true);
  const auto places = dependents(files, key);
  const std::size_t stride = std::max<std::size_t>(1, sound.size() / places_per_file);
  std::size_t tried = 0;
  for (std::size_t at = 0; at < sound.size(); at += stride, tried += 3) {
    CAPTURE(at);
    require_sound_rest(store, key, sound.substr(0, at), sound_rest(before, places, at, sound.size()));
    for (const int change : {0x01, 0xff}) {
      std::string flipped = sound;
      flipped[at] = static_cast<char>(flipped[at] ^ change);
      if (!names_another_step(key, sound, flipped))
        require_sound_rest(store, key, flipped, sound_rest(before, places, at, at + 1));
    }
  }
  return tried;
}

}  // namespace

TEST_CASE("damage to any byte of a golden run leaves all other values readable", "[trial][garbage][garbage]") {
  std::size_t tried = 0;
  for (const std::string& run : golden::runs()) {
    const auto files = golden::files_of(run);
    for (const auto& [key, content] : files) {
      if (step_of(key) < 0 && !tt::layout::parse_collections_key(key)) continue;
      CAPTURE(run, key);
      tried += try_every_damage(excerpt(files, key), key);
    }
  }
  CHECK(tried > 10 * places_per_file);
}
