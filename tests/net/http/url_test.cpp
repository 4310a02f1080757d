#include <tensortap/net/http/url.hpp>

#include <string>

#include <tensortap/error.hpp>

#include "catch.hpp"

using namespace tensortap;

TEST_CASE("a URL is parsed", "[net][url]") {
  const Url url = parse_url("HTTPS://S3.Example.com:8443/a%20b/c?list-type=2&prefix=x%2F#top");
  CHECK(url.scheme == "https");
  CHECK(url.host == "s3.example.com");
  CHECK(url.port == 8443);
  CHECK(url.path == "/a%20b/c");
  CHECK(url.query == "list-type=2&prefix=x%2F");
  CHECK(url.target() == "/a%20b/c?list-type=2&prefix=x%2F");
  CHECK(url.authority() == "s3.example.com:8443");
}

TEST_CASE("omitted parts of a URL have their defaults", "[net][url]") {
  CHECK(parse_url("http://host").path == "/");
  CHECK(parse_url("http://host").port_or_default() == 80);
  CHECK(parse_url("https://host").port_or_default() == 443);
  CHECK(parse_url("https://host:443/").authority() == "host");
  CHECK(parse_url("http://host:443/").authority() == "host:443");
  CHECK(parse_url("http://host?a=b").target() == "/?a=b");
}

TEST_CASE("an IPv6 address of a URL is in brackets", "[net][url]") {
  const Url url = parse_url("http://[fd00:EC2::254]:80/latest");
  CHECK(url.host == "fd00:ec2::254");
  CHECK(url.authority() == "[fd00:ec2::254]");
  CHECK(parse_url("http://[::1]:9/").authority() == "[::1]:9");
}

TEST_CASE("a malformed URL is refused", "[net][url]") {
  for (const std::string text :
       {"", "host", "ftp://host", "http://", "http:///path", "http://host:", "http://host:0", "http://host:65536",
        "http://host:80x", "http://[::1", "http://[::1]80", "http://ho st", "http://host/a\nb", "://host"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_url(text), Error);
  }
}

TEST_CASE("a URL with a password is refused and not repeated", "[net][url]") {
  try {
    (void)parse_url("http://user:secret@host/");
    FAIL("it was accepted");
  } catch (const Error& e) {
    CHECK_THAT(e.what(), contains("user or password"));
    CHECK(std::string(e.what()).find("secret") == std::string::npos);
  }
}

TEST_CASE("percent-encoding keeps only unreserved bytes and is reversible", "[net][url]") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  CHECK(percent_decoded(percent_encoded(all)) == all);
  CHECK(percent_encoded("AZaz09-._~") == "AZaz09-._~");
  CHECK(percent_encoded(" +%/\xc3\xa4") == "%20%2B%25%2F%C3%A4");
  CHECK(percent_encoded("a/b c", true) == "a/b%20c");
  CHECK(percent_decoded("a+b%2B") == "a+b+");
  CHECK(percent_decoded("a+b%2B", true) == "a b+");
  CHECK(percent_decoded("%4") == "%4");
  CHECK(percent_decoded("%zz%41") == "%zzA");
  CHECK(percent_decoded("%+1") == "%+1");
}
