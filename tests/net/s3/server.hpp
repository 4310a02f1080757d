// The S3 server that tests with the tag [radosgw] find in the environment: `tests/net/s3/radosgw run -- COMMAND`.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

struct S3Server {
  std::string endpoint;      ///< http://127.0.0.1:PORT
  std::string tls_endpoint;  ///< https://127.0.0.1:PORT
  std::string ca;            ///< a file: who signed the certificate
  std::string bucket;        ///< which is there
  std::string region;
  std::string access_key;
  std::string secret_key;

  /// Throws: std::runtime_error a variable is missing.
  static S3Server from_environment() {
    const auto of = [](const char* name) {
      const char* value = std::getenv(name);
      if (value == nullptr)
        throw std::runtime_error(std::string(name) + " is not set; run this by tests/net/s3/radosgw run -- COMMAND");
      return std::string(value);
    };
    return {.endpoint = of("TENSORTAP_S3_ENDPOINT"),
            .tls_endpoint = of("TENSORTAP_S3_TLS_ENDPOINT"),
            .ca = of("TENSORTAP_S3_CA"),
            .bucket = of("TENSORTAP_S3_BUCKET"),
            .region = of("AWS_REGION"),
            .access_key = of("AWS_ACCESS_KEY_ID"),
            .secret_key = of("AWS_SECRET_ACCESS_KEY")};
  }
};
