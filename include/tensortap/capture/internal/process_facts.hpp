// What a process knows of itself that its run should say: where it ran, as what, from which sources.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/host_name.hpp>
#include <tensortap/internal/secrets.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/internal/process_fact.hpp>
#include <tensortap/version.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the first `limit` bytes of a file; empty if it cannot be read.
inline std::string beginning_of(const std::filesystem::path& path, std::size_t limit) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};
  std::ifstream file(path, std::ios::binary);
  std::string out(limit, '\0');
  file.read(out.data(), static_cast<std::streamsize>(limit));
  out.resize(static_cast<std::size_t>(file.gcount()));
  return out;
}

inline std::string first_line_of(const std::filesystem::path& path) {
  std::string out = beginning_of(path, 4096);
  out.resize(std::min(out.find('\n'), out.size()));
  return out;
}

/// Returns the words of this process's command line, with blanks between them and without secrets.
inline std::string command_line() {
  constexpr std::size_t limit = std::size_t{16} << 10;
  const std::string bytes = beginning_of("/proc/self/cmdline", limit);
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\0', begin), bytes.size());
    words.push_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  std::string out;
  for (const std::string& word : without_secrets(std::move(words))) {
    const bool plain = !word.empty() && word.find_first_of(" \t\n'\"\\$`") == std::string::npos;
    out.append(out.empty() ? "" : " ").append(plain ? word : in_quotes(word));
  }
  return is_utf8(out) ? out : escaped(out);
}

/// Returns the commit that the git repository around `directory` has checked out; empty if there is none. Reads the
/// files of git, so that no program is started.
inline std::string git_revision(std::filesystem::path directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto exists = [&](const fs::path& path) { return fs::exists(path, error); };
  while (!exists(directory / ".git")) {
    if (!directory.has_relative_path()) return {};
    directory = directory.parent_path();
  }
  fs::path git = directory / ".git";
  const auto after = [](const std::string& line, std::string_view prefix) {
    return line.starts_with(prefix) ? line.substr(prefix.size()) : std::string();
  };
  if (fs::is_regular_file(git, error)) git = directory / after(first_line_of(git), "gitdir: ");  // a second work tree
  const std::string head = first_line_of(git / "HEAD");
  const std::string branch = after(head, "ref: ");
  const auto is_revision = [](std::string_view text) {
    return text.size() >= 40 && text.size() <= 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
  };
  if (branch.empty()) return is_revision(head) ? head : std::string();
  if (const std::string common = first_line_of(git / "commondir"); !common.empty()) git /= common;
  if (std::string revision = first_line_of(git / branch); is_revision(revision)) return revision;
  if (!fs::is_regular_file(git / "packed-refs", error)) return {};
  std::ifstream packed(git / "packed-refs");
  for (std::string line; std::getline(packed, line);)
    if (const std::size_t blank = line.find(' '); blank != std::string::npos &&
                                                  std::string_view(line).substr(blank + 1) == branch &&
                                                  is_revision(std::string_view(line).substr(0, blank)))
      return line.substr(0, blank);
  return {};
}

/// Returns `seconds` since 1970 as "2026-11-30T10:44:57Z"; empty if that is no date.
inline std::string utc_text(double seconds) {
  constexpr double latest = 253402300799.0;  // the end of year 9999
  if (!(seconds >= 0 && seconds <= latest)) return {};
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&time, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

inline std::string compiler_name() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

/// Returns the facts that an attempt with these options saves.
inline std::map<std::string, std::string> facts_of_attempt(const HookOptions& options) {
  std::map<std::string, std::string> out = options.facts;
  for (auto& [name, value] : out) value = is_secret(name) ? redacted : without_secret_values(without_password(value));
  if (!options.process_facts) return out;
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out.try_emplace(std::string(name), value);
  };
  add(process_fact::host, escaped(host_name()));
  std::error_code error;
  add(process_fact::command, command_line());
  add(process_fact::git_revision, git_revision(std::filesystem::current_path(error)));
  add(process_fact::compiler, compiler_name());
  add(process_fact::tensortap, version);
  add(process_fact::started, utc_text(options.wall_time()));
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
