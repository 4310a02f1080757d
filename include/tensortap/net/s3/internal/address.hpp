// Where a bucket is: an s3:// address taken apart, and the URL under which a server answers for a key of it.
//
//   const tensortap::S3Address address = tensortap::parse_s3_address("s3://bucket/runs/42");
#pragma once

#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A bucket and what its keys begin with.
struct S3Address {
  std::string bucket;
  std::string prefix = {};  ///< without a slash at either end

  [[nodiscard]] std::string text() const { return "s3://" + bucket + (prefix.empty() ? "" : "/" + prefix); }
};

/// Takes "s3://bucket/prefix" apart. Throws: no such address; a name that no bucket can have; a key with an empty part.
inline S3Address parse_s3_address(std::string_view text) {
  constexpr std::string_view scheme = "s3://";
  if (!text.starts_with(scheme)) throw Error::no_such_store(text);
  std::string_view rest = text.substr(scheme.size());
  S3Address out{.bucket = std::string(rest.substr(0, rest.find('/')))};
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  bool valid = out.bucket.size() >= 3 && out.bucket.size() <= 255 && out.bucket[0] != '.' && out.bucket[0] != '-';
  for (const char c : out.bucket) valid = valid && allowed(c);
  if (!valid || out.bucket.find("..") != std::string::npos) throw Error::bad_bucket(text);
  rest.remove_prefix(out.bucket.size());
  if (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (!rest.empty()) (void)key_parts(rest);
  out.prefix = rest;
  return out;
}

/// How a bucket is reached.
struct S3Endpoint {
  Url url = {};             ///< of the service; no host: AWS, at the region
  std::string region = {};  ///< that signatures name
  bool path_style = false;  ///< the bucket is the first part of the path; else of the host's name

  /// The URL of `key` in `bucket`; of the bucket itself if it is empty.
  [[nodiscard]] Url of(std::string_view bucket, std::string_view key) const {
    Url out = url;
    if (out.host.empty()) {
      out.host = "s3." + region + ".amazonaws.com";
      if (region.starts_with("cn-")) out.host += ".cn";
    }
    std::string path = out.path == "/" ? std::string() : out.path;
    while (path.ends_with('/')) path.pop_back();
    if (path_style || bucket.find('.') != std::string_view::npos)  // no certificate is good for a dot
      path += "/" + percent_encoded(bucket);
    else
      out.host.insert(0, std::string(bucket) + ".");
    out.path = path + "/" + percent_encoded(key, true);
    return out;
  }
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
