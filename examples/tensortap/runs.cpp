#include "runs.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "commands.hpp"
#include "json_text.hpp"
#include "reading_progress.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace fs = std::filesystem;
namespace tt = tensortap;

std::vector<std::string> directories_in(const std::string& directory) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (std::error_code ignored; entry->is_directory(ignored)) out.push_back(entry->path().string());
  return out;
}

}  // namespace

std::vector<std::string> runs_in(const std::string& address) {
  auto folders = address.starts_with("s3://") ? folders_in(address) : directories_in(address);
  std::sort(folders.begin(), folders.end());
  std::erase_if(folders, [](const std::string& folder) {
    try {
      return !is_run(tt::outline_of(*tt::open_store(folder)));
    } catch (const tt::Error&) {
      return true;
    }
  });
  return folders;
}

tt::Trial open_run(const std::string& verb, const std::string& address, tt::TrialOptions options) {
  if (std::error_code ignored; fs::is_regular_file(address, ignored))
    throw std::runtime_error(verb + ": " + tt::in_quotes(address) + ": it is a file; name the directory of a run");
  try {
    const bool follows = options.wait_for_run.count() > 0 || options.sleep != nullptr;
    return follows ? tt::Trial(address, std::move(options)) : tt::Trial(open_to_read(address), std::move(options));
  } catch (const tt::Error& e) {
    if (e.code() != tt::Errc::not_found) throw;
    const auto runs = runs_in(address);
    if (runs.empty()) throw;
    throw std::runtime_error(verb + ": " + tt::in_quotes(address) + ": it is no run, but holds " +
                             plural(runs.size(), "run") + "; name one of them: " + listed(runs));
  }
}

bool is_run(const tt::RunOutline& outline) { return outline.ended || outline.attempts > 0 || !outline.workers.empty(); }

std::pair<std::shared_ptr<tt::Store>, tt::RunOutline> open_to_change(const std::string& verb,
                                                                     const std::string& address) {
  std::shared_ptr<tt::Store> store = tt::open_store(address);
  tt::RunOutline outline = tt::outline_of(*store);
  if (!is_run(outline))
    throw std::runtime_error(verb + ": " + tt::in_quotes(address) +
                             ": it is no run; name the directory or address of one");
  return {std::move(store), std::move(outline)};
}

std::size_t attempts_of(const tt::Trial& trial) {
  std::set<std::int64_t> numbers;
  for (const tt::Attempt& attempt : trial.attempts()) numbers.insert(attempt.number);
  return numbers.size();
}

void require_tensors(const std::string& verb, const tt::Trial& trial, const std::string& pattern) {
  if (pattern.empty() || !trial.tensors({.include_regex = pattern}).empty()) return;
  std::vector<std::string> names;
  for (const tt::TensorHistory& tensor : trial.tensors()) names.push_back(tensor.name());
  const std::string nearby = suggestion(pattern, names);
  throw std::runtime_error(verb + ": --tensor " + tt::in_quotes(pattern) + ": it finds none of the " +
                           plural(names.size(), "tensor") + (nearby.empty() ? "; tensortap show lists them" : nearby));
}

int list_runs(const std::vector<std::string>& runs, bool json, std::ostream& out) {
  int code = 0;
  for (const std::string& run : runs) {
    if (!json) out << tt::escaped(run) << ": ";
    try {
      const tt::RunOutline outline = tt::outline_of(*tt::open_store(run));
      if (json) {
        print_json({{"run", run},
                    {"state", outline.ended ? "ended" : "running or interrupted"},
                    {"workers", outline.workers.size()},
                    {"steps", json_of(outline.steps)}},
                   out);
        continue;
      }
      out << (outline.ended ? "ended, " : "running or interrupted, ") << plural(outline.workers.size(), "worker")
          << ", " << steps_text(outline.steps) << '\n';
    } catch (const tt::Error& e) {
      if (json)
        print_json({{"run", run}, {"error", e.what()}}, out);
      else
        out << e.what() << '\n';
      code = 2;
    }
  }
  return code;
}

int report_damage(const tt::Trial& trial, std::ostream& out) {
  const auto damage = trial.damage();
  for (const tt::Damage& one : damage) out << "damaged: " << one.where << ": " << one.cause << '\n';
  const tt::RunLosses lost = trial.losses();
  if (!lost.empty()) out << "lost: " << to_string(lost) << '\n';
  for (const tt::Thinning& thinning : trial.thinned()) out << "thinned: " << to_string(thinning) << '\n';
  return damage.empty() && lost.empty() ? 0 : 1;
}

}  // namespace tensortap_command
