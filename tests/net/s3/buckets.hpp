// Buckets of the tests' server, and stores in them.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
#include <tensortap/net/s3/s3_store.hpp>

#include "server.hpp"

/// Returns the options of a store on that server, over HTTP or TLS.
inline tensortap::S3Options options_for(const S3Server& server, bool tls = false) {
  tensortap::S3Options options{.region = server.region,
                               .endpoint_url = tls ? server.tls_endpoint : server.endpoint,
                               .http = {.ca_file = server.ca},
                               .claim_wait = std::chrono::seconds(0),
                               .credentials = [server] {
                                 return tensortap::Credentials{.access_key_id = server.access_key,
                                                               .secret_access_key = server.secret_key};
                               }};
  return options;
}

/// Makes a new bucket and returns its name.
inline std::string make_bucket(const S3Server& server) {
  static std::atomic<int> count = 0;
  const std::string bucket = "test-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) +
                             "-" + std::to_string(++count);
  auto [options, endpoint] = tensortap::detail::s3::complete(options_for(server));
  tensortap::detail::s3::Client client(bucket, endpoint, options);
  (void)client.call({.method = "PUT", .deadline = client.deadline()});
  return bucket;
}

/// Returns a store in a new bucket.
inline std::shared_ptr<tensortap::S3Store> new_store(const S3Server& server, tensortap::S3Options options) {
  return std::make_shared<tensortap::S3Store>("s3://" + make_bucket(server), std::move(options));
}
