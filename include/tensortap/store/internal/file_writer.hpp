// The writer of one object of a FileStore: a temporary file that is renamed at the end.
#pragma once

#include <cerrno>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/file_store_state.hpp>
#include <tensortap/store/internal/temporary.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class FileWriter final : public ObjectWriter {
 public:
  /// Makes the directory of the object `key`. The first `append` creates the temporary. Lifetime: `state` outlives it.
  FileWriter(FileStoreState& state, std::string_view key) : state_(state), key_(key) {
    std::tie(parts_, leaf_) = FileStoreState::split(key_);
    directory_ = state_.tree.make(parts_, key_);
  }

  /// Returns whether the object exists already.
  [[nodiscard]] bool exists() const { return state_.exists(directory_, leaf_, key_); }

  void append(std::span<const Bytes> pieces) override {
    if (!temporary_) temporary_.emplace(state_.tree, directory_, leaf_, key_);
    temporary_->write(pieces);
  }

  bool finish(Sync sync, IfExists if_exists) override {
    if (!temporary_) append({});
    if (sync == Sync::yes) state_.sync_file(temporary_->file, key_);
    temporary_->close();
    if (!temporary_->publish(if_exists)) {
      if (errno == EEXIST && if_exists == IfExists::keep) return false;
      throw state_.tree.failed("rename", key_);
    }
    state_.unmark_lost(key_);
    if (sync == Sync::yes) {
      state_.tree.sync(directory_, key_);
      state_.tree.sync_names(parts_, key_);
    }
    return true;
  }

 private:
  FileStoreState& state_;
  std::string key_;
  FileStoreState::Parts parts_;
  std::string leaf_;
  Descriptor directory_;
  std::optional<Temporary> temporary_;  // refers to the members above
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
