// Reads the members of job.json. What is wrong is told with its place: "Attempts[2].ExitCode: it must be …".
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/job_record.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

using OrderedJson = nlohmann::ordered_json;

/// Returns the cause in the message of a JSON library, without the library's own words before it.
inline std::string cause_in(std::string_view message) {
  const std::size_t end = message.starts_with("[json") ? message.find("] ") : std::string_view::npos;
  return std::string(end == std::string_view::npos ? message : message.substr(end + 2));
}

/// An object of the record. Its functions throw std::runtime_error. Lifetime: that of the JSON.
class RecordReader {
 public:
  explicit RecordReader(const OrderedJson& object, std::string path = {}) : object_(object), path_(std::move(path)) {
    if (!object_.is_object())
      throw std::runtime_error((path_.empty() ? "it" : path_) + " must be an object, in { and }");
  }

  /// Returns the member `key`. Throws: there is none; it is of another kind or out of range.
  template <class T>
  [[nodiscard]] T required(const char* key) const {
    const OrderedJson* const found = find(key);
    if (found == nullptr) throw std::runtime_error(place(key) + " is missing");
    return read<T>(*found, key);
  }
  template <class T>
  [[nodiscard]] std::optional<T> optional(const char* key) const {
    const OrderedJson* const found = find(key);
    return found == nullptr ? std::nullopt : std::optional<T>(read<T>(*found, key));
  }
  template <class T>
  [[nodiscard]] T value(const char* key, T otherwise = {}) const {
    const OrderedJson* const found = find(key);
    return found == nullptr ? otherwise : read<T>(*found, key);
  }

  /// Returns the object `key`; nullopt: there is none.
  [[nodiscard]] std::optional<RecordReader> object(const char* key) const {
    const OrderedJson* const found = find(key);
    return found == nullptr ? std::nullopt : std::optional<RecordReader>(std::in_place, *found, place(key));
  }

  /// Calls `take` with each element of the array `key` and its place.
  template <class Take>
  void each(const char* key, const Take& take) const {
    const OrderedJson* const found = find(key);
    if (found == nullptr) return;
    if (!found->is_array()) throw wrong(key, "an array, in [ and ]");
    std::size_t i = 0;
    for (const OrderedJson& one : *found) take(one, place(key) + '[' + std::to_string(i++) + ']');
  }

  /// Returns the status of the job.
  [[nodiscard]] JobStatus job_status(const char* key) const {
    const auto name = required<std::string>(key);
    for (const JobStatus status :
         {JobStatus::in_progress, JobStatus::completed, JobStatus::failed, JobStatus::stopping, JobStatus::stopped})
      if (name == to_string(status)) return status;
    throw wrong(key, "InProgress, Completed, Failed, Stopping or Stopped");
  }

 private:
  [[nodiscard]] const OrderedJson* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  [[nodiscard]] std::string place(const char* key) const { return path_.empty() ? key : path_ + '.' + key; }

  [[nodiscard]] std::runtime_error wrong(const char* key, const std::string& wanted) const {
    constexpr std::size_t longest = 60;
    std::string value = find(key)->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (value.size() > longest) value = value.substr(0, longest) + "…";
    return std::runtime_error(place(key) + " must be " + wanted + ", not " + value);
  }

  template <class T>
  [[nodiscard]] T read(const OrderedJson& from, const char* key) const {
    if constexpr (std::is_same_v<T, std::string>) {
      if (!from.is_string()) throw wrong(key, "a text");
      return from.get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!from.is_boolean()) throw wrong(key, "true or false");
      return from.get<bool>();
    } else if constexpr (std::is_same_v<T, double>) {
      constexpr double most = 1e12;  // seconds: later than the year 30000
      const double out = from.is_number() ? from.get<double>() : -1;
      if (!(out >= 0 && out <= most)) throw wrong(key, "a number of seconds from 0 to 1e12");
      return out;
    } else {
      using Limits = std::numeric_limits<T>;
      const bool is_too_large =
          from.is_number_unsigned() && from.get<std::uint64_t>() > static_cast<std::uint64_t>(Limits::max());
      if (!from.is_number_integer() || is_too_large || from.get<std::int64_t>() < Limits::min() ||
          from.get<std::int64_t>() > Limits::max())
        throw wrong(key, "an integer from " + std::to_string(Limits::min()) + " to " + std::to_string(Limits::max()));
      return from.get<T>();
    }
  }

  const OrderedJson& object_;
  std::string path_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
