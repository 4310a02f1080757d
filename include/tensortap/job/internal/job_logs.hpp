// The output of a job's program, kept for each attempt and worker, and merged across machines.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/job/internal/job_data.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The output of the program: one file for each attempt and worker, and all of them merged. Threads: one appends, one
/// publishes.
class JobLogs {
 public:
  /// `directory`: where the files of this machine are written; the store's own, if it is a directory.
  JobLogs(std::shared_ptr<Store> store, std::string directory, bool is_remote)
      : store_(std::move(store)), directory_(std::move(directory)), is_remote_(is_remote) {}

  /// Appends to the file of an attempt. A disk that is full does not end the job.
  void append(std::int64_t attempt, const std::string& host, std::string_view text) {
    const std::string key = JobLayout::attempt_log(attempt, host);
    const std::lock_guard lock(mutex_);
    Descriptor& file = files_[key];
    if (!file) {
      const std::string path = JobNames::below(directory_, key);
      std::error_code ignored;
      std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
      file = above_standard_streams(
          Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)));
    }
    while (file && !text.empty()) {
      const ssize_t n = uninterrupted([&] { return ::write(file.get(), text.data(), text.size()); });
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    changed_[key] = true;
  }

  /// Copies what has changed to a remote store. Throws: that is not possible.
  void publish() {
    if (!is_remote_) return;
    std::vector<std::string> keys;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [key, changed] : changed_)
        if (std::exchange(changed, false)) keys.push_back(key);
    }
    for (const std::string& key : keys) put_file(*store_, key, JobNames::below(directory_, key));
  }

  /// Writes the output of all attempts, on all machines, as one file. Throws: that is not possible.
  void merge() {
    publish();
    const std::string path = JobNames::below(directory_, ".output.tmp");
    {
      const Descriptor file = above_standard_streams(
          Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)));
      for (const ObjectInfo& object : store_->list(JobLayout::logs))
        if (object.key != JobLayout::merged_log && object.key.ends_with(".log")) append_log(file.get(), object);
    }
    put_file(*store_, JobLayout::merged_log, path);
    ::unlink(path.c_str());
  }

 private:
  static void write_all(int file, std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = uninterrupted([&] { return ::write(file, text.data(), text.size()); });
      if (n <= 0) throw Error::io("job: logs", "output.log", std::generic_category().message(errno) + "; free space");
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  /// Appends a log in parts, with its name above it.
  void append_log(int file, const ObjectInfo& object) const {
    constexpr std::uint64_t part = std::uint64_t{4} << 20;
    constexpr std::size_t suffix = 4;  // ".log"
    const std::size_t begin = JobLayout::logs.size();
    write_all(file, "==> " + object.key.substr(begin, object.key.size() - begin - suffix) + " <==\n");
    char last = '\n';
    for (std::uint64_t start = 0; start < object.size; start += part) {
      const auto bytes = store_->get(object.key, {start, part});
      if (!bytes || bytes->empty()) break;
      write_all(file, text_of(*bytes));
      last = static_cast<char>(bytes->back());
    }
    if (last != '\n') write_all(file, "\n");
  }

  const std::shared_ptr<Store> store_;
  const std::string directory_;
  const bool is_remote_;
  std::mutex mutex_;  // guards the members below
  std::map<std::string, Descriptor> files_;
  std::map<std::string, bool> changed_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
