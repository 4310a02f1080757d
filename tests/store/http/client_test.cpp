#include <tensortap/store/http/client.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "store/http/one_shot_server.hpp"

using namespace tensortap;
using namespace std::chrono_literals;

namespace {

const std::string hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello";

/// Without the proxies of whoever runs the tests, and impatient.
HttpOptions options() { return {.connect_timeout = 300ms, .idle_timeout = 300ms, .proxy = ""}; }

HttpRequest get(const OneShotServer& server) { return {.url = parse_url(server.url("/a%20b?c=%2F+"))}; }

/// Answers each request with `reply`.
OneShotServer::Serve always(std::string reply) {
  return [reply](Peer& peer, int) {
    while (!peer.read_request().empty() && peer.write(reply)) {
    }
  };
}

}  // namespace

TEST_CASE("a request arrives as it was written, and its reply as it was sent") {
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

TEST_CASE("a connection serves one exchange after the other") {
  OneShotServer server(always(hello));
  HttpClient client(options());
  for (int i = 0; i < 5; ++i) CHECK(client(get(server)).body == "hello");
  CHECK(server.connections() == 1);
  CHECK(client.statistics().opened == 1);
  CHECK(client.statistics().reused == 4);
}
