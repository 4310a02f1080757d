#include <tensortap/net/aws/internal/secrets.hpp>

#include <string>

#include "catch.hpp"

using namespace tensortap;
using detail::Secrets;

TEST_CASE("a secret and its larger parts are removed from a text", "[net][secrets]") {
  Secrets secrets;
  secrets.add({.access_key_id = "AKIAEXAMPLEEXAMPLE42",
               .secret_access_key = "short",
               .session_token = "a/b+c=" + std::string(20, 'x')},
              std::string(64, '7'));
  CHECK(secrets.removed_from("key AKIAEXAMPLEEXAMPLE42.") == "key (hidden).");
  CHECK(secrets.removed_from("key akiaexampleexample42.") == "key (hidden).");
  CHECK(secrets.removed_from("IAEXAMPLEEXA and more") == "(hidden) and more");
  CHECK(secrets.removed_from("AKIAEXAMPLE") == "AKIAEXAMPLE");  // too short to be one
  CHECK(secrets.removed_from("short") == "short");
  CHECK(secrets.removed_from("a/b+c=" + std::string(20, 'x')) == "(hidden)");
  CHECK(secrets.removed_from("a%2Fb%2Bc%3D" + std::string(20, 'x') + "!") == "(hidden)!");
  CHECK(secrets.removed_from("Signature=" + std::string(64, '7')) == "Signature=(hidden)");
  CHECK(secrets.removed_from("").empty());
  CHECK(secrets.removed_from(std::string(100'000, 'A')).size() == 2000);
}

TEST_CASE("the credentials are kept however many requests are signed", "[net][secrets]") {
  Secrets secrets;
  const Credentials credentials{.access_key_id = "AKIAEXAMPLEEXAMPLE42", .secret_access_key = "0123456789abcdef"};
  for (int i = 0; i < 1000; ++i) secrets.add(credentials, "signature number " + std::to_string(i));
  CHECK(secrets.removed_from("AKIAEXAMPLEEXAMPLE42 0123456789abcdef") == "(hidden) (hidden)");
  CHECK(secrets.removed_from("signature number 999") == "(hidden)");
}
