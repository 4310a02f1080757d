// The events of TensorBoard's files: TensorFlow's messages in TFRecord frames, whose footers are true checksums.
// Source: TensorBoard's event.proto, summary.proto, and plugin_data.proto of the plugin "hparams".
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/internal/event_fields.hpp>
#include <tensortap/record/internal/histogram_rows.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/record/tfrecord.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace field {
inline constexpr std::uint32_t event_file_version = 3, event_session_log = 7, session_status = 1;
inline constexpr std::uint32_t value_simple = 2, metadata_data_class = 4;
inline constexpr std::uint32_t hparams_start = 3, hparams_end = 4;               // of HParamsPluginData
inline constexpr std::uint32_t start_hparams = 1, start_time = 5;                // of SessionStartInfo
inline constexpr std::uint32_t end_status = 1, end_time = 2;                     // of SessionEndInfo
inline constexpr std::uint32_t map_key = 1, map_value = 2;                       // of an entry of a map
inline constexpr std::uint32_t any_number = 2, any_string = 3, any_boolean = 4;  // of google.protobuf.Value
}  // namespace field

/// Encodes the events of one directory of TensorBoard, which shows them as one run.
class TensorBoardEvents {
 public:
  enum class Kind : std::uint8_t { scalar, histogram, text };
  /// What has a tag.
  struct Tagged {
    std::string tensor;
    Kind kind;
    bool is_described = false;  ///< its metadata was added
  };
  using Tags = std::map<std::string, Tagged>;

  /// The tags so far; those of an earlier attempt keep their meaning.
  [[nodiscard]] const Tags& tags() const noexcept { return tags_; }
  void add_tag(std::string tag, std::string tensor, Kind kind) {
    tags_.try_emplace(std::move(tag), Tagged{std::move(tensor), kind});
  }
  /// Adds all metadata again, for a file without those before it.
  void describe_again() noexcept {
    for (auto& [tag, of] : tags_) of.is_described = false;
  }

  /// The step of what follows. Units: seconds since 1970.
  void begin_step(std::int64_t step, double wall_time) {
    step_ = step;
    wall_time_ = std::isfinite(wall_time) ? wall_time : 0;
  }
  [[nodiscard]] double wall_time() const noexcept { return wall_time_; }

  /// Adds the first event of a file.
  void add_version() { put_event(0, field::event_file_version, "brain.Event:2"); }

  /// Says that a process writes from `step` on: a reader drops what it has of this step and later ones, unless this is
  /// the first process.
  void add_session_start(std::int64_t step) {
    std::string log;
    constexpr int start = 1;
    wire::put_integer(log, field::session_status, start);
    put_event(step, field::event_session_log, log);
  }

  /// Adds the hyperparameters; values that are numbers become such.
  void add_hparams_start(const std::map<std::string, std::string>& facts) {
    if (facts.empty()) return;
    std::string info;
    for (const auto& [name, text] : facts) {
      std::string entry;
      wire::put_bytes(entry, field::map_key, name);
      wire::put_bytes(entry, field::map_value, any_message(text));
      wire::put_bytes(info, field::start_hparams, entry);
    }
    wire::put_double(info, field::start_time, wall_time_);
    put_hparams("_hparams_/session_start_info", field::hparams_start, info);
  }

  void add_hparams_end() {
    std::string info;
    constexpr int success = 1;
    wire::put_integer(info, field::end_status, success);
    wire::put_double(info, field::end_time, wall_time_);
    put_hparams("_hparams_/session_end_info", field::hparams_end, info);
  }

  /// Adds a point to the curve `name`, which belongs to `tensor`.
  void add_scalar(const std::string& tensor, const std::string& name, double number) {
    std::string value;
    wire::put_bytes(value, field::value_tag, tag_of(tensor, name, Kind::scalar).first);
    wire::put_tag(value, field::value_simple, wire::Type::fixed32);
    append_raw(value, static_cast<float>(number));
    put_value(value);
  }

  void add_histogram(const std::string& tensor, const HistogramRows& histogram) {
    const auto [tag, is_first] = tag_of(tensor, tensor, Kind::histogram);
    std::string content;
    for (const auto& row : histogram.rows)
      for (const double number : row) append_raw(content, number);
    std::string value;
    wire::put_bytes(value, field::value_tag, tag);
    wire::put_bytes(value, field::value_tensor,
                    tensor_message(type_double, {HistogramRows::buckets, std::size_t{3}}, content));
    if (is_first) put_metadata(value, "histograms", {});
    put_value(value);
  }

  /// Adds a text in Markdown.
  void add_text(const std::string& name, std::string_view text) {
    const auto [tag, is_first] = tag_of({}, name, Kind::text);
    std::string value, message = tensor_message(type_string, {1}, {});
    wire::put_bytes(message, field::string_val, is_utf8(text) ? text : escaped(text));
    wire::put_bytes(value, field::value_tag, tag);
    wire::put_bytes(value, field::value_tensor, message);
    if (is_first) put_metadata(value, "text", {});
    put_value(value);
  }

  /// The events that were added and not yet taken, framed.
  [[nodiscard]] std::string& bytes() noexcept { return bytes_; }
  /// The number of events so far.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  static constexpr std::int64_t type_float = 1, type_double = 2, type_string = 7;  // of TensorFlow's DataType

  template <class T>
  static void append_raw(std::string& out, T number) {
    char raw[sizeof number];
    std::memcpy(raw, &number, sizeof number);
    out.append(raw, sizeof number);
  }

  static std::string tensor_message(std::int64_t type, std::initializer_list<std::size_t> shape,
                                    std::string_view content) {
    std::string extents;
    for (const std::size_t extent : shape) {
      std::string one;
      wire::put_integer(one, field::dim_size, static_cast<std::int64_t>(extent));
      wire::put_bytes(extents, field::shape_dim, one);
    }
    std::string out;
    wire::put_integer(out, field::tensor_dtype, type);
    wire::put_bytes(out, field::tensor_shape, extents);
    if (!content.empty()) wire::put_bytes(out, field::tensor_content, content);
    return out;
  }

  /// Without a class of data, TensorBoard drops a tensor silently.
  static void put_metadata(std::string& value, std::string_view plugin, std::string_view content) {
    std::string data, metadata;
    wire::put_bytes(data, field::plugin_name, plugin);
    if (!content.empty()) wire::put_bytes(data, field::plugin_content, content);
    wire::put_bytes(metadata, field::metadata_plugin, data);
    constexpr int class_tensor = 2;
    wire::put_integer(metadata, field::metadata_data_class, class_tensor);
    wire::put_bytes(value, field::value_metadata, metadata);
  }

  /// Returns the tag of the curve or histogram `name` of `tensor`, and whether it needs metadata. A tag belongs to one
  /// tensor and has one kind: what comes later than another that is called alike gets a tilde.
  std::pair<std::string, bool> tag_of(const std::string& tensor, const std::string& name, Kind kind) {
    std::string tag = name.empty() ? "_" : is_utf8(name) ? name : escaped(name);
    for (;; tag += '~') {
      Tagged& found = tags_.try_emplace(tag, Tagged{tensor, kind}).first->second;
      if (found.tensor == tensor && found.kind == kind) return {tag, !std::exchange(found.is_described, true)};
    }
  }

  static std::string any_message(const std::string& text) {
    std::string out;
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(number)) {
      wire::put_tag(out, field::any_number, wire::Type::fixed64);  // of several kinds of values, 0 is not left out
      append_raw(out, number);
    } else if (text == "true" || text == "false") {
      wire::put_tag(out, field::any_boolean, wire::Type::varint);
      wire::put_varint(out, text == "true" ? 1 : 0);
    } else {
      wire::put_bytes(out, field::any_string, is_utf8(text) ? text : escaped(text));
    }
    return out;
  }

  void put_hparams(std::string_view tag, std::uint32_t kind, const std::string& info) {
    std::string content, value;
    wire::put_bytes(content, kind, info);
    wire::put_bytes(value, field::value_tag, tag);
    wire::put_bytes(value, field::value_tensor, tensor_message(type_float, {0}, {}));
    put_metadata(value, "hparams", content);
    put_event(0, field::event_summary, summary_of(value));
  }

  static std::string summary_of(const std::string& value) {
    std::string out;
    wire::put_bytes(out, field::summary_value, value);
    return out;
  }

  void put_value(const std::string& value) { put_event(step_, field::event_summary, summary_of(value)); }

  void put_event(std::int64_t step, std::uint32_t kind, std::string_view content) {
    std::string event;
    wire::put_double(event, field::event_wall_time, wall_time_);
    wire::put_integer(event, field::event_step, step);
    wire::put_bytes(event, kind, content);
    const auto header = tfrecord::header(event.size());
    bytes_.append(reinterpret_cast<const char*>(header.data()), header.size());
    bytes_ += event;
    append_raw(bytes_, masked(crc32c(bytes_of(event))));
    ++count_;
  }

  Tags tags_;
  std::int64_t step_ = 0;
  double wall_time_ = 0;
  std::uint64_t count_ = 0;
  std::string bytes_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
