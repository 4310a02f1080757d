// Metadata services of four clouds, on a port of this machine. They answer only what the documentation of their cloud
// knows: any other method, path, query or header is refused and listed.
#pragma once

#include <algorithm>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/net/cloud/cloud_notice.hpp>

#include "net/http/one_shot_server.hpp"

/// Returns `time` in the form of strftime.
inline std::string time_text(std::chrono::sys_seconds time, const char* form) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, form, &parts)};
}

inline std::chrono::sys_seconds now_and(std::chrono::seconds more) {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) + more;
}

inline constexpr const char* iso_8601 = "%Y-%m-%dT%H:%M:%SZ";
inline constexpr const char* rfc_1123 = "%a, %d %b %Y %H:%M:%S GMT";
inline constexpr const char* maintenance_time = "%d %b %Y %H:%M:%S GMT";

/// Returns whether `is_so` becomes true within ten seconds.
template <class Predicate>
bool eventually(const Predicate& is_so) {
  for (int i = 0; i < 1000; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class MockMetadata {
 public:
  using Cloud = tensortap::Cloud;

  explicit MockMetadata(Cloud cloud) : cloud_(cloud), server_([this](Peer& peer, int) { serve(peer); }) {
    if (cloud == Cloud::gcp) {
      texts_["/computeMetadata/v1/instance/preempted"] = "FALSE";
      texts_["/computeMetadata/v1/instance/maintenance-event"] = "NONE";
    }
    if (cloud == Cloud::azure) {
      texts_["/metadata/scheduledevents"] = R"({"DocumentIncarnation":1,"Events":[]})";
      texts_["/metadata/instance/compute/name"] = "vm_0";
    }
  }
  ~MockMetadata() {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    changed_.notify_all();
  }
  MockMetadata(const MockMetadata&) = delete;
  MockMetadata& operator=(const MockMetadata&) = delete;

  [[nodiscard]] std::string url() const {
    std::string url = server_.url();
    url.pop_back();
    return url;
  }
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }

  /// Sets what is at `path`; an empty text: nothing.
  void set(const std::string& path, const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (text.empty())
      texts_.erase(path);
    else
      texts_[path] = text;
    ++etags_[path];
    changed_.notify_all();
  }

  /// Makes each token good for so many requests.
  void expire_tokens_after(int uses) {
    const std::lock_guard lock(mutex_);
    uses_ = uses;
  }
  void answer_all_with(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  /// Makes the clock of the service differ from that of this machine, in the Date header.
  void shift_clock(std::chrono::seconds by) {
    const std::lock_guard lock(mutex_);
    date_ = by;
  }

  /// Returns the requests that the cloud's documentation does not know.
  [[nodiscard]] std::vector<std::string> unknown() {
    const std::lock_guard lock(mutex_);
    return unknown_;
  }
  /// Returns the number of requests "GET /path".
  [[nodiscard]] int count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return counts_[what];
  }
  [[nodiscard]] int tokens() {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  /// Returns the bodies of POST requests.
  [[nodiscard]] std::vector<std::string> posted() {
    const std::lock_guard lock(mutex_);
    return posted_;
  }

 private:
  struct Request {
    std::string method, path, query, body;
    std::map<std::string, std::string> headers;
  };

  static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
  }

  static Request parsed(const std::string& text) {
    Request request;
    std::istringstream lines(text.substr(0, text.find("\r\n\r\n")));
    std::string target, line;
    lines >> request.method >> target;
    std::getline(lines, line);
    request.path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string::npos) request.query = target.substr(target.find('?') + 1);
    while (std::getline(lines, line)) {
      if (line.ends_with('\r')) line.pop_back();
      const auto colon = line.find(": ");
      request.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    request.body = text.substr(text.find("\r\n\r\n") + 4);
    return request;
  }

  void serve(Peer& peer) {
    for (std::string text = peer.read_request(); !text.empty(); text = peer.read_request()) {
      std::unique_lock lock(mutex_);
      const std::string reply = answer(parsed(text), text, lock);
      lock.unlock();
      if (!peer.write(reply)) return;
    }
  }

  std::string reply(int status, const std::string& body, const std::string& more = {}) const {
    std::string text = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: text/plain\r\n" + more;
    if (date_ != std::chrono::seconds(0)) text += "Date: " + time_text(now_and(date_), rfc_1123) + "\r\n";
    return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::string refuse(const std::string& text, int status = 400) {
    unknown_.push_back(text);
    return reply(status, "refused");
  }

  /// Returns whether all headers are those of HTTP or among `known`, with these values; "*" is any.
  static bool has_only(const Request& request, const std::map<std::string, std::string>& known) {
    static const std::set<std::string> of_http{"host",       "user-agent",     "accept",
                                               "connection", "content-length", "content-type"};
    for (const auto& [name, value] : known) {
      const auto found = request.headers.find(name);
      if (found == request.headers.end() || (value != "*" && found->second != value)) return false;
    }
    return std::all_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
      return of_http.contains(header.first) || known.contains(header.first);
    });
  }

  std::string answer(const Request& request, const std::string& text, std::unique_lock<std::mutex>& lock) {
    ++counts_[request.method + " " + request.path];
    if (status_ != 0) return reply(status_, "");
    switch (cloud_) {
      case Cloud::ec2: return of_tokens(request, text, "x-aws-ec2-metadata-token");
      case Cloud::alibaba: return of_tokens(request, text, "x-aliyun-ecs-metadata-token");
      case Cloud::gcp: return of_gcp(request, text, lock);
      case Cloud::azure: return of_azure(request, text);
      default: throw std::logic_error("no such cloud");
    }
  }

  std::string of_tokens(const Request& request, const std::string& text, const std::string& header) {
    static const std::map<Cloud, std::set<std::string>> paths{
        {Cloud::ec2,
         {"/latest/meta-data/spot/instance-action", "/latest/meta-data/events/recommendations/rebalance",
          "/latest/meta-data/events/maintenance/scheduled"}},
        {Cloud::alibaba, {"/latest/meta-data/instance/spot/termination-time"}}};
    if (!request.query.empty() || !request.body.empty()) return refuse(text);
    if (request.method == "PUT" && request.path == "/latest/api/token") {
      if (!has_only(request, {{header + "-ttl-seconds", "*"}})) return refuse(text);
      const int seconds = std::atoi(request.headers.at(header + "-ttl-seconds").c_str());
      if (seconds < 1 || seconds > 21600) return refuse(text);
      const std::string token = "TOKEN-" + std::to_string(++tokens_) + "==";
      uses_of_[token] = 0;
      return reply(200, token);
    }
    if (request.method != "GET" || !paths.at(cloud_).contains(request.path)) return refuse(text, 404);
    if (!has_only(request, {{header, "*"}})) return refuse(text, 401);
    const auto token = uses_of_.find(request.headers.at(header));
    if (token == uses_of_.end() || token->second++ >= uses_) return reply(401, "");
    const auto found = texts_.find(request.path);
    return found == texts_.end() ? reply(404, "<html>404 - Not Found</html>") : reply(200, found->second);
  }

  std::string of_gcp(const Request& request, const std::string& text, std::unique_lock<std::mutex>& lock) {
    if (request.method != "GET" || !has_only(request, {{"metadata-flavor", "Google"}}) || !request.body.empty())
      return refuse(text, 403);
    if (!texts_.contains(request.path)) return refuse(text, 404);
    if (!request.query.empty()) {
      unsigned seconds = 0;
      int etag = -1;
      if (std::sscanf(request.query.c_str(), "wait_for_change=true&timeout_sec=%u&last_etag=%d", &seconds, &etag) != 2)
        return refuse(text);
      changed_.wait_for(lock, std::chrono::seconds(seconds),
                        [&] { return etags_[request.path] != etag || is_ending_; });
    }
    return reply(200, texts_[request.path],
                 "Metadata-Flavor: Google\r\nETag: " + std::to_string(etags_[request.path]) +
                     "\r\nServer: Metadata Server for VM\r\n");
  }

  std::string of_azure(const Request& request, const std::string& text) {
    if (!has_only(request, {{"metadata", "true"}})) return refuse(text);
    const bool is_events = request.path == "/metadata/scheduledevents" && request.query == "api-version=2020-07-01";
    const bool is_name =
        request.path == "/metadata/instance/compute/name" && request.query == "api-version=2021-02-01&format=text";
    if (is_events && request.method == "POST") {
      const auto body = nlohmann::json::parse(request.body, nullptr, false);
      if (!body.is_object() || body.size() != 1 || !body.contains("StartRequests")) return refuse(text);
      posted_.push_back(request.body);
      return reply(200, "");
    }
    if (request.method != "GET" || (!is_events && !is_name) || !request.body.empty()) return refuse(text, 404);
    const auto found = texts_.find(request.path);
    return found == texts_.end() ? reply(404, "") : reply(200, found->second);
  }

  const Cloud cloud_;
  std::mutex mutex_;  // guards the fields below
  std::condition_variable changed_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, int> counts_, etags_;
  std::map<std::string, int> uses_of_;  // by token
  std::vector<std::string> unknown_, posted_;
  int tokens_ = 0, uses_ = 1'000'000, status_ = 0;
  std::chrono::seconds date_{0};
  bool is_ending_ = false;
  OneShotServer server_;  // last: its threads end first
};
