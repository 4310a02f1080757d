#include <tensortap/net/cloud/internal/cloud_detection.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include <unistd.h>

#include "catch.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

/// A machine: the texts of its firmware, and its environment.
class FirmwareAndVariables {
 public:
  FirmwareAndVariables()
      : directory_(std::filesystem::temp_directory_path() / ("tensortap-dmi-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  FirmwareAndVariables(const FirmwareAndVariables&) = delete;
  FirmwareAndVariables& operator=(const FirmwareAndVariables&) = delete;
  ~FirmwareAndVariables() { std::filesystem::remove_all(directory_); }

  FirmwareAndVariables& with(const std::string& file, const std::string& text) {
    std::ofstream(directory_ / file) << text << '\n';
    return *this;
  }
  FirmwareAndVariables& with_variable(const std::string& name, const std::string& value) {
    variables_[name] = value;
    return *this;
  }
  [[nodiscard]] CloudNoticeOptions options() const {
    CloudNoticeOptions options;
    options.dmi_directory = directory_.string();
    options.environment = [variables = variables_](const char* name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    return options;
  }
  [[nodiscard]] Cloud cloud() const { return cloud_to_ask(options()); }
  [[nodiscard]] std::string endpoint() const {
    const Url url = endpoint_of(*service_of(cloud()), options());
    return url.scheme + "://" + url.authority() + url.path;
  }

 private:
  std::filesystem::path directory_;
  std::map<std::string, std::string> variables_;
};

}  // namespace

TEST_CASE("the firmware tells the cloud", "[net][cloud_detection]") {
  CHECK(FirmwareAndVariables().cloud() == Cloud::none);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Amazon EC2").cloud() == Cloud::ec2);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Xen").with("product_version", "4.11.amazon").cloud() == Cloud::ec2);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Google").with("product_name", "Google Compute Engine").cloud() ==
        Cloud::gcp);
  CHECK(FirmwareAndVariables()
            .with("sys_vendor", "Microsoft Corporation")
            .with("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77")
            .cloud() == Cloud::azure);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Alibaba Cloud").cloud() == Cloud::alibaba);
  CHECK(FirmwareAndVariables().with("product_name", "Alibaba Cloud ECS").cloud() == Cloud::alibaba);
}

TEST_CASE("other machines are of no cloud", "[net][cloud_detection]") {
  CHECK(FirmwareAndVariables()
            .with("sys_vendor", "Microsoft Corporation")
            .with("product_name", "Virtual FirmwareAndVariables")
            .cloud() == Cloud::none);
  CHECK(FirmwareAndVariables().with("sys_vendor", "QEMU").with("product_name", "Standard PC").cloud() == Cloud::none);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Google").with("product_name", "Pixelbook").cloud() == Cloud::none);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Not Amazon EC2 at all").cloud() == Cloud::none);
  CHECK(FirmwareAndVariables().with("sys_vendor", std::string(100'000, 'x')).cloud() == Cloud::none);
}

TEST_CASE("the environment tells the cloud and the address", "[net][cloud_detection]") {
  CHECK(FirmwareAndVariables().with_variable("TENSORTAP_CLOUD", "azure").cloud() == Cloud::azure);
  CHECK(FirmwareAndVariables().with("sys_vendor", "Amazon EC2").with_variable("TENSORTAP_CLOUD", "none").cloud() ==
        Cloud::none);
  CHECK(FirmwareAndVariables()
            .with("sys_vendor", "Amazon EC2")
            .with_variable("AWS_EC2_METADATA_DISABLED", "True")
            .cloud() == Cloud::none);
  CHECK(FirmwareAndVariables()
            .with("sys_vendor", "Alibaba Cloud")
            .with_variable("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
            .cloud() == Cloud::none);
  CHECK(FirmwareAndVariables().with_variable("GCE_METADATA_HOST", "metadata:8080").endpoint() ==
        "http://metadata:8080");
  CHECK(FirmwareAndVariables()
            .with_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/mock//")
            .endpoint() == "http://127.0.0.1:1338/mock");
  FirmwareAndVariables ipv6;
  ipv6.with("sys_vendor", "Amazon EC2").with_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
  CHECK(ipv6.endpoint() == "http://[fd00:ec2::254]");
  CHECK(FirmwareAndVariables().with("sys_vendor", "Amazon EC2").endpoint() == "http://169.254.169.254");
  CHECK(FirmwareAndVariables().with("sys_vendor", "Alibaba Cloud").endpoint() == "http://100.100.100.200");
}

TEST_CASE("an unknown cloud and an endpoint that is no URL are errors", "[net][cloud_detection]") {
  CHECK_THROWS_WITH(
      FirmwareAndVariables().with_variable("TENSORTAP_CLOUD", "aws").cloud(),
      "cloud notices: option TENSORTAP_CLOUD: \"aws\" is no cloud; write ec2, gcp, azure, alibaba or none");
  CHECK_THROWS_WITH(FirmwareAndVariables().with_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "imds").endpoint(),
                    "cloud notices: option AWS_EC2_METADATA_SERVICE_ENDPOINT: \"imds\" is no URL; write http://HOST or "
                    "http://HOST:PORT");
}
