// A fake environment and a fake network, in which tests look for credentials.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/providers.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

/// A secret of the tests, which must not appear in any message.
inline constexpr const char* secret = "HIDDEN";

/// Returns a reply.
inline tensortap::HttpReply replied(int status, std::string body = {}) {
  tensortap::HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

/// Returns a failed exchange.
inline tensortap::HttpReply broken(tensortap::HttpFailure failure, std::string cause) {
  tensortap::HttpReply reply;
  reply.failure = failure;
  reply.cause = std::move(cause);
  return reply;
}

/// The environment and the network.
struct FakeWorld {
  struct Request {
    std::string method, url, body;
    tensortap::HttpHeaders headers;
    std::chrono::steady_clock::duration left;
  };

  std::map<std::string, std::string> variables;
  std::vector<Request> requests;
  std::function<tensortap::HttpReply(const Request&)> answer = [](const Request&) -> tensortap::HttpReply {
    return broken(tensortap::HttpFailure::not_connected, "no server");
  };
  TemporaryDirectory directory;

  FakeWorld() { variables["HOME"] = directory.path().string(); }

  /// Writes a file and returns its path.
  std::string file(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = directory / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  tensortap::CredentialsOptions options() {
    tensortap::CredentialsOptions options;
    options.environment = [this](const char* name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    options.transport = [this](const tensortap::HttpRequest& request) {
      std::string body;
      for (const tensortap::Bytes piece : request.body) body += tensortap::text_of(piece);
      requests.push_back({request.method, request.url.scheme + "://" + request.url.authority() + request.url.target(),
                          body, request.headers, request.deadline - std::chrono::steady_clock::now()});
      return answer(requests.back());
    };
    options.clock = [] { return std::chrono::sys_days(std::chrono::year(2026) / 1 / 1) + std::chrono::hours(12); };
    return options;
  }
};

/// Checks that a configured provider failed with `cause`, without a secret in the message.
inline void check_failed(const tensortap::detail::ProviderResult& answer, const std::string& cause) {
  CHECK_FALSE(answer.credentials.has_value());
  CHECK(answer.is_final);
  CHECK_THAT(answer.why, contains(cause));
  CHECK_THAT(answer.why, !contains(secret));
}

/// Checks that a provider is not configured, for `cause`.
inline void check_none(const tensortap::detail::ProviderResult& answer, const std::string& cause) {
  CHECK_FALSE(answer.credentials.has_value());
  CHECK_FALSE(answer.is_final);
  CHECK_THAT(answer.why, contains(cause));
  CHECK_THAT(answer.why, !contains(secret));
}

/// Checks that a provider returned these credentials.
inline void check_found(const tensortap::detail::ProviderResult& answer, const std::string& id, const std::string& key,
                        const std::string& token, const std::string& source) {
  CHECK(answer.why == "");
  REQUIRE(answer.credentials.has_value());
  CHECK(answer.credentials->access_key_id == id);
  CHECK(answer.credentials->secret_access_key == key);
  CHECK(answer.credentials->session_token == token);
  CHECK(answer.credentials->source == source);
}
