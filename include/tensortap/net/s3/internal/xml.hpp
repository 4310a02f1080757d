// The XML of S3: what the replies say, and the few documents that are sent. No entity but XML's own five is ever
// expanded.
//
// Not for users: S3Store is the way in.
#pragma once

#include <pugixml.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

/// What an <Error> says.
struct ErrorReply {
  std::string code;
  std::string message;
  std::string region;      // where the bucket is, if that was wrong
  std::string request_id;  // for the server's people
};

/// One page of a listing. Keys are as in the bucket.
struct ListPage {
  struct Object {
    std::string key;
    std::uint64_t size = 0;
    std::string etag;
    std::string last_modified;  // as in ISO 8601
  };
  std::vector<Object> objects;
  std::vector<std::string> folders;  // if they were asked for: what keys begin with, up to and with a '/'
  std::string next;                  // where the next page begins; empty: this was the last
};

/// A multipart upload under way.
struct Upload {
  std::string key;
  std::string id;
};
struct UploadsPage {
  std::vector<Upload> uploads;
  Upload next;  // after which the next page begins; no key: this was the last
};

/// The document in `text`, whose root is to be `root`. Throws: it is none, it has another root, or elements within
/// elements beyond any that S3 sends.
inline pugi::xml_document parse_xml(std::string_view text, std::string_view root) {
  constexpr int depth_limit = 16;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {  // a recursion within the parser would follow this depth
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
    throw Error::bad_reply("it is no " + std::string(root) + " (" + in_quotes(document.document_element().name()) +
                           ")");
  return document;
}

/// The error in `text`; nothing known if there is none in it.
inline ErrorReply parse_error(std::string_view text) {
  try {
    const pugi::xml_document document = parse_xml(text, "Error");
    const pugi::xml_node error = document.document_element();
    return {error.child_value("Code"), error.child_value("Message"), error.child_value("Region"),
            error.child_value("RequestId")};
  } catch (const Error&) {  // a proxy's page, or nothing at all
    return {};
  }
}

/// Whether a reply of success holds an error, as those of long operations do.
inline bool holds_error(std::string_view text) {
  return text.substr(0, 4096).find("<Error>") != std::string_view::npos;
}

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
      throw Error::bad_reply("the size of " + in_quotes(out.key) + " is no number (" + in_quotes(size) + ")");
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
    if (page.next.empty()) throw Error::bad_reply("the listing goes on, but it does not say where");
  }
  return page;
}

inline UploadsPage parse_uploads(std::string_view text) {
  const pugi::xml_document document = parse_xml(text, "ListMultipartUploadsResult");
  const pugi::xml_node list = document.document_element();
  const auto key = [](const char* value) { return percent_decoded(value, true); };  // Ceph does not say that it is
  UploadsPage page;
  for (const pugi::xml_node upload : list.children("Upload"))
    page.uploads.push_back({key(upload.child_value("Key")), upload.child_value("UploadId")});
  if (std::string_view(list.child_value("IsTruncated")) == "true")
    page.next = {key(list.child_value("NextKeyMarker")), list.child_value("NextUploadIdMarker")};
  return page;
}

/// Why the first object that must not be removed was not; nothing known if there is none. Those that were not there do
/// not count. Throws: one was not removed that may be when it is asked for again.
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

/// The text of child `name` of root `root`, which has to have some.
inline std::string parse_one(std::string_view text, std::string_view root, const char* name) {
  const pugi::xml_document document = parse_xml(text, root);
  std::string value = document.document_element().child_value(name);
  if (value.empty()) throw Error::bad_reply("it has no " + std::string(name));
  return value;
}

inline std::string text_of(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return out.str();
}

/// What makes one object of parts, by their ETags in order.
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

/// What removes objects `keys`, and tells of those alone that it cannot.
inline std::string delete_document(std::span<const std::string> keys) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  root.append_child("Quiet").text().set("true");
  for (const std::string& key : keys) root.append_child("Object").append_child("Key").text().set(key.c_str());
  return text_of(document);
}

}  // namespace s3

}  // namespace detail
TENSORTAP_END_NAMESPACE
