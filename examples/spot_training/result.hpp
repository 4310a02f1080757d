// The result of a training, as a JSON file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

namespace spot_training {

struct Result {
  std::size_t train_steps = 0, eval_steps = 0;  ///< of all attempts
  std::string checksum;                         ///< of the weights
  double accuracy = 0;                          ///< share of correctly classified test images
  double hook_seconds = 0;                      ///< time of the hook in the steps of this process
  double learning_seconds = 0;                  ///< time of everything else in them
  double commit_seconds = 0;                    ///< time of commits and of the close

  double hook_share() const { return learning_seconds > 0 ? hook_seconds / learning_seconds : 0; }
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Result, train_steps, eval_steps, checksum, accuracy, hook_seconds, learning_seconds,
                                   commit_seconds)

inline void write_result(const Result& result, const std::filesystem::path& path) {
  std::ofstream file(path);
  file << nlohmann::json(result).dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("write: " + path.string() + ": failed; check the folder");
}

/// Reads a result. Throws: the file is missing or malformed.
inline Result read_result(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("read: " + path.string() + ": cannot be opened; let a training write it first");
  return nlohmann::json::parse(file).get<Result>();
}

}  // namespace spot_training
