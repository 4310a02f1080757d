// The golden runs: what Python smdebug wrote, read as plain files, for tests to compare with.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tensortap/tensortap.hpp>

namespace golden {

/// Every file of a run by its path in the run.
using Files = std::map<std::string, std::string>;

inline std::filesystem::path directory() { return std::filesystem::path(TENSORTAP_TEST_DATA_DIR) / "golden"; }

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Files files_of(const std::string& run) {
  Files files;
  const auto root = directory() / run;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file())
      files[std::filesystem::relative(entry.path(), root).generic_string()] = read_file(entry.path());
  return files;
}

/// The names of all runs that have an expectation.
inline std::vector<std::string> runs() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    const std::string file = entry.path().filename().string();
    const std::string suffix = ".expected.json";
    if (!file.ends_with(suffix)) continue;
    std::string name = file.substr(0, file.size() - suffix.size());
    std::replace(name.begin(), name.end(), '.', '/');  // spot.run1 is spot/run1
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The files as a store.
inline std::shared_ptr<tensortap::MemoryStore> store_of(const Files& files) {
  auto store = std::make_shared<tensortap::MemoryStore>();
  for (const auto& [key, content] : files) store->put(key, content);
  return store;
}

/// One record of an events file and where it lies.
struct Record {
  tensortap::Event event;
  std::size_t start = 0;
  std::size_t length = 0;
};

inline std::vector<Record> records_of(const std::string& events_file) {
  std::vector<Record> records;
  const auto bytes = tensortap::bytes_of(events_file);
  for (std::size_t at = 0; at < bytes.size();) {
    const auto payload = tensortap::tfrecord::payload(bytes.subspan(at), "golden");
    const std::size_t length = payload.size() + tensortap::tfrecord::header_size + tensortap::tfrecord::footer_size;
    records.push_back({tensortap::parse_event(payload), at, length});
    at += length;
  }
  return records;
}

}  // namespace golden
