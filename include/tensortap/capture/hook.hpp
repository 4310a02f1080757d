// The hook of a training loop. The loop calls begin_step() for each step and save() for each tensor. The hook copies or
// reduces the tensors that its collections select, and a separate thread writes them. A save that is not due takes
// about 25 ns. save() throws only for misuse; status(), commit() and close() report failed writes. After an
// interruption, a new hook on the same run continues after the last commit.
//
//   namespace tt = tensortap;
//   tt::Hook hook("runs/42", {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)}}});
//   hook.begin_step();
//   hook.save("loss", 0.5);
//   hook.close();
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/report.hpp>
#include <tensortap/capture/resumed.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class Recorder;
struct TrackedTensor;
}  // namespace detail

/// The writer of one worker's part of a run. In a forked child it writes nothing.
/// Threads: `save`, `status`, `due` and `wants` from any thread between two `begin_step`; everything else from the
/// loop's thread.
class Hook {
 public:
  using Clock = std::chrono::steady_clock;

  /// Opens the run at `address`: a directory, or "s3://BUCKET/PREFIX" in programs that include <tensortap/net.hpp>.
  /// Throws: misuse in the options; a run that has ended, that another process writes, or that holds steps although
  /// there is no checkpoint_dir; no commit with an intact checkpoint; a store that fails.
  explicit Hook(std::string_view address, HookOptions options = {});

  /// Opens the run in a store of your own.
  explicit Hook(std::shared_ptr<Store> store, HookOptions options = {});

  /// Opens the run that the environment of a training job configures, see HookConfiguration::from_environment. What the
  /// configuration says replaces that of `options`. Writes its warnings to the standard error stream, each once in a
  /// process. Throws: as from_environment and the constructor.
  static Hook from_environment(HookOptions options = {});

  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  /// Writes the queued steps within `destroy_timeout` and leaves the run open, as after an interruption. Drops the
  /// current step during stack unwinding. Never throws.
  ~Hook();

  /// Returns the commit after which this run continues; nullopt if the run starts at its beginning.
  [[nodiscard]] const std::optional<Resumed>& resumed() const noexcept;

  /// Begins the next step of `mode`, and hands the previous step to the writer.
  void begin_step(Mode mode = Mode::train);

  /// Begins step `mode_step` of `mode`; in mode GLOBAL it is the global step too. Throws: it does not grow.
  void begin_step(Mode mode, std::int64_t mode_step);

  /// Begins exactly this step, for loops with their own numbers and for copying runs. Throws: the global step does not
  /// grow, or the mode step shrinks.
  void begin_step(const Step& step);

  /// Returns the last step of `mode`; -1 before the first.
  [[nodiscard]] std::int64_t step(Mode mode = Mode::train) const noexcept;
  /// Returns the number of the next step of `mode`.
  [[nodiscard]] std::int64_t next_step(Mode mode = Mode::train) const noexcept;
  /// Returns the last step among all; -1 before the first.
  [[nodiscard]] std::int64_t global_step() const noexcept;
  /// Returns the mode of the last step; TRAIN before the first.
  [[nodiscard]] Mode mode() const noexcept;

  /// Returns whether `collection` is saved in this step, or kept by the flight recorder, so that the loop can skip
  /// expensive tensors. Throws: no step has begun; there is no such collection.
  [[nodiscard]] bool due(std::string_view collection) const;

  /// Returns whether `save` would read a tensor called `name` now, so that what makes the tensor can be left out.
  /// False before the first step and after `close`. Throws: as `save` does for a name.
  [[nodiscard]] bool wants(std::string_view name);

  /// Saves `tensor`, of any type that `as_view` accepts, under `name` if one of its collections is due. Copies or
  /// reduces the elements before it returns. Does not read a tensor that is not due, but checks it at the first save of
  /// its name. Throws: no step has begun; a name that is too long or not UTF-8; a tensor on a device.
  template <class T>
  void save(std::string_view name, const T& tensor) {
    if (const Lookup found = look_up(name); found.needs_view) take(name, found.entry, as_view(tensor, name));
  }

  /// Times a part of the loop until the result is destroyed, for `HookOptions::phases`. Without a sink it does nothing.
  /// Lifetime: the hook and the characters of `name` outlive the result. Threads: any, between two `begin_step`.
  [[nodiscard]] PhaseScope phase(std::string_view name) const noexcept;

  /// Ends the step and commits: all steps so far belong to `checkpoint`, a file or folder below checkpoint_dir that
  /// holds the whole state of training. On return, steps and checkpoint are as durable as `durability` says, and the
  /// next attempt continues after this step. If `checkpoint` is empty, the program must find the checkpoint of the step
  /// itself. Throws: steps were lost since the last commit (once; the next commit continues without them); the store
  /// failed; `timeout` has passed, by default `commit_timeout` or the time left. The previous commit then remains the
  /// last one. Also throws what `on_commit` throws; the new commit is then valid.
  void commit(std::string_view checkpoint = {}, std::optional<std::chrono::nanoseconds> timeout = {});

  /// Ends the step and makes everything saved so far durable. Throws as `commit` does.
  void flush(std::optional<std::chrono::nanoseconds> timeout = {});

  /// Returns whether a stop was requested, see `HookOptions::stop`.
  [[nodiscard]] bool interrupted() const noexcept;
  /// Returns the time until the deadline of that request; nullopt if it has no deadline.
  [[nodiscard]] std::optional<Clock::duration> time_left() const noexcept;

  /// Returns the counts of saved and lost steps so far.
  [[nodiscard]] HookStatus status() const;

  /// Returns what was saved of each collection; with `dry_run`, what would have been saved.
  [[nodiscard]] Report report() const;

  /// Ends the run: writes the queued steps, the collections and the end marker. Throws: the first failed write; it took
  /// longer than `close_timeout`.
  void close();

 private:
  /// The result of looking up a name: its entry, which is null at the first save, and whether `save` needs a view of
  /// the tensor.
  struct Lookup {
    detail::TrackedTensor* entry;
    bool needs_view;
  };

  Lookup look_up(std::string_view name);
  void take(std::string_view name, detail::TrackedTensor* entry, const TensorView& view);

  std::unique_ptr<detail::Recorder> recorder_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/hook_impl.hpp>
#endif
