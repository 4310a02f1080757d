// The body of report_page.hpp.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/html_text.hpp>
#include <tensortap/report/internal/page_base.hpp>
#include <tensortap/report/internal/page_charts.hpp>
#include <tensortap/report/internal/page_maps.hpp>
#include <tensortap/report/internal/page_sections.hpp>
#include <tensortap/report/internal/page_start.hpp>
#include <tensortap/report/internal/page_style.hpp>
#include <tensortap/report/internal/page_trace.hpp>
#include <tensortap/report/internal/sha256.hpp>
#include <tensortap/report/report_page.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/version.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns JSON, all of it ASCII, with what could end a script written otherwise. It has such characters in strings
/// only.
inline std::string json_in_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  return out;
}

}  // namespace detail

TENSORTAP_INLINE void write_page(const std::vector<RunReport>& runs, std::ostream& out) {
  std::string names;
  for (const RunReport& run : runs) names.append(names.empty() ? "" : ", ").append(run.name);
  if (runs.empty()) names = "no run";
  const std::string title = detail::html_text(names);
  std::string script;
  for (const std::string_view part : {detail::page_base, detail::page_charts, detail::page_maps, detail::page_sections,
                                      detail::page_trace, detail::page_start})
    script += part;

  out << "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-"
      << detail::base64_of(detail::sha256(detail::page_style)) << "'; script-src 'sha256-"
      << detail::base64_of(detail::sha256(script))
      << "'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"
      << title << " - report</title>\n<style>" << detail::page_style
      << "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the report</a>\n<header>\n<div "
         "class=\"head\"><h1>"
      << title
      << "</h1><div class=\"badges\"></div><div class=\"choices\"></div></div>\n<nav aria-label=\"Sections\"></nav>\n"
         "</header>\n<main id=\"main\" tabindex=\"-1\">\n<noscript><p>This page draws its charts with a script, which "
         "is "
         "switched off here. The command tensortap report --json prints the same facts.</p></noscript>\n</main>\n"
         "<footer>Steps are global steps, which count all modes together. Made by tensortap "
      << version << ".</footer>\n<script type=\"application/json\" id=\"report\">{\"runs\":[";
  for (const RunReport& run : runs) out << (&run == runs.data() ? "" : ",") << detail::json_in_script(to_json(run));
  out << "]}</script>\n<script>" << script << "</script>\n</body>\n</html>\n";
  out.flush();
  if (!out) throw Error::export_failed(runs.size());
}

TENSORTAP_END_NAMESPACE
