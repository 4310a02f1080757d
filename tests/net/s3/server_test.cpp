#include "server.hpp"

#include <httplib.h>

#include <string>

#include "catch.hpp"
#include "faults.hpp"

TEST_CASE("the S3 server of these tests answers and refuses unsigned requests", "[net][server][radosgw]") {
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

TEST_CASE("the fault proxy injects faults as planned and counts them", "[net][server][radosgw]") {
  FaultProxy faults;
  httplib::Client client(faults.endpoint);
  client.set_read_timeout(20);
  const auto status = [&] {
    const auto reply = client.Get("/" + S3Server::from_environment().bucket);
    return reply ? reply->status : 0;
  };
  CHECK(status() == 403);
  faults.plan({{{"method", "GET"}, {"skip", 1}, {"times", 2}, {"fault", "slow_down"}, {"retry_after", 1}},
               {{"path", "^/"}, {"skip", 1}, {"fault", "reset"}}});
  CHECK(status() == 403);
  CHECK(status() == 503);
  CHECK(status() == 503);
  CHECK(status() == 0);
  CHECK(status() == 403);
  CHECK(faults.count("slow_down") == 2);
  CHECK(faults.count("reset") == 1);
  CHECK(faults.requests().size() == 5);
  CHECK(faults.requests().at(0).at("status") == 403);
  CHECK_THROWS(faults.plan({{{"fault", "no such fault"}}}));
}
