// How exchanges over HTTP are made.
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

/// There is no switch that turns the verification of certificates off.
struct HttpOptions {
  /// For one address; a host may have several, which are tried in turn.
  std::chrono::milliseconds connect_timeout{3'100};
  /// How long no byte may move, either way.
  std::chrono::milliseconds idle_timeout{20'000};
  /// How many unused connections are kept open to each host.
  std::size_t max_idle_connections = 64;
  /// How long an unused connection is good for. Source: S3 closes those it has not heard from for about 20 s.
  std::chrono::milliseconds idle_for{15'000};

  /// Whom to trust, as PEM. Both empty: what AWS_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR say, else what the system
  /// trusts.
  std::string ca_file = {};
  /// A directory as `openssl rehash` makes it.
  std::string ca_directory = {};

  /// "http://user:password@host:port", or empty for none. Not given: what http_proxy, https_proxy, all_proxy and
  /// no_proxy say.
  std::optional<std::string> proxy = {};
  std::string user_agent = std::string("tensortap/") + version;
};

/// What became of the connections of a client.
struct HttpStatistics {
  std::uint64_t opened = 0;
  std::uint64_t reused = 0;  ///< exchanges on a connection that had served another
  std::uint64_t stale = 0;   ///< of these, those repeated because the other side had closed it meanwhile
};

TENSORTAP_END_NAMESPACE
