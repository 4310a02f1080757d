// Copies files and objects between a directory and a bucket, several at the same time.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/net.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "console.hpp"
#include "local_files.hpp"
#include "place.hpp"
#include "stop_by_signal.hpp"

namespace tensortap_command {

/// One file to copy or to remove.
struct Transfer {
  enum class Kind { upload, download, remove_object, remove_file };

  Kind kind = Kind::upload;
  std::string name = {};  // relative to the directory
  std::string key = {};   // in the bucket
  std::uint64_t size = 0;
  std::optional<std::chrono::sys_seconds> modified = {};  // of an object: the time to give to its file
};

/// Runs transfers. Memory: about connections x part size, whatever the sizes of the files.
class Transfers {
 public:
  Transfers(const Place& bucket, std::string directory, const Copy& how, std::ostream& out)
      : how_(how),
        bucket_(bucket),
        options_(options_for(how, stop_.token())),
        store_(bucket.address_of(""), options_),
        directory_(std::move(directory)),
        tree_(directory_, {}),
        files_(directory_),
        console_(out, how.quiet) {
    struct sigaction action {};
    action.sa_handler = [](int) {  // the mapped page is gone, so the thread cannot continue
      constexpr std::string_view text = "tensortap: a file became shorter while it was sent; send it again\n";
      (void)!::write(STDERR_FILENO, text.data(), text.size());
      ::_exit(2);
    };
    ::sigaction(SIGBUS, &action, nullptr);
  }

  [[nodiscard]] const tt::S3Store& store() const noexcept { return store_; }

  /// Notes that `name` is not copied.
  void skip(const std::string& name, const std::string& why) {
    console_.note("skipped: " + tt::escaped(name) + ": " + why);
    ++skipped_;
  }

  /// Runs all transfers and returns the exit code. Removes files last, and only if no transfer failed.
  int run(const std::vector<Transfer>& transfers) {
    std::vector<const Transfer*> groups[4];
    std::uint64_t bytes = 0;
    for (const Transfer& transfer : transfers) {
      const bool removes = transfer.kind >= Transfer::Kind::remove_object;
      const std::uint64_t parts = (transfer.size + options_.part_size - 1) / options_.part_size;
      groups[removes ? 3 : parts > 2 ? 2 : parts > 1 ? 1 : 0].push_back(&transfer);
      bytes += transfer.size;
    }
    is_alone_ = transfers.size() == 1;
    console_.expect(transfers.size(), bytes);
    // Files of one part take one connection each, files of two parts two; a larger file takes all of them.
    const std::size_t connections = options_.connections;
    const std::size_t at_once[4] = {connections, std::max<std::size_t>(connections / 2, 1), 1, connections};
    for (int group = 0; group < 4; ++group) {
      if (group == 3 && failed_ > 0 && !groups[group].empty()) {
        console_.note("nothing is removed, because some files were not copied");
        break;
      }
      tt::detail::parallel_for(groups[group].size(), at_once[group],
                               [&](std::size_t i) { attempt(*groups[group][i]); });
    }
    return failed_ > 0 || skipped_ > 0 ? 2 : 0;
  }

  /// Uploads `file` as object `key`.
  void send(const std::string& key, const MappedFile& file, std::size_t offset = 0) {
    const tt::Bytes bytes = file.bytes().subspan(std::min(offset, file.bytes().size()));
    if (is_alone_) console_.expect(1, bytes.size());
    try {
      store_.put_observed(key, std::span(&bytes, 1),
                          {.seen = [&](tt::Bytes part) { file.let_go(part); },
                           .sent =
                               [&](tt::Bytes part) {
                                 file.let_go(part);
                                 console_.moved(part.size());
                               }});
    } catch (const tt::Error&) {
      file.require_unchanged();  // a file that became shorter looks like a broken connection
      throw;
    }
    file.require_unchanged();
  }

  /// Downloads object `key`. Throws: there is no such object.
  void receive(const std::string& key, ArrivingBytes& bytes) const {
    if (store_.download(key, bytes.target())) return;
    throw std::runtime_error("cp: " + tt::in_quotes(bucket_.address_of(key)) +
                             ": no such object; list the objects with ls, copy a folder with --recursive");
  }
  [[nodiscard]] ArrivingBytes arrival(int file, const std::string& path) {
    return {file, path,
            [this](std::uint64_t size) {
              if (is_alone_) console_.expect(1, size);
            },
            [this](std::uint64_t size) { console_.moved(size); }};
  }

  void say(const std::string& verb, const std::string& from, const std::string& to) {
    console_.line((how_.dry_run ? "(dryrun) " : "") + verb + ": " + tt::escaped(from) +
                  (to.empty() ? "" : " to " + tt::escaped(to)));
  }

 private:
  static tt::S3Options options_for(const Copy& how, std::stop_token stop) {
    tt::S3Options options{.stop = std::move(stop)};
    if (how.connections) options.connections = options.part_connections = *how.connections;
    return options;
  }

  void attempt(const Transfer& transfer) {
    constexpr std::size_t give_up_after = 20;
    try {
      perform(transfer);
      ++done_;
      console_.file_done();
    } catch (const std::exception& e) {
      if (stop_.token().stop_requested()) throw;
      console_.note(e.what());
      if (++failed_ >= give_up_after && done_ == 0)
        throw std::runtime_error("the first 20 transfers have failed; the others are not tried");
    }
  }

  void perform(const Transfer& transfer) {
    const std::string path = directory_ + "/" + transfer.name;
    const std::string address = bucket_.address_of(transfer.key);
    switch (transfer.kind) {
      case Transfer::Kind::upload:
        if (how_.dry_run || upload(transfer, path)) say("upload", path, address);
        return;
      case Transfer::Kind::download:
        if (!how_.dry_run) download(transfer, path);
        return say("download", address, path);
      case Transfer::Kind::remove_object:
        if (!how_.dry_run) store_.remove(transfer.key);
        return say("delete", address, {});
      case Transfer::Kind::remove_file:
        if (!how_.dry_run) files_.remove(transfer.name);
        return say("delete", path, {});
    }
  }

  /// Returns false if the file has vanished since it was listed.
  bool upload(const Transfer& transfer, const std::string& path) {
    constexpr int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;  // a pipe must not block
    tt::detail::Descriptor file(::open(path.c_str(), how_.links == Links::follow ? flags : flags | O_NOFOLLOW));
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return false;
    if (!file) fail_by_errno("cp", path);
    send(transfer.key, MappedFile(std::move(file), path));
    return true;
  }

  void download(const Transfer& transfer, const std::string& path) {
    ArrivingFile file(tree_, transfer.name);
    ArrivingBytes bytes = arrival(file.descriptor(), path);
    receive(transfer.key, bytes);
    file.publish(transfer.modified);
  }

  const Copy& how_;
  const Place bucket_;
  StopBySignal stop_;
  const tt::S3Options options_;
  tt::S3Store store_;
  const std::string directory_;  // as the user names it
  tt::detail::DirectoryTree tree_;
  tt::FileStore files_;
  Console console_;
  bool is_alone_ = true;
  std::atomic<std::size_t> done_ = 0, failed_ = 0, skipped_ = 0;
};

}  // namespace tensortap_command
