#include "server.hpp"

#include <httplib.h>

#include <string>

#include "catch.hpp"

TEST_CASE("the S3 server of these tests answers, and refuses who does not sign", "[radosgw]") {
  const S3Server server = S3Server::from_environment();
  for (const std::string& endpoint : {server.endpoint, server.tls_endpoint}) {
    CAPTURE(endpoint);
    httplib::Client client(endpoint);
    client.set_ca_cert_path(server.ca.c_str());
    client.set_read_timeout(20);
    const auto reply = client.Get("/" + server.bucket + "/key");
    REQUIRE(reply);
    CHECK(reply->status == 403);
    CHECK_THAT(reply->body, contains("<Code>AccessDenied</Code>"));
  }
}
