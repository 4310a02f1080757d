// The texts of errors of managed jobs: a part of error_impl.hpp.
#pragma once

#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE Error Error::bad_job_option(std::string_view option, std::string_view cause) {
  return {Errc::invalid_option, "job: option " + std::string(option) + ": " + std::string(cause)};
}

TENSORTAP_INLINE Error Error::no_such_job(std::string_view place) {
  return {Errc::not_found, "job: " + in_quotes(place) +
                               ": there is no job (no job.json); give its directory or s3://BUCKET/PREFIX/JOB, which "
                               "'tensortap jobs' lists"};
}

TENSORTAP_INLINE Error Error::job_has_ended(std::string_view job, std::string_view status) {
  return {Errc::ended, "job: " + in_quotes(job) + ": it has ended (" + std::string(status) +
                           "); choose another job name, or continue it with --restart"};
}

TENSORTAP_INLINE Error Error::job_is_managed(std::string_view job, std::string_view holder) {
  return {Errc::claimed, "job: " + in_quotes(job) + ": another process manages it (" +
                             (holder.empty() ? "unknown" : escaped(holder)) +
                             "); wait for its end, stop it first, or choose another job name"};
}

TENSORTAP_INLINE Error Error::job_is_lost(std::string_view job) {
  return {Errc::claimed,
          "job: " + in_quotes(job) +
              ": its claim was removed, or another process has taken over the job, so that this one ends "
              "its program; describe the job to see whether it goes on"};
}

TENSORTAP_INLINE Error Error::program_not_started(std::string_view program, std::string_view cause) {
  return {Errc::io, "job: " + in_quotes(program) + ": the program cannot be started (" + escaped(cause) +
                        "); correct its path, or make it executable"};
}

TENSORTAP_END_NAMESPACE
