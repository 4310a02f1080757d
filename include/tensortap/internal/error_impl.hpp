// The texts of all errors. Their grammar: `what: thing: cause (values); way out`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/error_texts.hpp>
#include <tensortap/internal/invisible.hpp>
#include <tensortap/name.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::string escaped(std::string_view text) {
  std::string out;
  const auto append_escape = [&](unsigned char byte) {
    out += "\\x";
    append_hex(out, std::byte{byte});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto u = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const std::size_t size = u >= 0xf0 ? 4 : u >= 0xe0 ? 3 : 2;  // of a character that begins with u
    const bool c1 = u == 0xc2 && next >= 0x80 && next < 0xa0;    // U+0080 to U+009F in UTF-8
    if (u == '\n') {
      out += "\\n";
    } else if (u == '\t') {
      out += "\\t";
    } else if (c1) {
      append_escape(next);
      ++i;
    } else if (u >= 0x80 && is_utf8(text.substr(i, size))) {
      const std::string_view character = text.substr(i, size);
      if (const std::uint32_t code = detail::code_point(character); detail::is_invisible(code)) {
        char digits[8];
        char* const end = std::to_chars(digits, digits + sizeof digits, code, 16).ptr;
        out.append("\\u{").append(digits, end).append("}");
      } else {
        out += character;
      }
      i += size - 1;
    } else if (u < 0x20 || u >= 0x7f) {
      append_escape(u);
    } else {
      out += text[i];
    }
  }
  return out;
}

TENSORTAP_INLINE std::string in_quotes(std::string_view text) {
  constexpr std::size_t limit = 160;
  std::size_t end = text.size() < limit ? text.size() : limit;
  while (end < text.size() && end > limit - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // not within a character
  std::string out(1, '"');
  out.append(escaped(text.substr(0, end)));
  return out.append(end < text.size() ? "\"…" : "\"");
}

// Tensors that cannot be viewed or compared.

TENSORTAP_INLINE Error Error::device_tensor(std::string_view name) {
  return {Errc::invalid_tensor, "save: tensor " + in_quotes(name) + ": it is on a device; copy it to the CPU first"};
}

TENSORTAP_INLINE Error Error::sparse_tensor(std::string_view name) {
  return {Errc::invalid_tensor, "save: tensor " + in_quotes(name) + ": its layout is not strided; make it dense first"};
}

TENSORTAP_INLINE Error Error::lazy_conjugate(std::string_view name) {
  return {Errc::invalid_tensor,
          "save: tensor " + in_quotes(name) + ": it is conjugated or negated lazily; resolve it first"};
}

TENSORTAP_INLINE Error Error::undefined_tensor(std::string_view name) {
  return {Errc::invalid_tensor, "save: tensor " + in_quotes(name) + ": it is undefined; save it after it has a value"};
}

TENSORTAP_INLINE Error Error::unknown_element_type(std::string_view name, int type) {
  return {Errc::invalid_tensor, "save: tensor " + in_quotes(name) +
                                    ": its element type is not supported (torch scalar type " + std::to_string(type) +
                                    "); convert it first"};
}

TENSORTAP_INLINE Error Error::rank_too_large(std::size_t rank, int limit) {
  return {Errc::invalid_tensor, "tensor: its rank is too large (" + std::to_string(rank) + ", at most " +
                                    std::to_string(limit) + "); reshape it first"};
}

TENSORTAP_INLINE Error Error::strides_mismatch(std::size_t strides, std::size_t rank) {
  return {Errc::invalid_tensor, "tensor: the numbers of strides and axes differ (" + std::to_string(strides) + " and " +
                                    std::to_string(rank) + "); give one stride per axis"};
}

TENSORTAP_INLINE Error Error::shape_too_large() {
  return {Errc::invalid_tensor, "tensor: its shape is negative or its size overflows; correct the extents"};
}

TENSORTAP_INLINE Error Error::wrong_type(std::string_view asked, std::string_view is) {
  return {Errc::invalid_tensor, "tensor: its elements are " + std::string(is) + ", not " + std::string(asked) +
                                    "; read them as " + std::string(is)};
}

TENSORTAP_INLINE Error Error::shapes_differ(std::span<const std::int64_t> x, std::span<const std::int64_t> y) {
  return {Errc::invalid_tensor, "difference: the two tensors differ in shape (" + detail::shape_text(x) + " and " +
                                    detail::shape_text(y) + "); reshape one of them first"};
}

TENSORTAP_INLINE Error Error::types_differ(std::string_view x, std::string_view y) {
  return {Errc::invalid_tensor, "difference: the two tensors differ in element type (" + std::string(x) + " and " +
                                    std::string(y) + "); convert one of them first"};
}

// Names, keys and patterns that cannot be stored.

TENSORTAP_INLINE Error Error::name_too_long(std::string_view what, std::string_view name, std::size_t limit) {
  return {Errc::invalid_name, std::string(what) + ": name " + in_quotes(name) + ": it is too long (" +
                                  std::to_string(name.size()) + " bytes, at most " + std::to_string(limit) +
                                  "); shorten it"};
}

TENSORTAP_INLINE Error Error::name_not_utf8(std::string_view what, std::string_view name) {
  return {Errc::invalid_name, std::string(what) + ": name " + in_quotes(name) + ": it is not UTF-8; encode it first"};
}

TENSORTAP_INLINE Error Error::bad_worker(std::string_view worker) {
  return {Errc::invalid_name,
          "hook: worker " + in_quotes(worker) +
              ": it is not a file name; use letters, digits, '_', '-', '.', ':' and '/', and no leading '.'"};
}

TENSORTAP_INLINE Error Error::bad_key(std::string_view key) {
  return {Errc::invalid_name, "store: key " + in_quotes(key) +
                                  ": it is not a relative path of plain names; remove parts like \"..\" and \"//\""};
}

TENSORTAP_INLINE Error Error::bad_pattern(std::string_view pattern, std::size_t position, std::string_view cause) {
  return {Errc::invalid_pattern, "pattern: " + in_quotes(pattern) + ": " + std::string(cause) + " (at position " +
                                     std::to_string(position) + "); write an ECMAScript regular expression"};
}

// Options with invalid values. The caller composes `cause`, with its way out.

TENSORTAP_INLINE Error Error::bad_collection(std::string_view name, std::string_view cause) {
  return {Errc::invalid_option, "hook: collection " + in_quotes(name) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::bad_save_config(std::string_view cause) {
  return {Errc::invalid_option, "save config: " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::bad_option(std::string_view option, std::string_view cause) {
  return {Errc::invalid_option, "hook: option " + std::string(option) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::bad_max_norm(double max_norm) {
  return {Errc::invalid_option, "clip_grad_norm: max_norm: it is negative or not a number (" +
                                    detail::number_text(max_norm) + "); give the largest allowed norm"};
}

TENSORTAP_INLINE Error Error::shared_memory(std::string_view what, std::size_t tensor, std::size_t other) {
  const std::string which = tensor == other ? "tensor " + std::to_string(tensor) + ": two of its elements share memory"
                                            : "tensors " + std::to_string(tensor) + " and " + std::to_string(other) +
                                                  ": elements of both share memory";
  return {Errc::invalid_option, std::string(what) + ": " + which +
                                    ", and would be changed twice; give every element once, or copy the tensor first"};
}

TENSORTAP_INLINE Error Error::isa_not_available(std::string_view isa) {
  return {Errc::invalid_option,
          "isa: " + std::string(isa) + ": this processor does not have it; call is_available() first"};
}

TENSORTAP_INLINE Error Error::bad_interruption(std::string_view option, std::string_view cause) {
  return {Errc::invalid_option, "interruption: option " + std::string(option) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::bad_threshold(std::string_view rule, double value) {
  return {Errc::invalid_option, "rule: " + std::string(rule) + ": the threshold is negative or not a number (" +
                                    detail::number_text(value) + "); give the least value that is no finding"};
}

TENSORTAP_INLINE Error Error::bad_tolerance(std::string_view option, double value) {
  return {Errc::invalid_option, "difference: option " + std::string(option) + ": it is negative or not finite (" +
                                    detail::number_text(value) + "); use 0 to tolerate no difference"};
}

TENSORTAP_INLINE Error Error::bad_quantile(double q) {
  return {Errc::invalid_option,
          "histogram: quantile: it is not from 0 to 1 (" + detail::number_text(q) + "); use 0.5 for the median"};
}

TENSORTAP_INLINE Error Error::no_such_store(std::string_view url) {
  return {Errc::invalid_option,
          "store: " + in_quotes(url) + ": no store has this kind of address; use a directory or s3://BUCKET/PREFIX"};
}

TENSORTAP_INLINE Error Error::bad_url(std::string_view url, std::string_view cause) {
  return {Errc::invalid_option, "url: " + in_quotes(url) + ": " + std::string(cause) + "; correct the address"};
}

TENSORTAP_INLINE Error Error::bad_bucket(std::string_view address) {
  return {Errc::invalid_option,
          "store: " + in_quotes(address) +
              ": the bucket name is not valid; write s3://BUCKET/PREFIX with 3 to 63 letters, digits, '-', "
              "'.' and '_' in BUCKET"};
}

TENSORTAP_INLINE Error Error::bad_s3_option(std::string_view option, std::string_view cause) {
  return {Errc::invalid_option, "s3: option " + std::string(option) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::no_network(std::string_view url) {
  return {Errc::invalid_option, "store: " + in_quotes(url) +
                                    ": this program is built without S3; include <tensortap/net.hpp> in one of its "
                                    "source files and link tensortap::net"};
}

// Credentials and signatures. The messages contain no secrets.

TENSORTAP_INLINE Error Error::bad_credentials(std::string_view source, std::string_view cause) {
  return {Errc::invalid_option,
          "credentials: " + escaped(source) + ": " + std::string(cause) + "; give an access key and its secret"};
}

TENSORTAP_INLINE Error Error::no_credentials(std::string_view tried) {
  return {Errc::not_found, "credentials: none found: " + std::string(tried) +
                               "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"};
}

TENSORTAP_INLINE Error Error::no_credentials_in_time(std::string_view cause) {
  return {Errc::io, "credentials: none in time: " + std::string(cause) +
                        "; check why their source does not answer, or allow more time"};
}

TENSORTAP_INLINE Error Error::bad_validity(std::int64_t seconds) {
  return {Errc::invalid_option, "presigned address: its validity is not from 1 second to 7 days (" +
                                    std::to_string(seconds) + " seconds); choose another one"};
}

TENSORTAP_INLINE Error Error::digest_failed(std::string_view algorithm) {
  return {Errc::io,
          "digest: " + std::string(algorithm) + ": OpenSSL failed; check that its configuration allows this algorithm"};
}

// Calls of a hook in the wrong order.

TENSORTAP_INLINE Error Error::outside_step(std::string_view name) {
  return {Errc::invalid_step, "save: tensor " + in_quotes(name) + ": no step has begun; call begin_step() first"};
}

TENSORTAP_INLINE Error Error::closed_hook(std::string_view call) {
  return {Errc::invalid_step, std::string(call) + ": the hook is closed; make a new one"};
}

TENSORTAP_INLINE Error Error::called_by_writer(std::string_view call) {
  return {Errc::invalid_step,
          std::string(call) + ": it waits for the writer's thread, which runs this callback; call it in the loop"};
}

TENSORTAP_INLINE Error Error::step_not_growing(std::string_view what, std::int64_t previous, std::int64_t given) {
  return {Errc::invalid_step, "begin_step: " + std::string(what) + ": it must grow (" + std::to_string(previous) +
                                  " before, " + std::to_string(given) + " given); give a larger number"};
}

TENSORTAP_INLINE Error Error::step_too_large(std::int64_t given, std::int64_t limit) {
  return {Errc::invalid_step, "begin_step: the step is too large (" + std::to_string(given) + ", at most " +
                                  std::to_string(limit) + "); give a smaller number"};
}

TENSORTAP_INLINE Error Error::unknown_collection(std::string_view name) {
  return {Errc::invalid_option, "due: no collection is named " + in_quotes(name) + "; list it in the hook's options"};
}

// Runs that a hook must not write.

TENSORTAP_INLINE Error Error::run_has_ended(std::string_view run) {
  return {Errc::ended, "hook: " + in_quotes(run) + ": this run has ended; choose another directory"};
}

TENSORTAP_INLINE Error Error::run_has_steps(std::string_view run, std::string_view key) {
  return {Errc::ended,
          "hook: " + in_quotes(run) + ": it holds steps of an earlier attempt (" + in_quotes(key) +
              "); set checkpoint_dir to that of the attempt to continue it, set start_over to begin again at step 0, "
              "or choose another directory"};
}

TENSORTAP_INLINE Error Error::run_has_no_commit(std::string_view run, std::size_t steps, std::string_view checkpoints) {
  return {Errc::ended, "hook: " + in_quotes(run) + ": it holds " + std::to_string(steps) +
                           " steps of an earlier attempt, but there is no commit in checkpoint_dir (" +
                           in_quotes(checkpoints) +
                           "); correct checkpoint_dir, or set start_over to begin again at step 0"};
}

TENSORTAP_INLINE Error Error::state_of_another_run(std::string_view what, std::string_view run,
                                                   std::string_view checkpoints, std::string_view other) {
  return {Errc::ended, std::string(what) + ": " + in_quotes(run) + ": checkpoint_dir (" + in_quotes(checkpoints) +
                           ") holds the commits of another run (" + in_quotes(other) +
                           "); give each run a checkpoint_dir of its own, or open that run to continue it"};
}

TENSORTAP_INLINE Error Error::run_is_claimed(std::string_view run, std::string_view holder) {
  return {Errc::claimed, "hook: " + in_quotes(run) + ": another process writes this run (" +
                             (holder.empty() ? "unknown" : escaped(holder)) +
                             "); stop it first, wait for its end, or choose another directory or worker"};
}

TENSORTAP_INLINE Error Error::run_was_removed(std::string_view run, std::uint64_t steps) {
  return {Errc::not_found, "hook: " + in_quotes(run) + ": the run was removed while it was written (" +
                               std::to_string(steps) +
                               " saved steps are gone); later steps are saved in a new directory: do not remove or "
                               "replace a run before its process has ended"};
}

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
  return {Errc::invalid_option, "commit: " + in_quotes(path) + ": it is not below checkpoint_dir (" +
                                    in_quotes(directory) + "); save it there"};
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

// Names that a run does not contain.

TENSORTAP_INLINE Error Error::run_not_found(std::string_view run) {
  return {Errc::not_found,
          "trial: " + in_quotes(run) + ": no such run (it has neither an index nor collections); check the path"};
}

TENSORTAP_INLINE Error Error::tensor_not_found(std::string_view name) {
  return {Errc::not_found, "trial: no tensor is named " + in_quotes(name) + "; see trial.tensors()"};
}

TENSORTAP_INLINE Error Error::collection_not_found(std::string_view name) {
  return {Errc::not_found, "trial: no collection is named " + in_quotes(name) + "; see trial.collections()"};
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

// Files that break the format, and stores that fail. The caller composes `cause`, with its way out.

TENSORTAP_INLINE Error Error::damaged(std::string_view what, std::string_view where, std::string_view cause) {
  return {Errc::damaged, std::string(what) + ": " + in_quotes(where) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::io(std::string_view what, std::string_view where, std::string_view cause) {
  return {Errc::io, std::string(what) + ": " + in_quotes(where) + ": " + std::string(cause)};
}

TENSORTAP_END_NAMESPACE
