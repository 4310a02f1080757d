// The XML of S3: parses the replies and writes the documents of requests. It expands only the five predefined entities.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pugixml.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// The contents of an <Error>.
struct ErrorReply {
  std::string code;
  std::string message;
  std::string region;      // of the bucket, if the request named another one
  std::string request_id;  // for the operators of the server
};

/// A page of a listing. Keys are those in the bucket.
struct ListPage {
  struct Object {
    std::string key;
    std::uint64_t size = 0;
    std::string etag;
    std::string last_modified;  // in ISO 8601
  };
  std::vector<Object> objects;
  std::vector<std::string> folders;  // if requested: common prefixes of keys, each with its final '/'
  std::string next;                  // the token of the next page; empty: this is the last
};

/// A multipart upload in progress.
struct Upload {
  std::string key;
  std::string id;
  std::string initiated = {};  // in a list of uploads: when, in ISO 8601
};
/// A page of the list of uploads.
struct UploadsPage {
  std::vector<Upload> uploads;
  Upload next;  // the marker of the next page; without a key: this is the last
};

/// Parses `text`. Throws: it is not XML, its root is not `root`, or it is nested more deeply than any reply of S3.
inline pugi::xml_document parse_xml(std::string_view text, std::string_view root) {
  constexpr int depth_limit = 16;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {  // the parser recurses to this depth
    if (text[i] == '<' && text[i + 1] == '/') --depth;
    if (text[i] == '<' && text[i + 1] != '/' && text[i + 1] != '?' && text[i + 1] != '!') ++depth;
    if (text[i] == '/' && text[i + 1] == '>') --depth;
    if (depth > depth_limit) throw Error::bad_reply("its XML is nested too deeply");
  }
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size());
  if (!result)
    throw Error::bad_reply("it is not XML (" + std::string(result.description()) + ", at byte " +
                           std::to_string(result.offset) + ")");
  if (document.document_element().name() != root)
    throw Error::bad_reply("its root is not " + std::string(root) + " (" +
                           in_quotes(document.document_element().name()) + ")");
  return document;
}

/// Parses the error in `text`. Returns empty fields if there is none.
inline ErrorReply parse_error(std::string_view text) {
  try {
    const pugi::xml_document document = parse_xml(text, "Error");
    const pugi::xml_node error = document.document_element();
    return {error.child_value("Code"), error.child_value("Message"), error.child_value("Region"),
            error.child_value("RequestId")};
  } catch (const Error&) {  // a page of a proxy, or an empty body
    return {};
  }
}

/// Returns whether a successful reply contains an error, as replies of long operations may.
inline bool holds_error(std::string_view text) {
  return text.substr(0, 4096).find("<Error>") != std::string_view::npos;
}

/// Parses a page of a listing. Throws: malformed.
inline ListPage parse_list(std::string_view text) {
  const pugi::xml_document document = parse_xml(text, "ListBucketResult");
  const pugi::xml_node list = document.document_element();
  const bool encoded = std::string_view(list.child_value("EncodingType")) == "url";
  ListPage page;
  for (const pugi::xml_node object : list.children("Contents")) {
    ListPage::Object out;
    out.key = encoded ? percent_decoded(object.child_value("Key"), true) : object.child_value("Key");
    const std::string_view size = object.child_value("Size");
    if (std::from_chars(size.data(), size.data() + size.size(), out.size).ec != std::errc())
      throw Error::bad_reply("the size of " + in_quotes(out.key) + " is not a number (" + in_quotes(size) + ")");
    out.etag = object.child_value("ETag");
    out.last_modified = object.child_value("LastModified");
    page.objects.push_back(std::move(out));
  }
  for (const pugi::xml_node folder : list.children("CommonPrefixes")) {
    const char* const prefix = folder.child_value("Prefix");
    page.folders.push_back(encoded ? percent_decoded(prefix, true) : prefix);
  }
  if (std::string_view(list.child_value("IsTruncated")) == "true") {
    page.next = list.child_value("NextContinuationToken");
    if (page.next.empty()) throw Error::bad_reply("the listing is truncated, but has no continuation token");
  }
  return page;
}

/// Parses a page of the list of uploads. Throws: malformed.
inline UploadsPage parse_uploads(std::string_view text) {
  const pugi::xml_document document = parse_xml(text, "ListMultipartUploadsResult");
  const pugi::xml_node list = document.document_element();
  const auto key = [](const char* value) { return percent_decoded(value, true); };  // Ceph encodes it without saying so
  UploadsPage page;
  for (const pugi::xml_node upload : list.children("Upload"))
    page.uploads.push_back(
        {key(upload.child_value("Key")), upload.child_value("UploadId"), upload.child_value("Initiated")});
  if (std::string_view(list.child_value("IsTruncated")) == "true")
    page.next = {key(list.child_value("NextKeyMarker")), list.child_value("NextUploadIdMarker")};
  return page;
}

/// Returns the first error that is final; empty fields if there is none. Objects that did not exist do not count.
/// Throws: an object was not removed for a transient reason.
inline ErrorReply parse_delete(std::string_view text) {
  const pugi::xml_document document = parse_xml(text, "DeleteResult");
  ErrorReply refused;
  for (const pugi::xml_node error : document.document_element().children("Error")) {
    const std::string_view code = error.child_value("Code");
    if (code == "NoSuchKey") continue;
    if (code == "InternalError" || code == "SlowDown" || code == "ServiceUnavailable")
      throw Error::bad_reply(in_quotes(error.child_value("Key")) + " was not removed (" + in_quotes(code) + ")");
    if (refused.code.empty()) refused = {error.child_value("Code"), error.child_value("Message"), {}, {}};
  }
  return refused;
}

/// Returns the text of child `name` of root `root`. Throws: there is none.
inline std::string parse_one(std::string_view text, std::string_view root, const char* name) {
  const pugi::xml_document document = parse_xml(text, root);
  std::string value = document.document_element().child_value(name);
  if (value.empty()) throw Error::bad_reply("it has no " + std::string(name));
  return value;
}

/// Returns the document as text.
inline std::string text_of(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return out.str();
}

/// Returns the document that completes an upload, by the ETags of its parts in order.
inline std::string complete_document(std::span<const std::string> etags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (std::size_t i = 0; i < etags.size(); ++i) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text().set(static_cast<unsigned>(i + 1));
    part.append_child("ETag").text().set(etags[i].c_str());
  }
  return text_of(document);
}

/// Returns the document that removes objects `keys`. The reply lists only those that were not removed.
inline std::string delete_document(std::span<const std::string> keys) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  root.append_child("Quiet").text().set("true");
  for (const std::string& key : keys) root.append_child("Object").append_child("Key").text().set(key.c_str());
  return text_of(document);
}

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
