#include <tensortap/net/http/internal/proxy.hpp>

#include <map>
#include <string>
#include <thread>

#include <tensortap/net/http/http_client.hpp>

#include "catch.hpp"
#include "net/http/certificates.hpp"
#include "net/http/one_shot_server.hpp"
#include "store/temporary_directory.hpp"

using namespace tensortap;
using namespace tensortap::detail;
using namespace std::chrono_literals;

namespace {

HttpProxies proxies_of(const std::map<std::string, std::string>& variables) {
  return proxies_of_environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

bool is_direct(const std::string& no_proxy, const std::string& url) {
  return !HttpProxies{.http = "http://proxy:1", .https = "proxy:1", .none_for = no_proxy}.proxy_for(parse_url(url));
}

}  // namespace

TEST_CASE("the URL of a proxy is parsed", "[net][proxy]") {
  const HttpProxy full = parse_proxy("HTTP://us%3Aer:pass%40word@Proxy.Example.com:3128/");
  CHECK(full.host == "proxy.example.com");
  CHECK(full.port == 3128);
  CHECK(full.user == "us:er");
  CHECK(full.password == "pass@word");
  CHECK(parse_proxy("proxy").host == "proxy");
  CHECK(parse_proxy("proxy").port == 1080);
  CHECK(parse_proxy("[::1]:8080").host == "::1");
  CHECK_THROWS_AS(parse_proxy(""), Error);
  for (const std::string bad :
       {"socks5://user:secret@host", "https://user:secret@host", "http://user:secret@", "a:secret@b c"}) {
    try {
      (void)parse_proxy(bad);
      FAIL(bad);
    } catch (const Error& e) {
      CHECK(std::string(e.what()).find("secret") == std::string::npos);
    }
  }
}

TEST_CASE("the environment names proxies, lower case first", "[net][proxy]") {
  CHECK(proxies_of({}).http.empty());
  CHECK(proxies_of({{"http_proxy", "a"}, {"HTTP_PROXY", "b"}}).http == "a");
  CHECK(proxies_of({{"HTTP_PROXY", "b"}}).http == "b");
  CHECK(proxies_of({{"HTTP_PROXY", "b"}, {"REQUEST_METHOD", "GET"}}).http.empty());
  CHECK(proxies_of({{"http_proxy", "a"}, {"REQUEST_METHOD", "GET"}}).http == "a");
  CHECK(proxies_of({{"HTTPS_PROXY", "c"}, {"REQUEST_METHOD", "GET"}}).https == "c");
  CHECK(proxies_of({{"http_proxy", ""}, {"all_proxy", "d"}}).http == "d");
  CHECK(proxies_of({{"ALL_PROXY", "d"}, {"https_proxy", "c"}}).https == "c");
  CHECK(proxies_of({{"NO_PROXY", "*"}}).none_for == "*");
}

TEST_CASE("no_proxy matches domains, subdomains, addresses and networks", "[net][proxy]") {
  CHECK(is_direct("*", "https://anything"));
  CHECK_FALSE(is_direct("", "https://anything"));
  for (const std::string entry :
       {"example.com", ".example.com", "*.example.com", "other, EXAMPLE.com", "a b example.com."}) {
    CAPTURE(entry);
    CHECK(is_direct(entry, "https://example.com"));
    CHECK(is_direct(entry, "https://s3.example.com"));
    CHECK_FALSE(is_direct(entry, "https://badexample.com"));
    CHECK_FALSE(is_direct(entry, "https://example.com.org"));
  }
  CHECK(is_direct("example.com:443", "https://example.com"));
  CHECK_FALSE(is_direct("example.com:80", "https://example.com"));
  CHECK(is_direct("example.com:8080", "http://a.example.com:8080"));
  CHECK(is_direct("192.168.169.254", "http://192.168.169.254/latest"));
  CHECK_FALSE(is_direct("192.168.169.25", "http://192.168.169.254/latest"));
  CHECK_FALSE(is_direct("168.169.254", "http://192.168.169.254/latest"));
  CHECK(is_direct("127.0.0.1:80", "http://127.0.0.1"));
  CHECK(is_direct("10.0.0.0/8", "http://10.1.2.3"));
  CHECK_FALSE(is_direct("10.0.0.0/8,10.0.0.0/33,/8,10.0.0.0/x", "http://11.1.2.3"));
  CHECK(is_direct("fd00::/8", "http://[fd00:ec2::254]"));
  CHECK(is_direct("::1", "http://[::1]"));
  CHECK(is_direct("[::1]:80", "http://[::1]"));
  CHECK_FALSE(is_direct("[::1]:81", "http://[::1]"));
  CHECK_FALSE(is_direct("[", "http://[::1]"));
}

TEST_CASE("a plain exchange goes through the proxy, which gets its password", "[net][proxy]") {
  std::string seen;
  OneShotServer proxy([&](Peer& peer, int) {
    seen = peer.read_request();
    peer.write(hello);
  });
  HttpClient client({.proxy = "http://user:secret@127.0.0.1:" + std::to_string(proxy.port())});
  const HttpReply reply = client({.url = parse_url("http://bucket.example.com:81/key?a=b")});
  CHECK(reply.body == "hello");
  CHECK(seen.starts_with("GET http://bucket.example.com:81/key?a=b HTTP/1.1\r\n"));
  CHECK_THAT(seen, contains("Host: bucket.example.com:81\r\n"));
  CHECK_THAT(seen, contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
}

TEST_CASE("a TLS exchange goes through a tunnel, which does not carry the proxy's password", "[net][proxy]") {
  TemporaryDirectory directory;
  const std::string file = (directory / "ca.pem").string();
  const Certificate certificate("IP:127.0.0.1");
  certificate.write(file);
  const auto context = certificate.context();
  std::string seen, asked;
  OneShotServer server(
      [&](Peer& peer, int) {
        for (std::string request; !(request = peer.read_request()).empty(); peer.write(hello)) seen = request;
      },
      context.get());
  OneShotServer proxy([&](Peer& peer, int) {
    asked = peer.read_head();
    peer.write("HTTP/1.1 200 Connection established\r\n\r\n");
    const int there = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(server.port());
    if (::connect(there, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    Peer other(there);
    std::jthread back([&] {
      for (std::string bytes; !(bytes = other.read(65536)).empty();) peer.write(bytes);
    });
    for (std::string bytes; !(bytes = peer.read(65536)).empty();) other.write(bytes);
    ::shutdown(there, SHUT_RDWR);
  });
  {
    HttpClient client({.ca_file = file, .proxy = "user:secret@127.0.0.1:" + std::to_string(proxy.port())});
    for (int i = 0; i < 2; ++i) {
      const HttpReply reply = client({.url = parse_url(server.url("/key"))});
      CHECK(reply.cause.empty());
      CHECK(reply.body == "hello");
    }
    CHECK(client.statistics().opened == 1);
  }
  CHECK(asked.starts_with("CONNECT 127.0.0.1:" + std::to_string(server.port()) + " HTTP/1.1\r\n"));
  CHECK_THAT(asked, contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
  CHECK(seen.starts_with("GET /key HTTP/1.1\r\n"));
  CHECK(seen.find("dXNlcjpzZWNyZXQ=") == std::string::npos);
}

TEST_CASE("a proxy that refuses a tunnel is a failure without secrets", "[net][proxy]") {
  const std::string answer = GENERATE("HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n",
                                      "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "");
  OneShotServer proxy([&](Peer& peer, int) {
    peer.read_head();
    peer.write(answer);
  });
  HttpClient client({.proxy = "http://user:secret@127.0.0.1:" + std::to_string(proxy.port())});
  for (int i = 0; i < 2; ++i) {
    const HttpReply reply = client({.url = parse_url("https://bucket.example.com/key"),
                                    .headers = {{"authorization", "AWS4 very-secret"}},
                                    .deadline = HttpRequest::Clock::now() + 20s});
    CAPTURE(answer, reply.cause);
    CHECK(reply.status == 0);
    CHECK(reply.failure == HttpFailure::not_connected);
    CHECK_THAT(reply.cause, contains("bucket.example.com"));
    CHECK(reply.cause.find("secret") == std::string::npos);
  }
  CHECK(proxy.connections() == 2);
}

TEST_CASE("a proxy of another scheme is refused, not bypassed", "[net][proxy]") {
  HttpClient client({.proxy = "socks5://user:secret@127.0.0.1:1"});
  const HttpReply reply = client({.url = parse_url("http://127.0.0.1:1/")});
  CHECK(reply.failure == HttpFailure::not_connected);
  CHECK_THAT(reply.cause, contains("proxy"));
  CHECK(reply.cause.find("secret") == std::string::npos);
}

TEST_CASE("metadata services are never reached through a proxy", "[net][proxy]") {
  const HttpProxies proxies{.http = "http://proxy:1", .https = "proxy:1", .none_for = ""};
  for (const std::string url : {"http://169.254.169.254/latest", "http://169.254.170.2/", "http://[fd00:ec2::254]/"}) {
    CAPTURE(url);
    CHECK_FALSE(proxies.proxy_for(parse_url(url)));
  }
  CHECK(proxies.proxy_for(parse_url("http://169.255.0.1/")));
}
