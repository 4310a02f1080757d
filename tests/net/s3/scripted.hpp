// A server that answers by a script, and options of a store that uses it, with a fake clock.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/net/s3/s3_store.hpp>

/// A request that was sent.
struct Sent {
  std::string method;
  std::string target;
  std::string host;
  tensortap::HttpHeaders headers;
  std::string body;
};

/// Replies in order; then `otherwise` answers. Adds the fields of each success of S3, unless the tests say `is_s3` =
/// false. Threads: any.
struct Script {
  using Reply = std::function<tensortap::HttpReply(const tensortap::HttpRequest&)>;

  std::deque<Reply> replies;
  Reply otherwise = [](const tensortap::HttpRequest&) { return tensortap::HttpReply{.status = 200}; };
  std::vector<Sent> sent;
  std::vector<std::chrono::nanoseconds> waits;
  std::chrono::system_clock::time_point now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 26);
  bool is_s3 = true;
  std::mutex mutex;

  Script& then(Reply reply) {
    replies.push_back(std::move(reply));
    return *this;
  }
  Script& then(int status, tensortap::HttpHeaders headers = {}, std::string body = {}) {
    return then([=](const tensortap::HttpRequest& request) {
      tensortap::HttpReply reply{.status = status, .headers = headers, .body = body};
      if (request.sink && request.sink(reply, tensortap::bytes_of(body))) reply.body.clear();
      return reply;
    });
  }
  Script& then(int status, const std::string& code) {
    return then(status, {}, "<Error><Code>" + code + "</Code><RequestId>tx1</RequestId></Error>");
  }
  Script& then_failure(tensortap::HttpFailure failure, std::string cause = "it broke") {
    return then(
        [=](const tensortap::HttpRequest&) { return tensortap::HttpReply{.failure = failure, .cause = cause}; });
  }

  tensortap::HttpReply answer(const tensortap::HttpRequest& request) {
    Reply reply;
    {
      const std::lock_guard lock(mutex);
      Sent record{request.method, request.url.target(), request.url.authority(), request.headers, {}};
      for (const tensortap::Bytes piece : request.body) record.body += tensortap::text_of(piece);
      sent.push_back(std::move(record));
      reply = replies.empty() ? otherwise : replies.front();
      if (!replies.empty()) replies.pop_front();
    }
    tensortap::HttpReply out = reply(request);
    if (is_s3 && out.status / 100 == 2) {
      out.headers.try_emplace("etag", "\"e\"");
      out.headers.try_emplace("last-modified", "Thu, 26 Nov 2026 00:00:00 GMT");
    }
    return out;
  }
};

/// Returns the options of a store that uses `script`.
inline tensortap::S3Options options_for(Script& script) {
  return {.region = "us-east-1",
          .endpoint_url = "http://127.0.0.1:1",
          .credentials = [] { return tensortap::Credentials{.access_key_id = "KEY", .secret_access_key = "secret"}; },
          .transport = [&script](const tensortap::HttpRequest& request) { return script.answer(request); },
          .environment = [](const char*) { return std::optional<std::string>(); },
          .clock = [&script] { return script.now; },
          .sleep = [&script](std::chrono::nanoseconds time, const std::stop_token&) { script.waits.push_back(time); },
          .jitter = [] { return 1.0; }};
}
