#include "run_progress.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <system_error>
#include <tensortap/internal/descriptor.hpp>

#include "runs.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

constexpr std::size_t most_curves = 20;
constexpr std::int64_t most_points = 64;

/// Returns whether a living process holds the claim in this file; nullopt if the file system does not say.
std::optional<bool> is_claimed(const std::string& file) {
  const tt::detail::Descriptor claim(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (claim.get() < 0) return errno == ENOENT ? std::optional(false) : std::nullopt;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(claim.get(), F_OFD_GETLK, &lock) != 0) return std::nullopt;
  return lock.l_type != F_UNLCK;
}

RunState state_of(const tt::Trial& trial, const std::string& run) {
  if (trial.ended()) return RunState::ended;
  const std::vector<std::string> workers = trial.workers();
  const bool is_local = run.find("://") == std::string::npos;
  if (!is_local || attempts_of(trial) == 0) return RunState::running_or_interrupted;
  std::vector<std::string> keys{tt::layout::claim_key(1, "")};
  for (const std::string& worker : workers) keys.push_back(tt::layout::claim_key(2, worker));
  for (const std::string& key : keys) {
    const std::optional<bool> claimed = is_claimed(run + "/" + key);
    if (!claimed) return RunState::running_or_interrupted;
    if (*claimed) return RunState::running;
  }
  return RunState::interrupted;
}

/// Returns the number of steps of the training that the run tells; nullopt: none.
std::optional<std::int64_t> total_in(const std::map<std::string, std::string>& facts) {
  for (const char* const name : {"max_steps", "total_steps", "num_steps", "steps"}) {
    const auto fact = facts.find(name);
    if (fact == facts.end()) continue;
    std::int64_t out = 0;
    const char* const end = fact->second.data() + fact->second.size();
    if (const auto [at, error] = std::from_chars(fact->second.data(), end, out);
        error == std::errc() && at == end && out > 0)
      return out;
  }
  return std::nullopt;
}

/// Returns when `global_step` was saved; nullopt if nothing of it can be read. Units: seconds since 1970.
std::optional<double> time_of(const tt::Trial& trial, std::int64_t global_step) {
  const auto view = trial.view(global_step);
  if (!view) return std::nullopt;
  for (const std::string& name : view->tensors())
    if (const auto time = trial.tensor(name).wall_time(global_step)) return time;
  return std::nullopt;
}

/// Returns the only element, or the mean: of the elements, as saved, or of saved statistics.
std::optional<double> value_of(const tt::TensorHistory& tensor, std::int64_t step) {
  if (const auto value = tensor.value(step); value && value->size() == 1 && tt::is_real(value->dtype()))
    return value->number(0);
  return tensor.reduction(step, tt::Reduction::mean);
}

/// Returns the first of `steps`, which are ascending, in each of at most `most_points` parts of equal length. A part is
/// a power of two long, so that most of them stay the same while the run grows.
std::vector<std::int64_t> evenly_spaced(const std::vector<std::int64_t>& steps) {
  std::int64_t length = 1;
  while (steps.back() / length - steps.front() / length >= most_points) length *= 2;
  std::vector<std::int64_t> out;
  for (const std::int64_t step : steps)
    if (out.empty() || step / length != out.back() / length) out.push_back(step);
  return out;
}

/// Returns the modes whose steps count; Mode::global if the run has no other.
std::vector<tt::Mode> modes_of(const tt::Trial& trial) {
  std::vector<tt::Mode> out = trial.modes();
  if (out.empty()) out.push_back(tt::Mode::global);
  return out;
}

}  // namespace

const char* to_string(RunState state) {
  constexpr std::array names{"running", "running or interrupted", "interrupted", "ended"};
  return names[static_cast<std::size_t>(state)];
}

ProgressReader::ProgressReader(const tt::Trial& trial, std::string run, std::string pattern,
                               std::optional<std::int64_t> total)
    : trial_(trial), run_(std::move(run)), pattern_(std::move(pattern)), total_(total) {
  if (!pattern_.empty()) (void)tt::Pattern(pattern_);
}

RunProgress ProgressReader::read(std::chrono::nanoseconds time) {
  const auto pause = trial_.no_refresh();
  const auto now = tt::TrialOptions::Clock::now();
  constexpr std::chrono::hours most(1);  // no overflow
  forget_superseded();
  RunProgress out{.state = state_of(trial_, run_),
                  .attempts = attempts_of(trial_),
                  .workers = trial_.num_workers(),
                  .modes = modes_of(trial_).size()};
  read_steps(out);
  read_curves(out, now + std::min<std::chrono::nanoseconds>(time, most));
  out.lost = trial_.losses();
  out.thinned = trial_.thinned();
  out.cost = trial_.hook_cost();
  out.damaged = trial_.damage().size();
  return out;
}

/// Forgets what was read of steps that a later attempt has superseded.
void ProgressReader::forget_superseded() {
  const std::size_t rewinds = trial_.rewinds().size();
  if (rewinds != rewinds_) values_.clear();
  rewinds_ = rewinds;
}

void ProgressReader::read_steps(RunProgress& to) const {
  const std::vector<std::int64_t> all = trial_.steps();
  if (all.empty()) return;
  to.step = trial_.step(all.back());
  const auto saved = time_of(trial_, all.back());
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (saved) to.age = std::max(0.0, now - *saved);

  std::vector<std::int64_t> steps = trial_.steps(tt::Mode::train);
  to.counted = steps.empty() ? tt::Mode::global : tt::Mode::train;
  if (steps.empty()) steps = all;
  to.last = steps.back();
  to.total = total_ ? total_ : total_in(trial_.facts());

  const tt::Attempt* newest = nullptr;
  const std::vector<tt::Attempt> attempts = trial_.attempts();
  for (const tt::Attempt& attempt : attempts)
    if (newest == nullptr || attempt.number > newest->number) newest = &attempt;
  const std::int64_t resumed_at = newest == nullptr ? -1 : newest->resumed_at;
  constexpr std::size_t window = 50;  // saved steps: enough for a steady number, few enough to follow a change
  std::size_t first = steps.size() - std::min(steps.size(), window);
  const auto global = [&](std::size_t i) { return trial_.global_step(to.counted, steps[i]).value_or(-1); };
  while (first < steps.size() && global(first) <= resumed_at) ++first;
  if (first + 1 >= steps.size()) return;
  const auto begin = time_of(trial_, global(first)), end = time_of(trial_, global(steps.size() - 1));
  if (!begin || !end || !(*end > *begin)) return;
  to.rate = static_cast<double>(steps.back() - steps[first]) / (*end - *begin);
  const bool goes_on = to.state != RunState::interrupted && to.state != RunState::ended;
  if (to.total && goes_on)
    to.left = static_cast<double>(std::max<std::int64_t>(0, *to.total - steps.back() - 1)) / *to.rate;
}

std::vector<tt::TensorHistory> ProgressReader::shown_tensors() const {
  std::vector<tt::TensorHistory> out;
  const auto add = [&](const tt::TensorQuery& query) {
    for (tt::TensorHistory& tensor : trial_.tensors(query))
      if (std::none_of(out.begin(), out.end(), [&](const auto& one) { return one.name() == tensor.name(); }))
        out.push_back(std::move(tensor));
  };
  if (!pattern_.empty()) {
    add({.include_regex = pattern_});
    return out;
  }
  for (const char* const name : {"losses", "metrics"})
    if (trial_.collection(name)) add({.collection = name});
  if (out.empty()) add({.include_regex = std::string(tt::builtin_pattern("losses").value_or(""))});
  return out;
}

void ProgressReader::read_curves(RunProgress& to, tt::TrialOptions::Clock::time_point deadline) {
  struct Shown {
    tt::TensorHistory history;
    std::vector<std::int64_t> steps;
    Values& values;
  };
  std::vector<Shown> shown;
  const std::vector<tt::Mode> modes = modes_of(trial_);
  for (const tt::TensorHistory& tensor : shown_tensors())
    for (const tt::Mode mode : modes) {
      const tt::TensorHistory history = trial_.tensor(tensor.name(), mode);
      std::vector<std::int64_t> steps = history.steps();
      if (steps.empty()) continue;
      if (shown.size() == most_curves)
        ++to.more_curves;
      else
        shown.push_back({history, std::move(steps), values_[{tensor.name(), mode}]});
    }
  const auto read = [&](const Shown& one, std::int64_t step) {
    if (!one.values.contains(step)) one.values[step] = value_of(one.history, step);
  };
  for (const Shown& one : shown) read(one, one.steps.back());
  for (const Shown& one : shown) {
    const std::vector<std::int64_t> points = evenly_spaced(one.steps);
    for (auto step = points.rbegin(); step != points.rend() && tt::TrialOptions::Clock::now() < deadline; ++step)
      read(one, *step);
    const std::int64_t last = one.steps.back();
    std::erase_if(one.values, [&](const auto& value) {
      return value.first != last && !std::binary_search(points.begin(), points.end(), value.first);
    });
    Curve curve{.tensor = one.history.name(), .mode = one.history.mode(), .step = last, .value = one.values[last]};
    for (const auto& [step, value] : one.values)
      if (value) curve.points.push_back(*value);
    to.curves.push_back(std::move(curve));
  }
}

}  // namespace tensortap_command
