// Pieces of the texts of errors: numbers, shapes, and what the errors of an S3 server have in common.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the shortest text that reads back as `value`, the same in every locale.
template <std::floating_point T>
std::string number_text(T value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// Returns a text like "[2, 3]".
inline std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

/// Returns the way out of a name that does not exist: the name that was probably meant, else `way_out`.
inline std::string meant_or(std::string_view meant, std::string_view way_out) {
  return meant.empty() ? "; " + std::string(way_out) : "; did you mean " + in_quotes(meant) + "?";
}

/// Returns how often a request was made, and why not again.
inline std::string attempts_text(int attempts, std::string_view why_no_more = {}) {
  return (why_no_more.empty() ? "attempts: " : std::string(why_no_more) + ", attempts: ") + std::to_string(attempts);
}

/// Returns what the reader of a refusal can do.
inline const char* way_out_of(int status, std::string_view code) {
  const auto is_any_of = [&](std::initializer_list<std::string_view> codes) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
  };
  if (code == "NoSuchBucket") return "create the bucket, or correct its name";
  if (is_any_of({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}))
    return "the credentials have expired; get new ones";
  if (code == "RequestTimeTooSkewed") return "set the clock of this machine";
  if (is_any_of({"EntityTooLarge", "QuotaExceeded"})) return "make the object smaller, or raise the limit";
  if (is_any_of({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed",
                 "IllegalLocationConstraintException"}) ||
      status / 100 == 3)
    return "correct the region and the address of the server";
  if (status == 401 || status == 403) return "check the credentials and their permissions";
  if (status == 429 || status / 100 == 5) return "try again later; if it lasts, contact the operator of the server";
  return "contact the operator of the server";
}

/// Returns the text of an error: the request, the cause, the number of attempts and the way out.
inline std::string s3_text(std::string_view request, std::string_view cause, std::string_view details,
                           std::string_view way_out) {
  return "s3: " + escaped(request) + ": " + escaped(cause) + " (" + std::string(details) + "); " + std::string(way_out);
}

/// Returns the text of a reply that S3 does not send.
inline std::string not_from_s3_text(std::string_view request, std::string_view cause, int status,
                                    std::string_view content_type, std::string_view details) {
  const std::string kind = content_type.empty() ? "" : ", " + escaped(content_type.substr(0, 80));
  const std::string head = status == 0 ? "" : "status " + std::to_string(status) + kind + ", ";
  return s3_text(request, "the reply is not one of S3: " + std::string(cause), head + std::string(details),
                 "check the address of the server, and that no gateway, proxy or login page replies in its place");
}

/// Returns the text of a refusal.
inline std::string refusal_text(std::string_view request, int status, std::string_view code, std::string_view message,
                                std::string_view ids, std::string_view details) {
  return "s3: " + escaped(request) + ": the server answers " + std::to_string(status) +
         (code.empty() ? "" : " " + escaped(code.substr(0, 100))) +
         (message.empty() ? "" : ": " + escaped(message.substr(0, 300))) + " (" + std::string(details) +
         (ids.empty() ? "" : ", request " + escaped(ids.substr(0, 200))) + "); " + way_out_of(status, code);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
