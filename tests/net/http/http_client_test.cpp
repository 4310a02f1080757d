#include <tensortap/net/http/http_client.hpp>

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "net/http/one_shot_server.hpp"
#include "sanitizer.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;

namespace {

/// Returns options without the proxies of the environment.
HttpOptions options() { return {.connect_timeout = 20s, .proxy = ""}; }

HttpRequest get(const OneShotServer& server) { return {.url = parse_url(server.url("/a%20b?c=%2F+"))}; }

/// Answers each request with `reply`.
OneShotServer::Serve always(std::string reply) {
  return [reply](Peer& peer, int) {
    while (!peer.read_request().empty() && peer.write(reply)) {
    }
  };
}

}  // namespace

TEST_CASE("request and reply arrive unchanged", "[net][http_client]") {
  std::string seen;
  OneShotServer server([&](Peer& peer, int) {
    seen = peer.read_request();
    peer.write("HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello");
  });
  HttpClient client(options());
  const std::vector<Bytes> body{bytes_of("one, "), {}, bytes_of("two")};
  const HttpReply reply = client({.method = "PUT",
                                  .url = parse_url(server.url("/a%20b/%2F+x?c=%2F+&d")),
                                  .headers = {{"authorization", "secret"}, {"x-amz-date", "now"}},
                                  .body = body});
  CHECK(reply.failure == HttpFailure::none);
  CHECK(reply.status == 201);
  CHECK(reply.body == "hello");
  CHECK(reply.header("x-a") == "1, 2");
  CHECK(seen.starts_with("PUT /a%20b/%2F+x?c=%2F+&d HTTP/1.1\r\n"));
  CHECK_THAT(seen, contains("\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  CHECK_THAT(seen, contains("\r\nauthorization: secret\r\n"));
  CHECK_THAT(seen, contains("\r\nUser-Agent: tensortap/" + std::string(version) + "\r\n"));
  CHECK_THAT(seen, contains("\r\nContent-Length: 8\r\n"));
  CHECK(seen.ends_with("\r\n\r\none, two"));
  for (const char* const header : {"Expect", "Transfer-Encoding", "Accept-Encoding"})
    CHECK(seen.find(header) == std::string::npos);
}

TEST_CASE("a connection serves several exchanges", "[net][http_client]") {
  OneShotServer server(always(hello));
  HttpClient client(options());
  for (int i = 0; i < 5; ++i) CHECK(client(get(server)).body == "hello");
  CHECK(server.connections() == 1);
  CHECK(client.statistics().opened == 1);
  CHECK(client.statistics().reused == 4);
}

namespace {

using Clock = HttpRequest::Clock;

/// Bytes that fill the buffers between client and server many times.
const std::vector<std::byte>& large() {
  static const std::vector<std::byte> bytes(std::size_t{32} << 20, std::byte{7});
  return bytes;
}

HttpRequest put_large(const OneShotServer& server) {
  static const std::vector<Bytes> body{Bytes(large())};
  return {.method = "PUT", .url = parse_url(server.url("/large")), .body = body};
}

template <class Call>
std::chrono::duration<double> duration_of(const Call& call) {
  const auto begin = Clock::now();
  call();
  return Clock::now() - begin;
}

}  // namespace

TEST_CASE("a kept connection that the server has closed is detected", "[net][http_client]") {
  OneShotServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write(hello);
  });
  HttpClient client(options());
  CHECK(client(get(server)).body == "hello");
  REQUIRE(server.wait_until_closed());
  CHECK(client({.method = "POST", .url = parse_url(server.url())}).body == "hello");
  CHECK(client.statistics().stale == 0);
}

TEST_CASE("an idempotent exchange on a kept connection that breaks before the reply is repeated once",
          "[net][http_client]") {
  OneShotServer server([](Peer& peer, int number) {
    peer.read_request();
    peer.write(hello);
    if (number == 0) {
      peer.read_request();
      peer.reset();
    }
    peer.read_request();
    peer.write(hello);
  });
  HttpClient client(options());
  CHECK(client(get(server)).body == "hello");
  const std::vector<Bytes> body{bytes_of("body")};
  const HttpReply again = client({.method = "PUT", .url = parse_url(server.url()), .body = body});
  CHECK(again.failure == HttpFailure::none);
  CHECK(again.body == "hello");
  CHECK(server.connections() == 2);
  CHECK(client.statistics().stale == 1);
  CHECK(client.statistics().reused == 1);
}

TEST_CASE("a POST on a kept connection that breaks before the reply is not repeated", "[net][http_client]") {
  OneShotServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write(hello);
    peer.read_request();
  });
  HttpClient client(options());
  CHECK(client(get(server)).body == "hello");
  CHECK(client({.method = "POST", .url = parse_url(server.url())}).failure == HttpFailure::no_reply);
  CHECK(server.connections() == 1);
  CHECK(client.statistics().stale == 0);
}

TEST_CASE("an exchange whose reply has begun is not repeated", "[net][http_client]") {
  OneShotServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write(hello);
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Le");
  });
  HttpClient client(options());
  CHECK(client(get(server)).body == "hello");
  CHECK(client(get(server)).failure == HttpFailure::no_reply);
  CHECK(server.connections() == 1);
}

TEST_CASE("a new connection that breaks before the reply is a failure", "[net][http_client]") {
  const bool by_reset = GENERATE(false, true);
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    if (by_reset) peer.reset();
  });
  HttpClient client(options());
  const HttpReply reply = client(get(server));
  CHECK(reply.failure == HttpFailure::no_reply);
  CHECK(reply.status == 0);
  CHECK(server.connections() == 1);
}

TEST_CASE("a body that breaks off is a failure", "[net][http_client]") {
  const std::string head =
      GENERATE("Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
               "Transfer-Encoding: chunked\r\n\r\n9\r\nhello");
  const bool by_reset = GENERATE(false, true);
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n" + head);
    if (!by_reset) return;
    std::this_thread::sleep_for(20ms);
    peer.reset();
  });
  HttpClient client(options());
  const HttpReply reply = client(get(server));
  CHECK(reply.failure == HttpFailure::cut);
  CHECK(reply.status == 200);
  CHECK(reply.body == "hello");
}

TEST_CASE("chunks that do not end as HTTP requires are a failure", "[net][http_client]") {
  const std::string end = GENERATE("5\r\nhello", "5\r\nhello\r\n0", "5\r\nhello!\r\n0\r\n\r\n", "5\r\nhello\r\nx\r\n");
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + end);
  });
  HttpClient client(options());
  const HttpFailure failure = client(get(server)).failure;
  CHECK((failure == HttpFailure::cut || failure == HttpFailure::malformed));
}

TEST_CASE("a body may come in chunks or end with its connection", "[net][http_client]") {
  const std::string text = GENERATE("Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
                                    "Connection: close\r\n\r\nhello");
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n" + text);
  });
  HttpClient client(options());
  const HttpReply reply = client(get(server));
  CHECK(reply.failure == HttpFailure::none);
  CHECK(reply.body == "hello");
}

TEST_CASE("some replies have no body even if they name a length", "[net][http_client]") {
  const std::string status = GENERATE("204 No Content", "304 Not Modified", "200 OK");
  OneShotServer server(always("HTTP/1.1 " + status + "\r\nContent-Length: 5000000\r\nx-a: b\r\n\r\n"));
  HttpClient client(options());
  HttpRequest request = get(server);
  if (status == "200 OK") request.method = "HEAD";
  for (int i = 0; i < 2; ++i) {
    const HttpReply reply = client(request);
    CHECK(reply.failure == HttpFailure::none);
    CHECK(status.starts_with(std::to_string(reply.status)));
    CHECK(reply.header("content-length") == "5000000");
    CHECK(reply.header("x-a") == "b");
    CHECK(reply.body.empty());
  }
}

TEST_CASE("the body of a refusal is not cut at the sink's limit", "[net][http_client]") {
  OneShotServer server(always("HTTP/1.1 416 No\r\nContent-Length: 7\r\n\r\nrefused"));
  HttpClient client(options());
  HttpRequest request = get(server);
  request.sink_limit = 1;
  request.sink = [](const HttpReply& head, Bytes) { return head.status == 206; };
  CHECK(client(request).body == "refused");
}

TEST_CASE("an interim reply is skipped", "[net][http_client]") {
  OneShotServer server([](Peer& peer, int) {
    const std::string head = peer.read_head();
    peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    std::this_thread::sleep_for(20ms);
    if (head.starts_with("PUT")) peer.read_body(large().size());
    peer.write(hello);
  });
  HttpClient client(options());
  CHECK(client(get(server)).body == "hello");
  CHECK(client(put_large(server)).body == "hello");
}

TEST_CASE("a reply that is not HTTP is malformed", "[net][http_client]") {
  const std::string text =
      GENERATE("SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 two hundred\r\n\r\n", "\r\n\r\n\r\n",
               "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
               "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
               "HTTP/1.1 101 Switching Protocols\r\n\r\n");
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write(text);
  });
  HttpClient client(options());
  CAPTURE(text);
  CHECK(client(get(server)).failure == HttpFailure::malformed);
}

TEST_CASE("an endless header ends the exchange at once and takes little memory", "[net][http_client]") {
  const std::string begin = GENERATE("HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\n",
                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
  const std::string more = GENERATE("y", "x: y\r\n", "x: y\n");
  std::atomic<std::size_t> sent = 0;
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write(begin);
    std::string many;
    while (many.size() < 10'000) many += more;
    while (peer.write(many)) sent += many.size();
  });
  HttpClient client(options());
  CAPTURE(begin, more);
  const HttpReply reply = client(get(server));
  CHECK((reply.failure == HttpFailure::too_large || reply.failure == HttpFailure::cut ||
         reply.failure == HttpFailure::malformed));
  CHECK(sent < (std::size_t{16} << 20));  // what the buffers of the system hold
}

TEST_CASE("a status line long enough to overflow a stack is refused", "[net][http_client]") {
  OneShotServer server(always("HTTP/1.1 200 " + std::string(1'000'000, 'x') + "\r\nContent-Length: 0\r\n\r\n"));
  HttpClient client(options());
  CHECK(client(get(server)).failure == HttpFailure::too_large);
}

TEST_CASE("an endless body is read up to its limit", "[net][http_client]") {
  const std::string head = GENERATE("Connection: close\r\n\r\n", "Content-Length: 1000000000000\r\n\r\n",
                                    "Transfer-Encoding: chunked\r\n\r\n1000000000\r\n");
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n" + head);
    const std::string many(65536, 'x');
    while (peer.write(many)) {
    }
  });
  HttpClient client(options());
  HttpRequest request = get(server);
  request.body_limit = 100'000;
  const HttpReply reply = client(request);
  CHECK(reply.failure == HttpFailure::too_large);
  CHECK(reply.body.size() <= 100'000);
  CHECK_THAT(reply.cause, contains("100000 bytes"));

  request.sink = [](const HttpReply&, Bytes) { return true; };
  request.deadline = Clock::now() + 200ms;
  CHECK(client(request).failure == HttpFailure::timed_out);
}

TEST_CASE("a sink may take only the beginning of a body", "[net][http_client]") {
  OneShotServer server([](Peer& peer, int) {
    while (!peer.read_request().empty())
      if (!peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x'))) return;
  });
  HttpClient client(options());
  HttpRequest request = get(server);
  std::size_t taken = 0;
  request.sink = [&](const HttpReply&, Bytes piece) { return taken += piece.size(), true; };
  const std::uint64_t limit = GENERATE(1u, 1000u, 131'072u, 131'073u, 999'999u, 1'000'000u, 2'000'000u);
  request.sink_limit = limit;
  for (int i = 1; i <= 2; ++i) {
    taken = 0;
    const HttpReply reply = client(request);
    CHECK(reply.failure == HttpFailure::none);
    CHECK(reply.status == 200);
    CHECK(reply.body.empty());
    CHECK(taken == std::min<std::uint64_t>(limit, 1'000'000));
  }
  CHECK(client.statistics().opened == (limit < 1'000'000 ? 2 : 1));
}

TEST_CASE("a sink takes the body in pieces, knows the head, and may decline", "[net][http_client]") {
  const std::string body(1'000'000, 'x');
  OneShotServer server(always("HTTP/1.1 206 Partial\r\nx-a: b\r\nContent-Length: 1000000\r\n\r\n" + body));
  HttpClient client(options());
  HttpRequest request = get(server);
  request.body_limit = 10;
  std::string taken;
  request.sink = [&](const HttpReply& head, Bytes piece) {
    CHECK(head.status == 206);
    CHECK(head.header("x-a") == "b");
    taken += text_of(piece);
    return true;
  };
  const HttpReply reply = client(request);
  CHECK(reply.failure == HttpFailure::none);
  CHECK(taken == body);
  CHECK(reply.body.empty());

  int asked = 0;
  request.body_limit = 2'000'000;
  request.sink = [&](const HttpReply&, Bytes) { return ++asked < 0; };
  CHECK(client(request).body == body);
  CHECK(asked == 1);
  request.body_limit = 10;
  CHECK(client(request).failure == HttpFailure::too_large);

  request.sink = [](const HttpReply&, Bytes) -> bool { throw std::runtime_error("disk full"); };
  CHECK_THROWS_WITH(client(request), contains("disk full"));
  request.sink = {};
  request.body_limit = 2'000'000;
  CHECK(client(request).body == body);
}

TEST_CASE("a reply that comes while the body is sent is read", "[net][http_client]") {
  const int kind = GENERATE(0, 1, 2);  // the connection stays open, is closed, is reset
  OneShotServer server([&](Peer& peer, int) {
    peer.read_head();
    peer.write("HTTP/1.1 503 Slow Down\r\nContent-Length: 5\r\n\r\nhello");
    if (kind == 0) peer.read_body(std::size_t{1} << 40);
    if (kind == 2) {
      std::this_thread::sleep_for(20ms);
      peer.reset();
    }
  });
  HttpClient client(options());
  CAPTURE(kind);
  const HttpReply reply = client(put_large(server));
  CHECK(reply.failure == HttpFailure::none);
  CHECK(reply.status == 503);
  CHECK(reply.body == "hello");
  CHECK(client(put_large(server)).status == 503);
  CHECK(server.connections() == 2);  // what has been sent only in part serves no other exchange
}

TEST_CASE("a connection that breaks while the body is sent raises no signal", "[net][http_client]") {
  struct sigaction before {};
  struct sigaction fatal {};
  fatal.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &fatal, &before);
  OneShotServer server([](Peer& peer, int) {
    peer.read_head();
    peer.reset();
  });
  HttpClient client(options());
  CHECK(client(put_large(server)).failure == HttpFailure::no_reply);
  struct sigaction now {};
  ::sigaction(SIGPIPE, &before, &now);
  CHECK(now.sa_handler == SIG_DFL);
}

TEST_CASE("an exchange without bytes ends at the idle timeout", "[net][http_client]") {
  const bool begun = GENERATE(false, true);
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    if (begun) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    peer.read(1);
  });
  HttpClient client({.idle_timeout = 100ms, .proxy = ""});
  HttpReply reply;
  const auto took = duration_of([&] { reply = client(get(server)); });
  CHECK(reply.failure == HttpFailure::timed_out);
  CHECK(took > 90ms);
  CHECK(took < 4s);  // the server waits for five
  CHECK(client.statistics().opened == 1);
}

TEST_CASE("an exchange whose request is not read ends at the idle timeout", "[net][http_client]") {
  std::promise<void> over;
  OneShotServer server([&](Peer& peer, int) {
    peer.read_head();
    (void)over.get_future().wait_for(20s);
  });
  HttpClient client({.idle_timeout = 100ms, .proxy = ""});
  HttpReply reply;
  const auto took = duration_of([&] { reply = client(put_large(server)); });
  over.set_value();
  CHECK(reply.failure == HttpFailure::timed_out);
  CHECK(took < 10s);
}

TEST_CASE("a slow trickle of bytes ends at the deadline", "[net][http_client]") {
  const std::string text = GENERATE("HTTP/1.1 200 OK\r\nx-a: b\r\nx-c: a long value that comes slowly\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n and so on and on and on and on");
  OneShotServer server([&](Peer& peer, int) {
    peer.read_request();
    for (const char c : text + std::string(4000, 'x')) {  // for 20 seconds
      if (!peer.write(std::string(1, c))) return;
      std::this_thread::sleep_for(5ms);
    }
  });
  HttpClient client(options());
  HttpRequest request = get(server);
  HttpReply reply;
  request.deadline = Clock::now() + 200ms;
  const auto took = duration_of([&] { reply = client(request); });
  CHECK(reply.failure == HttpFailure::timed_out);
  CHECK_THAT(reply.cause, contains("deadline"));
  CHECK(took > 150ms);
  CHECK(took < 10s);
}

TEST_CASE("a stop request ends an exchange at once, also before it begins", "[net][http_client]") {
  std::promise<void> begun;
  OneShotServer server([&](Peer& peer, int number) {
    peer.read_request();
    if (number == 0) begun.set_value();
    peer.read(1);
  });
  HttpClient client({.proxy = ""});
  HttpRequest request = get(server);
  std::stop_source source;
  request.stop = source.get_token();
  std::jthread stopper([&] {
    begun.get_future().wait();
    std::this_thread::sleep_for(20ms);  // until the client waits for the reply
    source.request_stop();
  });
  HttpReply reply;
  const auto took = duration_of([&] { reply = client(request); });
  CHECK(reply.failure == HttpFailure::stopped);
  CHECK(took < 4s);  // the server waits for five
  CHECK(client(request).failure == HttpFailure::stopped);
  CHECK(server.connections() == 1);
}

TEST_CASE("an exchange that begins after its deadline times out", "[net][http_client]") {
  OneShotServer server(always(hello));
  HttpClient client(options());
  HttpRequest request = get(server);
  request.deadline = Clock::now() - 1s;
  CHECK(client(request).failure == HttpFailure::timed_out);
  CHECK(server.connections() == 0);
}

namespace {

/// An address whose queue is full, so that it neither accepts nor refuses connections.
class BlackHole {
 public:
  BlackHole() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    REQUIRE(::bind(listener_, any(), size) == 0);
    REQUIRE(::listen(listener_, 0) == 0);
    REQUIRE(::getsockname(listener_, any(), &size) == 0);
    for (int i = 0; i < 4; ++i) {
      waiting_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      (void)::connect(waiting_.back(), any(), size);
    }
  }
  ~BlackHole() {
    for (const int socket : waiting_) ::close(socket);
    ::close(listener_);
  }
  [[nodiscard]] Url url() const { return parse_url("http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port))); }

 private:
  sockaddr* any() { return reinterpret_cast<sockaddr*>(&address_); }

  int listener_;
  sockaddr_in address_{};
  std::vector<int> waiting_;
};

}  // namespace

TEST_CASE("an unanswered connect ends by its own limit, the deadline, or a stop request", "[net][http_client]") {
  BlackHole hole;
  HttpClient patient({.proxy = ""});
  HttpReply reply;
  SECTION("limit") {
    HttpClient client({.connect_timeout = 100ms, .proxy = ""});
    CHECK(duration_of([&] { reply = client({.url = hole.url()}); }) < 3s);  // the default is longer
    CHECK(reply.failure == HttpFailure::not_connected);
  }
  SECTION("deadline") {
    CHECK(duration_of([&] { reply = patient({.url = hole.url(), .deadline = Clock::now() + 100ms}); }) < 3s);
    CHECK(reply.failure == HttpFailure::timed_out);
  }
  SECTION("stop") {
    std::stop_source source;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(50ms);
      source.request_stop();
    });
    CHECK(duration_of([&] { reply = patient({.url = hole.url(), .stop = source.get_token()}); }) < 3s);
    CHECK(reply.failure == HttpFailure::stopped);
  }
}

TEST_CASE("a closed port is reported as no connection", "[net][http_client]") {
  std::uint16_t port = 0;
  {
    port = OneShotServer([](Peer&, int) {}).port();
  }
  HttpClient client(options());
  const HttpReply reply = client({.url = parse_url("http://127.0.0.1:" + std::to_string(port))});
  CHECK(reply.failure == HttpFailure::not_connected);
  CHECK_THAT(reply.cause, contains("127.0.0.1:" + std::to_string(port)));
}

TEST_CASE("a request whose fields hold line breaks is not sent", "[net][http_client]") {
  OneShotServer server(always(hello));
  HttpClient client(options());
  for (const std::string& bad : std::vector<std::string>{"a\r\nb", "a\nb", {"a\0b", 3}}) {
    HttpRequest request = get(server);
    request.headers["x-a"] = bad;
    CHECK(client(request).failure == HttpFailure::not_connected);
    request = get(server);
    request.method = bad;
    CHECK(client(request).failure == HttpFailure::not_connected);
    request = get(server);
    request.url.path = "/" + bad;
    CHECK(client(request).failure == HttpFailure::not_connected);
    request = get(server);
    request.url.host = bad;
    CHECK(client(request).failure == HttpFailure::not_connected);
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("many threads share a client", "[net][http_client]") {
  OneShotServer server([](Peer& peer, int) {
    for (;;) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      const std::string path = request.substr(4, request.find(' ', 4) - 4);
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n" + path);
    }
  });
  HttpClient client({.max_idle_connections = 4, .proxy = ""});
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
          std::stop_source stop;
          const HttpReply reply =
              client({.url = parse_url(server.url(path)), .deadline = Clock::now() + 10s, .stop = stop.get_token()});
          wrong += reply.body != path;
        }
      });
  }
  CHECK(wrong == 0);
  const HttpStatistics statistics = client.statistics();
  CHECK(statistics.opened + statistics.reused == 400 + statistics.stale);
  CHECK(statistics.reused > 100);  // about 200 if all threads ask at the same moment: four are kept
}

TEST_CASE("unused connections are kept for a limited time and in limited number", "[net][http_client]") {
  OneShotServer server(always(hello));
  HttpClient client({.idle_for = 30ms, .proxy = ""});
  CHECK(client(get(server)).body == "hello");
  std::this_thread::sleep_for(60ms);
  CHECK(client(get(server)).body == "hello");
  CHECK(client.statistics().opened == 2);

  HttpClient careful({.max_idle_connections = 0, .proxy = ""});
  for (int i = 0; i < 2; ++i) CHECK(careful(get(server)).body == "hello");
  CHECK(careful.statistics().opened == 2);
}

#if !WITH_THREAD_SANITIZER
TEST_CASE("a forked child has its own connections and leaves those of its parent open", "[net][http_client]") {
  OneShotServer server(always(hello));
  HttpClient client(options());
  HttpRequest request = get(server);
  request.deadline = Clock::now() + 5s;
  REQUIRE(client(request).body == "hello");
  const pid_t child = ::fork();
  if (child == 0) {
    const bool fine = client(request).body == "hello" && client.statistics().opened == 1;
    client.~HttpClient();
    ::_exit(fine ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(server.connections() == 2);
  CHECK(client(request).body == "hello");
  CHECK(server.connections() == 2);
}
#endif

TEST_CASE("small pieces of a body are sent together", "[net][http_client]") {
  std::string seen;
  OneShotServer server([&](Peer& peer, int) {
    seen = peer.read_request();
    peer.write(hello);
  });
  HttpClient client(options());
  std::string expected;
  std::vector<std::string> texts;
  for (int i = 0; i < 2000; ++i)
    texts.emplace_back(i % 100 == 50 ? 70'000 : i % 7 * 5, static_cast<char>('a' + i % 26));
  std::vector<Bytes> body;
  for (const std::string& text : texts) {
    body.push_back(bytes_of(text));
    expected += text;
  }
  CHECK(client({.method = "PUT", .url = parse_url(server.url()), .body = body}).body == "hello");
  CHECK(seen.substr(seen.find("\r\n\r\n") + 4) == expected);
}
