// The address of a bucket, the URLs of its keys, and options completed as the AWS clients complete them.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/default_credentials.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/http/http_client.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/s3/s3_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A bucket and the prefix of its keys.
struct S3Address {
  std::string bucket;
  std::string prefix = {};  ///< without a slash at either end

  [[nodiscard]] std::string text() const { return "s3://" + bucket + (prefix.empty() ? "" : "/" + prefix); }
};

/// Parses "s3://bucket/prefix". Throws: another form; an invalid bucket name; a prefix with an empty part.
inline S3Address parse_s3_address(std::string_view text) {
  constexpr std::string_view scheme = "s3://";
  if (!text.starts_with(scheme)) throw Error::no_such_store(text);
  std::string_view rest = text.substr(scheme.size());
  S3Address out{.bucket = std::string(rest.substr(0, rest.find('/')))};
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  bool valid = out.bucket.size() >= 3 && out.bucket.size() <= 63 && out.bucket[0] != '.' && out.bucket[0] != '-';
  for (const char c : out.bucket) valid = valid && allowed(c);
  if (!valid || out.bucket.find("..") != std::string::npos) throw Error::bad_bucket(text);
  rest.remove_prefix(out.bucket.size());
  if (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (!rest.empty()) (void)key_parts(rest);
  out.prefix = rest;
  return out;
}

/// The server of a bucket.
struct S3Endpoint {
  Url url = {};             ///< of the service; without a host: AWS in the region
  std::string region = {};  ///< in signatures
  bool path_style = false;  ///< the bucket is the first part of the path, else of the host name

  /// Returns the URL of `key` in `bucket`; an empty key: of the bucket itself, as the AWS clients write it, because the
  /// path is signed.
  [[nodiscard]] Url of(std::string_view bucket, std::string_view key) const {
    Url out = url;
    if (out.host.empty()) {
      out.host = "s3." + region + ".amazonaws.com";
      if (region.starts_with("cn-")) out.host += ".cn";
    }
    std::string path = out.path == "/" ? std::string() : out.path;
    while (path.ends_with('/')) path.pop_back();
    if (path_style || bucket.find('.') != std::string_view::npos)  // a wildcard certificate does not match a dot
      path += "/" + percent_encoded(bucket);
    else
      out.host.insert(0, std::string(bucket) + ".");
    out.path = key.empty() && !path.empty() ? path : path + "/" + percent_encoded(key, true);
    return out;
  }
};

namespace s3 {

/// Waits for `time`, or until `stop` is requested.
inline void wait_or_stop(std::chrono::nanoseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
}

/// Returns whether `text` can be a part of a host's name.
inline bool is_host_label(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 63 && !text.starts_with('-') && !text.ends_with('-') &&
         std::all_of(text.begin(), text.end(), allowed);
}

/// Returns a random number from 0 to 1.
inline double random_fraction() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<>()(engine);
}

/// Returns `options` with every empty field filled, and the server. Throws: an invalid option.
inline std::pair<S3Options, S3Endpoint> complete(S3Options options) {
  constexpr std::uint64_t smallest_part = std::uint64_t{5} << 20;  // S3 refuses smaller ones
  constexpr std::uint64_t largest_part = std::uint64_t{5} << 30;
  if (options.part_size < smallest_part || options.part_size > largest_part)
    throw Error::bad_s3_option("part_size", "it is not between 5 MiB and 5 GiB");
  if (options.connections < 1 || options.part_connections < 1)
    throw Error::bad_s3_option("connections", "there must be at least one; use 1 or more");
  if (options.retry.attempts < 1) throw Error::bad_s3_option("retry.attempts", "use 1 or more; 1 means no retry");
  if (options.lease < std::chrono::seconds(3)) throw Error::bad_s3_option("lease", "use 3 seconds or more");
  if (options.claim_wait < std::chrono::seconds(0)) throw Error::bad_s3_option("claim_wait", "use 0 or more");

  if (!options.sleep) options.sleep = wait_or_stop;
  if (!options.jitter) options.jitter = random_fraction;
  if (!options.transport)
    options.transport = [client = std::make_shared<HttpClient>(options.http)](const HttpRequest& request) {
      return client->exchange(request);
    };
  const CredentialsOptions search{.transport = options.transport,
                                  .environment = options.environment,
                                  .clock = options.clock,
                                  .profile = options.profile};
  const auto either = [&](std::string& value, std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (value.empty()) value = options.environment(name).value_or(std::string());
  };
  either(options.region, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (options.region.empty()) options.region = profile_region(search).value_or("us-east-1");
  if (!is_host_label(options.region))
    throw Error::bad_s3_option("region", in_quotes(options.region) +
                                             " is not the name of one; write it like \"eu-central-1\" (the option, "
                                             "AWS_REGION, AWS_DEFAULT_REGION or the profile)");
  if (options.endpoint_url.empty()) options.endpoint_url = configured_endpoint_url(search, "s3");
  if (!options.credentials) options.credentials = default_credentials(search);

  S3Endpoint endpoint{.region = options.region};
  endpoint.path_style = options.path_style.value_or(!options.endpoint_url.empty());
  if (!options.endpoint_url.empty()) {
    endpoint.url = parse_url(options.endpoint_url);
    if (!endpoint.url.query.empty()) throw Error::bad_url(options.endpoint_url, "it has a query");
  }
  return {std::move(options), std::move(endpoint)};
}

}  // namespace s3
}  // namespace detail
TENSORTAP_END_NAMESPACE
