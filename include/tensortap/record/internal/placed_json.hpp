// JSON that people write: a document that knows the line of each key, so that an error can name it.
//
//   const PlacedJson document(text, "hook configuration", "debughookconfig.json");
//   const PlacedJson::Value root = document.root();
//   if (const auto interval = root.find("save_interval")) … interval->integer() …
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A document with lines. Values point into it.
class PlacedJson {
 public:
  static constexpr std::size_t size_limit = std::size_t{1} << 20;  ///< bytes
  static constexpr std::size_t depth_limit = 32;

  class Value;

  /// Reads `text`, the `what` in `file`. Throws: a syntax error, text or nesting beyond the limits, no object.
  PlacedJson(std::string_view text, std::string what, std::string file)
      : what_(std::move(what)), file_(std::move(file)) {
    if (text.size() > size_limit)
      throw Error::bad_configuration(what_, file_, 0, {},
                                     "it has " + std::to_string(text.size()) + " bytes, more than " +
                                         std::to_string(size_limit) + "; is it the right file?");
    Reader reader{*this};
    (void)nlohmann::json::sax_parse(Letters{text.data(), &line_}, Letters{text.data() + text.size(), &line_}, &reader);
    if (!reader.failure.empty()) throw Error::bad_configuration(what_, file_, line_, {}, reader.failure);
    if (!root_.is_object())
      throw Error::bad_configuration(what_, file_, 1, {}, "it is no JSON object; it begins with { and ends with }");
  }
  PlacedJson(const PlacedJson&) = delete;
  PlacedJson& operator=(const PlacedJson&) = delete;

  [[nodiscard]] Value root() const;
  /// Returns the keys that came twice in an object, with their lines; the last one counts.
  [[nodiscard]] const std::vector<std::pair<std::string, std::size_t>>& repeated() const noexcept { return repeated_; }

 private:
  /// Walks through a text and counts its lines.
  struct Letters {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    reference operator*() const { return *at; }
    Letters& operator++() {
      if (*at == '\n') ++*line;
      ++at;
      return *this;
    }
    Letters operator++(int) {
      const Letters before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Letters& a, const Letters& b) { return a.at == b.at; }
    friend bool operator!=(const Letters& a, const Letters& b) { return a.at != b.at; }

    const char* at;
    std::size_t* line;
  };

  /// Builds the document. `open` are the objects and arrays around the place that is read, with their paths.
  struct Reader final : nlohmann::json_sax<nlohmann::json> {
    explicit Reader(PlacedJson& to) : document(to) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return start(nlohmann::json::object()); }
    bool start_array(std::size_t) override { return start(nlohmann::json::array()); }
    bool end_object() override { return end(); }
    bool end_array() override { return end(); }
    bool key(string_t& name) override {
      next = std::move(name);
      const std::string path = open.back().second + '.' + next;
      if (open.back().first->contains(next)) document.repeated_.emplace_back(path.substr(1), document.line_);
      document.lines_[path] = document.line_;
      return true;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
      const std::string text = error.what();  // "[json.exception…] parse error at line 1, column 2: CAUSE"
      const std::size_t colon = text.find(": ");
      if (failure.empty()) failure = "it is not JSON: " + (colon == std::string::npos ? text : text.substr(colon + 2));
      return false;
    }

    bool put(nlohmann::json value) { return place(std::move(value)) != nullptr; }
    bool start(nlohmann::json value) {
      std::string path = open.empty() ? std::string() : path_of_next();
      if (open.size() >= depth_limit) {
        failure = "it is nested more than " + std::to_string(depth_limit) + " deep; is it the right file?";
        return false;
      }
      document.lines_.try_emplace(path, document.line_);
      open.emplace_back(place(std::move(value)), std::move(path));
      return true;
    }
    bool end() {
      open.pop_back();
      return true;
    }
    [[nodiscard]] std::string path_of_next() const {
      const auto& [around, path] = open.back();
      return around->is_array() ? path + '[' + std::to_string(around->size()) + ']' : path + '.' + next;
    }
    nlohmann::json* place(nlohmann::json value) {
      if (open.empty()) return &(document.root_ = std::move(value));
      nlohmann::json& around = *open.back().first;
      if (!around.is_array()) return &(around[next] = std::move(value));
      around.push_back(std::move(value));
      return &around.back();
    }

    PlacedJson& document;
    std::vector<std::pair<nlohmann::json*, std::string>> open = {};
    std::string next = {};  // key
    std::string failure = {};
  };

  std::string what_;
  std::string file_;
  std::size_t line_ = 1;
  nlohmann::json root_;
  std::map<std::string, std::size_t> lines_;  // by path
  std::vector<std::pair<std::string, std::size_t>> repeated_;
};

/// A value of the document. Its functions throw errors that name the file, the line and the key.
class PlacedJson::Value {
 public:
  Value(const PlacedJson& document, const nlohmann::json& value, std::string path)
      : document_(&document), value_(&value), path_(std::move(path)) {}

  [[nodiscard]] const nlohmann::json& json() const noexcept { return *value_; }
  [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
  /// Returns the name, with the names around it: "HookParameters.save_interval".
  [[nodiscard]] std::string path() const { return path_.empty() ? path_ : path_.substr(1); }

  /// Returns the line of the key, or of the value around it that has one.
  [[nodiscard]] std::size_t line() const {
    for (std::string path = path_;; path.resize(path.find_last_of(".["))) {
      if (const auto found = document_->lines_.find(path); found != document_->lines_.end()) return found->second;
      if (path.find_last_of(".[") == std::string::npos) return 1;
    }
  }

  /// Returns the error of this value. `cause` may end with a way out after a semicolon; the value is put before that.
  [[nodiscard]] Error wrong(std::string_view cause) const {
    constexpr std::size_t longest = 60;
    std::string text(cause);
    if (!value_->is_structured()) {
      std::string value = value_->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
      if (value.size() > longest) value = value.substr(0, longest) + "…";
      text.insert(std::min(text.find(';'), text.size()), " (" + value + ")");
    }
    return Error::bad_configuration(document_->what_, document_->file_, line(), path(), text);
  }

  /// Returns "FILE: line N: KEY: text", for warnings.
  [[nodiscard]] std::string note(std::string_view text) const {
    return in_quotes(document_->file_) + ": line " + std::to_string(line()) + ": " + path() + ": " + std::string(text);
  }

  /// Returns the member called `key`; nullopt if there is none or it is null. Throws: this is no object.
  [[nodiscard]] std::optional<Value> find(std::string_view key) const {
    require_object();
    const auto found = value_->find(key);
    if (found == value_->end() || found->is_null()) return std::nullopt;
    return Value(*document_, *found, path_ + '.' + std::string(key));
  }

  /// Returns the members, those that are null too. Throws: this is no object.
  [[nodiscard]] std::vector<std::pair<std::string, Value>> members() const {
    require_object();
    std::vector<std::pair<std::string, Value>> out;
    for (const auto& [key, value] : value_->items()) out.emplace_back(key, Value(*document_, value, path_ + '.' + key));
    return out;
  }

  /// Returns the elements. Throws: this is no array.
  [[nodiscard]] std::vector<Value> elements() const {
    if (!value_->is_array()) throw wrong("it must be an array, in [ and ]");
    std::vector<Value> out;
    for (std::size_t i = 0; i < value_->size(); ++i)
      out.emplace_back(*document_, (*value_)[i], path_ + '[' + std::to_string(i) + ']');
    return out;
  }

  void require_object() const {
    if (!value_->is_object()) throw wrong("it must be an object, in { and }");
  }

  [[nodiscard]] std::string text() const {
    if (!value_->is_string()) throw wrong("it must be a text in quotation marks");
    return value_->get<std::string>();
  }

  /// Returns the integer: a number, whose fraction is cut off, or a text that is an integer.
  [[nodiscard]] std::int64_t integer() const {
    constexpr double limit = 9.2e18;
    if (value_->is_number_unsigned() && value_->get<std::uint64_t>() > INT64_MAX) throw wrong("it is too large");
    if (value_->is_number_integer()) return value_->get<std::int64_t>();
    if (value_->is_number_float()) {
      const double number = value_->get<double>();
      if (!(std::abs(number) < limit)) throw wrong("it is too large");
      return static_cast<std::int64_t>(number);
    }
    const auto parsed = value_->is_string() ? parse_integer(value_->get<std::string>()) : std::nullopt;
    if (!parsed) throw wrong("it must be an integer");
    return *parsed;
  }

  /// Returns the flag: true or false, as such or as text.
  [[nodiscard]] bool flag() const {
    if (value_->is_boolean()) return value_->get<bool>();
    const std::string text = value_->is_string() ? value_->get<std::string>() : std::string();
    if (text == "true" || text == "True") return true;
    if (text == "false" || text == "False") return false;
    throw wrong("it must be true or false");
  }

  /// Returns the parts of a text between commas, without blanks at their ends.
  [[nodiscard]] std::vector<std::string> list() const {
    const std::string all = text();
    std::vector<std::string> out;
    for (std::size_t begin = 0; begin <= all.size();) {
      const std::size_t end = std::min(all.find(',', begin), all.size());
      out.push_back(stripped(all.substr(begin, end - begin)));
      begin = end + 1;
    }
    return out;
  }

  /// Returns the integers of a text with commas.
  [[nodiscard]] std::vector<std::int64_t> integers() const {
    std::vector<std::int64_t> out;
    for (const std::string& part : list()) {
      const auto parsed = parse_integer(part);
      if (!parsed) throw wrong("it must be a list of integers with commas between them: \"1, 2, 3\"");
      out.push_back(*parsed);
    }
    return out;
  }

  /// Returns a warning for each member that is none of `known`.
  [[nodiscard]] std::vector<std::string> unknown(const std::vector<std::string>& known) const {
    std::vector<std::string> out;
    for (const auto& [key, value] : members()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string meant = nearest(key, known);
      out.push_back(
          value.note("the key is not known" + (meant.empty() ? "" : "; did you mean " + in_quotes(meant) + "?")));
    }
    return out;
  }

 private:
  static std::string stripped(std::string_view text) {
    constexpr std::string_view blanks = " \t\n\r\f\v";
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(blanks) - begin + 1));
  }

  static std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::string digits = stripped(text);
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.erase(0, 1);
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
    return out;
  }

  const PlacedJson* document_;
  const nlohmann::json* value_;
  std::string path_;
};

inline PlacedJson::Value PlacedJson::root() const { return {*this, root_, {}}; }

/// Returns the content of a file, or a little more than a document may have. nullopt: it cannot be read.
inline std::optional<std::string> text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string out(PlacedJson::size_limit + 1, '\0');
  if (!file.is_open()) return std::nullopt;
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (file.bad()) return std::nullopt;
  out.resize(static_cast<std::size_t>(file.gcount()));
  return out;
}

/// Returns the text of the `what` and its name for messages: the text itself, if it begins with {, else the file of
/// this name. Throws: the file cannot be read.
inline std::pair<std::string, std::string> text_or_file(std::string_view path_or_text, std::string_view what) {
  const std::size_t begin = path_or_text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && path_or_text[begin] == '{') return {std::string(path_or_text), "the text"};
  std::string path(path_or_text);
  auto text = text_of_file(path);
  if (!text)
    throw Error::bad_configuration(what, path, 0, {}, "it cannot be read; correct its name, or its permissions");
  return {std::move(*text), std::move(path)};
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
