#include <tensortap/internal/secrets.hpp>

#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("secrets are known by their names", "[internal][secrets]") {
  for (const char* const name : {"password", "api-token", "API_KEY", "db.password", "aws_secret_access_key", "--token",
                                 "dbPassword", "apiToken", "passphrase"})
    CHECK(tt::detail::is_secret(name));
  for (const char* const name : {"max_tokens", "tokenizer", "key", "monkey", "learning-rate", "secretary"})
    CHECK_FALSE(tt::detail::is_secret(name));
  const std::vector<std::string> words = {
      "p", "--token", "x",          "--password=y", "https://u:z@h/",         "--tokens",
      "3", "k=v",     "--password", "-x",           "Authorization: Bearer x"};
  CHECK(tt::detail::without_secrets(words) == std::vector<std::string>{"p", "--token", "*****", "--password=*****",
                                                                       "https://u:*****@h/", "--tokens", "3", "k=v",
                                                                       "--password", "*****", "Authorization: *****"});
}
