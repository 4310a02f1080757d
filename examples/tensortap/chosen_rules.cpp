#include "chosen_rules.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <tensortap/tensortap.hpp>
#include <utility>

namespace tensortap_command {

namespace tt = tensortap;

std::vector<tt::Rule> chosen_rules(const std::string& verb, const std::string& names,
                                   const std::vector<std::string>& settings, bool smdebug) {
  std::vector<tt::Rule> out;
  const std::vector<tt::Rule> known = smdebug ? tt::smdebug_rules() : tt::all_rules();
  if (names == "all") {
    out = known;
  } else {
    for (std::size_t begin = 0; begin <= names.size();) {
      const std::size_t end = std::min(names.find(',', begin), names.size());
      tt::Rule rule = tt::rule_named(names.substr(begin, end - begin), known);
      if (std::none_of(out.begin(), out.end(), [&](const tt::Rule& one) { return one.name() == rule.name(); }))
        out.push_back(std::move(rule));
      begin = end + 1;
    }
  }
  for (const std::string& setting : settings) {
    const std::size_t dot = setting.find('.');
    const std::size_t equals = setting.find('=', dot == std::string::npos ? 0 : dot);
    if (dot == std::string::npos || equals == std::string::npos)
      throw std::runtime_error(verb + ": --set " + tt::in_quotes(setting) + ": it is not RULE.PARAMETER=VALUE");
    const std::string name = setting.substr(0, dot);
    const auto rule = std::find_if(out.begin(), out.end(), [&](const tt::Rule& one) { return one.name() == name; });
    if (rule == out.end()) {
      (void)tt::rule_named(name, known);  // throws for a name that does not exist
      throw std::runtime_error(verb + ": --set " + tt::in_quotes(setting) + ": the rule is not among those of --rule");
    }
    rule->set(setting.substr(dot + 1, equals - dot - 1), setting.substr(equals + 1));
  }
  return out;
}

}  // namespace tensortap_command
