// The bodies of action.hpp.
#pragma once

#include <cstddef>
#include <exception>
#include <ostream>
#include <sstream>

#include <tensortap/internal/config.hpp>
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

TENSORTAP_INLINE void Print::operator()(const Finding& finding) const { out << finding << '\n' << std::flush; }

TENSORTAP_END_NAMESPACE
