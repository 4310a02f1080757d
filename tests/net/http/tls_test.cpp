#include <tensortap/net/http/http_client.hpp>

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <tensortap/net/http/internal/connection.hpp>

#include "catch.hpp"
#include "net/http/certificates.hpp"
#include "net/http/one_shot_server.hpp"
#include "store/temporary_directory.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;

namespace {

using Clock = HttpRequest::Clock;

void answer_all(Peer& peer, int) {
  while (!peer.read_request().empty() && peer.write(hello)) {
  }
}

/// A server with a certificate, and options of a client that trusts it.
struct Trusted {
  explicit Trusted(OneShotServer::Serve serve, const Certificate& certificate = Certificate("IP:127.0.0.1"))
      : context(certificate.context()), server(std::move(serve), context.get()) {
    certificate.write(file);
  }
  [[nodiscard]] HttpOptions options() const { return {.ca_file = file, .proxy = ""}; }
  [[nodiscard]] Url url() const { return parse_url(server.url()); }

  TemporaryDirectory directory;
  std::string file = (directory / "ca.pem").string();
  std::shared_ptr<SSL_CTX> context;
  OneShotServer server;
};

}  // namespace

TEST_CASE("an exchange with a trusted certificate succeeds", "[net][tls]") {
  Trusted trusted(answer_all);
  HttpClient client(trusted.options());
  for (int i = 0; i < 3; ++i) {
    const HttpReply reply = client({.url = trusted.url()});
    CHECK(reply.cause.empty());
    CHECK(reply.body == "hello");
  }
  CHECK(client.statistics().opened == 1);
  std::vector<std::byte> large(std::size_t{4} << 20, std::byte{1});
  const std::vector<Bytes> body{Bytes(large)};
  CHECK(client({.method = "PUT", .url = trusted.url(), .body = body}).body == "hello");
}

TEST_CASE("a server without a trusted certificate gets no request", "[net][tls]") {
  std::atomic<int> requests = 0;
  const auto serve = [&](Peer& peer, int) { requests += peer.read_request().empty() ? 0 : 1; };
  const auto ask = [&](const Certificate& shown, const Certificate& known, const std::string& host) {
    TemporaryDirectory directory;
    const std::string file = (directory / "ca.pem").string();
    known.write(file);
    const auto context = shown.context();
    OneShotServer server(serve, context.get());
    HttpClient client({.ca_file = file, .proxy = ""});
    Url url = parse_url(server.url());
    url.host = host;
    const HttpReply reply = client({.url = url, .headers = {{"authorization", "secret"}}});
    CHECK(reply.status == 0);
    UNSCOPED_INFO(reply.cause);
    return reply.failure;
  };
  const Certificate good("IP:127.0.0.1,DNS:localhost"), other("IP:127.0.0.1"), named("DNS:example.com"),
      numbered("IP:127.0.0.2"), expired("IP:127.0.0.1", -7200, -3600), early("IP:127.0.0.1", 3600, 7200),
      partial("DNS:local*,DNS:*");
  CHECK(ask(good, other, "127.0.0.1") == HttpFailure::not_trusted);
  CHECK(ask(named, named, "127.0.0.1") == HttpFailure::not_trusted);  // though its common name is 127.0.0.1
  CHECK(ask(numbered, numbered, "127.0.0.1") == HttpFailure::not_trusted);
  CHECK(ask(named, named, "localhost") == HttpFailure::not_trusted);
  CHECK(ask(partial, partial, "localhost") == HttpFailure::not_trusted);
  CHECK(ask(expired, expired, "127.0.0.1") == HttpFailure::not_trusted);
  CHECK(ask(early, early, "127.0.0.1") == HttpFailure::not_trusted);
  CHECK(requests == 0);
  CHECK(ask(good, good, "localhost") == HttpFailure::no_reply);  // this server never replies
  CHECK(requests == 1);
}

TEST_CASE("a certificate file replaces the system's certificates", "[net][tls]") {
  Trusted trusted(answer_all);
  HttpClient client({.proxy = ""});
  const HttpReply reply = client({.url = trusted.url()});
  CHECK(reply.failure == HttpFailure::not_trusted);
  CHECK_THAT(reply.cause, contains("certificate"));

  ::setenv("AWS_CA_BUNDLE", trusted.file.c_str(), 1);
  HttpClient of_environment({.proxy = ""});
  CHECK(of_environment({.url = trusted.url()}).body == "hello");
  ::unsetenv("AWS_CA_BUNDLE");
}

TEST_CASE("certificates that cannot be read trust no server", "[net][tls]") {
  Trusted trusted(answer_all);
  HttpClient client({.ca_file = trusted.file + ".missing", .proxy = ""});
  const HttpReply reply = client({.url = trusted.url()});
  CHECK(reply.failure == HttpFailure::not_trusted);
  CHECK_THAT(reply.cause, contains("ca.pem.missing"));
  CHECK(trusted.server.connections() == 0);
}

TEST_CASE("a server without TLS is reported as no connection", "[net][tls]") {
  OneShotServer server([](Peer& peer, int) {
    peer.read(1);
    peer.write(hello);
  });
  HttpClient client({.proxy = ""});
  Url url = parse_url(server.url());
  url.scheme = "https";
  CHECK(client({.url = url}).failure == HttpFailure::not_connected);
}

TEST_CASE("a handshake that stalls ends at the deadline or by a stop request", "[net][tls]") {
  OneShotServer server([](Peer& peer, int) { peer.read(1 << 20), peer.read(1); });
  HttpClient client({.proxy = ""});
  Url url = parse_url(server.url());
  url.scheme = "https";
  const auto begin = Clock::now();
  CHECK(client({.url = url, .deadline = begin + 100ms}).failure == HttpFailure::timed_out);
  std::stop_source source;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(50ms);
    source.request_stop();
  });
  CHECK(client({.url = url, .stop = source.get_token()}).failure == HttpFailure::stopped);
  CHECK(Clock::now() - begin < 4s);  // the server waits for five
}

TEST_CASE("TLS exchanges handle cut bodies, stalls, dead kept connections and early replies like plain ones",
          "[net][tls]") {
  Trusted trusted([](Peer& peer, int number) {
    const std::string head = peer.read_head();
    if (head.find("/cut") != std::string::npos) {
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    } else if (head.find("/open") != std::string::npos) {
      peer.write("HTTP/1.1 200 OK\r\n\r\nhello");  // without the end that TLS has
    } else if (head.find("/stall") != std::string::npos) {
      peer.write("HTTP/1.1 200 OK\r\n");
      peer.read(1);
    } else if (head.find("/long") != std::string::npos) {
      peer.write("HTTP/1.1 200 " + std::string(1'000'000, 'x') + "\r\n\r\n");
    } else if (head.find("/early") != std::string::npos) {
      peer.write(hello);
      peer.read_body(std::size_t{1} << 40);
    } else if (number % 2 == 0) {
      peer.write(hello);
      peer.read_head();
    } else {
      peer.write(hello);
    }
  });
  HttpClient client({.idle_timeout = 1s, .ca_file = trusted.file, .proxy = ""});
  const auto get = [&](const std::string& path) { return client({.url = parse_url(trusted.server.url(path))}); };
  CHECK(get("/a").body == "hello");
  CHECK(get("/a").body == "hello");
  CHECK(client.statistics().stale == 1);
  CHECK(get("/cut").failure == HttpFailure::cut);
  CHECK(get("/open").failure == HttpFailure::cut);
  CHECK(get("/stall").failure == HttpFailure::timed_out);
  const HttpFailure lengthy = get("/long").failure;
  CHECK((lengthy == HttpFailure::too_large || std::is_final_v<httplib::SSLClient>));
  const std::vector<std::byte> large(std::size_t{32} << 20);
  const std::vector<Bytes> body{Bytes(large)};
  CHECK(client({.method = "PUT", .url = parse_url(trusted.server.url("/early")), .body = body}).body == "hello");
}

TEST_CASE("writing to a closed TLS connection raises no signal", "[net][tls]") {
  struct sigaction before {};
  struct sigaction fatal {};
  fatal.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &fatal, &before);
  Trusted trusted([](Peer& peer, int) {
    peer.read_head();
    peer.reset();
  });
  HttpClient client(trusted.options());
  const std::vector<std::byte> large(std::size_t{32} << 20);
  const std::vector<Bytes> body{Bytes(large)};
  CHECK(client({.method = "PUT", .url = trusted.url(), .body = body}).failure == HttpFailure::no_reply);
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  CHECK(::sigismember(&blocked, SIGPIPE) == 0);
  ::sigaction(SIGPIPE, &before, nullptr);
}
