// Options of an HttpClient.
//
//   tensortap::HttpOptions options{.ca_file = "/etc/ssl/our-store.pem", .proxy = ""};
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/version.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How a client connects, and which servers it trusts. Certificates are always verified.
struct HttpOptions {
  /// The limit for one address. A host may have several, which are tried in turn.
  std::chrono::milliseconds connect_timeout{3'100};
  /// The longest time without a byte in either direction.
  std::chrono::milliseconds idle_timeout{20'000};
  /// The unused connections kept open to each host.
  std::size_t max_idle_connections = 64;
  /// How long an unused connection is kept. Source: S3 closes idle connections after about 20 s.
  std::chrono::milliseconds idle_for{15'000};

  /// The trusted certificates, as PEM. Both empty: those of AWS_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, else those
  /// of the system.
  std::string ca_file = {};
  /// A directory in the format of `openssl rehash`.
  std::string ca_directory = {};

  /// "http://user:password@host:port"; an empty string: no proxy. nullopt: as http_proxy, https_proxy, all_proxy and
  /// no_proxy say.
  std::optional<std::string> proxy = {};
  std::string user_agent = std::string("tensortap/") + version;
};

/// Counts of the connections of a client.
struct HttpStatistics {
  std::uint64_t opened = 0;
  std::uint64_t reused = 0;  ///< exchanges on a connection that had served another one
  std::uint64_t stale = 0;   ///< those of them that were repeated because the server had closed the connection
};

TENSORTAP_END_NAMESPACE
