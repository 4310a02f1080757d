// The secrets of requests, which a server may repeat in its replies. No message of ours repeats them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The secrets that were sent last. Threads: any.
class Secrets {
 public:
  /// Adds the credentials of a request, and the signature that they made.
  void add(const Credentials& credentials, std::string_view signature = {}) {
    const std::lock_guard lock(mutex_);
    for (const std::string* one :
         {&credentials.access_key_id, &credentials.secret_access_key, &credentials.session_token})
      add(*one, credentials_, 12);  // those before a renewal, too
    add(signature, signatures_, 64);
  }

  /// Adds one secret of another kind.
  void add(std::string_view secret) {
    const std::lock_guard lock(mutex_);
    add(secret, credentials_, 12);
  }

  /// Returns `text` with each secret and each larger part of one replaced, in whatever letter case. Cuts a long text.
  [[nodiscard]] std::string removed_from(std::string_view text) const {
    constexpr std::size_t longest_text = 2000;
    text = text.substr(0, longest_text);
    const std::string folded = lower_case(std::string(text));
    std::vector<bool> is_secret(text.size());
    {
      const std::lock_guard lock(mutex_);
      for (const auto* secrets : {&credentials_, &signatures_})
        for (const std::string_view secret : *secrets) mark(secret, folded, is_secret);
    }
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (!is_secret[i])
        out += text[i];
      else if (i == 0 || !is_secret[i - 1])
        out += "(hidden)";
    return out;
  }

 private:
  using Texts = std::deque<std::string>;  // in lower case

  /// Adds `secret` to the last `most` ones. Ignores one that is too short to be a secret.
  static void add(std::string_view secret, Texts& to, std::size_t most) {
    constexpr std::size_t shortest = 8;
    if (secret.size() < shortest) return;
    for (std::string text : {lower_case(std::string(secret)), lower_case(percent_encoded(secret))})
      if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(std::move(text));
    while (to.size() > most) to.pop_front();
  }

  static void mark(std::string_view secret, std::string_view text, std::vector<bool>& is_secret) {
    constexpr std::size_t part = 12;  // shorter ones occur by chance
    const std::size_t size = std::min(secret.size(), part);
    for (std::size_t at = 0; at + size <= text.size(); ++at)
      if (secret.find(text.substr(at, size)) != std::string_view::npos)
        std::fill_n(is_secret.begin() + static_cast<std::ptrdiff_t>(at), size, true);
  }

  mutable std::mutex mutex_;  // guards the members below
  Texts credentials_;
  Texts signatures_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
