// Options of an S3Store. Unset ones are found as the AWS clients find them.
//
//   tensortap::S3Store store("s3://bucket/runs/42", {.endpoint_url = "http://127.0.0.1:7480"});
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/http_options.hpp>
#include <tensortap/phase.hpp>
#include <tensortap/retry_policy.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How an S3Store connects, signs, transfers and retries.
struct S3Options {
  /// The region. Empty: AWS_REGION, AWS_DEFAULT_REGION, that of the profile, else "us-east-1". If the bucket is in
  /// another region, the store learns it from the server.
  std::string region = {};
  /// The URL of a server other than AWS. Empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, that of the profile, else AWS.
  std::string endpoint_url = {};
  /// The name of a profile in the files in ~/.aws. Empty: AWS_PROFILE, else "default".
  std::string profile = {};
  /// Whether the bucket is part of the path instead of the host name. nullopt: yes for servers other than AWS.
  std::optional<bool> path_style = {};

  /// False: over TLS, signatures do not cover the payload; TLS alone protects it.
  bool sign_payload = true;
  /// True: compares each download with the CRC-32C that put() stored with the object, else with the server's MD5.
  bool verify_downloads = true;

  /// Objects larger than two parts are transferred in parts. Parts grow with the object, because there may be at most
  /// 10,000. If `part_connections` is 1 they are up to 8 times as large. Units: bytes, from 5 MiB to 5 GiB.
  std::uint64_t part_size = std::uint64_t{8} << 20;
  std::size_t part_connections = 8;  ///< parallel transfers of the parts of one object
  std::size_t connections = 32;      ///< parallel calls for many small objects, see Store::concurrency

  /// The longest time of one call, including its retries. Each `part_size` of a large object adds the same time.
  std::chrono::nanoseconds deadline = std::chrono::minutes(2);
  /// How one request is repeated. Each delay is scaled by `jitter`. The defaults hold only for the whole field: in
  /// `.retry = {…}`, an omitted field has the default of RetryPolicy.
  RetryPolicy retry = {.attempts = 10,
                       .for_at_most = std::chrono::nanoseconds::max(),
                       .first_delay = std::chrono::milliseconds(50),
                       .longest_delay = std::chrono::seconds(20)};
  /// The tokens for the retries of all requests, which protect an overloaded server. A retry takes 5 tokens, after a
  /// time-out 10; a success returns them. If no tokens are left, requests are not repeated. Source: botocore's retry
  /// quota.
  int retry_budget = 500;
  HttpOptions http = {};
  /// How long a claim is valid without renewal. The store renews it after a third of this time.
  std::chrono::seconds lease = std::chrono::seconds(30);
  /// How long claim() waits for the claim of a process that was killed: until it is renewed, because then its process
  /// lives, or runs out. It does not wait if it would have to wait longer than this. 0: not at all.
  std::chrono::seconds claim_wait = std::chrono::minutes(1);
  /// Ends every call.
  std::stop_token stop = {};
  /// What takes the times of calls, such as Tracer: "S3 PutObject" with its status, attempts and bytes. Null: they are
  /// not taken. A tracer that writes to S3 needs a store of its own for that.
  std::shared_ptr<PhaseSink> phases = nullptr;

  /// Returns the credentials. Empty: found as the AWS clients find them, see default_credentials.hpp.
  CredentialsSource credentials = {};
  /// Makes the exchanges. Empty: an HttpClient with the options `http`.
  HttpTransport transport = {};
  /// Returns a variable of the environment.
  std::function<std::optional<std::string>(const char*)> environment = detail::environment_variable;
  /// Returns the time for signatures. Threads: any, as for the next two.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;
  /// Waits before a retry. Empty: sleeps until the time is over or `stop` is requested.
  std::function<void(std::chrono::nanoseconds, const std::stop_token& stop)> sleep = {};
  /// Returns a number from 0 to 1. Empty: a random one, so that clients that failed together do not retry together.
  std::function<double()> jitter = {};
};

/// Observes the bytes of an object while it is sent. Threads: several at once.
///
///   tensortap::TransferObserver observer{.sent = [](tensortap::Bytes part) { progress += part.size(); }};
struct TransferObserver {
  std::function<void(Bytes)> seen = {};  ///< called for bytes that were read for a checksum; they are sent later
  std::function<void(Bytes)> sent = {};  ///< called for bytes that have arrived
};

/// Receives the bytes of an object. Threads: `write` is called from several at once.
struct DownloadTarget {
  std::function<void(std::uint64_t size)> begin;  ///< called with the size; again if the download starts over
  std::function<void(std::uint64_t at, Bytes piece)> write;  ///< called for each piece; `at` is its offset
};

TENSORTAP_END_NAMESPACE
