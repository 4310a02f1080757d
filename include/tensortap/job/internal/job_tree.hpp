// SageMaker's /opt/ml below a base directory, and the environment of a program in it: one tree for each worker.
// Source: AWS's developer guide and sagemaker-training-toolkit.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/capture/worker_place.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/hyperparameters.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_leftovers.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/record/internal/placed_json.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The trees of a job. With one worker the base directory is its tree; with several, "algo-1" and so on below it are.
class JobTree {
 public:
  JobTree(const JobOptions& options, std::string base)
      : options_(options), base_(std::move(base)), all_hosts_(hosts_of(options)), hosts_(own_hosts_of(options)) {
    checkpoints_ = options.checkpoint_local_path.empty() ? path(hosts_[0], "checkpoints")
                                                         : absolute_path(options.checkpoint_local_path);
  }

  /// Returns the hosts of this manager, sorted as texts: all, or its own one of those of several managers.
  [[nodiscard]] const std::vector<std::string>& hosts() const noexcept { return hosts_; }
  [[nodiscard]] const std::string& base() const noexcept { return base_; }
  [[nodiscard]] const std::string& checkpoints() const noexcept { return checkpoints_; }
  [[nodiscard]] std::string of(const std::string& host) const {
    return hosts_.size() == 1 ? base_ : JobNames::below(base_, host);
  }
  [[nodiscard]] std::string path(const std::string& host, std::string_view name) const {
    return JobNames::below(of(host), name);
  }
  /// Returns the program's working directory.
  [[nodiscard]] std::string directory(const std::string& host) const { return path(host, "code"); }

  /// Makes all directories and files. `run`: the address of the tensors; `hook`: the hook's configuration. Throws: the
  /// base directory is that of another job.
  void make(const std::string& job_id, const std::string& run, const nlohmann::json& hook) const {
    make_job_directory(base_);
    require_own(job_id);
    make_job_directory(checkpoints_);
    if (!JobNames::is_remote(run)) make_job_directory(run);
    for (const std::string& host : hosts_) make_one(host, run, hook);
  }

  /// Gives the base directory up: the job has not begun.
  void disown(const std::string& job_id) const {
    const std::string mark = JobNames::below(base_, ".job");
    std::error_code ignored;
    if (text_of_file(mark) == job_id + '\n') std::filesystem::remove(mark, ignored);
  }

  /// Returns whether the base directory is still there.
  [[nodiscard]] bool is_there() const {
    std::error_code ignored;
    return std::filesystem::exists(JobNames::below(base_, ".job"), ignored);
  }

  /// Removes what an attempt leaves: its reason to fail, and the request to stop.
  void begin_attempt() const {
    for (const std::string& host : hosts_) {
      std::error_code ignored;
      std::filesystem::remove(path(host, "output/failure"), ignored);
      std::filesystem::remove(stop_file(host), ignored);
    }
  }

  /// Marks this base directory as the one that holds what an attempt has made.
  void set_completed(std::int64_t attempt) const {
    write_job_file(JobNames::below(base_, ".completed"), std::to_string(attempt) + '\n');
  }
  [[nodiscard]] bool has_completed(std::int64_t attempt) const {
    return text_of_file(JobNames::below(base_, ".completed")) == std::to_string(attempt) + '\n';
  }

  /// Returns the file that tells a program why and until when it has to end.
  [[nodiscard]] std::string stop_file(const std::string& host) const { return path(host, "input/config/stop.json"); }

  /// Writes that file. Failures are ignored: the program gets a signal, too.
  void write_stop(const std::string& reason, double seconds_left) const {
    for (const std::string& host : hosts_) try {
        write_job_file(stop_file(host), text({{"Reason", reason}, {"Deadline", job_time() + seconds_left}}) + '\n');
      } catch (const Error&) {
      }
  }

  /// Returns the reason that the program has left in output/failure, at most 1024 characters. Empty: there is none.
  [[nodiscard]] std::string failure(const std::string& host) const {
    constexpr std::size_t longest = 1024;
    const std::string file = path(host.empty() ? hosts_[0] : host, "output/failure");
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored)) return {};  // to open a pipe may take for ever
    const auto all = text_of_file(file);
    if (!all) return {};
    std::size_t end = 0;
    for (std::size_t count = 0; end < all->size(); ++end)
      if ((static_cast<unsigned char>((*all)[end]) & 0xc0) != 0x80 && ++count > longest) break;
    while (end > 0 && std::string_view(" \t\r\n").find((*all)[end - 1]) != std::string_view::npos) --end;
    return all->substr(0, end);
  }

  /// Returns the environment of a worker: that of this process, and the variables of SageMaker. `more` comes last.
  [[nodiscard]] std::vector<std::string> environment(const std::string& host,
                                                     const std::vector<std::string>& more) const {
    std::map<std::string, std::string> all;
    for (char** one = ::environ; one != nullptr && *one != nullptr; ++one) add(all, *one);
    if (options_.workers > 1 || !is_launched())  // they are those of this process, not of its workers
      std::erase_if(all, [](const auto& one) {
        const std::string& name = one.first;
        return name.starts_with("OMPI_COMM_WORLD_") || name == "PMI_RANK" || name == "PMI_SIZE" ||
               name == "SLURM_PROCID" || name == "SLURM_STEP_NUM_TASKS";
      });
    for (const auto& [name, value] : variables_of(host)) all[name] = value;
    for (const std::string& one : Hyperparameters(options_.hyperparameters).variables()) add(all, one);
    for (const std::string& one : more) add(all, one);
    std::vector<std::string> out;
    out.reserve(all.size());
    for (const auto& [name, value] : all) out.push_back(std::string(name).append(1, '=').append(value));
    return out;
  }

  /// Returns the variables of one attempt. `master`: the machine of the chief, if the launcher names none.
  [[nodiscard]] std::vector<std::string> variables_of_attempt(const std::string& host, const std::string& job_id,
                                                              std::int64_t number, const std::string& master) const {
    std::vector<std::string> out = {std::string(job_variable) + "=" + job_id,
                                    "TENSORTAP_JOB_ATTEMPT=" + std::to_string(number),
                                    "TENSORTAP_STOP_FILE=" + stop_file(host)};
    if (all_hosts_.size() == 1) return out;
    out.push_back("TORCHELASTIC_RUN_ID=" + job_id);
    out.push_back("TORCHELASTIC_RESTART_COUNT=" + std::to_string(number));
    if (options_.managers > 1) out.push_back("MASTER_ADDR=" + launched({"MASTER_ADDR"}, master.c_str()));
    return out;
  }

  /// Returns the program with its arguments and the hyperparameters.
  [[nodiscard]] std::vector<std::string> command() const {
    std::vector<std::string> out = options_.program;
    for (std::string& word : Hyperparameters(options_.hyperparameters).arguments()) out.push_back(std::move(word));
    return out;
  }

 private:
  using Json = nlohmann::json;
  static constexpr auto replaced = nlohmann::json::error_handler_t::replace;  // bytes that are not UTF-8

  static std::string text(const Json& json) { return json.dump(-1, ' ', false, replaced); }

  /// Returns whether the launcher of this manager knows the program by the same rank.
  [[nodiscard]] bool is_launched() const {
    if (options_.managers == 1) return true;
    try {
      const auto place = WorkerPlace::from_environment();
      return !place || (place->rank == options_.rank && place->count == options_.managers);
    } catch (const Error&) {  // it tells a place that cannot be
      return false;
    }
  }

  static void add(std::map<std::string, std::string>& to, const std::string& one) {
    const std::size_t equals = one.find('=', 1);
    if (equals != std::string::npos) to[one.substr(0, equals)] = one.substr(equals + 1);
  }

  /// Marks the base directory as that of this job, so that no other one continues from its checkpoints.
  void require_own(const std::string& job_id) const {
    const std::string mark = JobNames::below(base_, ".job");
    const auto owner = text_of_file(mark);
    if (owner && *owner != job_id + '\n')
      throw Error::bad_job_option("base_dir", in_quotes(base_) +
                                                  ": it holds the files of another job, or of an earlier one of this "
                                                  "name; choose another directory, or remove it");
    if (!owner) write_job_file(mark, job_id + '\n');
  }

  void make_one(const std::string& host, const std::string& run, const Json& hook) const {
    for (const char* const folder :
         {"input/config", "input/data", "model", "output/data", "output/tensorboard", "output/intermediate"})
      make_job_directory(path(host, folder));
    const std::string here = absolute_path(".");
    make_job_link(here, path(host, "code"));
    make_job_link(here, path(host, "input/data/code"));
    if (!JobNames::is_remote(run)) make_job_link(run, path(host, "output/tensors"));
    if (checkpoints_ != path(host, "checkpoints")) make_job_link(checkpoints_, path(host, "checkpoints"));
    const auto write = [&](const char* name, const Json& content) {
      write_job_file(path(host, std::string("input/config/") + name), content.dump(1, ' ', false, replaced) + '\n');
    };
    write("hyperparameters.json", Hyperparameters(options_.hyperparameters).file());
    write("inputdataconfig.json", input_data());
    write("resourceconfig.json", resources(host));
    write("debughookconfig.json", hook);
    write("checkpointconfig.json", {{"LocalPath", checkpoints_}});
    write("tensorboardoutputconfig.json", {{"LocalPath", path(host, "output/tensorboard")}});
    write("profilerconfig.json", {{"DisableProfiler", true}});
  }

  [[nodiscard]] Json input_data() const {
    Json out = Json::object();
    for (const JobSetting& channel : options_.channels)
      out[channel.name] = {
          {"TrainingInputMode", "File"}, {"S3DistributionType", "FullyReplicated"}, {"RecordWrapperType", "None"}};
    return out;
  }

  [[nodiscard]] Json resources(const std::string& host) const {
    return {{"current_host", host},
            {"hosts", all_hosts_},
            {"network_interface_name", "lo"},
            {"current_instance_type", "local"},
            {"current_group_name", "homogeneousCluster"},
            {"instance_groups", Json::array({group()})}};
  }
  [[nodiscard]] Json group() const {
    return {{"instance_group_name", "homogeneousCluster"}, {"instance_type", "local"}, {"hosts", all_hosts_}};
  }

  static std::string own_variable(const char* name, const char* otherwise) {
    const char* const value = std::getenv(name);
    return value == nullptr || *value == '\0' ? otherwise : value;
  }

  /// Returns the first of the launcher's variables that is set.
  static std::string launched(std::initializer_list<const char*> names, const char* otherwise) {
    for (const char* const name : names)
      if (std::string value = own_variable(name, ""); !value.empty()) return value;
    return otherwise;
  }

  static std::string number_of_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    const long all = ::sysconf(_SC_NPROCESSORS_ONLN);
    return std::to_string(::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : static_cast<int>(all));
  }

  static std::string number_of_gpus() {
    int count = 0;
    std::error_code ignored;
    while (std::filesystem::exists("/dev/nvidia" + std::to_string(count), ignored)) ++count;
    return std::to_string(count);
  }

  [[nodiscard]] std::map<std::string, std::string> variables_of(const std::string& host) const {
    const std::string region = own_variable("AWS_REGION", own_variable("AWS_DEFAULT_REGION", "us-east-1").c_str());
    const auto rank = std::find(all_hosts_.begin(), all_hosts_.end(), host) - all_hosts_.begin();
    const std::string name = std::filesystem::path(options_.program[0]).filename().string();
    const std::string module = name.substr(0, name.rfind('.') == 0 ? std::string::npos : name.rfind('.'));
    Json channels = Json::array();
    for (const JobSetting& channel : options_.channels) channels.push_back(channel.name);
    std::sort(channels.begin(), channels.end());
    const std::vector<std::string> arguments = Hyperparameters(options_.hyperparameters).arguments();
    std::map<std::string, std::string> out = {
        {"TRAINING_JOB_NAME", options_.job_name},
        {"TRAINING_JOB_ARN", "arn:aws:sagemaker:" + region + ":000000000000:training-job/" + options_.job_name},
        {"AWS_REGION", region},
        {"CURRENT_HOST", host},
        {"SAGEMAKER_JOB_NAME", options_.job_name},
        {"SAGEMAKER_REGION", region},
        {"SAGEMAKER_BASE_DIR", of(host)},
        {"SMDEBUG_CONFIG_FILE_PATH", path(host, "input/config/debughookconfig.json")},
        {"CHECKPOINT_CONFIG_FILE_PATH", path(host, "input/config/checkpointconfig.json")},
        {"TENSORBOARD_CONFIG_FILE_PATH", path(host, "input/config/tensorboardoutputconfig.json")},
        {"SMPROFILER_CONFIG_PATH", path(host, "input/config/profilerconfig.json")},
        {"SM_HOSTS", text(Json(all_hosts_))},
        {"SM_CURRENT_HOST", host},
        {"SM_CURRENT_HOST_RANK", std::to_string(rank)},
        {"SM_HOST_COUNT", std::to_string(all_hosts_.size())},
        {"SM_NETWORK_INTERFACE_NAME", "lo"},
        {"SM_CURRENT_INSTANCE_TYPE", "local"},
        {"SM_CURRENT_INSTANCE_GROUP", "homogeneousCluster"},
        {"SM_INSTANCE_GROUPS", text(Json::array({"homogeneousCluster"}))},
        {"SM_IS_HETERO", "false"},
        {"SM_HPS", text(Hyperparameters(options_.hyperparameters).values())},
        {"SM_USER_ENTRY_POINT", name},
        {"SM_ENTRY_SCRIPT", name},
        {"SM_FRAMEWORK_PARAMS", "{}"},
        {"SM_RESOURCE_CONFIG", text(resources(host))},
        {"SM_INPUT_DATA_CONFIG", text(input_data())},
        {"SM_CHANNELS", text(channels)},
        {"SM_MODULE_NAME", module},
        {"SM_MODULE_DIR", directory(host)},
        {"SM_SOURCE_DIR", path(host, "input/data/code")},
        {"SM_LOG_LEVEL", "20"},
        {"SM_INPUT_DIR", path(host, "input")},
        {"SM_INPUT_CONFIG_DIR", path(host, "input/config")},
        {"SM_INPUT_DATA_DIR", path(host, "input/data")},
        {"SM_OUTPUT_DIR", path(host, "output")},
        {"SM_OUTPUT_DATA_DIR", path(host, "output/data")},
        {"SM_OUTPUT_INTERMEDIATE_DIR", path(host, "output/intermediate")},
        {"SM_OUTPUT_FAILURE", path(host, "output/failure")},
        {"SM_MODEL_DIR", path(host, "model")},
        {"SM_NUM_CPUS", number_of_cpus()},
        {"SM_NUM_GPUS", number_of_gpus()},
        {"SM_USER_ARGS", text(Json(arguments))},
        {"SM_MASTER_ADDR", all_hosts_[0]},
        {"SM_MASTER_PORT", "7777"}};
    for (const JobSetting& channel : options_.channels) {
      out["SM_CHANNEL_" + JobNames::upper(channel.name)] = path(host, "input/data/" + channel.name);
      out["SM_CHANNEL_" + JobNames::variable(channel.name)] = path(host, "input/data/" + channel.name);
    }
    if (all_hosts_.size() > 1) add_ranks(out, std::to_string(rank));
    out["SM_TRAINING_ENV"] = text(training_environment(host, out));
    return out;
  }

  /// Adds what torchrun sets. The workers share this machine, or their launcher knows where they are.
  void add_ranks(std::map<std::string, std::string>& to, const std::string& rank) const {
    const std::string count = std::to_string(all_hosts_.size());
    to["RANK"] = rank;
    to["WORLD_SIZE"] = count;
    if (options_.managers > 1) {
      to["LOCAL_RANK"] = launched({"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"}, "0");
      to["LOCAL_WORLD_SIZE"] = launched({"LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"}, "1");
      to["GROUP_RANK"] = launched({"GROUP_RANK", "SLURM_NODEID"}, rank.c_str());
      to["MASTER_PORT"] = launched({"MASTER_PORT"}, "7777");
      return;
    }
    to["LOCAL_RANK"] = rank;
    to["LOCAL_WORLD_SIZE"] = count;
    to["GROUP_RANK"] = "0";
    to["MASTER_ADDR"] = "localhost";
    to["MASTER_PORT"] = "7777";
  }

  /// Returns SM_TRAINING_ENV: the same in one JSON object, with the names of the toolkit.
  [[nodiscard]] Json training_environment(const std::string& host, std::map<std::string, std::string>& all) const {
    Json channels = Json::object();
    for (const JobSetting& channel : options_.channels)
      channels[channel.name] = path(host, "input/data/" + channel.name);
    return {{"additional_framework_parameters", Json::object()},
            {"channel_input_dirs", std::move(channels)},
            {"current_host", host},
            {"current_instance_group", "homogeneousCluster"},
            {"current_instance_group_hosts", all_hosts_},
            {"current_instance_type", "local"},
            {"hosts", all_hosts_},
            {"hyperparameters", Hyperparameters(options_.hyperparameters).values()},
            {"input_config_dir", all["SM_INPUT_CONFIG_DIR"]},
            {"input_data_config", input_data()},
            {"input_dir", all["SM_INPUT_DIR"]},
            {"instance_groups", Json::array({"homogeneousCluster"})},
            {"is_hetero", false},
            {"is_master", host == all_hosts_[0]},
            {"job_name", options_.job_name},
            {"log_level", 20},
            {"master_hostname", all_hosts_[0]},
            {"model_dir", all["SM_MODEL_DIR"]},
            {"module_dir", all["SM_MODULE_DIR"]},
            {"module_name", all["SM_MODULE_NAME"]},
            {"network_interface_name", "lo"},
            {"num_cpus", std::stoi(all["SM_NUM_CPUS"])},
            {"num_gpus", std::stoi(all["SM_NUM_GPUS"])},
            {"output_data_dir", all["SM_OUTPUT_DATA_DIR"]},
            {"output_dir", all["SM_OUTPUT_DIR"]},
            {"output_intermediate_dir", all["SM_OUTPUT_INTERMEDIATE_DIR"]},
            {"resource_config", resources(host)},
            {"user_entry_point", all["SM_USER_ENTRY_POINT"]}};
  }

  const JobOptions& options_;
  std::string base_;
  std::vector<std::string> all_hosts_;
  std::vector<std::string> hosts_;
  std::string checkpoints_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
