#include <iostream>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/report.hpp>
#include <vector>

#include "commands.hpp"
#include "output_file.hpp"
#include "read_report.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int report(const std::vector<std::string>& addresses, const Report& how, std::ostream& out) {
  if (how.xgboost) {
    if (addresses.size() > 1 || !how.file.empty())
      throw std::runtime_error("report: --xgboost prints the report of one run; leave out --output and other runs");
    out << tt::xgboost_report(open_run("report", addresses.front())) << std::endl;
    return 0;
  }
  if (how.file.empty() && !how.json)
    throw std::runtime_error("report: where does the page go? name a file with --output, or ask for --json");
  std::vector<tt::RunReport> runs;
  runs.reserve(addresses.size());
  for (const std::string& address : addresses) runs.push_back(read_report(address, {.around = how.around}));

  const auto write = [&](std::ostream& to) {
    if (!how.json) return tt::write_page(runs, to);
    for (const tt::RunReport& run : runs) to << tt::to_json(run) << '\n';
  };
  if (how.file.empty() || how.file == "-") {
    write(out);
  } else {
    OutputFile file(how.file, "report");
    write(file.stream());
    file.publish();
    out << tt::escaped(how.file) << ":";
    for (const tt::RunReport& run : runs)
      out << (&run == runs.data() ? " " : "; ") << tt::escaped(run.name) << ", " << plural(run.steps, "step") << ", "
          << plural(run.findings.size(), "finding");
    out << '\n';
  }
  bool is_damaged = false;
  for (const tt::RunReport& run : runs)
    for (const tt::Damage& damage : run.damage) {
      std::cerr << "damaged: " << damage.where << ": " << damage.cause << '\n';
      is_damaged = true;
    }
  return is_damaged ? 1 : 0;
}

}  // namespace tensortap_command
