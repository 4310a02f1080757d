#include "command_line.hpp"

#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tensortap_command {

namespace {

/// Adds the options of S3, with awscli's names. Each one sets an environment variable, which the S3 client reads, and
/// removes those that would take precedence over it.
void add_settings(CLI::App& to) {
  const auto add_setting = [&to](const char* option, const char* description, const char* variable,
                                 std::initializer_list<const char*> overridden) {
    const auto set = [variable, overridden = std::vector<const char*>(overridden)](const std::string& value) {
      for (const char* const other : overridden) ::unsetenv(other);
      ::setenv(variable, value.c_str(), 1);
    };
    to.add_option_function<std::string>(option, set, description)->group("S3");
  };
  add_setting("--endpoint-url", "URL of the S3 server; left out: that of AWS", "AWS_ENDPOINT_URL_S3",
              {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"});
  add_setting("--region", "region of the bucket", "AWS_REGION", {});
  add_setting("--profile", "profile in ~/.aws whose credentials are used", "AWS_PROFILE",
              {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"});
  add_setting("--ca-bundle", "file with the trusted certificates", "AWS_CA_BUNDLE", {});
}

}  // namespace

CommandLine::CommandLine(CLI::App& app) : app_(app) { add_settings(app_); }

CLI::App* CommandLine::add(const char* name, const char* description, const std::string& examples) {
  CLI::App* sub = app_.add_subcommand(name, description);
  sub->footer("Examples:\n" + examples);
  add_settings(*sub);
  return sub;
}

CLI::Option* CommandLine::add_run(CLI::App* to, std::string& run) {
  return to->add_option("RUN", run, "directory of the run, or s3://BUCKET/PREFIX")->required();
}

void CommandLine::add_json(CLI::App* to, bool& json, const char* description) {
  to->add_flag("--json", json, description);
}

void CommandLine::on(const CLI::App* command, Action action) { actions_.push_back({command, std::move(action)}); }

int CommandLine::run(std::ostream& out) const {
  for (const Named& one : actions_)
    if (one.command->parsed()) return one.action(out);
  throw std::logic_error("no action is named for this command");
}

void refuse(const std::string& text) { throw std::runtime_error(text); }

}  // namespace tensortap_command
