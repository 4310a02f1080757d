// A simulated disk that loses its power. FileStores on it work in a real directory while it records their system calls.
// Then it makes every state in which their directories may be after a power loss at any moment:
//
//   power_loss::Disk disk;
//   tensortap::FileStore store(disk / "run", disk.calls());
//   store.put("a", "x", tensortap::Sync::yes);
//   const std::size_t durable = disk.operations();
//   disk.for_each_state([&](const std::filesystem::path& state, std::size_t operations_done) {
//     if (operations_done >= durable) … state / "run" / "a" must be there
//   });
//
// It promises no more than POSIX does: any change that was not synced may be missing. Bytes: the file may be cut, or
// have its length and hold zeros. Names: each may be in any state since its directory was synced, independent of the
// others; but a renamed file has at least one of its two names. Changes that bypass calls() are refused.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/store/file_calls.hpp>

#include "store/temporary_directory.hpp"

namespace power_loss {

struct Options {
  std::size_t exhaustive = 200;  ///< up to so many states after one operation, all of them are tried,
  std::size_t samples = 50;      ///< else so many at random, and the extreme ones
  std::uint64_t seed = 1;
  std::size_t first = 0;    ///< the least number of operations to look at
  bool only_reads = false;  ///< the check changes nothing in a state, so that the next one costs only what differs
};

class Disk {
 public:
  Disk() {
    const std::lock_guard lock(mutex_);
    for (std::filesystem::path above = directory_.path(); above != above.parent_path(); above = above.parent_path())
      outside_.insert(identity(AT_FDCWD, above.parent_path().c_str()));
    nodes_[identity(AT_FDCWD, directory_.path().c_str())] = root;
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }
  [[nodiscard]] std::filesystem::path operator/(const std::string& below) const { return directory_ / below; }

  /// Returns the calls for FileStores on this disk. Lifetime: the disk outlives them.
  [[nodiscard]] tensortap::FileCalls calls() {
    tensortap::FileCalls calls;
    const tensortap::FileCalls real;
    calls.openat = [this, real](int directory, const char* path, int flags, mode_t mode) {
      const std::lock_guard lock(mutex_);
      const int file = real.openat(directory, path, flags, mode);
      if (file >= 0 && (flags & O_CREAT) != 0) create(directory, path, {});
      return file;
    };
    calls.mkdirat = [this, real](int directory, const char* path, mode_t mode) {
      const std::lock_guard lock(mutex_);
      const int result = real.mkdirat(directory, path, mode);
      if (result == 0) create(directory, path, "/");
      return result;
    };
    calls.writev = [this, real](int file, const iovec* pieces, int count) {
      const std::lock_guard lock(mutex_);
      const ssize_t written = real.writev(file, pieces, count);
      std::string bytes;
      for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      if (written > 0) {
        bytes.resize(static_cast<std::size_t>(written));
        record({.kind = Kind::write, .node = node_of(file), .bytes = std::move(bytes)});
      }
      return written;
    };
    calls.fsync = [this](int file) {  // real syncs only take time
      const std::lock_guard lock(mutex_);
      record({.kind = Kind::sync, .node = node_of(file)});
      return 0;
    };
    calls.syncfs = [this](int) {
      const std::lock_guard lock(mutex_);
      record({.kind = Kind::sync_all, .node = root});
      return 0;
    };
    calls.renameat = [this, real](int from_directory, const char* from, int to_directory, const char* to) {
      const std::lock_guard lock(mutex_);
      const int result = real.renameat(from_directory, from, to_directory, to);
      if (result == 0) rename(entry(from_directory, from), entry(to_directory, to));
      return result;
    };
    calls.renameat_new = [this, real](int from_directory, const char* from, int to_directory, const char* to) {
      const std::lock_guard lock(mutex_);
      const int result = real.renameat_new(from_directory, from, to_directory, to);
      if (result == 0) rename(entry(from_directory, from), entry(to_directory, to));
      return result;
    };
    calls.linkat = [this, real](int from_directory, const char* from, int to_directory, const char* to, int flags) {
      const std::lock_guard lock(mutex_);
      const int result = real.linkat(from_directory, from, to_directory, to, flags);
      if (result == 0)
        enter({.kind = Kind::link, .node = named(entry(from_directory, from)), .to = entry(to_directory, to)});
      return result;
    };
    calls.unlinkat = [this, real](int directory, const char* path, int flags) {
      const std::lock_guard lock(mutex_);
      const int result = real.unlinkat(directory, path, flags);
      if (result == 0) enter({.kind = Kind::unlink, .node = nothing, .to = entry(directory, path)});
      return result;
    };
    return calls;
  }

  /// Returns the number of changes and syncs so far.
  [[nodiscard]] std::size_t operations() const {
    const std::lock_guard lock(mutex_);
    return operations_.size();
  }

  /// Describes the last of the first `done` operations, for messages.
  [[nodiscard]] std::string operation(std::size_t done) const {
    const std::lock_guard lock(mutex_);
    if (done == 0) return "nothing";
    const auto label = [&](int node) { return labels_.at(static_cast<std::size_t>(node)); };
    const Operation& last = operations_[done - 1];
    switch (last.kind) {
      case Kind::create: return "create " + name_of(last.to);
      case Kind::write: return "write " + std::to_string(last.bytes.size()) + " bytes to " + label(last.node);
      case Kind::sync: return "sync " + label(last.node);
      case Kind::sync_all: return "sync all";
      case Kind::rename: return "rename " + name_of(last.from) + " to " + name_of(last.to);
      case Kind::link: return "link " + name_of(last.to);
      case Kind::unlink: return "unlink " + name_of(last.to);
    }
    return {};
  }

  /// Calls `check(directory, operations_done)` for each state of the disk after each number of operations; the
  /// directory stands for path() and is removed after the call. Returns the number of states.
  template <class Check>
  std::size_t for_each_state(const Check& check, const Options& options = {}) const {
    const std::vector<Operation> operations = recorded();
    std::size_t count = 0;
    Replay replay;
    auto state = std::make_unique<State>();
    for (std::size_t done = 0; done <= operations.size(); ++done) {
      if (done > 0) replay.apply(operations[done - 1]);
      if (done < options.first) continue;
      replay.for_each_state(options, done, [&](const Tree& tree) {
        if (!options.only_reads) state = std::make_unique<State>();
        state->become(tree);
        check(state->path(), done);
        ++count;
      });
    }
    return count;
  }

 private:
  using Identity = std::pair<dev_t, ino_t>;
  using Entry = std::pair<int, std::string>;  // a directory and a name in it
  static constexpr int root = 0;
  static constexpr int nothing = -1;

  enum class Kind : std::uint8_t { create, write, sync, sync_all, rename, link, unlink };

  struct Operation {
    Kind kind;
    int node = nothing;  // the synced or written file, or the new meaning of `to`
    Entry from = {};
    Entry to = {};
    std::string bytes = {};  // written bytes; "/": a directory is created
  };

  using Tree = std::map<std::string, std::string>;  // bytes by path; paths of directories end in '/'

  /// A real directory that becomes one tree after another.
  class State {
   public:
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }
    void become(const Tree& tree) {
      // Backwards: the contents of a directory before the directory.
      for (auto at = tree_.rbegin(); at != tree_.rend(); ++at)
        if (!tree.contains(at->first)) std::filesystem::remove(place_of(at->first));
      for (const auto& [path, bytes] : tree)
        if (const auto was = tree_.find(path); was != tree_.end() && was->second == bytes)
          continue;
        else if (path.ends_with('/'))
          std::filesystem::create_directory(place_of(path));
        else
          std::ofstream(place_of(path), std::ios::binary) << bytes;
      tree_ = tree;
    }

   private:
    [[nodiscard]] std::filesystem::path place_of(const std::string& path) const {
      return directory_ / path.substr(0, path.size() - (path.ends_with('/') ? 1 : 0));
    }
    TemporaryDirectory directory_;
    Tree tree_;
  };

  /// The certain and the possible contents of the disk after some operations.
  class Replay {
   public:
    void apply(const Operation& operation) {
      switch (operation.kind) {
        case Kind::create:
          nodes_.resize(static_cast<std::size_t>(operation.node) + 1);
          node(operation.node).is_directory = !operation.bytes.empty();
          enter(operation.to, operation.node);
          break;
        case Kind::write: node(operation.node).bytes += operation.bytes; break;
        case Kind::sync: sync(operation.node); break;
        case Kind::sync_all:
          for (std::size_t i = 0; i < nodes_.size(); ++i) sync(static_cast<int>(i));
          break;
        case Kind::rename: {
          const auto [to, arrived] = enter(operation.to, operation.node);
          const auto [from, left] = enter(operation.from, nothing);
          renames_.push_back({from, left, to, arrived});
          break;
        }
        case Kind::link:
        case Kind::unlink: enter(operation.to, operation.node); break;
      }
    }

    /// Calls `use` for each possible tree, or for a sample of them.
    template <class Use>
    void for_each_state(const Options& options, std::size_t position, const Use& use) const {
      const Choice least = durable();
      std::vector<std::size_t> open;  // the names with several possible meanings
      std::set<int> reachable;
      for (std::size_t i = 0; i < names_.size(); ++i) {
        if (names_[i].durable + 1 < names_[i].nodes.size()) open.push_back(i);
        reachable.insert(names_[i].nodes.begin() + static_cast<std::ptrdiff_t>(names_[i].durable),
                         names_[i].nodes.end());
      }
      std::vector<std::size_t> dirty;  // the files with several possible contents
      for (const int i : reachable)
        if (i != nothing && node(i).synced < node(i).bytes.size()) dirty.push_back(static_cast<std::size_t>(i));

      std::set<std::string> seen;
      const auto try_out = [&](Choice choice) {
        settle(choice.versions);
        std::string signature;
        const Tree tree = tree_of(choice, signature);
        if (seen.insert(signature).second) use(tree);
      };
      const auto newest = [&](Bytes bytes) {
        Choice choice = least;
        for (const std::size_t i : open) choice.versions[i] = names_[i].nodes.size() - 1;
        for (const std::size_t i : dirty) choice.bytes[i] = bytes;
        return choice;
      };

      double all = 1;
      for (const std::size_t i : open) all *= static_cast<double>(names_[i].nodes.size() - names_[i].durable);
      for (std::size_t i = 0; i < dirty.size(); ++i) all *= kinds_of_bytes;
      if (all <= static_cast<double>(options.exhaustive)) {
        for (std::size_t number = 0; number < static_cast<std::size_t>(all); ++number) {
          std::size_t digits = number;
          try_out(choose(least, open, dirty, [&](std::size_t count) {
            const std::size_t digit = digits % count;
            digits /= count;
            return digit;
          }));
        }
        return;
      }
      try_out(least);
      for (const Bytes bytes : {Bytes::none, Bytes::half, Bytes::zeros, Bytes::all}) try_out(newest(bytes));
      std::mt19937_64 random(options.seed * 1'000'003 + position);
      for (std::size_t sample = 0; sample < options.samples; ++sample) {
        // One name is older or newer than the others; or all are random.
        Choice one = sample % 3 == 0 ? newest(Bytes::all) : least;
        const std::size_t i = open.empty() ? 0 : open[random() % open.size()];
        if (sample % 3 == 0 && !open.empty()) one.versions[i] = names_[i].durable;
        if (sample % 3 == 1 && !open.empty()) one.versions[i] = names_[i].nodes.size() - 1;
        try_out(sample % 3 == 2 ? choose(least, open, dirty, [&](std::size_t count) { return random() % count; })
                                : one);
      }
    }

   private:
    enum class Bytes : std::uint8_t { none, half, zeros, all };
    static constexpr std::size_t kinds_of_bytes = 4;

    struct Node {
      bool is_directory = false;
      std::string bytes = {};
      std::size_t synced = 0;  // the number of them on the disk
    };
    struct Name {
      Entry entry;
      std::vector<int> nodes{nothing};  // its meanings, in order
      std::size_t durable = 0;          // the version on the disk
    };
    /// No disk has the version `left` of the name `from` without the version `arrived`, or a later one, of `to`.
    struct Rename {
      std::size_t from, left, to, arrived;
    };
    using Versions = std::vector<std::size_t>;  // by name
    struct Choice {
      Versions versions;
      std::vector<Bytes> bytes;  // the unsynced bytes, by node
    };

    [[nodiscard]] Node& node(int i) { return nodes_.at(static_cast<std::size_t>(i)); }
    [[nodiscard]] const Node& node(int i) const { return nodes_.at(static_cast<std::size_t>(i)); }

    /// Returns the name and its new version.
    std::pair<std::size_t, std::size_t> enter(const Entry& entry, int node) {
      const auto [found, is_new] = name_at_.try_emplace(entry, names_.size());
      if (is_new) names_.push_back({.entry = entry});
      Name& name = names_[found->second];
      name.nodes.push_back(node);
      return {found->second, name.nodes.size() - 1};
    }

    void sync(int i) {
      node(i).synced = node(i).bytes.size();
      if (!node(i).is_directory) return;
      Versions versions = durable().versions;
      for (std::size_t name = 0; name < names_.size(); ++name)
        if (names_[name].entry.first == i) versions[name] = names_[name].nodes.size() - 1;
      settle(versions);
      for (std::size_t name = 0; name < names_.size(); ++name) names_[name].durable = versions[name];
    }

    void settle(Versions& versions) const {
      for (bool changed = true; changed;) {
        changed = false;
        for (const Rename& rename : renames_)
          if (versions[rename.from] >= rename.left && versions[rename.to] < rename.arrived) {
            versions[rename.to] = rename.arrived;
            changed = true;
          }
      }
    }

    /// Returns the certain contents of the disk.
    [[nodiscard]] Choice durable() const {
      Choice choice;
      for (const Name& name : names_) choice.versions.push_back(name.durable);
      choice.bytes.resize(nodes_.size(), Bytes::none);
      return choice;
    }

    /// `pick(count)` chooses one of `count` possibilities.
    template <class Pick>
    Choice choose(Choice choice, const std::vector<std::size_t>& open, const std::vector<std::size_t>& dirty,
                  const Pick& pick) const {
      for (const std::size_t i : open) choice.versions[i] += pick(names_[i].nodes.size() - names_[i].durable);
      for (const std::size_t i : dirty) choice.bytes[i] = static_cast<Bytes>(pick(kinds_of_bytes));
      return choice;
    }

    Tree tree_of(const Choice& choice, std::string& signature) const {
      Tree tree;
      add_to(tree, signature, choice, root, "");
      return tree;
    }
    void add_to(Tree& tree, std::string& signature, const Choice& choice, int directory,
                const std::string& prefix) const {
      // The names of a directory lie side by side in the map.
      for (auto at = name_at_.lower_bound({directory, ""}); at != name_at_.end() && at->first.first == directory;
           ++at) {
        const int i = names_[at->second].nodes[choice.versions[at->second]];
        if (i == nothing) continue;
        const std::string path = prefix + at->first.second;
        const Bytes bytes = choice.bytes[static_cast<std::size_t>(i)];
        signature += path + '\n' + std::to_string(i) + ' ' + std::to_string(static_cast<int>(bytes)) + '\n';
        if (node(i).is_directory) {
          tree[path + "/"];
          add_to(tree, signature, choice, i, path + "/");
        } else {
          tree[path] = bytes_of(node(i), bytes);
        }
      }
    }
    static std::string bytes_of(const Node& file, Bytes kind) {
      const std::size_t rest = file.bytes.size() - file.synced;
      if (kind == Bytes::all) return file.bytes;
      if (kind == Bytes::zeros) return file.bytes.substr(0, file.synced) + std::string(rest, '\0');
      return file.bytes.substr(0, file.synced + (kind == Bytes::half ? rest / 2 : 0));
    }

    std::vector<Node> nodes_{{.is_directory = true}};  // the root exists
    std::vector<Name> names_;
    std::map<Entry, std::size_t> name_at_;
    std::vector<Rename> renames_;
  };

  [[nodiscard]] std::vector<Operation> recorded() const {
    const std::lock_guard lock(mutex_);
    if (!stranger_.empty()) throw std::logic_error("power_loss: not done through this disk's calls: " + stranger_);
    return operations_;
  }

  static Identity identity(int directory, const char* path) {
    struct stat status {};
    if (::fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
    return {status.st_dev, status.st_ino};
  }

  /// Returns the disk's name of `where`; nullopt if it lies outside.
  int node_of(const Identity& where, const std::string& name) {
    if (const auto found = nodes_.find(where); found != nodes_.end()) return found->second;
    if (!outside_.contains(where)) stranger_ = name;
    return nothing;
  }
  int node_of(int file) {
    struct stat status {};
    ::fstat(file, &status);
    return node_of({status.st_dev, status.st_ino}, "an open file");
  }

  Entry entry(int directory, const char* path) {
    const std::filesystem::path whole(path);
    const std::string parent = whole.has_parent_path() ? whole.parent_path().string() : "";
    if (parent.empty() && directory != AT_FDCWD) return {node_of(directory), whole.filename().string()};
    return {node_of(identity(directory, parent.empty() ? "." : parent.c_str()), path), whole.filename().string()};
  }

  int named(const Entry& entry) {
    const auto found = now_.find(entry);
    if (found == now_.end()) stranger_ = entry.second;
    return found == now_.end() ? nothing : found->second;
  }

  void create(int directory, const char* path, const std::string& slash) {
    const int node = static_cast<int>(labels_.size());
    nodes_[identity(directory, path)] = node;
    const Entry at = entry(directory, path);
    if (at.first == nothing) stranger_ = path;
    labels_.push_back(name_of(at) + slash);
    enter({.kind = Kind::create, .node = node, .to = at, .bytes = slash});
  }
  void rename(const Entry& from, const Entry& to) {
    const int node = named(from);
    now_[from] = nothing;
    enter({.kind = Kind::rename, .node = node, .from = from, .to = to});
  }
  void enter(Operation operation) {
    now_[operation.to] = operation.node;
    operations_.push_back(std::move(operation));
  }
  void record(Operation operation) {
    if (operation.node != nothing) operations_.push_back(std::move(operation));
  }

  std::string name_of(const Entry& entry) const {
    return (entry.first == nothing ? "" : labels_[static_cast<std::size_t>(entry.first)]) + entry.second;
  }

  TemporaryDirectory directory_;
  mutable std::mutex mutex_;
  std::set<Identity> outside_;           // the directories above
  std::map<Identity, int> nodes_;        // files and directories by their current identity in the real file system
  std::vector<std::string> labels_{""};  // by node: its first path
  std::map<Entry, int> now_;             // the node of each name
  std::vector<Operation> operations_;
  std::string stranger_;  // a change that bypassed calls()
};

}  // namespace power_loss
