// What goes into a job and comes out of it: channels and artifacts.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/job/internal/artifact_archive.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/job_tree.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Puts the file `path` into `store`. Returns false: there is no such file. Throws: it cannot be read or stored.
inline bool put_file(Store& store, std::string_view key, const std::string& path) {
  const Descriptor file = above_standard_streams(Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return false;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) {
    store.put(key, std::string_view(), Sync::yes);
    return true;
  }
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (at == MAP_FAILED) throw Error::io("job: upload", path, std::generic_category().message(errno));
  const std::unique_ptr<void, std::function<void(void*)>> mapped(at, [size](void* one) { ::munmap(one, size); });
  const Bytes piece(static_cast<const std::byte*>(at), size);
  store.put(key, std::span(&piece, 1), Sync::yes, IfExists::replace);
  return true;
}

/// Brings the data of a channel to `directory`: links local data, fetches objects. Throws: there is none.
inline void bring_channel(const JobSetting& channel, const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!JobNames::is_remote(channel.value)) {
    std::string from = channel.value;
    if (from.starts_with("file://")) from.erase(0, 7);
    from = absolute_path(from);
    const fs::file_status status = fs::status(from, error);
    if (!fs::exists(status))
      throw Error::bad_job_option("channel", in_quotes(channel.name) + ": there is nothing at " +
                                                 in_quotes(channel.value) + "; correct the path");
    if (fs::is_directory(status)) return make_job_link(from, directory);
    make_job_directory(directory);
    return make_job_link(from, JobNames::below(directory, fs::path(from).filename().string()));
  }
  make_job_directory(directory);
  const auto remote = open_store(channel.value);
  FileStore local(directory);
  const std::vector<ObjectInfo> objects = remote->list("");
  if (objects.empty())
    throw Error::bad_job_option("channel", in_quotes(channel.name) + ": there are no objects at " +
                                               in_quotes(channel.value) + "; correct the address");
  for (const ObjectInfo& object : objects) {
    if (object.key.ends_with('/') || local.size(object.key) == object.size) continue;  // as after a restart
    constexpr std::uint64_t part = std::uint64_t{64} << 20;
    const auto writer = local.begin_object(object.key);
    for (std::uint64_t start = 0; start == 0 || start < object.size; start += part) {
      const auto bytes = remote->get(object.key, {start, part});
      if (!bytes) throw Error::io("job: channel", channel.value, "an object has vanished; start the job again");
      const Bytes piece(*bytes);
      writer->append(std::span(&piece, 1));
    }
    writer->finish(Sync::no, IfExists::replace);
  }
}

/// Uploads `folder` of this manager's hosts as an archive. Returns the number of files; 0: nothing is uploaded. Throws:
/// that is not possible.
inline std::size_t upload_archive(const JobTree& tree, Store& store, std::string_view folder, std::string_view key) {
  const std::string archive = JobNames::below(tree.base(), ".archive.tmp");
  std::size_t files = 0;
  {
    ArtifactArchive out(archive);
    for (const std::string& host : tree.hosts())  // the chief's files are at the top
      if (host == tree.hosts()[0] || folder == "output/data")
        files += out.add(tree.path(host, folder), host == tree.hosts()[0] ? "" : host + "/");
    out.finish();
  }
  if (files > 0) put_file(store, key, archive);
  std::error_code ignored;
  std::filesystem::remove(archive, ignored);
  return files;
}

/// Uploads the artifacts of a job. Returns the number of files of the model. Throws: that is not possible.
inline std::size_t upload_artifacts(const JobTree& tree, Store& store) {
  upload_archive(tree, store, "output/data", JobLayout::output);
  return upload_archive(tree, store, "model", JobLayout::model);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
