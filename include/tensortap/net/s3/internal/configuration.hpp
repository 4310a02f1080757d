// What an S3Options leaves out, found as the AWS clients find it.
//
// Not for users: S3Store is the way in.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/http/http_client.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/net/s3/internal/address.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/default_credentials.hpp>
#include <tensortap/net/s3/s3_options.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

/// Options in which nothing is empty, and where the server is. Throws: an option that cannot be.
inline std::pair<S3Options, S3Endpoint> complete(S3Options options) {
  constexpr std::uint64_t smallest_part = std::uint64_t{5} << 20;  // S3 refuses smaller ones
  constexpr std::uint64_t largest_part = std::uint64_t{5} << 30;
  if (options.part_size < smallest_part || options.part_size > largest_part)
    throw Error::bad_s3_option("part_size", "it is not between 5 MiB and 5 GiB");
  if (options.connections < 1 || options.part_connections < 1)
    throw Error::bad_s3_option("connections", "nothing goes over none; use 1 or more");
  if (options.retry.attempts < 1) throw Error::bad_s3_option("retry.attempts", "use 1 or more; 1 repeats nothing");
  if (options.lease < std::chrono::seconds(3)) throw Error::bad_s3_option("lease", "use 3 seconds or more");

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
  if (options.environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").value_or("") != "true") {
    either(options.endpoint_url, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
    if (options.endpoint_url.empty()) options.endpoint_url = profile_endpoint_url(search, "s3").value_or(std::string());
  }
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
