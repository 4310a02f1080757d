// The texts of errors of checkpoints and their copies, and of S3 servers: the second part of error_impl.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/error_texts.hpp>

TENSORTAP_BEGIN_NAMESPACE

// Commits of checkpoints, and their deadlines.

TENSORTAP_INLINE Error Error::no_intact_state(std::string_view checkpoints, std::size_t states) {
  return {Errc::damaged, "resume: " + in_quotes(checkpoints) + ": no committed checkpoint is intact (" +
                             std::to_string(states) +
                             " commits); restore one, or remove metadata.json and set start_over"};
}

TENSORTAP_INLINE Error Error::no_checkpoint(std::string_view path) {
  return {Errc::not_found, "commit: " + in_quotes(path) + ": no such file below checkpoint_dir; save it first"};
}

TENSORTAP_INLINE Error Error::checkpoint_elsewhere(std::string_view path, std::string_view directory) {
  return {Errc::invalid_option,
          "commit: " + in_quotes(path) + ": it is not below checkpoint_dir (" + in_quotes(directory) +
              "); save it there, and give its path: a relative one begins at the working directory"};
}

TENSORTAP_INLINE Error Error::no_checkpoint_dir() {
  return {Errc::invalid_option, "commit: the hook has no checkpoint_dir; set it in the options"};
}

TENSORTAP_INLINE Error Error::bad_checkpoint_dir(std::string_view who, std::string_view directory,
                                                 std::string_view cause) {
  return {Errc::invalid_option, std::string(who) + ": option checkpoint_dir: " + in_quotes(directory) + ": " +
                                    std::string(cause) + "; choose a directory that may be written"};
}

TENSORTAP_INLINE Error Error::fenced(std::string_view run, std::int64_t mine, std::int64_t other) {
  return {Errc::claimed, "hook: " + in_quotes(run) + ": another attempt continues this run (attempt " +
                             std::to_string(other) + ", this is attempt " + std::to_string(mine) +
                             "); stop this process"};
}

TENSORTAP_INLINE Error Error::out_of_time(std::string_view what, std::string_view run, std::uint64_t steps) {
  return {Errc::io, std::string(what) + ": " + in_quotes(run) + ": it did not finish in time (" +
                        std::to_string(steps) + " steps are waiting); allow more time, or check why the store is slow"};
}

TENSORTAP_INLINE Error Error::out_of_memory(std::int64_t step, std::uint64_t bytes) {
  return {Errc::io, "save: there was no memory for all tensors (first in step " + std::to_string(step) + ", for " +
                        std::to_string(bytes) + " bytes); save less, or give the process more memory"};
}

TENSORTAP_INLINE Error Error::steps_not_saved(std::uint64_t steps, std::string_view cause) {
  return {Errc::io, "commit: steps since the last commit could not be saved (" + std::to_string(steps) +
                        "): " + escaped(cause) + "; commit again to continue without them"};
}

// Packed runs.

TENSORTAP_INLINE Error Error::view_is_read_only(std::string_view call, std::string_view run, std::string_view key) {
  return {Errc::invalid_option, std::string(call) + ": " + in_quotes(run) + ": this is a view of a run (object " +
                                    in_quotes(key) + "); change the store itself"};
}

TENSORTAP_INLINE Error Error::export_failed(std::uint64_t rows) {
  return {Errc::io,
          "export: the output cannot be written (after " + std::to_string(rows) + " rows); is the disk full?"};
}

TENSORTAP_INLINE Error Error::export_target_taken(std::string_view directory, std::string_view cause) {
  return {Errc::invalid_option, "export: " + in_quotes(directory) + ": " + escaped(cause)};
}

TENSORTAP_INLINE Error Error::unpack_target_taken(std::string_view run, std::string_view to, std::string_view cause) {
  return {Errc::invalid_option, "unpack: " + in_quotes(to) + ": " + std::string(cause) + ", so that " + in_quotes(run) +
                                    " cannot be unpacked there; name an empty place"};
}

// Copies of checkpoints in a store.

TENSORTAP_INLINE Error Error::checkpoint_not_remote(std::string_view remote, std::uint64_t files,
                                                    std::string_view cause) {
  return {Errc::io, "checkpoint sync: " + in_quotes(remote) + ": the checkpoint is not complete there (" +
                        std::to_string(files) + " files are missing): " + escaped(cause) +
                        "; the local files are complete, and the next commit sends them again"};
}

TENSORTAP_INLINE Error Error::not_restored(std::string_view remote, std::uint64_t files, std::string_view cause) {
  return {Errc::io, "restore: " + in_quotes(remote) + ": not all files could be fetched (" + std::to_string(files) +
                        " are missing): " + escaped(cause) + "; restore again: fetched files are kept"};
}

TENSORTAP_INLINE Error Error::checkpoint_damaged(std::string_view remote, std::uint64_t files, std::string_view first) {
  return {Errc::damaged, "restore: " + in_quotes(remote) + ": no complete checkpoint is there (" +
                             std::to_string(files) + " files differ from those sent, the first is " + in_quotes(first) +
                             "); upload one, or remove everything there to start over"};
}

TENSORTAP_INLINE Error Error::object_differs(std::string_view remote, std::string_view name) {
  return {Errc::damaged, "restore: " + in_quotes(std::string(remote) + "/" + std::string(name)) +
                             ": it differs from the file that was sent; its commit is skipped"};
}

TENSORTAP_INLINE Error Error::file_keeps_changing(std::string_view path) {
  return {Errc::damaged,
          "checkpoint sync: " + in_quotes(path) + ": it changes while it is read; write a new file and rename it"};
}

TENSORTAP_INLINE Error Error::file_not_synced(std::string_view name, std::string_view cause) {
  return {Errc::invalid_name, "checkpoint sync: file " + in_quotes(name) + ": " + std::string(cause) + "; rename it"};
}

TENSORTAP_INLINE Error Error::sync_out_of_time(std::string_view remote) {
  return {Errc::io, "checkpoint sync: " + in_quotes(remote) + ": no time is left; allow more time"};
}

TENSORTAP_INLINE Error Error::sync_taken_over(std::string_view remote) {
  return {Errc::claimed, "checkpoint sync: " + in_quotes(remote) +
                             ": another process also sends checkpoints there; stop one of the two"};
}

TENSORTAP_INLINE Error Error::nothing_left_to_sync(std::string_view directory) {
  return {Errc::not_found, "checkpoint sync: " + in_quotes(directory) +
                               ": the directory is empty, so no copy is deleted; check that its disk is mounted"};
}

TENSORTAP_INLINE Error Error::checkpoint_not_whole(std::string_view directory) {
  return {Errc::damaged, "checkpoint sync: " + in_quotes(directory) +
                             ": no commit is intact (its files have changed since, or are being written); "
                             "commit again: until then the earlier copy stays"};
}

TENSORTAP_INLINE Error Error::bad_sync_option(std::string_view option, std::string_view cause) {
  return {Errc::invalid_option, "checkpoint sync: option " + std::string(option) + ": " + std::string(cause)};
}

// Failures of an S3 server. `why_no_more` says why the call is not repeated.

TENSORTAP_INLINE Error Error::bad_reply(std::string_view cause) { return {Errc::io, std::string(cause)}; }

TENSORTAP_INLINE Error Error::s3_unreachable(std::string_view request, std::string_view cause,
                                             std::string_view why_no_more, int attempts) {
  return {Errc::io,
          detail::s3_text(request, cause, detail::attempts_text(attempts, why_no_more),
                          "check that the server can be reached, its region and address, or allow more time")};
}

TENSORTAP_INLINE Error Error::s3_not_trusted(std::string_view request, std::string_view cause, int attempts) {
  constexpr const char* way_out = "name the file of its authority in AWS_CA_BUNDLE, or correct the address";
  return {Errc::io, detail::s3_text(request, cause, detail::attempts_text(attempts), way_out)};
}

TENSORTAP_INLINE Error Error::s3_stopped(std::string_view request, int attempts) {
  constexpr const char* cause = "a stop was requested";
  return {Errc::io, detail::s3_text(request, cause, detail::attempts_text(attempts), "call again to complete it")};
}

TENSORTAP_INLINE Error Error::s3_unreadable(std::string_view request, std::string_view cause, int attempts) {
  constexpr const char* way_out = "send it again when no program changes it";
  return {Errc::io, detail::s3_text(request, cause, detail::attempts_text(attempts), way_out)};
}

TENSORTAP_INLINE Error Error::s3_keeps_changing(std::string_view request, int attempts) {
  constexpr const char* cause = "the object is replaced faster than it is read";
  return {Errc::io, detail::s3_text(request, cause, detail::attempts_text(attempts), "read it when it rests")};
}

TENSORTAP_INLINE Error Error::not_from_s3(std::string_view request, std::string_view cause, int status,
                                          std::string_view content_type, std::string_view why_no_more, int attempts) {
  return {Errc::io,
          detail::not_from_s3_text(request, cause, status, content_type, detail::attempts_text(attempts, why_no_more))};
}

TENSORTAP_INLINE Error Error::s3_refused(std::string_view request, int status, std::string_view code,
                                         std::string_view message, std::string_view ids, std::string_view why_no_more,
                                         int attempts) {
  return {code == "NoSuchBucket" ? Errc::not_found : Errc::io,
          detail::refusal_text(request, status, code, message, ids, detail::attempts_text(attempts, why_no_more))};
}

TENSORTAP_INLINE Error Error::s3_corrupt(std::string_view object, std::string_view cause) {
  return {Errc::damaged, "s3: " + escaped(object) + ": the received bytes differ from the stored ones (" +
                             std::string(cause) + "); upload it again"};
}

TENSORTAP_END_NAMESPACE
