// The profile files of AWS's tools, ~/.aws/config and ~/.aws/credentials.
//
//   const std::string region = profile_region({.profile = "training"}).value_or("us-east-1");
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/http/internal/text.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The longest reply, program output or token file with credentials. Units: bytes.
constexpr std::uint64_t credentials_limit = 64 << 10;

/// Returns a variable of the environment; empty if it is not set.
inline std::string variable(const CredentialsOptions& options, const char* name) {
  return options.environment ? options.environment(name).value_or("") : std::string();
}

/// The text of a file, or why it cannot be read.
struct SmallFile {
  std::string text = {};
  std::string why = {};     ///< why the file cannot be read; empty: it was read
  bool is_missing = false;  ///< the file does not exist
};

/// Reads the file at `path` if it is a regular file of at most `limit` bytes. Does not block on a pipe.
inline SmallFile read_small_file(const std::string& path, std::size_t limit) {
  const auto failed = [](int error) -> SmallFile {
    return {.why = std::generic_category().message(error), .is_missing = error == ENOENT || error == ENOTDIR};
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return failed(errno);
  if (!S_ISREG(status.st_mode)) return {.why = "it is not a regular file"};
  SmallFile result;
  result.text.resize(limit + 1);
  for (std::size_t size = 0;;) {
    const ssize_t n = ::read(file.get(), result.text.data() + size, result.text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno);
    size += static_cast<std::size_t>(n);
    if (size > limit) return {.why = "it is longer than " + std::to_string(limit) + " bytes"};
    if (n > 0) continue;
    result.text.resize(size);
    return result;
  }
}

/// The properties of a section by name, in lower case; a nested one is "parent.child".
using ProfileValues = std::map<std::string, std::string, std::less<>>;

/// The sections of all profile files.
struct ProfileFiles {
  std::map<std::string, ProfileValues, std::less<>> sections = {};  ///< "profile NAME", "services NAME"
  std::string where = {};                                           ///< for messages

  /// Returns property `key` of section `name`; empty if there is none.
  [[nodiscard]] std::string value(std::string_view name, std::string_view key) const {
    const auto section = sections.find(name);
    if (section == sections.end()) return {};
    const auto found = section->second.find(key);
    return found == section->second.end() ? std::string() : found->second;
  }
};

/// Returns `text` without white space at its ends.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const std::size_t begin = std::min(text.find_first_not_of(space), text.size());
  return text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

/// Returns "profile NAME" for "[NAME]" in the credentials file, and for "[profile NAME]" and "[default]" in the
/// configuration file.
inline std::string section_name(std::string_view line, bool has_credentials) {
  const std::size_t end = line.find(']');
  if (end == std::string_view::npos) return {};
  const std::string_view name = trimmed(line.substr(1, end - 1));
  if (has_credentials || name == "default") return "profile " + std::string(name);
  const std::size_t blank = std::min(name.find_first_of(" \t"), name.size());
  std::string_view rest = trimmed(name.substr(blank));
  if (rest.size() >= 2 && (rest.front() == '"' || rest.front() == '\'') && rest.back() == rest.front())
    rest = rest.substr(1, rest.size() - 2);
  return std::string(name.substr(0, blank)) + " " + std::string(rest);
}

/// Adds the properties in `text` to `files`, where they replace earlier values.
inline void read_profiles(std::string_view text, bool has_credentials, ProfileFiles& files) {
  ProfileValues* section = nullptr;
  std::string key;
  std::size_t indent_of_key = 0;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t indent = std::min(line.find_first_not_of(" \t"), line.size());
    line = trimmed(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      const std::string name = section_name(line, has_credentials);
      section = name.empty() ? nullptr : &files.sections[name];
      key.clear();
      continue;
    }
    if (section == nullptr) continue;
    for (const char* const comment : {" #", " ;", "\t#", "\t;"}) line = line.substr(0, line.find(comment));
    line = trimmed(line);
    const std::size_t equals = line.find('=');
    const bool continues = !key.empty() && indent > indent_of_key;
    if (continues && !(*section)[key].empty()) {
      (*section)[key].append("\n").append(line);
    } else if (equals != std::string_view::npos) {
      std::string name = lower_case(std::string(trimmed(line.substr(0, equals))));
      const std::string value(trimmed(line.substr(equals + 1)));
      if (continues) {
        std::string full = key;
        (*section)[full.append(".").append(name)] = value;
      } else {
        (*section)[name] = value;
        key = std::move(name);
        indent_of_key = indent;
      }
    }
  }
}

/// Reads the profile files. One that cannot be read counts as empty; `where` says so.
inline ProfileFiles profile_files(const CredentialsOptions& options) {
  constexpr std::size_t limit = std::size_t{1} << 20;
  ProfileFiles files;
  for (const bool has_credentials : {false, true}) {  // the credentials file is read last: its values win
    std::string path = variable(options, has_credentials ? "AWS_SHARED_CREDENTIALS_FILE" : "AWS_CONFIG_FILE");
    if (path.empty()) path = has_credentials ? "~/.aws/credentials" : "~/.aws/config";
    if (path.starts_with("~/")) path.replace(0, 1, variable(options, "HOME"));
    const SmallFile file = read_small_file(path, limit);
    files.where += (files.where.empty() ? "" : ", ") + in_quotes(path);
    if (!file.why.empty()) files.where += " (" + (file.is_missing ? "no such file" : file.why) + ")";
    read_profiles(file.text, has_credentials, files);
  }
  return files;
}

/// Returns the name of the profile to use.
inline std::string profile_name(const CredentialsOptions& options) {
  if (!options.profile.empty()) return options.profile;
  const std::string name = variable(options, "AWS_PROFILE");
  return name.empty() ? "default" : name;
}

/// Returns the endpoint of `service` ("s3") in `profile`: that of its services section, else its endpoint_url; empty if
/// it has none.
inline std::string endpoint_url_of(const ProfileFiles& files, const std::string& profile, const std::string& service) {
  const std::string services = files.value("profile " + profile, "services");
  std::string url = files.value("services " + services, service + ".endpoint_url");
  return url.empty() ? files.value("profile " + profile, "endpoint_url") : url;
}

/// Returns the region of the profile; nullopt if it has none.
inline std::optional<std::string> profile_region(const CredentialsOptions& options = {}) {
  std::string region = profile_files(options).value("profile " + profile_name(options), "region");
  return region.empty() ? std::nullopt : std::optional(std::move(region));
}

/// Returns whether the endpoints of the environment and of the profile are ignored. The environment decides, else the
/// profile. Source: botocore, which takes every value but "true" for false.
inline bool ignores_endpoint_urls(const CredentialsOptions& options, const ProfileFiles& files,
                                  const std::string& profile) {
  std::string value = variable(options, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  if (value.empty()) value = files.value("profile " + profile, "ignore_configured_endpoint_urls");
  return lower_case(value) == "true";
}

/// Returns the configured endpoint of `service` ("s3"): AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile's; empty
/// if there is none or they are ignored.
inline std::string configured_endpoint_url(const CredentialsOptions& options, const ProfileFiles& files,
                                           const std::string& profile, const std::string& service) {
  if (ignores_endpoint_urls(options, files, profile)) return {};
  std::string name = "AWS_ENDPOINT_URL_" + service;
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  std::string url = variable(options, name.c_str());
  if (url.empty()) url = variable(options, "AWS_ENDPOINT_URL");
  return url.empty() ? endpoint_url_of(files, profile, service) : url;
}

/// Returns the same for the profile of `options`.
inline std::string configured_endpoint_url(const CredentialsOptions& options, const std::string& service) {
  return configured_endpoint_url(options, profile_files(options), profile_name(options), service);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
