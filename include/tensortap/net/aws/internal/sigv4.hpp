// Signs requests by AWS Signature Version 4, in the header fields or in the URL.
//
//   HttpRequest request{.url = parse_url("http://127.0.0.1:7480/bucket/key")};
//   const Signing signing{.region = "us-east-1", .time = {}};
//   sign(request, {.access_key_id = "AKIDEXAMPLE", .secret_access_key = text}, signing);
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/aws/internal/digest.hpp>
#include <tensortap/net/aws/internal/time.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Replaces the hash of a payload that is not signed. For https only.
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

/// The hash of an empty payload.
inline constexpr std::string_view empty_payload_hash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The scope of a signature and the form of the path. Source: "AWS Signature Version 4 for API requests", IAM user
/// guide.
struct Signing {
  std::string region = {};
  std::string service = "s3";
  std::chrono::sys_seconds time = {};
  bool encode_path_twice = false;  ///< required by every service but S3
  bool normalize_path = false;     ///< removes "//", "." and ".."; required by every service but S3
};

/// Returns the scope of a signing key: "20130524/us-east-1/s3/aws4_request".
inline std::string credential_scope(const Signing& signing) {
  return amz_date(signing.time).substr(0, 8) + "/" + signing.region + "/" + signing.service + "/aws4_request";
}

constexpr std::string_view signing_algorithm = "AWS4-HMAC-SHA256";

/// Returns whether header field `name` is signed. Those that a proxy may change are not.
inline bool is_signed(std::string_view name) {
  constexpr std::array unsigned_names = {"authorization",     "connection", "expect", "te",
                                         "transfer-encoding", "user-agent", "via",    "x-amzn-trace-id"};
  return std::none_of(unsigned_names.begin(), unsigned_names.end(), [&](const char* n) { return n == name; });
}

/// Returns `value` without white space at its ends, and with single spaces within.
inline std::string folded(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

/// Returns `path` without "//", "." and "..".
inline std::string normalized_path(std::string_view path) {
  std::vector<std::string_view> parts;
  bool folder = true;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, slash - begin);
    folder = slash < path.size() || part == "." || part == "..";
    if (part == ".." && !parts.empty())
      parts.pop_back();
    else if (!part.empty() && part != "." && part != "..")
      parts.push_back(part);
    begin = slash + 1;
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  return folder || out.empty() ? out + "/" : out;
}

using QueryParts = std::vector<std::pair<std::string, std::string>>;

/// Returns the names and values of `query`, each percent-encoded once.
inline QueryParts query_parts(std::string_view query) {
  QueryParts parts;
  for (std::size_t begin = 0; begin < query.size();) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view part = query.substr(begin, end - begin);
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    if (!part.empty())
      parts.emplace_back(percent_encoded(percent_decoded(part.substr(0, equals))),
                         percent_encoded(percent_decoded(value)));
    begin = end + 1;
  }
  return parts;
}

/// Returns the query with sorted parts, as it is signed.
inline std::string query_text(QueryParts parts) {
  std::sort(parts.begin(), parts.end());
  std::string out;
  for (const auto& [name, value] : parts) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

/// Returns the header fields to sign.
inline HttpHeaders headers_to_sign(const HttpRequest& request) {
  HttpHeaders headers;
  for (const auto& [name, value] : request.headers)
    if (is_signed(name)) headers.emplace(name, folded(value));
  headers.try_emplace("host", request.url.authority());
  return headers;
}

/// Returns the names of the signed header fields: "host;x-amz-date".
inline std::string signed_headers(const HttpRequest& request) {
  std::string names;
  for (const auto& [name, value] : headers_to_sign(request)) names += (names.empty() ? "" : ";") + name;
  return names;
}

/// Returns the canonical form of `request`, which AWS shows if a signature does not match.
inline std::string canonical_request(const HttpRequest& request, const Signing& signing,
                                     std::string_view payload_hash) {
  std::string path = signing.normalize_path ? normalized_path(request.url.path) : request.url.path;
  path = percent_encoded(signing.encode_path_twice ? path : percent_decoded(path), true);
  std::string out = request.method + "\n" + path + "\n";
  out.append(query_text(query_parts(request.url.query))).append("\n");
  for (const auto& [name, value] : headers_to_sign(request)) out.append(name).append(":").append(value).append("\n");
  return out.append("\n").append(signed_headers(request)).append("\n").append(payload_hash);
}

/// Returns the text that is signed in place of `canonical_request`.
inline std::string string_to_sign(std::string_view canonical_request, const Signing& signing) {
  std::string out(signing_algorithm);
  out.append("\n").append(amz_date(signing.time)).append("\n").append(credential_scope(signing)).append("\n");
  return out.append(sha256_hex(canonical_request));
}

/// Returns the signature of `string_to_sign`. Throws: OpenSSL failed.
inline std::string signature(std::string_view string_to_sign, std::string_view secret_access_key,
                             const Signing& signing) {
  // The key of a day is not cached: its four hashes take 10 us, signing 20 us, the fastest requests 500 us.
  const std::string secret = "AWS4" + std::string(secret_access_key);
  Sha256::Value key = hmac_sha256(bytes_of(secret), amz_date(signing.time).substr(0, 8));
  key = hmac_sha256(key, signing.region);
  key = hmac_sha256(key, signing.service);
  key = hmac_sha256(key, "aws4_request");
  return hex_of(hmac_sha256(key, string_to_sign));
}

/// Signs `request` in its header fields, and replaces an earlier signature. `payload_hash` is that of its body
/// (sha256_hex), or `unsigned_payload`. Throws: malformed credentials; OpenSSL failed.
inline void sign(HttpRequest& request, const Credentials& credentials, const Signing& signing,
                 std::string_view payload_hash = empty_payload_hash) {
  check_credentials(credentials);
  request.headers["x-amz-date"] = amz_date(signing.time);
  if (signing.service == "s3") request.headers["x-amz-content-sha256"] = payload_hash;
  request.headers.erase("x-amz-security-token");
  if (!credentials.session_token.empty()) request.headers["x-amz-security-token"] = credentials.session_token;

  const std::string text = string_to_sign(canonical_request(request, signing, payload_hash), signing);
  std::string authorization(signing_algorithm);
  authorization.append(" Credential=").append(credentials.access_key_id).append("/").append(credential_scope(signing));
  authorization.append(", SignedHeaders=").append(signed_headers(request));
  authorization.append(", Signature=").append(signature(text, credentials.secret_access_key, signing));
  request.headers["authorization"] = std::move(authorization);
}

/// Returns a URL that permits `request` without credentials until `valid_for` has passed. Replaces an earlier
/// signature. Units: at most seven days. Throws: another `valid_for`; malformed credentials; OpenSSL failed.
inline Url presigned(HttpRequest request, const Credentials& credentials, const Signing& signing,
                     std::chrono::seconds valid_for, std::string_view payload_hash = unsigned_payload) {
  check_credentials(credentials);
  if (valid_for < std::chrono::seconds(1) || valid_for > std::chrono::days(7))
    throw Error::bad_validity(valid_for.count());
  constexpr std::array ours = {"X-Amz-Algorithm",     "X-Amz-Credential",     "X-Amz-Date",     "X-Amz-Expires",
                               "X-Amz-SignedHeaders", "X-Amz-Security-Token", "X-Amz-Signature"};
  QueryParts parts = query_parts(request.url.query);
  std::erase_if(parts, [&](const auto& part) {
    return std::any_of(ours.begin(), ours.end(), [&](const char* name) { return part.first == name; });
  });
  const auto add = [&](const char* name, std::string_view value) { parts.emplace_back(name, percent_encoded(value)); };
  add("X-Amz-Algorithm", signing_algorithm);
  add("X-Amz-Credential", credentials.access_key_id + "/" + credential_scope(signing));
  add("X-Amz-Date", amz_date(signing.time));
  add("X-Amz-Expires", std::to_string(valid_for.count()));
  add("X-Amz-SignedHeaders", signed_headers(request));
  if (!credentials.session_token.empty()) add("X-Amz-Security-Token", credentials.session_token);
  request.url.query = query_text(std::move(parts));

  const std::string text = string_to_sign(canonical_request(request, signing, payload_hash), signing);
  request.url.query += "&X-Amz-Signature=" + signature(text, credentials.secret_access_key, signing);
  return request.url;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
