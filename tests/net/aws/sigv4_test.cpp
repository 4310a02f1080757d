#include <tensortap/net/aws/internal/sigv4.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"

using namespace tensortap;
using namespace tensortap::detail;

namespace {

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::string text(std::istreambuf_iterator<char>(file), {});
  text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
  return text;
}

/// Parses "20130524T000000Z" or "2015-08-30T12:36:00Z".
std::chrono::sys_seconds utc(std::string text) {
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  const auto number = [&](std::size_t at, std::size_t size) { return std::stoi(text.substr(at, size)); };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(6, 2))));
  return std::chrono::sys_days(date) + std::chrono::hours(number(9, 2)) + std::chrono::minutes(number(11, 2)) +
         std::chrono::seconds(number(13, 2));
}

/// Returns the signature at the end of the authorization header or of X-Amz-Signature.
std::string signature_of(const std::string& text) {
  return text.substr(text.size() - std::min<std::size_t>(64, text.size()));
}

const Credentials example{.access_key_id = "AKIDEXAMPLE",
                          .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
const Signing at_noon{.region = "eu-west-1", .time = utc("20260101T120000Z")};

HttpRequest put_request() {
  return {.method = "PUT",
          .url = parse_url("https://bucket.s3.eu-west-1.amazonaws.com/a%20key%2B1?partNumber=2&uploadId=x%2Fy%3D")};
}

/// An example of AWS's documentation.
void check_s3_vector(const nlohmann::json& file, const nlohmann::json& vector) {
  CAPTURE(vector.at("name").get<std::string>());
  const Credentials credentials{.access_key_id = file.at("access_key").get<std::string>(),
                                .secret_access_key = file.at("secret_key").get<std::string>()};
  const Signing signing{.region = file.at("region").get<std::string>(),
                        .time = utc(file.at("date").get<std::string>())};
  HttpRequest request{.method = vector.value("method", "PUT"), .url = {}};
  request.headers = vector.at("headers").get<HttpHeaders>();
  request.url.host = request.headers.at("host");
  request.url.path = vector.at("path").get<std::string>();
  bool presigns = false;
  for (const auto& [name, value] : vector.value("query", std::vector<std::pair<std::string, std::string>>())) {
    presigns = presigns || name == "X-Amz-Signature" || name == "X-Amz-Algorithm";
    request.url.query += (request.url.query.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
  }
  const std::string hash = vector.contains("payload_hash") ? vector["payload_hash"].get<std::string>()
                                                           : request.headers.at("x-amz-content-sha256");
  const std::string canonical = canonical_request(request, signing, hash);
  CHECK(canonical == vector.at("canonical_request").get<std::string>());
  if (vector.contains("string_to_sign"))
    CHECK(string_to_sign(canonical, signing) == vector["string_to_sign"].get<std::string>());
  request.headers.erase("host");
  const std::string expected = vector.value("signature", vector.value("seed", ""));
  if (presigns) {
    const Url url = presigned(request, credentials, signing, std::chrono::seconds(86400));
    CHECK(signature_of(url.query) == expected);
    return;
  }
  request.headers.erase("x-amz-date");
  request.headers.erase("x-amz-content-sha256");
  sign(request, credentials, signing, hash);
  CHECK(signature_of(request.headers.at("authorization")) == expected);
  if (!vector.contains("seed")) return;
  std::string previous = expected;  // of the chunks of 64 KiB, 1 KiB and nothing
  const std::array chunks = {std::string(65536, 'a'), std::string(1024, 'a'), std::string()};
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::string text = "AWS4-HMAC-SHA256-PAYLOAD\n" + amz_date(signing.time) + "\n" + credential_scope(signing) +
                             "\n" + previous + "\n" + std::string(empty_payload_hash) + "\n" + sha256_hex(chunks[i]);
    previous = signature(text, credentials.secret_access_key, signing);
    CHECK(previous == vector.at("chunk_signatures").at(i).get<std::string>());
  }
}

/// Parses a request in the format of the third party's test suite.
HttpRequest request_of(const std::string& text, std::string& body) {
  const std::size_t blank = std::min(text.find("\n\n"), text.size());
  body = blank + 2 < text.size() ? text.substr(blank + 2) : "";
  std::istringstream lines(text.substr(0, blank));
  std::string line, name;
  std::getline(lines, line);
  HttpRequest request{.method = line.substr(0, line.find(' ')), .url = {}};
  const std::size_t begin = line.find(' ') + 1;
  const std::string target = line.substr(begin, line.rfind(' ') - begin);
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.url.path = target.substr(0, mark);
  request.url.query = mark < target.size() ? target.substr(mark + 1) : "";
  while (std::getline(lines, line)) {
    if (line.starts_with(' ')) {  // continues
      request.headers[name] += "\n" + line;
      continue;
    }
    const std::size_t colon = line.find(':');
    name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const auto [at, is_new] = request.headers.emplace(name, line.substr(colon + 1));
    if (!is_new) at->second += "," + line.substr(colon + 1);
  }
  request.url.host = request.headers.at("host");
  request.headers.erase("host");
  return request;
}

void check_suite_case(const std::filesystem::path& folder) {
  CAPTURE(folder.filename().string());
  const auto context = nlohmann::json::parse(file_text(folder / "context.json"));
  std::string body;
  HttpRequest request = request_of(file_text(folder / "request.txt"), body);
  const auto& given = context.at("credentials");
  Credentials credentials{.access_key_id = given.at("access_key_id").get<std::string>(),
                          .secret_access_key = given.at("secret_access_key").get<std::string>()};
  if (!context.value("omit_session_token", false)) credentials.session_token = given.value("token", "");
  const Signing signing{.region = context.at("region").get<std::string>(),
                        .service = context.at("service").get<std::string>(),
                        .time = utc(context.at("timestamp").get<std::string>()),
                        .encode_path_twice = true,
                        .normalize_path = context.at("normalize").get<bool>()};
  const std::string hash = sha256_hex(body);

  const Url url = presigned(request, credentials, signing,
                            std::chrono::seconds(context.at("expiration_in_seconds").get<int>()), hash);
  HttpRequest by_query = request;
  by_query.url.query = url.query.substr(0, url.query.rfind("&X-Amz-Signature="));
  const std::string query_canonical = canonical_request(by_query, signing, hash);
  CHECK(query_canonical == file_text(folder / "query-canonical-request.txt"));
  CHECK(string_to_sign(query_canonical, signing) == file_text(folder / "query-string-to-sign.txt"));
  CHECK(signature_of(url.query) == file_text(folder / "query-signature.txt"));

  if (context.at("sign_body").get<bool>()) request.headers["x-amz-content-sha256"] = hash;
  sign(request, credentials, signing, hash);
  const std::string canonical = canonical_request(request, signing, hash);
  CHECK(canonical == file_text(folder / "header-canonical-request.txt"));
  CHECK(string_to_sign(canonical, signing) == file_text(folder / "header-string-to-sign.txt"));
  CHECK(signature_of(request.headers.at("authorization")) == file_text(folder / "header-signature.txt"));
  CHECK_THAT(file_text(folder / "header-signed-request.txt"),
             contains("Authorization:" + request.headers.at("authorization")));
}

}  // namespace

TEST_CASE("requests to S3 are signed as AWS's documentation shows", "[net][sigv4]") {
  const auto file =
      nlohmann::json::parse(file_text(std::filesystem::path(TENSORTAP_TEST_DATA_DIR) / "s3-vectors.json"));
  REQUIRE(file.at("vectors").size() == 6);
  for (const auto& vector : file.at("vectors")) check_s3_vector(file, vector);
}

TEST_CASE("signatures match those of a third party's test suite", "[net][sigv4]") {
  const std::filesystem::path suite =
      std::filesystem::path(TENSORTAP_TEST_DATA_DIR) / "../../../shared/s3/sigv4-vectors/v4";
  if (!std::filesystem::exists(suite)) {
    WARN("not tested, missing: " << suite.lexically_normal().string());
    return;
  }
  std::size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(suite)) {
    check_suite_case(entry.path());
    ++cases;
  }
  CHECK(cases == 38);
}

TEST_CASE("a time is written in AWS's basic form", "[net][sigv4]") {
  CHECK(amz_date(utc("20130524T000000Z")) == "20130524T000000Z");
  CHECK(amz_date(utc("20240229T235959Z")) == "20240229T235959Z");
  CHECK(amz_date(std::chrono::sys_seconds()) == "19700101T000000Z");
  CHECK(amz_date(std::chrono::sys_seconds(std::chrono::seconds(-1))) == "19691231T235959Z");
}

TEST_CASE("signing again replaces the old signature and its fields", "[net][sigv4]") {
  HttpRequest once = put_request();
  sign(once, example, at_noon, unsigned_payload);

  HttpRequest twice = put_request();
  Credentials temporary = example;
  temporary.session_token = "old-token";
  sign(twice, temporary, {.region = "us-east-1", .time = utc("20251231T235959Z")}, sha256_hex("body"));
  CHECK(twice.headers.at("x-amz-security-token") == "old-token");
  CHECK_THAT(twice.headers.at("authorization"), contains("x-amz-security-token"));
  sign(twice, example, at_noon, unsigned_payload);
  CHECK(twice.headers == once.headers);

  HttpRequest link = put_request();
  const Url first =
      presigned(link, temporary, {.region = "us-east-1", .time = utc("20251231T235959Z")}, std::chrono::hours(1));
  CHECK_THAT(first.query, contains("X-Amz-Security-Token=old-token"));
  const Url direct = presigned(link, example, at_noon, std::chrono::hours(2));
  link.url = first;
  CHECK(presigned(link, example, at_noon, std::chrono::hours(2)).query == direct.query);
}

TEST_CASE("path and query are signed with one level of encoding", "[net][sigv4]") {
  HttpRequest request = put_request();
  CHECK_THAT(canonical_request(request, at_noon, "h"), contains("PUT\n/a%20key%2B1\npartNumber=2&uploadId=x%2Fy%3D\n"));
  request.url.path = "/a%20key+1";
  request.url.query = "uploadId=x/y%3d&partNumber=2&";
  CHECK_THAT(canonical_request(request, at_noon, "h"), contains("PUT\n/a%20key%2B1\npartNumber=2&uploadId=x%2Fy%3D\n"));
  request.url.path = "/a//b/../c/./%25";
  request.url.query = "lifecycle&a=2&a=1&a-b=3";
  CHECK_THAT(canonical_request(request, at_noon, "h"), contains("PUT\n/a//b/../c/./%25\na=1&a=2&a-b=3&lifecycle=\n"));
}

TEST_CASE("the host is signed with its port, fields that proxies change are not signed", "[net][sigv4]") {
  HttpRequest request{.url = parse_url("http://[::1]:7480/bucket/key")};
  request.headers = {{"user-agent", "tensortap"}, {"expect", "100-continue"}, {"range", "bytes=0-9"}};
  sign(request, example, at_noon);
  CHECK(signed_headers(request) == "host;range;x-amz-content-sha256;x-amz-date");
  CHECK_THAT(canonical_request(request, at_noon, "h"), contains("\nhost:[::1]:7480\n"));
  CHECK(request.headers.at("x-amz-content-sha256") == sha256_hex(""));
}

TEST_CASE("credentials that could end a header field are refused without a secret in the message", "[net][sigv4]") {
  HttpRequest request = put_request();
  const auto refused = [&](Credentials credentials, const std::string& cause) {
    try {
      sign(request, credentials, at_noon);
      FAIL("they were accepted");
    } catch (const Error& e) {
      CHECK_THAT(e.what(), contains(cause) && contains("a test"));
      CHECK_THAT(e.what(), !contains("SECRET"));
    }
    CHECK(request.headers.empty());
  };
  refused({.access_key_id = "", .secret_access_key = "SECRET", .source = "a test"}, "no access key");
  refused({.access_key_id = "A", .secret_access_key = "", .source = "a test"}, "no secret access key");
  refused({.access_key_id = "A\r\nx: y", .secret_access_key = "SECRET", .source = "a test"}, "the access key");
  refused({.access_key_id = "A", .secret_access_key = "SECRET\n", .source = "a test"}, "the secret access key");
  refused({.access_key_id = "A", .secret_access_key = "SECRET", .session_token = "SECRET\xc3\xa4", .source = "a test"},
          "the session token");
}

TEST_CASE("a presigned URL is valid for one second to seven days", "[net][sigv4]") {
  CHECK_THROWS_WITH(presigned(put_request(), example, at_noon, std::chrono::seconds(0)), contains("(0 seconds)"));
  CHECK_THROWS_AS(presigned(put_request(), example, at_noon, std::chrono::hours(7 * 24 + 1)), Error);
  CHECK_THAT(presigned(put_request(), example, at_noon, std::chrono::hours(7 * 24)).query,
             contains("X-Amz-Expires=604800"));
}
