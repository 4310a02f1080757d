// The bodies of webhook.hpp.
#pragma once

#include <charconv>
#include <ctime>
#include <span>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/retry.hpp>
#include <tensortap/net/aws/internal/digest.hpp>
#include <tensortap/net/http/http_client.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/webhook/webhook.hpp>
#include <tensortap/rules/internal/json_text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "127.0.0.1";
}

/// Returns the URL of a webhook. Throws: it is none, or unencrypted; the message does not hold it.
inline Url webhook_url(const std::string& text) {
  Url out;
  try {
    out = parse_url(text);
  } catch (const Error&) {
    throw Error::bad_option("WebhookOptions::url",
                            "it is no http or https URL; the text is not shown, for it is a secret");
  }
  if (out.scheme != "https" && !is_this_machine(out.host))
    throw Error::bad_option("WebhookOptions::url", "it is not encrypted; use https");
  return out;
}

inline std::string webhook_body(const Finding& finding, WebhookForm form) {
  if (form == WebhookForm::json) return to_json(finding);
  std::ostringstream line;
  line << finding;
  std::string out = R"({"text": )";
  append_json_text(out, line.str());
  return out + "}";
}

/// Returns the seconds of a Retry-After header; zero if it has none, or a date.
inline std::chrono::seconds asked_delay(const HttpReply& reply) {
  const std::string_view text = reply.header("retry-after");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(error == std::errc() && end == text.data() + text.size() && seconds > 0 ? seconds : 0);
}

/// Returns whether another attempt may have success.
inline bool is_passing(const HttpReply& reply) {
  if (reply.failure == HttpFailure::not_trusted || reply.failure == HttpFailure::stopped) return false;
  return reply.status == 0 || reply.status == 408 || reply.status == 429 || reply.status >= 500;
}

}  // namespace detail

struct Webhook::Shared {
  Shared(WebhookOptions with, Url to) : options(std::move(with)), url(std::move(to)), client(options.http) {}

  WebhookOptions options;
  Url url;
  HttpClient client;
};

TENSORTAP_INLINE Webhook::Webhook(WebhookOptions options) {
  Url url = detail::webhook_url(options.url);
  shared_ = std::make_shared<Shared>(std::move(options), std::move(url));
}

TENSORTAP_INLINE void Webhook::operator()(const Finding& finding) const {
  const WebhookOptions& options = shared_->options;
  if (finding.severity > options.minimum) return;
  const std::string body = detail::webhook_body(finding, options.form);
  const Bytes piece = bytes_of(body);
  detail::Retries retries(options.retry);
  for (;;) {
    HttpRequest request{.method = "POST", .url = shared_->url, .body = std::span(&piece, 1)};
    request.headers["content-type"] = "application/json";
    if (!options.secret.empty()) {
      const std::string now = std::to_string(std::time(nullptr));
      request.headers["x-tensortap-timestamp"] = now;
      request.headers["x-tensortap-signature"] =
          "sha256=" + hex_of(detail::hmac_sha256(bytes_of(options.secret), std::string(now).append(".").append(body)));
    }
    request.deadline = HttpRequest::Clock::now() + options.timeout;
    request.body_limit = std::uint64_t{64} << 10;
    const HttpReply reply = options.transport ? options.transport(request) : shared_->client(request);
    const bool is_whole = reply.failure == HttpFailure::none || reply.failure == HttpFailure::too_large;
    if (is_whole && reply.status >= 200 && reply.status < 300) return;
    const auto delay = detail::is_passing(reply) ? retries.next(1, detail::asked_delay(reply)) : std::nullopt;
    if (!delay)
      throw Error::webhook_failed(shared_->url.authority(),
                                  reply.status == 0 ? reply.cause : "status " + std::to_string(reply.status),
                                  retries.attempts());
    std::this_thread::sleep_for(*delay);
  }
}

TENSORTAP_END_NAMESPACE
