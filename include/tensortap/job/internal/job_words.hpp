// What the managers of one job tell each other: objects in the job's folder, one for each, which only its manager
// writes. They are advice between processes that trust each other; a text that cannot be read counts as silence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What the chief tells. Phases: "gathering", the managers get ready for the attempt; "running"; "stopping", the
/// attempt ends on all machines; "over", all managers end with the exit code.
struct ChiefWord {
  std::string session = {};  ///< tells this process from an earlier chief
  std::string job_id = {};
  std::string address = {};  ///< the name of its machine
  std::string phase = {};
  std::string message = {};
  std::map<std::string, std::string> members = {};  ///< the process of each host that takes part
  std::int64_t attempt = -1;
  std::optional<std::int64_t> commit = {};  ///< from which the attempt continues
  std::optional<double> seconds_left = {};  ///< of the stop window
  bool at_once = false;                     ///< the programs are killed
  int managers = 0;
  int exit_code = 0;
  std::int64_t beat = 0;  ///< grows while the process lives
};

/// What the manager of another host tells. Phases: "waiting", "ready", "running", "ended".
struct MemberWord {
  std::string process = {};  ///< tells this process from an earlier one of the host
  std::string machine = {};
  std::string session = {};  ///< of the chief that it follows
  std::string phase = {};
  std::string wish = {};     ///< why the attempt has to end: "notice", "user", "now"; empty: it need not
  std::string trouble = {};  ///< why it cannot get ready, or what the program has left in output/failure
  std::int64_t attempt = -1;
  std::optional<std::int64_t> commit = {};  ///< that was restored
  std::optional<double> seconds_left = {};  ///< until its machine goes
  bool was_told = false;                    ///< whether the program was told to end before it did
  int exit_code = 0;
  int signal = 0;
  std::int64_t beat = 0;
};

/// Returns the value of a key; `otherwise` if it is missing or of another kind.
template <class Value>
Value word_value(const nlohmann::json& from, const char* key, Value otherwise) {
  const auto found = from.find(key);
  if (found == from.end()) return otherwise;
  try {
    return found->get<Value>();
  } catch (const nlohmann::json::exception&) {
    return otherwise;
  }
}

template <class Value>
std::optional<Value> word_value_if_any(const nlohmann::json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_number()) return std::nullopt;
  return found->get<Value>();
}

inline std::string word_text(nlohmann::json json) {
  std::erase_if(json.get_ref<nlohmann::json::object_t&>(), [](const auto& one) { return one.second.is_null(); });
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

template <class Value>
nlohmann::json number_or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

inline std::string to_text(const ChiefWord& word) {
  return word_text({{"Session", word.session},
                    {"JobId", word.job_id},
                    {"Address", word.address},
                    {"Phase", word.phase},
                    {"Message", word.message},
                    {"Members", word.members},
                    {"Attempt", word.attempt},
                    {"Commit", number_or_null(word.commit)},
                    {"SecondsLeft", number_or_null(word.seconds_left)},
                    {"AtOnce", word.at_once},
                    {"Managers", word.managers},
                    {"ExitCode", word.exit_code},
                    {"Beat", word.beat}});
}

inline std::string to_text(const MemberWord& word) {
  return word_text({{"Process", word.process},
                    {"Machine", word.machine},
                    {"Session", word.session},
                    {"Phase", word.phase},
                    {"Wish", word.wish},
                    {"Trouble", word.trouble},
                    {"Attempt", word.attempt},
                    {"Commit", number_or_null(word.commit)},
                    {"SecondsLeft", number_or_null(word.seconds_left)},
                    {"WasTold", word.was_told},
                    {"ExitCode", word.exit_code},
                    {"Signal", word.signal},
                    {"Beat", word.beat}});
}

/// Takes what `json`, an object, tells.
inline void take_word(ChiefWord& to, const nlohmann::json& json) {
  to.session = word_value(json, "Session", to.session);
  to.job_id = word_value(json, "JobId", to.job_id);
  to.address = word_value(json, "Address", to.address);
  to.phase = word_value(json, "Phase", to.phase);
  to.message = word_value(json, "Message", to.message);
  to.members = word_value(json, "Members", to.members);
  to.attempt = word_value(json, "Attempt", to.attempt);
  to.commit = word_value_if_any<std::int64_t>(json, "Commit");
  to.seconds_left = word_value_if_any<double>(json, "SecondsLeft");
  to.at_once = word_value(json, "AtOnce", false);
  to.managers = word_value(json, "Managers", 0);
  to.exit_code = word_value(json, "ExitCode", 0);
  to.beat = word_value(json, "Beat", std::int64_t{0});
}

inline void take_word(MemberWord& to, const nlohmann::json& json) {
  to.process = word_value(json, "Process", to.process);
  to.machine = word_value(json, "Machine", to.machine);
  to.session = word_value(json, "Session", to.session);
  to.phase = word_value(json, "Phase", to.phase);
  to.wish = word_value(json, "Wish", to.wish);
  to.trouble = word_value(json, "Trouble", to.trouble);
  to.attempt = word_value(json, "Attempt", to.attempt);
  to.commit = word_value_if_any<std::int64_t>(json, "Commit");
  to.seconds_left = word_value_if_any<double>(json, "SecondsLeft");
  to.was_told = word_value(json, "WasTold", false);
  to.exit_code = word_value(json, "ExitCode", 0);
  to.signal = word_value(json, "Signal", 0);
  to.beat = word_value(json, "Beat", std::int64_t{0});
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
