// The source or the target of a copy.
#pragma once

#include <string>
#include <tensortap/net.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>

namespace tensortap_command {

namespace tt = tensortap;

/// The parts of "s3://bucket/key", or a path. The key is not checked.
struct Place {
  std::string text;
  bool remote = false;
  std::string bucket = {}, key = {};

  /// Throws: the name of the bucket is not valid.
  static Place of(const std::string& text) {
    constexpr std::size_t scheme = 5;
    Place out{.text = text, .remote = text.starts_with("s3://")};
    if (!out.remote) return out;
    const std::size_t slash = std::min(text.find('/', scheme), text.size());
    out.bucket = tt::detail::parse_s3_address(text.substr(0, slash)).bucket;
    if (slash < text.size()) out.key = text.substr(slash + 1);
    return out;
  }

  /// Returns the prefix of all keys in the folder.
  [[nodiscard]] std::string folder() const { return key.empty() || key.ends_with('/') ? key : key + "/"; }
  [[nodiscard]] std::string address_of(const std::string& other) const { return "s3://" + bucket + "/" + other; }
};

/// Returns whether `name` can be both a file below a directory and a key of a store.
inline bool is_plain(const std::string& name) {
  try {
    (void)tt::key_parts(name);
    return tt::is_utf8(name);
  } catch (const tt::Error&) {
    return false;
  }
}

}  // namespace tensortap_command
