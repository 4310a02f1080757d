// The record of a job in its store, written by one manager at a time: job.json.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/host_name.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/internal/secrets.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline std::string name_of_machine() {
  const std::string name = host_name();
  return name.empty() ? "unknown" : name;
}

/// Returns a number that is printed without a point if it is whole.
inline nlohmann::ordered_json number_of(Seconds time) {
  const double value = time.count();
  constexpr double limit = 1e15;
  if (value == std::floor(value) && value < limit) return static_cast<std::int64_t>(value);
  return value;
}

/// Returns the options as DescribeTrainingJob shows them, without secrets.
inline std::string described(const JobOptions& options, const std::string& checkpoint_uri,
                             const std::string& checkpoint_path) {
  using Json = nlohmann::ordered_json;
  Json out;
  out["Program"] = without_secrets(options.program);
  out["HyperParameters"] = Json::object();
  for (const JobSetting& one : options.hyperparameters)
    out["HyperParameters"][one.name] = is_secret(one.name) ? redacted : without_password(one.value);
  out["InputDataConfig"] = Json::array();
  for (const JobSetting& one : options.channels)
    out["InputDataConfig"].push_back(
        {{"ChannelName", one.name}, {"DataSource", {{"S3DataSource", {{"S3Uri", without_password(one.value)}}}}}});
  out["ResourceConfig"] = {{"InstanceCount", processes_of(options)}, {"InstanceType", "local"}};
  out["OutputDataConfig"] = {{"S3OutputPath", without_password(options.output)}};
  out["CheckpointConfig"] = {{"S3Uri", without_password(checkpoint_uri)}, {"LocalPath", checkpoint_path}};
  out["EnableManagedSpotTraining"] = options.spot;
  Json& limits = out["StoppingCondition"];
  limits["MaxRuntimeInSeconds"] = number_of(options.max_run);
  if (options.max_wait) limits["MaxWaitTimeInSeconds"] = number_of(*options.max_wait);
  limits["MaxPendingTimeInSeconds"] = number_of(options.max_pending);
  out["DebugRuleConfigurations"] = Json::array();
  for (const JobRule& rule : options.rules) {
    Json parameters = Json::object();
    for (const JobSetting& one : rule.parameters) parameters[one.name] = one.value;
    out["DebugRuleConfigurations"].push_back({{"RuleConfigurationName", rule.name},
                                              {"RuleParameters", std::move(parameters)},
                                              {"Action", rule.stops_training ? "StopTraining" : "none"}});
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The record, and the claim that lets this process write it.
class JobLedger {
 public:
  explicit JobLedger(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  JobRecord record = {};

  [[nodiscard]] Store& store() const noexcept { return *store_; }

  /// Tries to become the job's manager. Returns false while another process is it.
  bool claim() {
    claim_ = store_->claim(JobLayout::claim, claim_of_process());
    return claim_ != nullptr;
  }
  [[nodiscard]] std::string holder() const { return store_->claim_holder(JobLayout::claim); }
  [[nodiscard]] bool is_held() const { return claim_ != nullptr && claim_->is_held(); }

  /// Reads the record of an earlier manager. Returns false: there is none. Throws: it is damaged.
  bool load() {
    const auto bytes = store_->get(JobLayout::record);
    if (!bytes) return false;
    record = JobRecord::from_json(text_of(*bytes), JobNames::below(store_->location(), JobLayout::record));
    return true;
  }

  /// Begins the record of a new job.
  void begin(const std::string& name) { record = {.job_name = name, .job_id = random_text(), .created = job_time()}; }

  /// Writes the record. Throws: another process manages the job now; the store failed.
  void write() {
    if (!is_held()) throw Error::job_is_lost(record.job_name);
    record.modified = job_time();
    store_->put(JobLayout::record, record.to_json(), Sync::yes);
    written_ = std::chrono::steady_clock::now();
    written_record_ = record.modified;
    hurries_ = false;
  }

  /// Writes the record. Returns why that failed, empty if it did not: the next call tries again. Throws: another
  /// process manages the job now.
  std::string try_to_write() {
    try {
      write();
    } catch (const Error& e) {
      if (e.code() == Errc::claimed) throw;
      return e.what();
    }
    return {};
  }

  /// Says that the record has something new to tell.
  void hurry() noexcept { hurries_ = true; }

  /// The same, if the last time was long ago; sooner if there is something new.
  std::string write_now_and_then() {
    const bool is_remote = JobNames::is_remote(store_->location());
    const auto interval = std::chrono::milliseconds(is_remote ? (hurries_ ? 3000 : 15000) : (hurries_ ? 250 : 2000));
    if (std::chrono::steady_clock::now() - written_ < interval) return {};
    written_ = std::chrono::steady_clock::now();
    return try_to_write();
  }

  /// Writes the record for the last time, and tries that for a minute. Once that was in vain, later calls try once.
  /// Throws: it cannot be written.
  void write_at_last(std::chrono::nanoseconds pause = std::chrono::seconds(5)) {
    constexpr int attempts = 12;
    if (has_waited_) return write();
    for (int i = 1; i < attempts && !try_to_write().empty(); ++i) {
      std::this_thread::sleep_for(pause);
      has_waited_ = i + 1 == attempts;
    }
    if (!is_written()) write();
  }

  /// Returns whether the last write has succeeded.
  [[nodiscard]] bool is_written() const noexcept { return written_record_ == record.modified; }

  /// Removes the record of a job that has not begun.
  void forget() const { store_->remove(JobLayout::record); }

 private:
  const std::shared_ptr<Store> store_;
  std::unique_ptr<Claim> claim_;
  std::chrono::steady_clock::time_point written_{};
  double written_record_ = -1;  // its time
  bool hurries_ = false;
  bool has_waited_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
