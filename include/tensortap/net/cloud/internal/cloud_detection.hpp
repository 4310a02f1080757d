// Which cloud this machine belongs to, without a request, and the address of its metadata service.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/cloud/cloud_notice.hpp>
#include <tensortap/net/cloud/cloud_notice_options.hpp>
#include <tensortap/net/cloud/internal/cloud_services.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the variable `name`; empty if it is not set.
inline std::string variable(const CloudNoticeOptions& options, const char* name) {
  return (options.environment ? options.environment(name) : environment_variable(name)).value_or("");
}

/// A text in a file of the firmware's texts that tells the cloud.
struct FirmwareMark {
  std::string_view file;
  std::string_view text;
  bool is_part;  ///< the text is a part of the file's
  Cloud cloud;
};

/// Source: systemd-detect-virt and cloud-init know these. Hyper-V on any machine has Microsoft as its vendor, so that
/// only the asset tag tells Azure.
inline constexpr std::array firmware_marks{
    FirmwareMark{"sys_vendor", "Amazon EC2", false, Cloud::ec2},
    FirmwareMark{"product_version", "amazon", true, Cloud::ec2},  // Xen
    FirmwareMark{"bios_version", "amazon", true, Cloud::ec2},     // Xen
    FirmwareMark{"product_name", "Google Compute Engine", false, Cloud::gcp},
    FirmwareMark{"chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", false, Cloud::azure},
    FirmwareMark{"sys_vendor", "Alibaba Cloud", false, Cloud::alibaba},
    FirmwareMark{"product_name", "Alibaba Cloud ECS", false, Cloud::alibaba}};

/// Returns the cloud that the firmware names; `none` if it names none.
inline Cloud cloud_of_firmware(const std::string& directory) {
  for (const FirmwareMark& mark : firmware_marks) {
    const SmallFile file = read_small_file(directory + "/" + std::string(mark.file), 4096);
    std::string_view text = file.text;
    while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
    if (mark.is_part ? text.find(mark.text) != std::string_view::npos : text == mark.text) return mark.cloud;
  }
  return Cloud::none;
}

/// Returns the cloud to ask. Throws: an unknown TENSORTAP_CLOUD.
inline Cloud cloud_to_ask(const CloudNoticeOptions& options) {
  if (options.cloud != Cloud::automatic) return options.cloud;
  if (const std::string name = variable(options, "TENSORTAP_CLOUD"); !name.empty() && name != "automatic") {
    for (const Cloud cloud : {Cloud::none, Cloud::ec2, Cloud::gcp, Cloud::azure, Cloud::alibaba})
      if (name == to_string(cloud)) return cloud;
    throw Error::bad_cloud_notice("TENSORTAP_CLOUD",
                                  in_quotes(name) + " is no cloud; write ec2, gcp, azure, alibaba or none");
  }
  const auto is_true = [&](const char* name) { return lower_case(variable(options, name)) == "true"; };
  const bool no_ec2 = is_true("AWS_EC2_METADATA_DISABLED");
  if (!no_ec2 && !variable(options, "AWS_EC2_METADATA_SERVICE_ENDPOINT").empty()) return Cloud::ec2;
  if (!variable(options, "GCE_METADATA_HOST").empty()) return Cloud::gcp;
  const Cloud cloud = cloud_of_firmware(options.dmi_directory);
  if (cloud == Cloud::ec2 && no_ec2) return Cloud::none;
  if (cloud == Cloud::alibaba && is_true("ALIBABA_CLOUD_ECS_METADATA_DISABLED")) return Cloud::none;
  return cloud;
}

/// Returns the address of the service; its path does not end in '/'. Throws: it is no URL.
inline Url endpoint_of(const CloudService& service, const CloudNoticeOptions& options) {
  std::string name = "endpoint", text = options.endpoint;
  if (text.empty() && service.cloud == Cloud::ec2) {
    name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    text = variable(options, name.c_str());
    if (text.empty() && lower_case(variable(options, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")) == "ipv6")
      text = "http://[fd00:ec2::254]";
  } else if (text.empty() && service.cloud == Cloud::gcp) {
    name = "GCE_METADATA_HOST";
    if (const std::string host = variable(options, name.c_str()); !host.empty()) text = "http://" + host;
  }
  try {
    Url url = parse_url(text.empty() ? service.address : text);
    while (url.path.ends_with('/')) url.path.pop_back();
    url.query.clear();
    return url;
  } catch (const Error&) {
    throw Error::bad_cloud_notice(name, in_quotes(text) + " is no URL; write http://HOST or http://HOST:PORT");
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
