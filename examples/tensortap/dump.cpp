#include <openssl/evp.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;
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

/// Returns element 0 as JSON. NaN and infinities become strings.
json scalar(const tt::Tensor& tensor) {
  switch (tensor.dtype()) {
    case tt::DType::boolean: return tensor.as<bool>()[0];
    case tt::DType::i64: return tensor.as<std::int64_t>()[0];
    case tt::DType::u64: return tensor.as<std::uint64_t>()[0];
    default: break;
  }
  const double value = tensor.number(0);
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (!tt::is_floating(tensor.dtype())) return static_cast<std::int64_t>(value);
  return value;
}

/// Returns what one worker saved of a tensor in one step.
json saved(const tt::TensorHistory& tensor, std::int64_t step, const std::string& worker) {
  json out = json::object();
  if (const auto value = tensor.value(step, worker)) {
    out["dtype"] = tt::to_string(value->dtype());
    out["shape"] = value->shape();
    if (value->dtype() == tt::DType::string) {
      out["list"] = value->strings();
    } else {
      out["sha256"] = sha256(value->bytes());
    }
  } else if (const auto shape = tensor.shape(step, worker)) {
    out["shape"] = *shape;
  }
  for (const auto& [name, reduced] : tensor.saved_reductions(step, worker))
    if (reduced.size() == 1 && reduced.dtype() != tt::DType::string) out["reductions"][name] = scalar(reduced);
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
  const tt::Trial trial(run);
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
  for (const tt::Collection& collection : trial.collections())
    root["collections"][collection.name] = json::parse(tt::to_json(collection));
  root["tensor_names"] = json::array();
  root["tensors"] = json::object();
  for (const tt::TensorHistory& tensor : trial.tensors()) {
    root["tensor_names"].push_back(tensor.name());
    root["tensors"][tensor.name()] = steps_of(tensor);
  }
  root["damage"] = json::array();
  for (const tt::Damage& damage : trial.damage()) root["damage"].push_back(damage.where + ": " + damage.cause);
  out << root.dump(1, ' ', true, json::error_handler_t::replace) << '\n';
  return 0;
}

}  // namespace tensortap_command
