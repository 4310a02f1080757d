// One connection, made by cpp-httplib. No other header includes that library.
#pragma once

// Since 0.30 httplib asks for "100 Continue" before a body of 1 KiB, and waits a second for servers that do not support
// it. We never ask: it costs a round trip for each object, and GuardedSocket notices an early refusal without it.
#ifndef CPPHTTPLIB_EXPECT_100_THRESHOLD
#define CPPHTTPLIB_EXPECT_100_THRESHOLD 0
#endif
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>
#else
#error "Link the CMake target tensortap::net, or take the flags of cpp-httplib's package: its classes differ in layout."
#endif

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/http_options.hpp>
#include <tensortap/net/http/internal/body.hpp>
#include <tensortap/net/http/internal/guarded_socket.hpp>
#include <tensortap/net/http/internal/proxy.hpp>
#include <tensortap/net/http/internal/watchdog.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

struct FreeX509Store {
  void operator()(X509_STORE* store) const noexcept { ::X509_STORE_free(store); }
};
using TrustStore = std::unique_ptr<X509_STORE, FreeX509Store>;

/// A path that never holds certificates.
inline constexpr const char* no_directory = "/dev/null";

/// Returns the trusted certificates, by `options` and the environment. A client loads them once for all connections,
/// because that takes longer than a handshake. If they cannot be read, returns null and sets `cause`; no other
/// certificates are trusted instead.
inline TrustStore make_trust_store(const HttpOptions& options, std::string& cause) {
  TrustStore store(::X509_STORE_new());
  std::string file = options.ca_file;
  const char* const bundle = std::getenv("AWS_CA_BUNDLE");
  if (file.empty() && options.ca_directory.empty() && bundle != nullptr) file = bundle;
  bool read = store != nullptr;
  // OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR itself.
  if (read && file.empty() && options.ca_directory.empty()) read = ::X509_STORE_set_default_paths(store.get()) == 1;
  if (read && !file.empty()) read = ::X509_STORE_load_file(store.get(), file.c_str()) == 1;
  if (read && !options.ca_directory.empty())
    read = ::X509_STORE_load_path(store.get(), options.ca_directory.c_str()) == 1;
  if (read) read = ::X509_STORE_load_path(store.get(), no_directory) == 1;  // see make_secure
  if (read) return store;
  cause = "the certificates to trust cannot be read (" + (file.empty() ? options.ca_directory : file) + ")";
  return nullptr;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsuggest-override"
/// Adapts a GuardedSocket to httplib::Stream. Defines the virtual functions of all versions, so without `override`.
class GuardedStream : public httplib::Stream {
 public:
  GuardedStream(int socket, SSL* ssl, std::chrono::milliseconds idle_timeout, SocketReport& report)
      : socket_(socket, ssl, idle_timeout, report) {}

  // NOLINTBEGIN(modernize-use-nodiscard,modernize-use-override): some versions of httplib lack some of them
  bool is_readable() const { return true; }
  bool wait_readable() const { return true; }
  bool is_writable() const { return true; }
  bool wait_writable() const { return true; }
  bool is_peer_alive() const { return true; }
  ssize_t read(char* to, std::size_t size) { return socket_.read(to, size); }
  ssize_t write(const char* from, std::size_t size) { return socket_.write(from, size); }
  void get_remote_ip_and_port(std::string&, int&) const {}
  void get_local_ip_and_port(std::string&, int&) const {}
  socket_t socket() const { return socket_.socket(); }
  time_t duration() const { return 0; }
  // NOLINTEND(modernize-use-nodiscard,modernize-use-override)

 private:
  GuardedSocket socket_;
};

/// A client of httplib that reads and writes through a GuardedSocket. SSLClient is final since 0.16 and uses httplib's
/// own stream, but only with servers whose certificate is trusted.
template <class Client>
class GuardedClient : public Client {
 public:
  GuardedClient(const std::string& host, int port, std::chrono::milliseconds idle_timeout, SocketReport& report)
      : Client(host, port), idle_timeout_(idle_timeout), report_(report) {}

 private:
  using Socket = httplib::ClientImpl::Socket;

  // NOLINTNEXTLINE(modernize-use-override,performance-unnecessary-value-param): the signature before 0.19
  bool process_socket(const Socket& socket, std::function<bool(httplib::Stream& stream)> use) {
    SSL* ssl = nullptr;
    if constexpr (!std::is_same_v<Client, httplib::ClientImpl>) ssl = static_cast<SSL*>(socket.ssl);
    GuardedStream stream(socket.sock, ssl, idle_timeout_, report_);
    return use(stream);
  }
  /// The signature since 0.19.
  bool process_socket(const Socket& socket, std::chrono::time_point<std::chrono::steady_clock>,
                      std::function<bool(httplib::Stream& stream)> use) {
    return process_socket(socket, std::move(use));
  }

  const std::chrono::milliseconds idle_timeout_;
  SocketReport& report_;
};
#pragma GCC diagnostic pop

template <class Client>
std::unique_ptr<Client> make_guarded(const std::string& host, int port, std::chrono::milliseconds idle_timeout,
                                     SocketReport& report) {
  if constexpr (std::is_final_v<Client>)
    return std::make_unique<Client>(host, port);
  else
    return std::make_unique<GuardedClient<Client>>(host, port, idle_timeout, report);
}

/// An open connection to one host. Threads: one at a time.
class HttpConnection {
 public:
  using Clock = HttpRequest::Clock;

  /// `trust` is for https only. Lifetime: it outlives the connection.
  HttpConnection(const HttpOptions& options, const Url& url, std::optional<HttpProxy> proxy, X509_STORE* trust)
      : options_(options), secure_(url.scheme == "https"), proxy_(std::move(proxy)), where_(url.authority()) {
    const int port = url.port_or_default();
    if (secure_)
      client_ = make_secure(url.host, port, trust);
    else
      client_ = make_guarded<httplib::ClientImpl>(url.host, port, options.idle_timeout, report_);
    client_->set_keep_alive(true);
    client_->set_follow_location(false);
    client_->set_tcp_nodelay(true);
    client_->set_compress(false);
    client_->set_decompress(false);
    const auto idle = std::max(options.idle_timeout, std::chrono::milliseconds(1));
    client_->set_read_timeout(idle);
    client_->set_write_timeout(idle);
    client_->set_socket_options([this](auto socket) { adopt(socket); });
    disable_path_encoding(*client_);
    if (proxy_) {
      client_->set_proxy(proxy_->host, proxy_->port);
      if (!proxy_->user.empty()) client_->set_proxy_basic_auth(proxy_->user, proxy_->password);
    }
  }

  /// Returns whether the connection can serve another exchange: it is open and has received neither unexpected bytes
  /// nor its end.
  [[nodiscard]] bool is_reusable() const {
    pollfd one{twin_.get(), POLLIN, 0};
    return client_->is_socket_open() != 0 && twin_ && !report_.is_spent && ::poll(&one, 1, 0) == 0;
  }

  /// Returns whether no byte of a reply came in the last exchange.
  [[nodiscard]] bool was_silent() const noexcept { return is_silent_; }

  /// Makes one exchange. Throws: what the sink throws.
  HttpReply exchange(const HttpRequest& request, Watchdog::Watch& watch) {
    watch_ = &watch;
    watch.guard(twin_.get());
    report_ = {};
    started_ = Clock::now();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(request.deadline - started_);
    constexpr std::chrono::milliseconds later{100};  // the watchdog ends it first and records the cause
    client_->set_connection_timeout(std::min(options_.connect_timeout, std::max(left, later) + later));

    BodySource source(request.body);
    ReplyReader reader(request);
    httplib::Request ask = to_httplib(request, source, reader);
    httplib::Response answer;
    httplib::Error error{};
    const bool done = client_->send(ask, answer, error);
    reader.finish();

    is_silent_ = report_.was_used ? report_.is_silent : answer.status <= 0;
    HttpReply reply =
        judge(reader, answer, error, done, request.method == "HEAD", std::max(source.moved_at(), reader.moved_at()));
    watch.guard(-1);
    watch_ = nullptr;
    return reply;
  }

 private:
  std::unique_ptr<httplib::ClientImpl> make_secure(const std::string& host, int port, X509_STORE* trust) {
    auto client = make_guarded<httplib::SSLClient>(host, port, options_.idle_timeout, report_);
    if (client->is_valid()) {
      ::X509_STORE_up_ref(trust);
      client->set_ca_cert_store(trust);
      // Without a directory, httplib 0.11 would add the system's certificates to the shared store.
      client->set_ca_cert_path({}, no_directory);
      if (SSL_CTX* const context = context_of(*client); context != nullptr) check_host_strictly(context, host);
    }
    client->enable_server_certificate_verification(true);
    verification_ = [secure = client.get()] { return verification_result_of(*secure); };
    return client;
  }

  /// The function is named differently since 0.31.
  template <class Client>
  static SSL_CTX* context_of(const Client& client) {
    if constexpr (requires { client.tls_context(); })
      return static_cast<SSL_CTX*>(client.tls_context());
    else
      return client.ssl_context();
  }

  /// Makes OpenSSL verify the host name. httplib 0.11 accepts the common name even if the certificate lists other
  /// names.
  static void check_host_strictly(SSL_CTX* context, const std::string& host) {
    ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    X509_VERIFY_PARAM* const wanted = ::SSL_CTX_get0_param(context);
    ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1)
      ::X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
  }

  /// The function is named differently since 0.23.
  template <class Client>
  static void disable_path_encoding(Client& client) {
    if constexpr (requires { client.set_path_encode(false); })
      client.set_path_encode(false);
    else
      client.set_url_encode(false);
  }

  /// Takes each socket that httplib creates, before its connect.
  void adopt(int socket) {
    ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    Descriptor twin(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
    if (watch_ != nullptr) watch_->guard(twin.get());
    twin_ = std::move(twin);  // httplib may close its own descriptor while the watchdog uses it
    if (twin_ && (watch_ == nullptr || watch_->verdict() == HttpFailure::none)) return;
    // Replaces the socket by a file, so that connect() fails at once.
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (nothing) ::dup2(nothing.get(), socket);
  }

  httplib::Request to_httplib(const HttpRequest& request, BodySource& source, ReplyReader& reader) const {
    httplib::Request ask;
    ask.method = request.method;
    ask.path = request.url.target();
    for (const auto& [name, value] : request.headers) ask.headers.emplace(name, value);
    if (!request.headers.contains("host")) ask.headers.emplace("Host", request.url.authority());
    if (!request.headers.contains("user-agent")) ask.headers.emplace("User-Agent", options_.user_agent);
    // httplib 0.11 would send the proxy's password through the tunnel, to the host.
    if (secure_ && proxy_ && !proxy_->user.empty()) ask.headers.emplace("Proxy-Authorization", "");
    if (source.size() > 0) {
      ask.content_length_ = source.size();
      ask.content_provider_ = [&source](auto offset, auto, httplib::DataSink& sink) {
        source.write(offset, [&sink](const char* data, std::size_t size) { return sink.write(data, size); });
        return true;
      };
    } else if (request.method == "DELETE") {
      ask.headers.emplace("Content-Length", "0");
    }
    ask.response_handler = [&reader](const httplib::Response& answer) {
      return reader.begin(answer.status, answer.headers);
    };
    ask.content_receiver = [&reader](const char* data, std::size_t size, auto, auto) {
      return reader.add({reinterpret_cast<const std::byte*>(data), size});
    };
    return ask;
  }

  HttpReply judge(ReplyReader& reader, const httplib::Response& answer, httplib::Error error, bool done, bool is_head,
                  Clock::time_point moved) {
    const auto failed = [&](HttpFailure failure, std::string_view cause) {
      HttpReply reply = reader.take();
      reply.failure = failure;
      reply.cause = where_ + ": " + std::string(cause);
      return reply;
    };
    reader.rethrow();
    const HttpFailure verdict = watch_->verdict();
    const bool ended = verdict != HttpFailure::none;
    if (done && secure_ && proxy_ && answer.status == 407 && !reader.has_begun()) {
      client_->stop();  // httplib 0.11 would treat the tunnel as open
      return failed(HttpFailure::not_connected, "the proxy requires a user and a password");
    }
    // Later versions return any refusal of the tunnel. Only to HEAD, a reply of the host does not begin either.
    if (done && secure_ && proxy_ && answer.status >= 400 && !reader.has_begun() && !is_head)
      return failed(HttpFailure::not_connected,
                    "the proxy refuses the tunnel (status " + std::to_string(answer.status) + ")");
    if (done && !reader.has_begun()) reader.begin(answer.status, answer.headers);
    if (reader.failure() != HttpFailure::none) return failed(reader.failure(), reader.cause());
    // httplib 0.11 treats a chunk without a line break after it as the last one.
    if (done && report_.was_used && reader.is_chunked() && !report_.ends_blank)
      return failed(HttpFailure::malformed, "its chunks do not end as HTTP requires");
    if (reader.is_whole() || (done && !(ended && reader.ends_with_connection()))) return reader.take();
    if (ended) return failed(verdict, verdict == HttpFailure::stopped ? "stopped" : "the deadline passed");

    const std::string name = httplib::to_string(error);
    const bool is_guarded = !secure_ || !std::is_final_v<httplib::SSLClient>;
    const bool exchanged = is_guarded ? report_.was_used : reader.has_begun() || !is_before_request(error, name);
    if (!exchanged && name.find("erification") != std::string::npos)
      return failed(HttpFailure::not_trusted, "its certificate is not trusted" + verification_result());
    if (!exchanged)
      return failed(HttpFailure::not_connected,
                    (proxy_ ? "no connection through the proxy (" : "no connection (") + name + ")");
    if (report_.is_too_long) return failed(HttpFailure::too_large, "its header is too long");
    if (report_.timed_out || Clock::now() - std::max(moved, started_) >= options_.idle_timeout)
      return failed(HttpFailure::timed_out, "no byte moved within the idle timeout");
    if (report_.is_unreadable)
      return failed(HttpFailure::unreadable, "the bytes to send cannot be read: their file became shorter");
    if (reader.has_begun()) return failed(HttpFailure::cut, "the body broke off");
    if (error == httplib::Error::Write) return failed(HttpFailure::no_reply, "the connection broke while sending");
    if (answer.status <= 0 && !is_silent_) return failed(HttpFailure::malformed, "the reply does not begin as HTTP");
    return failed(HttpFailure::no_reply, "the connection broke before the reply");
  }

  /// Returns whether the error is known to have occurred before the request was sent.
  static bool is_before_request(httplib::Error error, std::string_view name) {
    using enum httplib::Error;
    return error == Connection || error == ConnectionTimeout || error == BindIPAddress || error == SSLConnection ||
           error == SSLLoadingCerts || error == SSLServerVerification ||
           name.find("ostname") != std::string_view::npos ||  // of later versions, like the next one
           name.find("roxy") != std::string_view::npos;
  }

  [[nodiscard]] std::string verification_result() const {
    const long result = verification_ ? verification_() : X509_V_OK;
    return result == X509_V_OK ? "" : std::string(" (") + ::X509_verify_cert_error_string(result) + ")";
  }

  /// Versions since 0.31 do not tell it.
  template <class Client>
  static long verification_result_of(const Client& client) {
    if constexpr (requires { client.tls_context(); })
      return X509_V_OK;
    else
      return client.get_openssl_verify_result();
  }

  const HttpOptions& options_;
  const bool secure_;
  const std::optional<HttpProxy> proxy_;
  const std::string where_;
  Watchdog::Watch* watch_ = nullptr;
  Descriptor twin_;  ///< a duplicate of the descriptor of the client's socket
  Clock::time_point started_{};
  SocketReport report_;
  bool is_silent_ = true;
  std::function<long()> verification_;           ///< returns the result of verifying the certificate
  std::unique_ptr<httplib::ClientImpl> client_;  ///< last, so that it is destroyed first
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
