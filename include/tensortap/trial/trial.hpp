// A run, read: ours or smdebug's, finished or interrupted.
//
//   tensortap::Trial trial("runs/42");
//   for (const auto& tensor : trial.tensors({.collection = "gradients", .mode = tensortap::Mode::train}))
//     for (const auto step : tensor.steps())
//       if (const auto l2 = tensor.reduction(step, R::l2)) std::cout << tensor.name() << ' ' << *l2 << '\n';
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/trial/run.hpp>
#include <tensortap/trial/tensor_history.hpp>

namespace tensortap::inline v0 {

/// Which tensors are asked for; what is left out does not restrict.
struct TensorQuery {
  std::string collection = {};     ///< those of this collection
  std::string include_regex = {};  ///< those whose name this finds
  std::optional<Mode> mode = {};   ///< those saved in this mode; their histories then count its steps
};

/// Which steps are asked for: those all workers have written, or every one.
enum class Completeness : std::uint8_t { complete, any };

/// What a run holds, as it was when the trial was made.
/// Threads: any.
class Trial {
 public:
  /// The run in `address`, a directory. Throws: there is none. Damage inside it is no error: see `damage()`.
  explicit Trial(std::string_view address) : Trial(open_store(address)) {}

  /// The run in a store of your own.
  explicit Trial(std::shared_ptr<const Store> store) : run_(detail::load_run(std::move(store))) {}

  /// Whether the run was closed; else it goes on, or was interrupted.
  [[nodiscard]] bool ended() const noexcept { return run_->ended; }

  /// Who has written, sorted.
  [[nodiscard]] std::vector<std::string> workers() const { return {run_->workers.begin(), run_->workers.end()}; }
  /// How many were to write.
  [[nodiscard]] std::int64_t num_workers() const noexcept { return run_->num_workers; }

  [[nodiscard]] const std::vector<Collection>& collections() const noexcept { return run_->collections; }
  [[nodiscard]] std::optional<Collection> collection(std::string_view name) const {
    for (const Collection& collection : run_->collections)
      if (collection.name == name) return collection;
    return std::nullopt;
  }

  /// The modes that have steps; GLOBAL is not one of them.
  [[nodiscard]] std::vector<Mode> modes() const {
    std::vector<Mode> out;
    for (const Mode mode : all_modes)
      if (!run_->global_steps[index_of(mode)].empty()) out.push_back(mode);
    return out;
  }

  /// The steps of `mode` in its own numbers, ascending; global steps of all modes for GLOBAL.
  [[nodiscard]] std::vector<std::int64_t> steps(Mode mode = Mode::global,
                                                Completeness wanted = Completeness::complete) const {
    std::vector<std::int64_t> out;
    const auto add = [&](std::int64_t step, std::int64_t global_step) {
      if (wanted == Completeness::any || run_->is_complete(global_step)) out.push_back(step);
    };
    if (mode == Mode::global) {
      for (const auto& [global_step, step] : run_->steps) add(global_step, global_step);
    } else {
      for (const auto& [mode_step, global_step] : run_->global_steps[index_of(mode)]) add(mode_step, global_step);
    }
    return out;
  }

  /// What global step `global_step` was, if it was saved.
  [[nodiscard]] std::optional<Step> step(std::int64_t global_step) const {
    const auto found = run_->steps.find(global_step);
    if (found == run_->steps.end()) return std::nullopt;
    return found->second;
  }

  /// The global step of `mode`'s step `mode_step`, if it was saved.
  [[nodiscard]] std::optional<std::int64_t> global_step(Mode mode, std::int64_t mode_step) const {
    if (mode == Mode::global) return run_->steps.contains(mode_step) ? std::optional(mode_step) : std::nullopt;
    const auto& of_mode = run_->global_steps[index_of(mode)];
    const auto found = of_mode.find(mode_step);
    if (found == of_mode.end()) return std::nullopt;
    return found->second;
  }

  /// The tensors of `query`, sorted by name. Throws: no such collection, a refused pattern of yours.
  [[nodiscard]] std::vector<TensorHistory> tensors(const TensorQuery& query = {}) const {
    std::optional<Members> members;
    if (!query.collection.empty()) members = members_of(query.collection);
    std::optional<Pattern> pattern;
    if (!query.include_regex.empty()) pattern.emplace(query.include_regex);
    std::vector<TensorHistory> out;
    for (const auto& [name, saved] : run_->tensors) {
      if ((members && !members->contains(name)) || (pattern && !pattern->finds(name))) continue;
      TensorHistory history(run_, name, saved, query.mode.value_or(Mode::global));
      if (!query.mode || !history.steps().empty()) out.push_back(std::move(history));
    }
    return out;
  }

  /// The tensor called `name`. Throws: there is none.
  [[nodiscard]] TensorHistory tensor(std::string_view name, Mode mode = Mode::global) const {
    const auto found = run_->tensors.find(name);
    if (found == run_->tensors.end()) throw Error::tensor_not_found(name);
    return {run_, found->first, found->second, mode};
  }

  [[nodiscard]] bool has_tensor(std::string_view name) const { return run_->tensors.contains(name); }

  /// What could not be read, so far: index and collections files when the trial was made, records when they were asked
  /// for.
  [[nodiscard]] std::vector<Damage> damage() const { return run_->damage.list(); }

 private:
  /// The tensors of a collection: those it lists, and those its patterns find.
  struct Members {
    std::vector<std::string> names;  // sorted
    std::vector<Pattern> patterns;
    [[nodiscard]] bool contains(const std::string& name) const {
      return std::binary_search(names.begin(), names.end(), name) ||
             std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& p) { return p.finds(name); });
    }
  };

  [[nodiscard]] Members members_of(const std::string& name) const {
    const auto found = collection(name);
    if (!found) throw Error::collection_not_found(name);
    Members out{found->tensor_names, {}};
    std::sort(out.names.begin(), out.names.end());
    for (const std::string& text : found->include_regex.list()) {
      try {
        out.patterns.emplace_back(text);
      } catch (const Error& e) {  // a stored pattern of another dialect: the listed names must do
        run_->damage.add("collection " + in_quotes(name), e.what());
      }
    }
    return out;
  }

  std::shared_ptr<const detail::Run> run_;
};

}  // namespace tensortap::inline v0
