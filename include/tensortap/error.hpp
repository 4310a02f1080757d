// All errors of the library: one type, a code to branch on, and one named factory per cause. The messages are in
// internal/error_impl.hpp. Their grammar: `what: thing: cause (values); way out`.
//
//   try { hook.close(); } catch (const tensortap::Error& e) { std::cerr << e.what() << '\n'; }
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The kind of an error.
enum class Errc : std::uint8_t {
  invalid_option,   ///< an option with an invalid value
  invalid_pattern,  ///< a regular expression that the library does not accept
  invalid_name,     ///< a tensor, worker or object name that cannot be stored
  invalid_tensor,   ///< an object that is not a tensor in host memory
  invalid_step,     ///< steps out of order, or a call outside any step
  not_found,        ///< a run, tensor or step that does not exist
  damaged,          ///< bytes that break the format
  io,               ///< the store failed
  ended,            ///< a run that has ended: nothing is left to do
  claimed,          ///< a run that another process writes
};

/// Returns `text` made safe for a terminal and a log line: control characters, C1 ones included, invisible ones that
/// change the order of text or its lines (U+202E, U+2028 …), and bytes that are not UTF-8 are escaped.
std::string escaped(std::string_view text);

/// Returns `text` escaped and in quotes; long texts are cut.
std::string in_quotes(std::string_view text);

/// The type of all exceptions of the library.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message) : std::runtime_error(message), code_(code) {}

  /// The kind of error, to branch on.
  [[nodiscard]] Errc code() const noexcept { return code_; }

  // Tensors
  static Error device_tensor(std::string_view name);
  static Error sparse_tensor(std::string_view name);
  static Error lazy_conjugate(std::string_view name);
  static Error undefined_tensor(std::string_view name);
  static Error unknown_element_type(std::string_view name, int type);
  static Error rank_too_large(std::size_t rank, int limit);
  static Error strides_mismatch(std::size_t strides, std::size_t rank);
  static Error shape_too_large();
  static Error wrong_type(std::string_view asked, std::string_view is);
  static Error shapes_differ(std::span<const std::int64_t> x, std::span<const std::int64_t> y);
  static Error types_differ(std::string_view x, std::string_view y);

  // Names and patterns
  static Error name_too_long(std::string_view what, std::string_view name, std::size_t limit);
  static Error name_not_utf8(std::string_view what, std::string_view name);
  static Error bad_worker(std::string_view worker);
  static Error bad_key(std::string_view key);
  static Error bad_pattern(std::string_view pattern, std::size_t position, std::string_view cause);

  // Configuration
  static Error bad_collection(std::string_view name, std::string_view cause);
  static Error bad_save_config(std::string_view cause);
  static Error bad_option(std::string_view option, std::string_view cause);
  static Error bad_configuration(std::string_view what, std::string_view file, std::size_t line, std::string_view key,
                                 std::string_view cause);
  static Error bad_max_norm(double max_norm);
  static Error shared_memory(std::string_view what, std::size_t tensor, std::size_t other);
  static Error isa_not_available(std::string_view isa);
  static Error bad_interruption(std::string_view option, std::string_view cause);
  static Error bad_cloud_notice(std::string_view option, std::string_view cause);
  static Error bad_threshold(std::string_view rule, double value);
  static Error bad_parameter(std::string_view rule, std::string_view parameter, std::string_view value);
  static Error no_such_parameter(std::string_view rule, std::string_view parameter, std::string_view meant);
  static Error bad_shard(std::int64_t index, std::int64_t count);
  static Error no_such_rule(std::string_view rule, std::string_view meant);
  static Error bad_tolerance(std::string_view option, double value);
  static Error bad_quantile(double q);
  static Error no_such_store(std::string_view url);

  static Error bad_url(std::string_view url, std::string_view cause);
  static Error bad_bucket(std::string_view address);
  static Error bad_s3_option(std::string_view option, std::string_view cause);
  static Error no_network(std::string_view url);
  static Error webhook_failed(std::string_view server, std::string_view cause, int attempts);

  // Credentials and signatures. Callers pass no secrets.
  static Error bad_credentials(std::string_view source, std::string_view cause);
  static Error no_credentials(std::string_view tried);
  static Error no_credentials_in_time(std::string_view cause);
  static Error bad_validity(std::int64_t seconds);
  static Error digest_failed(std::string_view algorithm);

  // Steps
  static Error outside_step(std::string_view name);
  static Error due_outside_step(std::string_view collection);
  static Error closed_hook(std::string_view call);
  static Error called_by_writer(std::string_view call);
  static Error step_not_growing(std::string_view what, std::int64_t previous, std::int64_t given);
  static Error step_too_large(std::int64_t given, std::int64_t limit);
  static Error unknown_collection(std::string_view name, std::string_view meant = {});

  // Runs and stores
  static Error run_has_ended(std::string_view run);
  static Error run_has_steps(std::string_view run, std::string_view key);
  static Error run_has_no_commit(std::string_view run, std::size_t steps, std::string_view checkpoints);
  static Error state_of_another_run(std::string_view what, std::string_view run, std::string_view checkpoints,
                                    std::string_view other);
  static Error run_is_claimed(std::string_view run, std::string_view holder);
  static Error run_was_removed(std::string_view run, std::uint64_t steps);
  static Error commits_are_gone(std::string_view checkpoints, std::int64_t last, std::int64_t now);
  static Error no_intact_state(std::string_view checkpoints, std::size_t states);
  static Error no_checkpoint(std::string_view path);
  static Error checkpoint_elsewhere(std::string_view path, std::string_view directory);
  static Error no_checkpoint_dir();
  static Error bad_checkpoint_dir(std::string_view who, std::string_view directory, std::string_view cause);
  static Error fenced(std::string_view run, std::int64_t mine, std::int64_t other);
  static Error out_of_time(std::string_view what, std::string_view run, std::uint64_t steps);
  static Error out_of_memory(std::int64_t step, std::uint64_t bytes);
  static Error steps_not_saved(std::uint64_t steps, std::string_view cause);
  static Error checkpoint_not_remote(std::string_view remote, std::uint64_t files, std::string_view cause);
  static Error not_restored(std::string_view remote, std::uint64_t files, std::string_view cause);
  static Error checkpoint_damaged(std::string_view remote, std::uint64_t files, std::string_view first);
  static Error object_differs(std::string_view remote, std::string_view name);
  static Error file_keeps_changing(std::string_view path);
  static Error file_not_synced(std::string_view name, std::string_view cause);
  static Error sync_out_of_time(std::string_view remote);
  static Error sync_taken_over(std::string_view remote);
  static Error nothing_left_to_sync(std::string_view directory);
  static Error checkpoint_not_whole(std::string_view directory);
  static Error bad_sync_option(std::string_view option, std::string_view cause);
  static Error view_is_read_only(std::string_view call, std::string_view run, std::string_view key);
  static Error unpack_target_taken(std::string_view run, std::string_view to, std::string_view cause);
  static Error export_failed(std::uint64_t rows);
  static Error export_target_taken(std::string_view directory, std::string_view cause);
  static Error run_not_found(std::string_view run);
  static Error run_is_gone(std::string_view run, bool is_replaced);
  static Error tensor_not_found(std::string_view name, std::string_view meant = {});
  static Error collection_not_found(std::string_view name, std::string_view meant = {});
  static Error bad_reply(std::string_view cause);
  static Error s3_unreachable(std::string_view request, std::string_view cause, std::string_view why_no_more,
                              int attempts);
  static Error s3_not_trusted(std::string_view request, std::string_view cause, int attempts);
  static Error s3_stopped(std::string_view request, int attempts);
  static Error s3_unreadable(std::string_view request, std::string_view cause, int attempts);
  static Error s3_keeps_changing(std::string_view request, int attempts);
  static Error not_from_s3(std::string_view request, std::string_view cause, int status, std::string_view content_type,
                           std::string_view why_no_more, int attempts);
  static Error s3_refused(std::string_view request, int status, std::string_view code, std::string_view message,
                          std::string_view ids, std::string_view why_no_more, int attempts);
  static Error s3_corrupt(std::string_view object, std::string_view cause);
  static Error bad_job_option(std::string_view option, std::string_view cause);
  static Error no_such_job(std::string_view place);
  static Error job_has_ended(std::string_view job, std::string_view status);
  static Error job_is_managed(std::string_view job, std::string_view holder);
  static Error job_is_lost(std::string_view job);
  static Error program_not_started(std::string_view program, std::string_view cause);
  static Error damaged(std::string_view what, std::string_view where, std::string_view cause);
  static Error io(std::string_view what, std::string_view where, std::string_view cause);

 private:
  Errc code_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/internal/error_impl.hpp>
#endif
