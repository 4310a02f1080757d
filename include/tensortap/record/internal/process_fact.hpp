// The names of the facts that describe the process of an attempt, and not its training.
#pragma once

#include <array>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::process_fact {

inline constexpr std::string_view host = "host";
inline constexpr std::string_view command = "command";
inline constexpr std::string_view git_revision = "git_revision";
inline constexpr std::string_view compiler = "compiler";
inline constexpr std::string_view tensortap = "tensortap";
inline constexpr std::string_view started = "started";
inline constexpr std::array all = {host, command, git_revision, compiler, tensortap, started};

}  // namespace detail::process_fact
TENSORTAP_END_NAMESPACE
