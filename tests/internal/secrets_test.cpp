#include <tensortap/internal/secrets.hpp>

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;

TEST_CASE("secrets are known by their names", "[internal][secrets]") {
  for (const char* const name :
       {"password", "api-token", "API_KEY", "db.password", "aws_secret_access_key", "--token", "dbPassword", "apiToken",
        "passphrase", "wandb-key", "encryption_key", "jwt", "Cookie"})
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

TEST_CASE("secrets are hidden in addresses, JSON and headers, and well-known tokens anywhere", "[internal][secrets]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"https://h/p?a=1&token=abc&b=2", "https://h/p?a=1&token=*****&b=2"},
      {"https://h/p?X-Amz-Signature=abc#x", "https://h/p?X-Amz-Signature=*****#x"},
      {"https://h/p?v=1&sig=abc%3D", "https://h/p?v=1&sig=*****"},
      {"{\"user\": \"u\", \"password\": \"a=b:c\", \"n\": 1}", "{\"user\": \"u\", \"password\": \"*****\", \"n\": 1}"},
      {"Cookie: a=b; c=d", "Cookie: *****"},
      {"--wandb-key=abc", "--wandb-key=*****"},
      {"hf_abcdefghijklmnop", "*****"},
      {"sk-abcdefghijklmnop", "*****"},
      {"sk-1", "sk-1"},
      {"--key=layer", "--key=layer"},
      {"--max_tokens=3", "--max_tokens=3"},
      {"s3://bucket/a:b=c", "s3://bucket/a:b=c"},
      {"token", "token"},
      {"token=", "token="},
      {"=x", "=x"},
      {"https://u:p=q@h/?a=b", "https://u:*****@h/?a=b"}};
  for (const auto& [word, expected] : cases) {
    INFO(word);
    CHECK(tt::detail::without_secrets({word}) == std::vector<std::string>{expected});
  }
}
