// Posts findings to a web server: to Slack, or as JSON to a program of your own.
//
//   const tensortap::Webhook slack({.url = "https://hooks.slack.com/services/T0", .form =
//   tensortap::WebhookForm::slack}); options.on_step = tensortap::Judge(tensortap::all_rules(),
//   tensortap::Background(slack));
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/http_options.hpp>
#include <tensortap/retry_policy.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The body of a request.
enum class WebhookForm : std::uint8_t {
  json,   ///< the finding, as `to_json` writes it
  slack,  ///< {"text": the finding as one line}, for Slack and what understands its messages
};

/// Where findings are posted, and how.
struct WebhookOptions {
  std::string url = {};                  ///< https, or http on this machine; it is a secret: Slack's holds a token
  std::string secret = {};               ///< signs each request; empty: no signature
  WebhookForm form = WebhookForm::json;  ///< of the body
  Severity minimum = Severity::advice;   ///< the least that is posted
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  ///< of one attempt
  RetryPolicy retry = {.attempts = 5,
                       .for_at_most = std::chrono::seconds(60),
                       .first_delay = std::chrono::milliseconds(500),
                       .longest_delay = std::chrono::seconds(30)};
  HttpOptions http = {};
  HttpTransport transport = {};  ///< for tests; empty: an HttpClient with the options `http`
};

/// An action that waits for the server's answer: put it in a `Background`. It repeats requests that got no answer, and
/// those answered with 408, 429 or 5xx, after the delay that the server asks for. It follows no redirect. With a
/// secret, the header X-Tensortap-Signature is "sha256=" and the HMAC-SHA-256 in hexadecimal of the header
/// X-Tensortap-Timestamp (seconds since 1970), ".", and the body. Messages name the server, neither path nor secret.
/// Threads: any. Copies share the connections.
class Webhook {
 public:
  /// Throws: no URL, or an unencrypted one of another machine.
  explicit Webhook(WebhookOptions options);

  /// Throws: no attempt was answered with success.
  void operator()(const Finding& finding) const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/webhook/internal/webhook_impl.hpp>
#endif
