#include <tensortap/net/webhook/webhook.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>

#include "catch.hpp"
#include "net/http/one_shot_server.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

const tt::Finding finding{
    .rule = "ExplodingTensor", .tensor = "w \"x\"\n", .step = {tt::Mode::train, 3, 5}, .message = "2 NaN"};

/// Answers with these replies, one after the other, and keeps what was sent.
struct Answers {
  std::vector<tt::HttpReply> replies;
  std::vector<std::string> bodies = {};
  std::vector<tt::HttpHeaders> headers = {};

  tt::WebhookOptions options(const std::string& url = "https://hooks.example.com/services/T0/TOKEN") {
    return {
        .url = url, .retry = {.attempts = 3, .first_delay = 1ms}, .transport = [this](const tt::HttpRequest& request) {
          bodies.emplace_back(tt::text_of(request.body[0]));
          headers.push_back(request.headers);
          return replies.at(bodies.size() - 1);
        }};
  }
};

}  // namespace

TEST_CASE("a webhook posts the finding as JSON, or as Slack's text", "[net][webhook]") {
  Answers answers{{{.status = 200}, {.status = 204}}};
  tt::WebhookOptions options = answers.options();
  tt::Webhook{options}(finding);
  options.form = tt::WebhookForm::slack;
  tt::Webhook{options}(finding);
  CHECK(answers.bodies[0] == tt::to_json(finding));
  CHECK(answers.bodies[1] == R"({"text": "ExplodingTensor: step 5 (TRAIN 3): \"w \"x\"\\n\": 2 NaN"})");
  CHECK(answers.headers[0].at("content-type") == "application/json");
  CHECK_FALSE(answers.headers[0].contains("x-tensortap-signature"));
}

TEST_CASE("a webhook signs what it posts", "[net][webhook]") {
  Answers answers{{{.status = 200}}};
  tt::WebhookOptions options = answers.options();
  options.secret = "key";
  tt::Webhook{options}(finding);
  const std::string& signature = answers.headers[0].at("x-tensortap-signature");
  CHECK(signature.starts_with("sha256="));
  CHECK(signature.size() == 7 + 64);
  CHECK(answers.headers[0].at("x-tensortap-timestamp").size() == 10);
}

TEST_CASE("a webhook repeats what may have success later, and nothing else", "[net][webhook]") {
  SECTION("an overloaded server") {
    Answers answers{{{.status = 503}, {.status = 0, .failure = tt::HttpFailure::not_connected}, {.status = 200}}};
    tt::Webhook{answers.options()}(finding);
    CHECK(answers.bodies.size() == 3);
  }
  SECTION("too often") {
    Answers answers{{{.status = 429}, {.status = 500}, {.status = 502}}};
    CHECK_THROWS_WITH(tt::Webhook{answers.options()}(finding),
                      Catch::Equals("action: Webhook: \"hooks.example.com\": status 502 (attempts: 3)"));
  }
  SECTION("a redirect is not followed, a refusal not repeated") {
    for (const int status : {302, 308, 400, 404}) {
      Answers answers{{{.status = status, .headers = {{"location", "https://elsewhere.example.com/"}}}}};
      CHECK_THROWS_WITH(tt::Webhook{answers.options()}(finding), contains("status " + std::to_string(status)));
      CHECK(answers.bodies.size() == 1);
    }
  }
}

TEST_CASE("a webhook leaves out what is below its severity", "[net][webhook]") {
  Answers answers{{{.status = 200}}};
  tt::WebhookOptions options = answers.options();
  options.minimum = tt::Severity::error;
  tt::Finding advice = finding;
  advice.severity = tt::Severity::advice;
  tt::Webhook{options}(advice);
  CHECK(answers.bodies.empty());
  tt::Webhook{options}(finding);
  CHECK(answers.bodies.size() == 1);
}

TEST_CASE("the address of a webhook is encrypted and appears in no message", "[net][webhook]") {
  Answers answers;
  for (const char* url :
       {"", "hooks.example.com/TOKEN", "http://hooks.example.com/TOKEN", "http://127.0.0.1.example.com/TOKEN",
        "https://user:TOKEN@example.com/", "ftp://example.com/TOKEN"}) {
    CAPTURE(url);
    try {
      const tt::Webhook hook(answers.options(url));
      FAIL("accepted");
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::invalid_option);
      CHECK(std::string(e.what()).find("TOKEN") == std::string::npos);
    }
  }
  for (const char* url : {"http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]/x"})
    (void)tt::Webhook(answers.options(url));
}

TEST_CASE("a server that hangs or answers garbage is an error in time", "[net][webhook]") {
  const auto post = [](const OneShotServer::Serve& serve) {
    OneShotServer server(serve);
    tt::Webhook hook({.url = server.url() + "TOKEN", .timeout = 300ms, .retry = {.attempts = 2, .first_delay = 1ms}});
    const auto begin = std::chrono::steady_clock::now();
    try {
      hook(finding);
      FAIL("no error");
    } catch (const tt::Error& e) {
      CHECK(std::string(e.what()).find("TOKEN") == std::string::npos);
    }
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
  };
  post([](Peer& peer, int) { (void)peer.read(1 << 16), std::this_thread::sleep_for(1s); });
  post([](Peer& peer, int) { (void)peer.read(1 << 16), (void)peer.write("garbage\r\n\r\n"); });
  post([](Peer& peer, int) {
    (void)peer.read(1 << 16), (void)peer.write("HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n");
  });
}
