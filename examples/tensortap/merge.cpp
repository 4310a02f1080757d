#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/error.hpp>
#include <tensortap/rules/finding.hpp>
#include <utility>
#include <vector>

#include "shard.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

/// A line of a finding, with what its place depends on.
struct Line {
  tt::Finding key;
  std::string text;
};

/// A part, and where its last line is.
struct Part {
  PartEnd end;
  std::string at;
};

/// What the files hold.
struct Parts {
  std::vector<Line> lines;
  std::map<std::int64_t, Part> by_index;
};

[[noreturn]] void refuse(const std::string& at, const std::string& what) {
  throw std::runtime_error("judge: --merge: " + at + ": " + what);
}

/// Reads a line. Returns false at the end of the file. Throws: it is longer than a line of the tool can be.
bool read_line(std::istream& in, const std::string& at, std::string& line) {
  constexpr std::size_t limit = std::size_t{64} << 20;
  line.clear();
  std::streambuf& from = *in.rdbuf();
  using Traits = std::istream::traits_type;
  for (auto c = from.sbumpc(); !Traits::eq_int_type(c, Traits::eof()); c = from.sbumpc()) {
    if (c == '\n') return true;
    if (line.size() == limit) refuse(at, "it has more than 64 MiB; it is not what judge --json prints");
    line += Traits::to_char_type(c);
  }
  return !line.empty();
}

/// Reads fields of an object, with the place for messages.
class Fields {
 public:
  Fields(const nlohmann::json& object, const std::string& at) : object_(object), at_(at) {}

  [[nodiscard]] std::string text(const char* name) const {
    return field(name, "text", [](const nlohmann::json& value) { return value.is_string(); }).get<std::string>();
  }
  [[nodiscard]] std::int64_t number(const char* name) const {
    return field(name, "a whole number", [](const nlohmann::json& value) { return value.is_number_integer(); })
        .get<std::int64_t>();
  }
  [[nodiscard]] bool flag(const char* name) const {
    return field(name, "true or false", [](const nlohmann::json& value) { return value.is_boolean(); }).get<bool>();
  }
  [[nodiscard]] const nlohmann::json& list(const char* name) const {
    return field(name, "a list of objects", [](const nlohmann::json& value) {
      return value.is_array() &&
             std::all_of(value.begin(), value.end(), [](const nlohmann::json& one) { return one.is_object(); });
    });
  }

 private:
  template <class Check>
  [[nodiscard]] const nlohmann::json& field(const char* name, const char* form, const Check& check) const {
    const auto found = object_.find(name);
    if (found == object_.end())
      refuse(at_, std::string("there is no \"") + name + "\"; it is not what judge --json prints");
    if (!check(*found)) refuse(at_, std::string("\"") + name + "\" is not " + form);
    return *found;
  }

  const nlohmann::json& object_;
  const std::string& at_;
};

tt::Finding key_of(const nlohmann::json& object, const std::string& at) {
  const Fields fields(object, at);
  tt::Finding out;
  out.rule = fields.text("rule");
  const std::string severity = fields.text("severity");
  if (severity != "error" && severity != "advice") refuse(at, "\"severity\" is neither error nor advice");
  out.severity = severity == "error" ? tt::Severity::error : tt::Severity::advice;
  out.step.global_step = fields.number("step");
  out.tensor = fields.text("tensor");
  out.worker = fields.text("worker");
  out.failed = object.contains("failed") && fields.flag("failed");
  (void)fields.text("message");
  return out;
}

PartEnd end_of(const nlohmann::json& object, const std::string& at) {
  if (!object.is_object()) refuse(at, "\"shard\" is no object");
  const Fields fields(object, at);
  PartEnd out;
  out.shard = {fields.number("index"), fields.number("count")};
  if (out.shard.index < 0 || out.shard.index >= out.shard.count) refuse(at, "there is no such shard");
  out.run = fields.text("run");
  out.settings = fields.text("settings");
  out.steps = fields.number("steps");
  out.last_step = fields.number("last_step");
  out.findings = static_cast<std::size_t>(std::max<std::int64_t>(0, fields.number("findings")));
  out.complete = fields.flag("complete");
  out.damaged = fields.flag("damaged");
  for (const nlohmann::json& one : fields.list("rules")) {
    const Fields rule(one, at);
    out.rules.push_back({.rule = rule.text("rule"), .tensors = rule.number("tensors"), .steps = rule.number("steps")});
  }
  return out;
}

/// Reads all lines of a file. It may hold several parts, as the output of mpirun does.
void read_file(const std::string& file, Parts& parts) {
  std::ifstream in(file, std::ios::binary);
  const std::string name = tt::in_quotes(file);
  if (!in || in.peek() == std::ifstream::traits_type::eof()) {
    if (!in.eof()) refuse(name, "it cannot be read");
    refuse(name, "it is empty; its process has not ended, or ran without --json");
  }
  std::size_t number = 0;
  std::size_t expected = 0;
  std::size_t ends = 0;
  const std::size_t before = parts.lines.size();
  std::string line;
  for (std::string at = name + ", line 1"; read_line(in, at, line);
       at = name + ", line " + std::to_string(number + 1)) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) refuse(at, "it is no JSON object; the file is damaged, or not what judge --json prints");
    const auto shard = object.find("shard");
    if (shard == object.end()) {
      parts.lines.push_back({key_of(object, at), line});
      continue;
    }
    Part part{end_of(*shard, at), at};
    ++ends;
    expected += part.end.findings;
    const std::int64_t index = part.end.shard.index;
    const auto [known, is_new] = parts.by_index.try_emplace(index, std::move(part));
    if (!is_new)
      refuse(at, "shard " + std::to_string(index) + " is there twice; the other one is in " + known->second.at);
  }
  if (ends == 0) refuse(name, "no line tells which shard it is; its process has not ended, or judged without --shard");
  if (parts.lines.size() - before != expected)
    refuse(name, "it has " + plural(parts.lines.size() - before, "finding") + ", and should have " +
                     std::to_string(expected) + "; lines are missing, or of another judgement");
}

/// Throws: the parts are not all parts of one judgement.
void require_one_judgement(const Parts& parts) {
  const Part& first = parts.by_index.begin()->second;
  for (const auto& entry : parts.by_index) {
    const Part& part = entry.second;
    const PartEnd& end = part.end;
    const auto differ = [&](const std::string& what) { refuse(part.at, what + " " + first.at); };
    if (!end.complete) refuse(part.at, "its process was stopped before it had judged all steps; run it again");
    if (end.shard.count != first.end.shard.count)
      differ("it is one of " + std::to_string(end.shard.count) + " shards, unlike");
    if (end.settings != first.end.settings)
      differ("other rules, parameters or options, or another version of the tool, than in");
    if (end.run != first.end.run) differ("it is of another run than");
    if (end.steps != first.end.steps || end.last_step != first.end.last_step)
      differ("it has judged " + plural(static_cast<std::size_t>(end.steps), "step") + ", the last " +
             std::to_string(end.last_step) + ", not " + std::to_string(first.end.steps) + ", the last " +
             std::to_string(first.end.last_step) + "; judge a run that has ended, or with --follow; unlike");
  }
  std::vector<std::string> missing;
  const std::int64_t count = first.end.shard.count;
  for (std::int64_t i = 0; i < count && missing.size() < 10; ++i)
    if (!parts.by_index.contains(i)) missing.push_back(std::to_string(i));
  const auto lacking = count - static_cast<std::int64_t>(parts.by_index.size());
  if (lacking == 0) return;
  std::string list;
  for (const std::string& one : missing) list += (list.empty() ? "" : ", ") + one;
  if (lacking > static_cast<std::int64_t>(missing.size())) list += " …";
  throw std::runtime_error("judge: --merge: of " + plural(static_cast<std::size_t>(count), "shard") + ", " +
                           std::to_string(lacking) + " are missing: " + list + "; name the files of all");
}

}  // namespace

int merge(const std::vector<std::string>& files, std::ostream& out) {
  Parts parts;
  for (const std::string& file : files) read_file(file, parts);
  require_one_judgement(parts);
  std::stable_sort(parts.lines.begin(), parts.lines.end(), [](const Line& a, const Line& b) {
    if (tt::comes_before(a.key, b.key)) return true;
    return !tt::comes_before(b.key, a.key) && a.text < b.text;
  });
  std::size_t failed = 0;
  for (const Line& line : parts.lines) {
    out << line.text << '\n';
    if (line.key.failed) ++failed;
  }
  bool damaged = false;
  bool has_judged = false;
  for (const auto& [index, part] : parts.by_index) {
    damaged = damaged || part.end.damaged;
    for (const tt::RuleResult& rule : part.end.rules) has_judged = has_judged || rule.tensors > 0;
  }
  if (!has_judged) std::cerr << "nothing was judged\n";
  if (failed > 0 || !has_judged) return 2;
  return !parts.lines.empty() || damaged ? 1 : 0;
}

}  // namespace tensortap_command
