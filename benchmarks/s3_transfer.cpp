// Copies files to a bucket or back; `benchmarks/s3` compares it with other clients.
// usage: s3_transfer put|get s3://BUCKET/PREFIX FOLDER CONNECTIONS
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/net/s3/s3_store.hpp>

namespace tt = tensortap;

namespace {

/// A file that is mapped into memory.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) : size_(std::filesystem::file_size(path)) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw std::runtime_error("cannot open " + path.string());
    if (size_ > 0) data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    ::close(file);
    if (data_ == MAP_FAILED) throw std::runtime_error("cannot map " + path.string());
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  [[nodiscard]] tt::Bytes bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

  /// Releases the memory of the whole pages in `bytes`.
  static void drop(tt::Bytes bytes) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

 private:
  std::size_t size_;
  void* data_ = nullptr;
};

void put(tt::S3Store& store, const std::filesystem::path& folder, std::size_t connections) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  tt::detail::parallel_for(files.size(), connections, [&](std::size_t i) {
    const MappedFile file(files[i]);
    const tt::Bytes bytes = file.bytes();
    store.put_observed(files[i].filename().string(), std::span(&bytes, 1),
                       {.seen = MappedFile::drop, .sent = MappedFile::drop});
  });
}

void get(const tt::S3Store& store, const std::filesystem::path& folder, std::size_t connections) {
  const std::vector<tt::ObjectInfo> objects = store.list("");
  tt::detail::parallel_for(objects.size(), connections, [&](std::size_t i) {
    const int file = ::open((folder / objects[i].key).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) throw std::runtime_error("cannot write " + objects[i].key);
    const auto size = store.download(
        objects[i].key, {.begin = [](std::uint64_t) {},
                         .write =
                             [&](std::uint64_t at, tt::Bytes piece) {
                               const auto written = ::pwrite(file, piece.data(), piece.size(), static_cast<off_t>(at));
                               if (written != static_cast<ssize_t>(piece.size()))
                                 throw std::runtime_error("cannot write " + objects[i].key);
                             }});
    ::close(file);
    if (!size) throw std::runtime_error("it has gone: " + objects[i].key);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc != 5 || (arguments[1] != "put" && arguments[1] != "get")) {
    std::cerr << "usage: s3_transfer put|get s3://BUCKET/PREFIX FOLDER CONNECTIONS\n";
    return 2;
  }
  try {
    const std::size_t connections = std::stoul(arguments[4]);
    tt::S3Store store(arguments[2], {.part_connections = connections, .connections = connections});
    if (arguments[1] == "put")
      put(store, arguments[3], connections);
    else
      get(store, arguments[3], connections);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
