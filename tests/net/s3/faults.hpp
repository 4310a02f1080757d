// The proxy that injects faults in front of the real server of these tests, see fault_proxy.py.
#pragma once

#include <httplib.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

/// Controls the proxy. Threads: any, but plan() only while no request is in progress.
class FaultProxy {
 public:
  /// Throws: std::runtime_error there is no proxy.
  FaultProxy() : endpoint(of("TENSORTAP_S3_FAULTY_ENDPOINT")), elsewhere(of("TENSORTAP_S3_ELSEWHERE")) {
    plan(nlohmann::json::array());
  }
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy() {
    try {
      plan(nlohmann::json::array());
    } catch (const std::exception&) {  // the next test will tell
    }
  }

  /// Sets the rules and clears the log.
  void plan(const nlohmann::json& rules) { (void)ask("/__plan", rules.dump()); }

  /// Returns the requests since plan(), including those in progress: method, target, connection, authorized, region,
  /// date, elsewhere, fault, status, received, sent, ms.
  [[nodiscard]] nlohmann::json requests() const { return log().at("requests"); }

  /// Returns how often a fault was injected since plan().
  [[nodiscard]] int count(const std::string& fault) const { return log().at("counts").value(fault, 0); }

  const std::string endpoint;   ///< http://127.0.0.1:PORT, the server with faults
  const std::string elsewhere;  ///< http://127.0.0.1:PORT, where redirects lead; it refuses everything

 private:
  static std::string of(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr)
      throw std::runtime_error(std::string(name) + " is not set; run this by tests/net/s3/radosgw run -- " +
                               "tests/net/s3/fault_proxy.py -- COMMAND");
    return value;
  }

  [[nodiscard]] nlohmann::json log() const { return nlohmann::json::parse(ask("/__log", {})); }

  [[nodiscard]] std::string ask(const std::string& path, const std::string& body) const {
    httplib::Client client(endpoint);
    client.set_read_timeout(std::chrono::seconds(20));
    const auto reply = body.empty() ? client.Get(path) : client.Post(path, body, "application/json");
    if (!reply) throw std::runtime_error("the proxy does not answer");
    if (reply->status != 200) throw std::runtime_error("the proxy refuses " + body + ": " + reply->body);
    return reply->body;
  }
};
