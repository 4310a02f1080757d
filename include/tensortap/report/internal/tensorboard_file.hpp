// An event file of TensorBoard: TensorFlow's messages in TFRecord frames, whose footers are true checksums.
// Source: TensorBoard's event.proto, summary.proto, and plugin_data.proto of the plugin "hparams".
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <ios>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/internal/event_fields.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/report/internal/histogram_rows.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace field {
inline constexpr std::uint32_t event_file_version = 3, value_simple = 2, metadata_data_class = 4;
inline constexpr std::uint32_t hparams_start = 3, hparams_end = 4;               // of HParamsPluginData
inline constexpr std::uint32_t start_hparams = 1, start_time = 5;                // of SessionStartInfo
inline constexpr std::uint32_t end_status = 1, end_time = 2;                     // of SessionEndInfo
inline constexpr std::uint32_t map_key = 1, map_value = 2;                       // of an entry of a map
inline constexpr std::uint32_t any_number = 2, any_string = 3, any_boolean = 4;  // of google.protobuf.Value
}  // namespace field

/// The values of a run of TensorBoard, which is one directory. The file is made with the first value.
class TensorBoardFile {
 public:
  /// `facts` are the hyperparameters; values that are numbers become such.
  TensorBoardFile(std::filesystem::path directory, const std::map<std::string, std::string>* facts)
      : directory_(std::move(directory)), facts_(facts) {}

  /// The step of what follows. Units: seconds since 1970.
  void begin_step(std::int64_t step, double wall_time) {
    step_ = step;
    wall_time_ = std::isfinite(wall_time) ? wall_time : 0;
    if (path_.empty()) begin_file();
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

  /// Ends the file. Returns whether there is one. Throws: it cannot be written.
  bool finish(bool has_ended) {
    if (path_.empty()) return false;
    if (has_ended && !facts_->empty()) {
      std::string info;
      constexpr int success = 1;
      wire::put_integer(info, field::end_status, success);
      wire::put_double(info, field::end_time, wall_time_);
      put_hparams("_hparams_/session_end_info", field::hparams_end, info);
    }
    flush();
    return true;
  }

 private:
  enum class Kind : std::uint8_t { scalar, histogram };

  static constexpr std::size_t buffer_size = std::size_t{1} << 20;
  static constexpr std::int64_t type_float = 1, type_double = 2;  // of TensorFlow's DataType

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

  /// Returns the tag of the curve or histogram `name` of `tensor`, and whether it is new. A tag belongs to one tensor
  /// and has one kind: what comes later than another that is called alike gets a tilde.
  std::pair<std::string, bool> tag_of(const std::string& tensor, const std::string& name, Kind kind) {
    std::string tag = name.empty() ? "_" : is_utf8(name) ? name : escaped(name);
    for (;; tag += '~') {
      const auto [at, is_new] = tags_.try_emplace(tag, tensor, kind);
      if (at->second == std::pair(tensor, kind)) return {tag, is_new};
    }
  }

  void begin_file() {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) throw Error::export_failed(0);
    constexpr double last = 9999999999;
    const std::string seconds = std::to_string(static_cast<std::int64_t>(std::clamp(wall_time_, 0.0, last)));
    path_ = directory_ / ("events.out.tfevents." + std::string(10 - seconds.size(), '0') + seconds + ".tensortap.0.0");
    put_event(0, field::event_file_version, "brain.Event:2");
    if (facts_->empty()) return;
    std::string info;
    for (const auto& [name, text] : *facts_) {
      std::string entry;
      wire::put_bytes(entry, field::map_key, name);
      wire::put_bytes(entry, field::map_value, any_message(text));
      wire::put_bytes(info, field::start_hparams, entry);
    }
    wire::put_double(info, field::start_time, wall_time_);
    put_hparams("_hparams_/session_start_info", field::hparams_start, info);
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
    buffer_.append(reinterpret_cast<const char*>(header.data()), header.size());
    buffer_ += event;
    append_raw(buffer_, masked(crc32c(bytes_of(event))));
    ++events_;
    if (buffer_.size() >= buffer_size) flush();
  }

  /// Opens the file for each MiB, so that no number of workers needs too many open files.
  void flush() {
    std::ofstream file(path_, std::ios::binary | std::ios::app);
    file.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    file.close();
    if (!file) throw Error::export_failed(events_);
    buffer_.clear();
  }

  std::filesystem::path directory_, path_;
  const std::map<std::string, std::string>* facts_;
  std::map<std::string, std::pair<std::string, Kind>> tags_;
  std::int64_t step_ = 0;
  double wall_time_ = 0;
  std::uint64_t events_ = 0;
  std::string buffer_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
