// A file that a command writes: an earlier one of its name stays as it is until the new one is whole.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <tensortap/error.hpp>

namespace tensortap_command {

/// Devices and pipes are written as they are. Of a symbolic link, the file that it leads to is replaced.
class OutputFile {
 public:
  /// `verb`: the command, for messages. Throws: it is a directory, or cannot be written.
  explicit OutputFile(std::string path, std::string verb = "export") : path_(std::move(path)), verb_(std::move(verb)) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::file_status status = fs::status(path_, error);
    if (fs::is_directory(status)) fail("it is a directory; name a file in it");
    if (fs::exists(status) && !fs::is_regular_file(status)) {
      open(path_);
      return;
    }
    const fs::path resolved = fs::weakly_canonical(path_, error);
    target_ = error ? path_ : resolved.string();
    temporary_ = target_ + ".XXXXXX";
    const int file = ::mkostemp(temporary_.data(), O_CLOEXEC);
    if (file < 0) {
      const int cause = std::exchange(errno, 0);
      temporary_.clear();
      fail(cause);
    }
    const mode_t mask = ::umask(0);
    ::umask(mask);
    struct stat there {};
    const bool exists = ::stat(target_.c_str(), &there) == 0;
    (void)::fchmod(file, exists ? there.st_mode & 07777 : 0666 & ~mask);
    ::close(file);
    open(temporary_);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  [[nodiscard]] std::ostream& stream() noexcept { return stream_; }

  /// Gives the file its name. Throws: it cannot be written.
  void publish() {
    stream_.close();
    if (!stream_) fail("it cannot be written; is the disk full?");
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
    temporary_.clear();
  }

 private:
  void open(const std::string& path) {
    stream_.open(path, std::ios::binary | std::ios::trunc);
    if (!stream_) fail(errno);
  }

  [[noreturn]] void fail(int cause) const { fail("it cannot be written: " + std::generic_category().message(cause)); }
  [[noreturn]] void fail(const std::string& cause) const {
    throw std::runtime_error(verb_ + ": " + tensortap::in_quotes(path_) + ": " + cause);
  }

  std::string path_;
  std::string verb_;
  std::string target_;
  std::string temporary_;
  std::ofstream stream_;
};

}  // namespace tensortap_command
