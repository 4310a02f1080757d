#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>
#include <type_traits>
#include <utility>

#include "commands.hpp"
#include "runs.hpp"
#include "saved.hpp"

namespace tensortap_command {

namespace {

using nlohmann::json;

std::string sha256(tt::Bytes bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("dump: OpenSSL cannot compute SHA-256");
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char hex[] = "0123456789abcdef";
    out += {hex[digest[i] >> 4], hex[digest[i] & 15]};
  }
  return out;
}

/// Returns `value` as JSON. NaN and infinities become strings.
json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

/// Returns element 0 as JSON; a complex number as its two parts.
json scalar(const tt::Tensor& tensor) {
  return tt::visit_dtype(tensor.dtype(), [&]<class T>() -> json {
    [[maybe_unused]] const T value = tensor.as<T>()[0];
    if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      return {number(value.real()), number(value.imag())};
    } else if constexpr (std::is_integral_v<T>) {
      return value;
    } else {
      return number(tensor.number(0));
    }
  });
}

json index(const std::optional<std::uint64_t>& place) { return place ? json(*place) : json(); }

/// Returns how many elements are not finite, and the row-major index of the first.
json non_finite(const tt::Statistics& s) {
  return {{"nan", s.nan},
          {"positive_inf", s.positive_inf},
          {"negative_inf", s.negative_inf},
          {"first_non_finite", index(s.first_non_finite)}};
}

/// Returns all statistics.
json statistics(const tt::Statistics& s) {
  json out = non_finite(s);
  out["count"] = s.count;
  out["zeros"] = s.zeros;
  out["abs_max_index"] = index(s.abs_max_index);
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, double>>{{"min", s.min},
                                                                                         {"max", s.max},
                                                                                         {"mean", s.mean()},
                                                                                         {"std", s.std()},
                                                                                         {"abs_min", s.abs_min},
                                                                                         {"abs_max", s.abs_max},
                                                                                         {"abs_mean", s.abs_mean()},
                                                                                         {"abs_std", s.abs_std()},
                                                                                         {"sum", s.sum},
                                                                                         {"l1", s.l1()},
                                                                                         {"l2", s.l2()}})
    out[name] = number(value);
  return out;
}

/// Returns what one worker saved of a tensor in one step.
json saved(const tt::TensorHistory& tensor, std::int64_t step, const std::string& worker) {
  json out = json::object();
  const Saved what = saved_of(tensor, step, worker);
  if (what.value) {
    out["dtype"] = tt::to_string(what.value->dtype());
    if (what.value->dtype() == tt::DType::string) {
      out["list"] = what.value->strings();
    } else {
      out["sha256"] = sha256(what.value->bytes());
    }
  }
  if (what.shape) out["shape"] = *what.shape;
  for (const auto& [name, reduced] : what.reductions)
    if (reduced.size() == 1 && reduced.dtype() != tt::DType::string) out["reductions"][name] = scalar(reduced);
  if (what.has_statistics)
    out["statistics"] = statistics(*what.statistics);
  else if (what.statistics && what.statistics->non_finite() > 0)
    out["non_finite"] = non_finite(*what.statistics);
  return out;
}

json steps_of(const tt::TensorHistory& tensor) {
  json out = json::object();
  for (const std::int64_t step : tensor.steps()) {
    json workers = json::object();
    for (const std::string& worker : tensor.workers(step))
      if (json entry = saved(tensor, step, worker); !entry.empty()) workers[worker] = std::move(entry);
    if (!workers.empty()) out[std::to_string(step)] = std::move(workers);
  }
  return out;
}

}  // namespace

int dump(const std::string& run, std::ostream& out) {
  const tt::Trial trial = open_run("dump", run);
  json root;
  root["ended"] = trial.ended();
  root["workers"] = trial.workers();
  root["num_workers"] = trial.num_workers();
  root["modes"] = json::array();
  for (const tt::Mode mode : trial.modes()) root["modes"].push_back(tt::to_string(mode));
  std::sort(root["modes"].begin(), root["modes"].end());
  for (const tt::Mode mode : tt::all_modes) root["steps"][std::string(tt::to_string(mode))] = trial.steps(mode);
  root["global_to_mode"] = json::object();
  for (const std::int64_t global_step : trial.steps(tt::Mode::global, tt::Completeness::any)) {
    const tt::Step step = *trial.step(global_step);
    root["global_to_mode"][std::to_string(global_step)] = {tt::to_string(step.mode), step.mode_step};
  }
  root["collections"] = json::object();
  for (const tt::Collection& collection : trial.collections()) {
    root["collections"][collection.name] = json::parse(tt::to_json(collection));
    root["collections"][collection.name].erase("save_histogram");  // not read: it means nothing to tensortap
  }
  root["tensor_names"] = json::array();
  root["tensors"] = json::object();
  for (const tt::TensorHistory& tensor : trial.tensors()) {
    root["tensor_names"].push_back(tensor.name());
    root["tensors"][tensor.name()] = steps_of(tensor);
  }
  root["damage"] = json::array();
  for (const tt::Damage& damage : trial.damage()) root["damage"].push_back(damage.where + ": " + damage.cause);
  const tt::RunLosses lost = trial.losses();
  if (!lost.empty())
    root["losses"] = {{"steps", lost.steps},           {"tensors", lost.tensors},     {"bytes", lost.bytes},
                      {"first_step", lost.first_step}, {"last_step", lost.last_step}, {"error", lost.error}};
  out << root.dump(1, ' ', true, json::error_handler_t::replace) << '\n';
  return root["damage"].empty() && lost.empty() ? 0 : 1;
}

}  // namespace tensortap_command
