// The profile files of AWS's tools, ~/.aws/config and ~/.aws/credentials, and what else than credentials is in them.
//
//   const std::string region = tensortap::profile_region({.profile = "training"}).value_or("us-east-1");
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/small_file.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The properties of a section by name in lower case; those of a nested one as "parent.child".
using ProfileValues = std::map<std::string, std::string, std::less<>>;

/// All profile files as one.
struct ProfileFiles {
  std::map<std::string, ProfileValues, std::less<>> sections = {};  ///< "profile NAME", "services NAME"
  std::string where = {};                                           ///< for messages

  /// Property `key` of section `name`; empty if there is none.
  [[nodiscard]] std::string value(std::string_view name, std::string_view key) const {
    const auto section = sections.find(name);
    if (section == sections.end()) return {};
    const auto found = section->second.find(key);
    return found == section->second.end() ? std::string() : found->second;
  }
};

inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const std::size_t begin = std::min(text.find_first_not_of(space), text.size());
  return text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

/// "profile NAME" of "[NAME]", in the file with credentials, or of "[profile NAME]" and "[default]", in that without.
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

/// Adds what `text` says to `files`; what it says again replaces what was there.
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
    const bool goes_on = !key.empty() && indent > indent_of_key;
    if (goes_on && !(*section)[key].empty()) {
      (*section)[key].append("\n").append(line);
    } else if (equals != std::string_view::npos) {
      std::string name = lower_case(std::string(trimmed(line.substr(0, equals))));
      const std::string value(trimmed(line.substr(equals + 1)));
      if (goes_on) {
        (*section)[key + "." + name] = value;
      } else {
        (*section)[name] = value;
        key = std::move(name);
        indent_of_key = indent;
      }
    }
  }
}

/// The profile files that there are. One that cannot be read counts as empty; `where` says so.
inline ProfileFiles profile_files(const CredentialsOptions& options) {
  constexpr std::size_t limit = std::size_t{1} << 20;
  ProfileFiles files;
  for (const bool has_credentials : {false, true}) {  // the latter's values go before the former's
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

inline std::string profile_name(const CredentialsOptions& options) {
  if (!options.profile.empty()) return options.profile;
  const std::string name = variable(options, "AWS_PROFILE");
  return name.empty() ? "default" : name;
}

/// Where `profile` has `service` ("s3"); empty if it does not say.
inline std::string endpoint_url_of(const ProfileFiles& files, const std::string& profile, const std::string& service) {
  const std::string services = files.value("profile " + profile, "services");
  std::string url = files.value("services " + services, service + ".endpoint_url");
  return url.empty() ? files.value("profile " + profile, "endpoint_url") : url;
}

/// The region of the profile; nothing if it has none.
inline std::optional<std::string> profile_region(const CredentialsOptions& options = {}) {
  std::string region = detail::profile_files(options).value("profile " + detail::profile_name(options), "region");
  return region.empty() ? std::nullopt : std::optional(std::move(region));
}

/// Where the profile has `service`: what its services section says, else its endpoint_url; nothing if it does not say
/// or AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true.
inline std::optional<std::string> profile_endpoint_url(const CredentialsOptions& options = {},
                                                       const std::string& service = "s3") {
  if (detail::lower_case(detail::variable(options, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) == "true") return {};
  std::string url = detail::endpoint_url_of(detail::profile_files(options), detail::profile_name(options), service);
  return url.empty() ? std::nullopt : std::optional(std::move(url));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
