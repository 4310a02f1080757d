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

TENSORTAP_INLINE Error Error::bad_configuration(std::string_view what, std::string_view file, std::size_t line,
                                                std::string_view key, std::string_view cause) {
  std::string text = std::string(what) + ": " + in_quotes(file) + ": ";
  if (line > 0) text += "line " + std::to_string(line) + ": ";
  if (!key.empty()) text += std::string(key) + ": ";
  return {Errc::invalid_option, text + std::string(cause)};
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

TENSORTAP_INLINE Error Error::bad_cloud_notice(std::string_view option, std::string_view cause) {
  return {Errc::invalid_option, "cloud notices: option " + std::string(option) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::bad_threshold(std::string_view rule, double value) {
  return {Errc::invalid_option, "rule: " + std::string(rule) + ": the threshold is negative or not a number (" +
                                    detail::number_text(value) + "); give the least value that is no finding"};
}

TENSORTAP_INLINE Error Error::bad_parameter(std::string_view rule, std::string_view parameter, std::string_view value) {
  return {Errc::invalid_option, "rule: " + escaped(rule) + ": " + escaped(parameter) +
                                    ": the value is not of its type (" + in_quotes(value) +
                                    "); give one as in its default"};
}

TENSORTAP_INLINE Error Error::no_such_parameter(std::string_view rule, std::string_view parameter,
                                                std::string_view meant) {
  return {Errc::invalid_option, "rule: " + escaped(rule) + ": it has no parameter " + in_quotes(parameter) +
                                    detail::meant_or(meant, "'tensortap rules' lists them")};
}

TENSORTAP_INLINE Error Error::bad_shard(std::int64_t index, std::int64_t count) {
  return {Errc::invalid_option, "evaluate: shard " + std::to_string(index) + " of " + std::to_string(count) +
                                    ": there is no such shard; they are counted from 0"};
}

TENSORTAP_INLINE Error Error::no_such_rule(std::string_view rule, std::string_view meant) {
  return {Errc::invalid_option, "rule: " + in_quotes(rule) + ": there is no such rule" +
                                    detail::meant_or(meant, "'tensortap rules' lists them")};
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

TENSORTAP_INLINE Error Error::due_outside_step(std::string_view collection) {
  return {Errc::invalid_step,
          "due: collection " + in_quotes(collection) + ": no step has begun; call begin_step() first"};
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

TENSORTAP_INLINE Error Error::unknown_collection(std::string_view name, std::string_view meant) {
  return {Errc::invalid_option,
          "due: no collection is named " + in_quotes(name) + detail::meant_or(meant, "list it in the hook's options")};
}

// Runs that a hook must not write.

TENSORTAP_INLINE Error Error::run_has_ended(std::string_view run) {
  return {Errc::ended,
          "hook: " + in_quotes(run) +
              ": this run has ended; read it, set resume_ended to continue it, or choose another directory"};
}

TENSORTAP_INLINE Error Error::run_has_steps(std::string_view run, std::string_view key) {
  return {Errc::invalid_option,
          "hook: " + in_quotes(run) + ": it holds steps of an earlier attempt (" + in_quotes(key) +
              "); set checkpoint_dir to that of the attempt to continue it, set start_over to begin again at step 0, "
              "or choose another directory"};
}

TENSORTAP_INLINE Error Error::run_has_no_commit(std::string_view run, std::size_t steps, std::string_view checkpoints) {
  return {Errc::invalid_option, "hook: " + in_quotes(run) + ": it holds " + std::to_string(steps) +
                                    " steps of an earlier attempt, but there is no commit in checkpoint_dir (" +
                                    in_quotes(checkpoints) +
                                    "); correct checkpoint_dir, or set start_over to begin again at step 0"};
}

TENSORTAP_INLINE Error Error::state_of_another_run(std::string_view what, std::string_view run,
                                                   std::string_view checkpoints, std::string_view other) {
  return {Errc::invalid_option, std::string(what) + ": " + in_quotes(run) + ": checkpoint_dir (" +
                                    in_quotes(checkpoints) + ") holds the commits of another run (" + in_quotes(other) +
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

TENSORTAP_INLINE Error Error::commits_are_gone(std::string_view checkpoints, std::int64_t last, std::int64_t now) {
  return {Errc::not_found,
          "commit: " + in_quotes(checkpoints) +
              ": checkpoint_dir was removed, renamed or replaced while the run was written (the commits "
              "up to step " +
              std::to_string(last) + " are no longer there); that of step " + std::to_string(now) +
              " is, as later ones will be: keep a checkpoint_dir in its place until its process ends"};
}

// Names that a run does not contain.

TENSORTAP_INLINE Error Error::run_not_found(std::string_view run) {
  return {Errc::not_found,
          "trial: " + in_quotes(run) + ": no such run (it has neither an index nor collections); check the path"};
}

TENSORTAP_INLINE Error Error::run_is_gone(std::string_view run, bool is_replaced) {
  return {Errc::not_found, "trial: " + in_quotes(run) +
                               (is_replaced ? ": the run was removed, and another one has its place; open it again"
                                            : ": the run was removed or renamed while it was read; open it again, by "
                                              "its new name")};
}

TENSORTAP_INLINE Error Error::tensor_not_found(std::string_view name, std::string_view meant) {
  return {Errc::not_found,
          "trial: no tensor is named " + in_quotes(name) + detail::meant_or(meant, "see trial.tensors()")};
}

TENSORTAP_INLINE Error Error::collection_not_found(std::string_view name, std::string_view meant) {
  return {Errc::not_found,
          "trial: no collection is named " + in_quotes(name) + detail::meant_or(meant, "see trial.collections()")};
}

// Files that break the format, and stores that fail. The caller composes `cause`, with its way out.

TENSORTAP_INLINE Error Error::damaged(std::string_view what, std::string_view where, std::string_view cause) {
  return {Errc::damaged, std::string(what) + ": " + in_quotes(where) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::webhook_failed(std::string_view server, std::string_view cause, int attempts) {
  return {Errc::io, "action: Webhook: " + in_quotes(server) + ": " + escaped(cause) + " (" +
                        detail::attempts_text(attempts) + ")"};
}

TENSORTAP_INLINE Error Error::io(std::string_view what, std::string_view where, std::string_view cause) {
  return {Errc::io, std::string(what) + ": " + in_quotes(where) + ": " + std::string(cause)};
}

TENSORTAP_END_NAMESPACE

#include <tensortap/internal/error_of_jobs.hpp>
#include <tensortap/internal/error_of_stores.hpp>
