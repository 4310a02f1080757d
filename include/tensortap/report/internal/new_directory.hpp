// A directory that appears when its content is whole.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Makes "NAME.unfinished", which `finish` renames. The destructor removes it if that has not happened.
class NewDirectory {
 public:
  /// Throws: `name` exists and is not an empty directory, another call makes it, or it cannot be made.
  explicit NewDirectory(std::string_view name) : name_(name) {
    namespace fs = std::filesystem;
    std::error_code error;
    target_ = fs::weakly_canonical(name, error);
    if (error || name.empty()) refuse("it cannot be made", error);
    if (!target_.has_filename() && target_.has_relative_path()) target_ = target_.parent_path();  // of "name/"
    if (fs::exists(target_, error)) {
      if (!fs::is_directory(target_, error)) refuse("it is not a directory", {});
      if (!fs::is_empty(target_, error)) refuse("it holds something", error);
    }
    path_ = target_;
    path_ += ".unfinished";
    fs::create_directories(target_.parent_path(), error);
    if (fs::create_directory(path_, error)) return;
    if (error) refuse("it cannot be made", error);
    throw Error::export_target_taken(path_.native(), "an export writes it, or was cut off; if none does, remove it");
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  ~NewDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  /// Where the content belongs.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Gives the directory its name. Throws: it has got content meanwhile, or cannot be renamed.
  void finish() {
    std::error_code error;
    std::filesystem::rename(path_, target_, error);
    if (error) refuse("it cannot get its name", error);
    path_.clear();
  }

 private:
  [[noreturn]] void refuse(const std::string& cause, const std::error_code& error) const {
    throw Error::export_target_taken(
        name_, cause + (error ? " (" + error.message() + ")" : "") + "; name a new or an empty directory");
  }

  std::string name_;
  std::filesystem::path target_, path_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
