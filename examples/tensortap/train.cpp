#include <csignal>
#include <exception>
#include <iostream>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <tensortap/job.hpp>

#include "commands.hpp"
#include "job_console.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

struct Requests {
  tt::StopSignal stop, stop_now;
};
Requests* requests = nullptr;

/// The first Ctrl-C stops the job, the second one kills the program. The signals of schedulers are notices.
void on_signal(int signal) {
  if (signal != SIGINT) {
    requests->stop.request(tt::StopReason::notice);
  } else if (!requests->stop.request(tt::StopReason::user)) {
    requests->stop_now.request(tt::StopReason::user);
  }
}

void take_signals(Requests& to) {
  requests = &to;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    const bool is_nohup = signal == SIGHUP && before.sa_handler == SIG_IGN;
    if (!is_nohup) ::sigaction(signal, &action, nullptr);
  }
}

std::string text_of(const tt::Finding& finding) {
  std::ostringstream text;
  text << finding;
  return text.str();
}

}  // namespace

int train(tt::JobOptions options, std::ostream& out) {
  static Requests to;  // outlives this call: a signal may arrive until the program ends
  take_signals(to);
  options.stop = to.stop;
  options.stop_now = to.stop_now;
  const bool spot = options.spot;
  const bool is_chief = options.rank == 0;
  if (!options.hook_config.empty())
    for (const std::string& warning : tt::HookConfiguration::from_json(options.hook_config).warnings)
      std::cerr << "tensortap: --hook-config: " << warning << '\n';
  const auto watcher = watch_cloud(options.stop);
  JobConsole console(out);
  tt::TrainingJob job(std::move(options),
                      {.on_status = [&](const tt::JobTransition& one) { console.status(one); },
                       .on_output = [&](std::string_view line) { console.line(line); },
                       .on_note = [&](std::string_view text) { console.note(text); },
                       .on_tick = [&](const tt::JobRecord& record) { console.draw(record); },
                       .on_finding = [&](const tt::Finding& finding) { console.note(text_of(finding)); }});
  try {
    const tt::JobRecord record = job.run();
    if (!is_chief) return record.exit_code.value_or(0);
    for (const tt::RuleResult& rule : record.rules)
      console.line(rule.rule + ": " + std::string(to_string(rule.status)) +
                   (rule.reason.empty() ? "" : " (" + tt::escaped(rule.reason) + ")"));
    if (has_ended(record.status)) console.line(seconds_text(record, spot));
    return record.exit_code.value_or(0);
  } catch (const tt::Error& e) {
    if (e.code() != tt::Errc::claimed) throw;
    std::cerr << "tensortap: " << e.what() << '\n';
    return tt::job_exit::pending;
  }
}

}  // namespace tensortap_command
