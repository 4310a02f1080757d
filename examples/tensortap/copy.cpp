#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tensortap/net.hpp>
#include <vector>

#include "commands.hpp"
#include "local_files.hpp"
#include "place.hpp"
#include "transfers.hpp"

namespace tensortap_command {

namespace {

namespace fs = std::filesystem;
using Kind = Transfer::Kind;

bool is_wanted(const std::string& name, const Copy& how) {
  bool wanted = true;
  for (const Copy::Filter& filter : how.filters)
    if (::fnmatch(filter.pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0) wanted = filter.wanted;
  return wanted;
}

/// Returns `path` without trailing slashes.
std::string directory_of(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

/// Returns both ends. Throws: both are local, or both are remote.
std::pair<Place, Place> ends_of(const std::string& verb, const std::string& from, const std::string& to) {
  std::pair<Place, Place> ends(Place::of(from), Place::of(to));
  if (ends.first.remote == ends.second.remote)
    throw std::runtime_error(verb + ": " + tt::in_quotes(from) + ", " + tt::in_quotes(to) + ": " +
                             (ends.first.remote ? "both are in S3" : "none is in S3") +
                             "; one must be s3://BUCKET/KEY, the other a path");
  return ends;
}

/// Returns whether a pattern skips everything below `directory`, which ends in '/'.
bool is_skipped_whole(const std::string& directory, const Copy& how) {
  bool skipped = false;
  for (const Copy::Filter& filter : how.filters)  // a file below may have any name that a later --include matches
    skipped = !filter.wanted && (skipped || ::fnmatch(filter.pattern.c_str(), directory.c_str(), FNM_NOESCAPE) == 0);
  return skipped;
}

/// Notes what `tree` passed over, if it is wanted.
void note_passed_over(const LocalTree& tree, const std::string& directory, const Copy& how, Transfers& transfers) {
  for (const auto& [name, why] : tree.passed_over())
    if (name.empty() || name.ends_with('/') ? !is_skipped_whole(name, how) : is_wanted(name, how))
      transfers.skip(directory + "/" + name, why);
}

std::map<std::string, LocalFile> wanted_files(const LocalTree& tree, const Copy& how) {
  std::map<std::string, LocalFile> out = tree.files();
  std::erase_if(out, [&](const auto& file) { return !is_wanted(file.first, how); });
  return out;
}

/// Returns the objects below `place`, by the rest of their keys.
std::map<std::string, tt::S3Entry> wanted_objects(const Place& place, const Copy& how, Transfers& transfers) {
  std::map<std::string, tt::S3Entry> out;
  const std::string folder = place.folder();
  transfers.store().list_raw(folder, false, [&](const tt::S3Entry& entry) {
    const std::string name = entry.key.substr(folder.size());
    if ((entry.size == 0 && entry.key.ends_with('/')) || !is_wanted(name, how))
      return;  // S3 consoles make an empty object for a folder
    if (is_plain(name) && is_plain(entry.key))
      out.emplace(name, entry);
    else
      transfers.skip(place.address_of(entry.key), "its key is not a relative path of plain names");
  });
  return out;
}

void require_directory(const std::string& verb, const std::string& path) {
  if (!fs::is_directory(path))
    throw std::runtime_error(verb + ": " + tt::in_quotes(path) + ": no such directory; name another one");
}

/// Opens the file at `path`; copies a pipe to a temporary file. Sets `offset` to the first byte to send.
tt::detail::Descriptor open_source(const std::string& path, std::size_t& offset) {
  const bool piped = path == "-";
  tt::detail::Descriptor file(piped ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) fail_by_errno("cp", path);
  if (S_ISDIR(status.st_mode))
    throw std::runtime_error("cp: " + tt::in_quotes(path) + ": it is a directory; copy it with --recursive");
  if (S_ISREG(status.st_mode)) {
    if (piped) offset = static_cast<std::size_t>(std::max<off_t>(::lseek(file.get(), 0, SEEK_CUR), 0));
    return file;
  }
  tt::detail::Descriptor whole = nameless_file();
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (;;) {
    const ssize_t n = tt::detail::uninterrupted([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
    if (n < 0) fail_by_errno("cp", path);
    if (n == 0) return whole;
    write_all(whole.get(), tt::Bytes(buffer).first(static_cast<std::size_t>(n)), path);
  }
}

int upload_one(const std::string& path, const Place& to, const Copy& how, std::ostream& out) {
  std::string key = to.key;
  if (key.empty() || key.ends_with('/')) {
    if (path == "-")
      throw std::runtime_error("cp: " + tt::in_quotes(to.text) + ": standard input has no name; add one to the key");
    key += fs::path(path).filename().string();
  }
  std::size_t offset = 0;
  tt::detail::Descriptor file = open_source(path, offset);
  Transfers transfers(to, ".", how, out);
  if (!how.dry_run) transfers.send(key, MappedFile(std::move(file), path), offset);
  transfers.say("upload", path, to.address_of(key));
  return 0;
}

/// Opens the stream that `path` means: a device, a pipe, or a number as in /dev/fd/3; returns none if it means a file.
tt::detail::Descriptor open_stream(const std::string& path) {
  int number = -1;
  if (path == "-" || path == "/dev/stdout") number = STDOUT_FILENO;
  if (path == "/dev/stderr") number = STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"})
    if (path.starts_with(folder)) {
      const char* const end = path.data() + path.size();
      if (std::from_chars(path.data() + folder.size(), end, number).ptr != end) number = -1;
    }
  struct stat status {};
  const bool is_file = ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
  if (number < 0 && is_file) return {};
  tt::detail::Descriptor stream(number >= 0 ? ::fcntl(number, F_DUPFD_CLOEXEC, 3)
                                            : ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!stream) fail_by_errno("cp", path);
  return stream;
}

/// Returns the path of the file to which `path` leads through symbolic links; the file need not exist.
fs::path behind_links(const fs::path& path) {
  std::error_code none, error;
  fs::path target = path;
  for (int links = 0; !error && fs::is_symlink(target, none) && links < 40; ++links)
    target = target.parent_path() / fs::read_symlink(target, error);
  if (error || fs::is_symlink(target, none))
    throw std::runtime_error("cp: " + tt::in_quotes(path.string()) +
                             ": its symbolic links go in a circle; correct them");
  return target;
}

int download_one(const Place& from, const std::string& path, const Copy& how, std::ostream& out) {
  const std::string leaf = from.key.substr(from.key.rfind('/') + 1);
  if (leaf.empty())
    throw std::runtime_error("cp: " + tt::in_quotes(from.text) + ": it is a folder; copy it with --recursive");
  if (const tt::detail::Descriptor stream = how.dry_run ? tt::detail::Descriptor() : open_stream(path)) {
    const tt::detail::Descriptor file = nameless_file();  // prints nothing before all checksums are verified
    {
      Transfers transfers(from, ".", how, out);
      ArrivingBytes bytes = transfers.arrival(file.get(), path);
      transfers.receive(from.key, bytes);
    }
    ArrivingBytes(file.get(), path, {}, {}).read([&](tt::Bytes piece) { write_all(stream.get(), piece, path); });
    return 0;
  }
  const bool into = path.ends_with('/') || fs::is_directory(path);
  const fs::path file = into ? fs::path(path) / leaf : behind_links(path);
  const std::string directory = file.has_parent_path() ? file.parent_path().string() : ".";
  return Transfers(from, directory, how, out).run({{Kind::download, file.filename().string(), from.key}});
}

std::vector<Transfer> uploads(const std::map<std::string, LocalFile>& files, const Place& to) {
  std::vector<Transfer> out;
  for (const auto& [name, file] : files) out.push_back({Kind::upload, name, to.folder() + name, file.size});
  return out;
}

/// Returns whether the file must be sent again. S3 times have no fractions of a second.
bool is_newer(const LocalFile& file, const tt::S3Entry& object) {
  return file.size != object.size || file.modified > object.last_modified;
}

/// Returns whether the object must be fetched again. A fetched file has the time of its object.
bool differs(const tt::S3Entry& object, const LocalFile& file) {
  return file.size != object.size || std::chrono::floor<std::chrono::seconds>(file.modified) != object.last_modified;
}

void require_some(bool any, const std::string& from, const std::string& to) {
  if (!any)
    throw std::runtime_error("sync: " + tt::in_quotes(from) + ": it is empty, and --delete would remove all of " +
                             tt::in_quotes(to) + "; remove that yourself if you mean it");
}

}  // namespace

int copy(const std::string& from, const std::string& to, const Copy& how, std::ostream& out) {
  const auto [source, target] = ends_of("cp", from, to);
  if (!how.recursive) return target.remote ? upload_one(from, target, how, out) : download_one(source, to, how, out);
  const std::string directory = directory_of(target.remote ? from : to);
  if (target.remote) require_directory("cp", directory);
  Transfers transfers(target.remote ? target : source, directory, how, out);
  if (target.remote) {
    const LocalTree tree(directory, how.links);
    note_passed_over(tree, directory, how, transfers);
    return transfers.run(uploads(wanted_files(tree, how), target));
  }
  std::vector<Transfer> downloads;
  for (const auto& [name, object] : wanted_objects(source, how, transfers))
    downloads.push_back({Kind::download, name, object.key, object.size, object.last_modified});
  return transfers.run(downloads);
}

int sync(const std::string& from, const std::string& to, const Copy& how, std::ostream& out) {
  const auto [source, target] = ends_of("sync", from, to);
  const std::string directory = directory_of(target.remote ? from : to);
  if (target.remote) require_directory("sync", directory);
  const Place& bucket = target.remote ? target : source;
  Transfers transfers(bucket, directory, how, out);
  const auto objects = wanted_objects(bucket, how, transfers);
  const LocalTree tree(directory, how.links);
  if (target.remote) note_passed_over(tree, directory, how, transfers);
  const std::map<std::string, LocalFile> files = wanted_files(tree, how);
  std::vector<Transfer> planned;
  for (const auto& [name, file] : files) {
    const auto object = objects.find(name);
    if (target.remote && (object == objects.end() || is_newer(file, object->second)))
      planned.push_back({Kind::upload, name, target.folder() + name, file.size});
    if (!target.remote && object == objects.end() && how.remove && !file.through_link)
      planned.push_back({Kind::remove_file, name});
  }
  for (const auto& [name, object] : objects) {
    const auto file = files.find(name);
    if (!target.remote && (file == files.end() || differs(object, file->second)))
      planned.push_back({Kind::download, name, object.key, object.size, object.last_modified});
    if (target.remote && file == files.end() && how.remove && !tree.is_unknown(name))
      planned.push_back({Kind::remove_object, {}, object.key});
  }
  if (how.remove && !planned.empty()) require_some(target.remote ? !files.empty() : !objects.empty(), from, to);
  return transfers.run(planned);
}

}  // namespace tensortap_command
