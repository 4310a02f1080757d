// Where a copy comes from or goes to.
#pragma once

#include <string>
#include <tensortap/net.hpp>

namespace tensortap_command {

namespace tt = tensortap;

/// "s3://bucket/key" taken apart, or a path. The key is as it is spelled, even if no store would have it.
struct Place {
  std::string text;
  bool remote = false;
  std::string bucket = {}, key = {};

  /// Throws: a bucket that no server has.
  static Place of(const std::string& text) {
    constexpr std::size_t scheme = 5;
    Place out{.text = text, .remote = text.starts_with("s3://")};
    if (!out.remote) return out;
    const std::size_t slash = std::min(text.find('/', scheme), text.size());
    out.bucket = tt::detail::parse_s3_address(text.substr(0, slash)).bucket;
    if (slash < text.size()) out.key = text.substr(slash + 1);
    return out;
  }

  /// What the keys of a folder begin with.
  [[nodiscard]] std::string folder() const { return key.empty() || key.ends_with('/') ? key : key + "/"; }
  [[nodiscard]] std::string address_of(const std::string& other) const { return "s3://" + bucket + "/" + other; }
};

/// Whether `name` can be a file below a directory, and a key of a store.
inline bool is_plain(const std::string& name) {
  try {
    (void)tt::key_parts(name);
    return tt::is_utf8(name);
  } catch (const tt::Error&) {
    return false;
  }
}

}  // namespace tensortap_command
