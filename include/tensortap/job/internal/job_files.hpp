// Small files and folders of a job on this machine.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/internal/usable_directory.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the seconds since 1970, in whole milliseconds.
inline double job_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) / 1000;
}

/// Makes a directory and those above it. Throws: that is not possible.
inline void make_job_directory(const std::string& path) {
  if (const std::string cause = make_usable_directory(path); !cause.empty())
    throw Error::io("job", path, cause + "; choose another base directory");
}

/// Writes a file in one piece: readers see the old text or the new one. Only its owner may read it: hyperparameters
/// may be secrets. Throws: it cannot be written.
inline void write_job_file(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".tmp";
  ::unlink(temporary.c_str());
  const Descriptor file = above_standard_streams(
      Descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)));
  bool is_written = static_cast<bool>(file);
  while (is_written && !text.empty()) {
    const ssize_t n = uninterrupted([&] { return ::write(file.get(), text.data(), text.size()); });
    is_written = n > 0;
    text.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  if (!is_written || ::rename(temporary.c_str(), path.c_str()) != 0)
    throw Error::io("job", path,
                    std::generic_category().message(errno) + "; free space, or choose another base directory");
}

/// Makes `link` lead to `target`; a link that leads elsewhere is replaced, anything else stays. Throws: that is not
/// possible.
inline void make_job_link(const std::string& target, const std::string& link) {
  std::error_code error;
  if (std::filesystem::is_symlink(std::filesystem::symlink_status(link, error))) std::filesystem::remove(link, error);
  std::filesystem::create_symlink(target, link, error);
  if (error) throw Error::io("job", link, "the link to " + in_quotes(target) + " cannot be made: " + error.message());
}

/// Opens the store of a job's folder. New files are readable by their owner only.
inline std::shared_ptr<Store> open_private_store(const std::string& address) {
  if (JobNames::is_remote(address)) return open_store(address);
  FileCalls calls;
  calls.openat = [open = calls.openat](int directory, const char* path, int flags, mode_t mode) {
    return open(directory, path, flags, mode & 0600);
  };
  const std::string directory = open_store(address)->location();
  return std::make_shared<FileStore>(directory, calls);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
