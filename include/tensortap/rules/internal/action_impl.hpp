// The bodies of action.hpp.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <exception>
#include <ostream>
#include <sstream>
#include <system_error>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/rules/action.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE void Actions::take(const Finding& finding) const {
  std::exception_ptr failure;
  for (const Action& action : list_) {
    try {
      action(finding);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

TENSORTAP_INLINE void TouchFile::operator()(const Finding& finding) const {
  std::ostringstream text;
  text << finding << '\n';
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  open_store(directory)->put(path.substr(slash + 1), text.str(), Sync::no, IfExists::keep);
}

TENSORTAP_INLINE void JsonLines::operator()(const Finding& finding) const {
  const std::string line = to_json(finding) + "\n";
  const auto file = detail::above_standard_streams(
      detail::Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)));
  const ssize_t written =
      file ? detail::uninterrupted([&] { return ::write(file.get(), line.data(), line.size()); }) : ssize_t{-1};
  if (written == static_cast<ssize_t>(line.size())) return;
  throw Error::io("action: JsonLines", path,
                  written >= 0 ? "the disk is full" : std::generic_category().message(errno));
}

TENSORTAP_INLINE void Snapshot::operator()(const Finding& finding) const {
  requests.add(SnapshotRequest{finding.step.global_step, finding.rule, to_json(finding)});
}

TENSORTAP_INLINE void CaptureMore::operator()(const Finding& /*finding*/) const {
  requests.add(SaveMoreRequest{collections, steps});
}

TENSORTAP_INLINE void Print::operator()(const Finding& finding) const { out << finding << '\n' << std::flush; }

TENSORTAP_END_NAMESPACE
