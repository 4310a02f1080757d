// The hook: what a training loop holds. It is told when a step begins and shown every tensor by name; it decides what
// is kept, reduces, records and stores it. In between it costs next to nothing, and it never throws into a running
// training except for misuse: a failed write is kept for status() and close().
//
//   namespace tt = tensortap;
//   tt::Hook hook("runs/42", {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
//   hook.begin_step();
//   hook.save("loss", 0.5);
//   hook.close();
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/capture/options.hpp>
#include <tensortap/capture/step_records.hpp>
#include <tensortap/error.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/select/selection.hpp>
#include <tensortap/step.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/tensor/as_view.hpp>

namespace tensortap::inline v0 {

/// What a hook has done so far.
struct HookStatus {
  std::uint64_t steps_saved = 0;      ///< steps that were written
  std::uint64_t records_saved = 0;    ///< records in them: raw tensors and reductions
  std::uint64_t bytes_saved = 0;      ///< bytes of their events files
  std::uint64_t steps_lost = 0;       ///< steps the store refused
  std::uint64_t tensors_dropped = 0;  ///< tensors beyond max_step_bytes or the limit of names
  std::uint64_t not_reducible = 0;    ///< complex and string tensors whose reductions were asked for
  std::optional<std::string> error;   ///< the first failed write
};

/// Writes one worker's part of a run.
/// Threads: `save` from any thread between two `begin_step`; everything else from the loop's thread.
class Hook {
 public:
  /// A run in `address`, a directory. Throws: misuse in the options; a run that has ended or has steps of this worker
  /// already; a store that cannot be written.
  explicit Hook(std::string_view address, HookOptions options = {}) : Hook(open_store(address), std::move(options)) {}

  /// A run in a store of your own.
  explicit Hook(std::shared_ptr<Store> store, HookOptions options = {})
      : store_(std::move(store)),
        options_(std::move(options)),
        selection_(options_.collections.empty() ? std::vector<Collection>{{.name = "all"}} : options_.collections,
                   options_.save),
        records_(options_.worker, options_.index_checksums),
        saved_names_(selection_.collections().size()) {
    check_options();
    if (store_->size(layout::end_marker)) throw Error::run_has_ended(store_->location());
    for (const ObjectInfo& object : store_->list(layout::index_prefix))
      if (const auto name = layout::parse_index_key(object.key);
          name && object.key == layout::index_key(name->global_step, options_.worker))
        throw Error::run_has_steps(store_->location(), object.key);
    write_collections();
    mode_steps_.fill(-1);
  }

  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  /// Writes the last step, unless an exception is passing through or this is a forked child; leaves the run open, as an
  /// interrupted one. Never throws.
  ~Hook() {
    if (closed_) return;
    try {
      if (std::uncaught_exceptions() == exceptions_) publish();
      if (owner_ == ::getpid()) write_collections();
    } catch (...) {  // a destructor has nobody to tell
    }
  }

  /// Begins the next step of the last mode (TRAIN at first). The step before is written now.
  void begin_step() { begin_step(mode_); }

  /// Begins the next step of `mode`.
  void begin_step(Mode mode) {
    const std::int64_t global_step = global_step_ + 1;
    start({mode, mode == Mode::global ? global_step : mode_steps_[index_of(mode)] + 1, global_step});
  }

  /// Begins step `mode_step` of `mode`; a GLOBAL one is the global step too. Throws: it does not grow.
  void begin_step(Mode mode, std::int64_t mode_step) {
    if (mode_step <= mode_steps_[index_of(mode)])
      throw Error::step_not_growing("the mode step", mode_steps_[index_of(mode)], mode_step);
    start({mode, mode_step, mode == Mode::global ? mode_step : global_step_ + 1});
  }

  /// Begins exactly this step, for loops with a numbering of their own and for copying runs. Throws: the global step
  /// does not grow, or the mode step shrinks.
  void begin_step(const Step& step) {
    if (step.global_step <= global_step_)
      throw Error::step_not_growing("the global step", global_step_, step.global_step);
    if (step.mode_step < std::max<std::int64_t>(mode_steps_[index_of(step.mode)], 0))
      throw Error::step_not_growing("the mode step", mode_steps_[index_of(step.mode)], step.mode_step);
    start(step);
  }

  /// The step of the current mode; -1 before the first.
  [[nodiscard]] std::int64_t step() const noexcept { return mode_steps_[index_of(mode_)]; }
  /// The step among all; -1 before the first.
  [[nodiscard]] std::int64_t global_step() const noexcept { return global_step_; }
  [[nodiscard]] Mode mode() const noexcept { return mode_; }
  /// The number the next step of `mode` will have.
  [[nodiscard]] std::int64_t next_step(Mode mode) const noexcept {
    return mode == Mode::global ? global_step_ + 1 : mode_steps_[index_of(mode)] + 1;
  }
  [[nodiscard]] std::int64_t next_step() const noexcept { return next_step(mode_); }

  /// Whether `collection` is saved in this step: spares the work of getting tensors that are not. Throws: no such
  /// collection.
  [[nodiscard]] bool due(std::string_view collection) const {
    const auto i = selection_.find(collection);
    if (!i) throw Error::unknown_collection(collection);
    return in_step_ && selection_.due(*i);
  }

  /// Shows `tensor`, anything `as_view` takes, under `name`. It is looked at only if something is due, and the first
  /// time. Throws: misuse (no step has begun, a name that is too long or not UTF-8, a tensor on a device), at first
  /// sight.
  template <class T>
  void save(std::string_view name, const T& tensor) {
    if (wanted(name)) take(name, as_view(tensor, name));
  }

  /// What was done so far.
  [[nodiscard]] HookStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  /// Writes the last step, the collections and the end marker: the run has ended. Throws: the first failed write.
  void close() {
    if (closed_) return;
    publish();
    closed_ = true;
    attempt([&] {
      write_collections();
      store_->put(layout::end_marker, "");
    });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr std::size_t names_limit = std::size_t{1} << 20;

  /// What is known of a tensor name since its first sight.
  struct Known {
    std::vector<std::size_t> collections;
    bool saved = false;
  };

  struct NameHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  void check_options() const {
    const std::string& worker = options_.worker;
    const auto allowed = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view("_-.:/").find(c) != std::string_view::npos;
    };
    if (worker.empty() || worker.size() > 200 || worker[0] == '.' ||
        !std::all_of(worker.begin(), worker.end(), allowed))
      throw Error::bad_worker(worker);
    if (options_.num_workers < 1) throw Error::bad_option("num_workers", "at least one process writes; count them");
    if (!options_.wall_time) throw Error::bad_option("wall_time", "it is empty; leave it out or give it a function");
  }

  void start(const Step& step) {
    if (closed_) throw Error::closed_hook("begin_step");
    publish();
    const std::lock_guard lock(mutex_);
    mode_ = step.mode;
    global_step_ = step.global_step;
    mode_steps_[index_of(Mode::global)] = step.global_step;
    mode_steps_[index_of(step.mode)] = step.mode_step;
    selection_.begin_step(step);
    records_.begin(step);
    exceptions_ = std::uncaught_exceptions();
    in_step_ = true;
  }

  /// Whether tensor `name` must be looked at now: something is due, or it was never seen.
  [[nodiscard]] bool wanted(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error::closed_hook("save");
    if (!in_step_) throw Error::outside_step(name);
    const auto found = names_.find(name);
    return found == names_.end() || is_due(found->second);
  }

  [[nodiscard]] bool is_due(const Known& known) const {
    return selection_.any_due() && std::any_of(known.collections.begin(), known.collections.end(),
                                               [&](std::size_t i) { return selection_.due(i); });
  }

  /// Saves what is due of a tensor.
  void take(std::string_view name, const TensorView& view) {
    const std::lock_guard lock(mutex_);
    Known* known = meet(name);
    if (known == nullptr) {
      ++status_.tensors_dropped;
      return;
    }
    if (!is_due(*known)) return;
    if (records_.bytes() + view.nbytes() > options_.max_step_bytes) {
      ++status_.tensors_dropped;
      return;
    }
    bool raw = false;
    bool shape = false;
    Reductions done;
    for (const std::size_t i : known->collections) {
      if (!selection_.due(i)) continue;
      const Collection& collection = selection_.collections()[i];
      save_reductions(name, view, collection.reductions, done);
      raw = raw || collection.saves_raw();
      shape = shape || collection.save_shape;
    }
    if (raw) records_.add(name, view, options_.wall_time());
    if (shape && !raw) records_.add_shape(name, view);  // with the elements, smdebug would lose them
    if (!std::exchange(known->saved, true))
      for (const std::size_t i : known->collections) saved_names_[i].emplace_back(name);
  }

  /// The entry of `name`, made at first sight; null beyond the limit of names.
  Known* meet(std::string_view name) {
    if (const auto found = names_.find(name); found != names_.end()) return &found->second;
    if (name.size() > name_limit) throw Error::name_too_long("save", name, name_limit);
    if (!is_utf8(name)) throw Error::name_not_utf8("save", name);
    if (names_.size() == names_limit) return nullptr;
    return &names_.emplace(std::string(name), Known{selection_.members(name)}).first->second;
  }

  void save_reductions(std::string_view name, const TensorView& view, const Reductions& wanted, Reductions& done) {
    Reductions missing;
    for (const Reduction r : wanted)
      if (!done.contains(r)) missing.insert(r);
    if (missing.empty()) return;
    if (!is_real(view.dtype())) {
      ++status_.not_reducible;
      return;
    }
    const std::string base = options_.strip_output_numbers ? without_output_numbers(name) : std::string(name);
    const auto add = [&](Reduction r, const auto& value) {
      records_.add(layout::reduction_record(r, base), as_view(value), options_.wall_time());
    };
    const ReducedSet values = reduce(view, missing);
    for (const Reduced& value : values) add(value.reduction, value);
    if (values.statistics) add(Reduction::statistics, values.statistics->to_record());
    for (const Reduction r : missing) done.insert(r);
  }

  /// "a:0/b:12" is "a/b".
  static std::string without_output_numbers(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size();) {
      std::size_t digits = i + 1;
      while (digits < name.size() && std::isdigit(static_cast<unsigned char>(name[digits])) != 0) ++digits;
      if (name[i] == ':' && digits > i + 1) {
        i = digits;
      } else {
        out += name[i++];
      }
    }
    return out;
  }

  /// Writes the step that is under way, if there is anything in it.
  void publish() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(in_step_, false) || records_.empty() || owner_ != ::getpid()) return;
    const bool written = attempt([&] { records_.publish(*store_); });
    if (!written) {
      ++status_.steps_lost;
      return;
    }
    ++status_.steps_saved;
    status_.records_saved += records_.size();
    status_.bytes_saved += records_.bytes();
  }

  void write_collections() {
    CollectionsFile file{selection_.collections(), options_.num_workers};
    for (std::size_t i = 0; i < file.collections.size(); ++i) {
      auto& names = file.collections[i].tensor_names;
      names.insert(names.end(), saved_names_[i].begin(), saved_names_[i].end());
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
    }
    store_->put(layout::collections_key(options_.worker), to_json(file));
  }

  /// Runs `write`; keeps the first failure. True if it succeeded.
  template <class Write>
  bool attempt(Write&& write) {
    try {
      write();
      return true;
    } catch (const std::exception& e) {
      if (!failure_) {
        failure_ = std::current_exception();
        status_.error = e.what();
      }
      return false;
    }
  }

  std::shared_ptr<Store> store_;
  HookOptions options_;
  Selection selection_;
  mutable std::mutex mutex_;  // guards all below while a step runs
  StepRecords records_;
  std::unordered_map<std::string, Known, NameHash, std::equal_to<>> names_;
  std::vector<std::vector<std::string>> saved_names_;  // by collection
  std::array<std::int64_t, 4> mode_steps_{};
  std::int64_t global_step_ = -1;
  Mode mode_ = Mode::train;
  HookStatus status_;
  std::exception_ptr failure_;
  int exceptions_ = std::uncaught_exceptions();
  pid_t owner_ = ::getpid();
  bool in_step_ = false;
  bool closed_ = false;
};

}  // namespace tensortap::inline v0
