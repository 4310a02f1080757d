// How a bucket is reached: one plain struct; what is left out is found as the AWS clients find it.
//
//   tensortap::S3Store store("s3://bucket/runs/42", {.endpoint_url = "http://127.0.0.1:7480"});
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

#include <tensortap/net/http/http_client.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/s3/internal/retry.hpp>
#include <tensortap/net/s3/s3_retry.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail::s3 {

/// Waits for `time`, or until `stop` is asked.
inline void wait_or_stop(std::chrono::nanoseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

/// From 0 to 1, by chance.
inline double random_fraction() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<>()(engine);
}

}  // namespace detail::s3

struct S3Options {
  /// Empty: AWS_REGION, AWS_DEFAULT_REGION, the profile's, "us-east-1". Where a bucket is elsewhere, that is found out.
  std::string region = {};
  /// Of a server other than AWS. Empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's.
  std::string endpoint_url = {};
  /// Of the files in ~/.aws. Empty: AWS_PROFILE, "default".
  std::string profile = {};
  /// Whether the bucket is part of the path, not of the host's name: by default so for servers other than AWS.
  std::optional<bool> path_style = {};

  /// False: over TLS, what is sent is not hashed for the signature; TLS checks it alone.
  bool sign_payload = true;
  /// What is received is compared with the checksum it was stored with, ours or the server's MD5.
  bool verify_downloads = true;

  /// Objects of more than two parts are sent, and received, in parts; these grow with the object, for there may be at
  /// most 10,000. Units: bytes, at least 5 MiB.
  std::uint64_t part_size = std::uint64_t{8} << 20;
  std::size_t part_connections = 8;  ///< for the parts of one object
  std::size_t connections = 32;      ///< for many small objects, see Store::concurrency

  /// How long one call may take, all its retries included; that of a large object as much again for each `part_size`.
  std::chrono::nanoseconds deadline = std::chrono::minutes(2);
  S3Retry retry = {};
  HttpOptions http = {};
  /// How long a claim lives that is not renewed. It is renewed three times as often.
  std::chrono::seconds lease = std::chrono::seconds(30);
  /// Ends every call.
  std::stop_token stop = {};

  /// Whom to be. Empty: as the AWS clients find it, see default_credentials.hpp.
  CredentialsSource credentials = {};
  /// Who speaks HTTP. Empty: an HttpClient with `http`.
  HttpTransport transport = {};
  std::function<std::optional<std::string>(const char*)> environment = detail::environment_variable;
  /// Threads: any, as for what follows.
  std::function<std::chrono::system_clock::time_point()> clock = [] { return std::chrono::system_clock::now(); };
  /// How retries wait; it ends early when `stop` is asked.
  std::function<void(std::chrono::nanoseconds, const std::stop_token&)> sleep = detail::s3::wait_or_stop;
  /// A number of 0 to 1, by chance.
  std::function<double()> jitter = detail::s3::random_fraction;
};

TENSORTAP_END_NAMESPACE
