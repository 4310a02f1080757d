#include "progress_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "columns.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

constexpr const char* bold = "1";
constexpr const char* dim = "2";
constexpr const char* red = "31";
constexpr const char* green = "32";
constexpr const char* yellow = "33";

/// Returns a number in at most five digits.
std::string short_number(double value) {
  constexpr int digits = 5;
  if (std::isnan(value)) return "nan";
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits).ptr};
}

/// Returns "12.3 steps/s", "1200 steps/s", "20 s a step", "3 min 20 s a step".
std::string rate_text(double rate) {
  constexpr double many = 1000, minute = 60;
  if (rate >= many) return std::to_string(std::llround(rate)) + " steps/s";
  if (rate * minute <= 1) return duration_text(1 / rate) + " a step";
  char text[32];
  const bool slow = rate < 1;
  const auto end = std::to_chars(text, text + sizeof text, slow ? 1 / rate : rate, std::chars_format::general, 3).ptr;
  return std::string(text, end) + (slow ? " s a step" : " steps/s");
}

const char* color_of(RunState state) {
  if (state == RunState::interrupted) return red;
  return state == RunState::running_or_interrupted ? yellow : green;
}

std::string state_text(const RunProgress& progress) {
  std::string out = to_string(progress.state);
  if (progress.attempts > 0) out += ", attempt " + std::to_string(progress.attempts);
  if (progress.workers > 1) out += ", " + plural(static_cast<std::size_t>(progress.workers), "worker");
  return out;
}

/// Returns "step 1100 of TRAIN, global step 1200".
std::string step_text(const RunProgress& progress) {
  if (!progress.step) return "no step is complete";
  if (progress.step->mode == tt::Mode::global) return "global step " + std::to_string(progress.step->global_step);
  return "step " + std::to_string(progress.step->mode_step) + " of " + std::string(tt::to_string(progress.step->mode)) +
         ", global step " + std::to_string(progress.step->global_step);
}

/// Returns the name, and the mode with `with_mode`, in at most `columns`.
std::string curve_name(const Curve& curve, bool with_mode, std::size_t columns) {
  const std::string mode = with_mode ? " " + std::string(tt::to_string(curve.mode)) : "";
  return cut(cut(tt::escaped(curve.tensor), columns - std::min(columns, mode.size())) + mode, columns);
}

std::string finding_text(const tt::Finding& finding) {
  std::ostringstream out;
  out << finding;
  return out.str();
}

/// Adds lines that fit into the frame.
class Lines {
 public:
  explicit Lines(const FrameStyle& style) : style_(style), width_(style.columns - 1) {}  // the last column may wrap

  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] std::size_t left() const { return style_.rows - std::min(style_.rows, lines_.size()); }

  void add(std::string_view text, const char* color = nullptr) {
    if (left() > 0) lines_.push_back(colored(cut(text, width_), color));
  }

  /// Adds two texts in their colors; the second one is cut first.
  void add(std::string_view first, const char* color, std::string_view second, const char* second_color = nullptr) {
    const std::string begin = cut(first, width_);
    if (left() > 0)
      lines_.push_back(colored(begin, color) + colored(cut(second, width_ - columns_of(begin)), second_color));
  }

  std::vector<std::string> take() { return std::move(lines_); }

 private:
  [[nodiscard]] std::string colored(const std::string& text, const char* color) const {
    if (!style_.colors || color == nullptr || text.empty()) return text;
    return std::string("\x1b[") + color + "m" + text + "\x1b[0m";
  }

  const FrameStyle& style_;
  const std::size_t width_;
  std::vector<std::string> lines_;
};

void add_steps(Lines& lines, const RunProgress& progress) {
  std::string text = step_text(progress);
  if (progress.rate) text += ", " + rate_text(*progress.rate);
  if (progress.age && progress.state != RunState::ended) text += ", " + duration_text(*progress.age) + " ago";
  lines.add(text);
  if (!progress.total || !progress.last) return;
  const double share = std::min(1.0, static_cast<double>(*progress.last + 1) / static_cast<double>(*progress.total));
  std::string after = " " + std::to_string(static_cast<int>(share * 100)) + " % of " +
                      plural(static_cast<std::size_t>(*progress.total), "step");
  if (progress.left) after += ", " + duration_text(*progress.left) + " left";
  constexpr std::size_t widest = 40;
  const std::size_t taken = columns_of(after) + 2;
  const std::size_t columns = lines.width() > taken ? std::min(widest, lines.width() - taken) : 0;
  const auto done = static_cast<std::size_t>(share * static_cast<double>(columns));
  lines.add("[" + std::string(done, '#') + std::string(columns - done, '-') + "]" + after);
}

void add_curves(Lines& lines, const RunProgress& progress, std::size_t rows) {
  if (progress.curves.empty()) {
    if (progress.step) lines.add("no losses and metrics; --tensor PATTERN shows others", dim);
    return;
  }
  const bool with_mode = progress.modes > 1;
  std::size_t names = 0;
  for (const Curve& curve : progress.curves)
    names = std::max(names, columns_of(curve_name(curve, with_mode, lines.width())));
  names = std::min(names, lines.width() * 2 / 5);
  constexpr std::size_t numbers = 11, widest = 64;
  const std::size_t wanted = progress.curves.size();
  const std::size_t shown = wanted > rows ? (rows > 0 ? rows - 1 : 0) : wanted;
  for (std::size_t i = 0; i < shown; ++i) {
    const Curve& curve = progress.curves[i];
    const std::string name = padded(curve_name(curve, with_mode, names), names, false);
    const std::string number = padded(curve.value ? short_number(*curve.value) : "-", numbers, true);
    const std::size_t taken = names + numbers + 2;
    lines.add(name + number + "  " +
              sparkline(curve.points, std::min(widest, lines.width() - std::min(lines.width(), taken))));
  }
  const std::size_t more = wanted - shown + progress.more_curves;
  if (more > 0) lines.add("and " + std::to_string(more) + " more; --tensor PATTERN chooses", dim);
}

std::string findings_heading(const SeenFindings& findings) {
  std::string out = plural(findings.list.size(), "finding");
  const auto errors = std::count_if(findings.list.begin(), findings.list.end(),
                                    [](const tt::Finding& one) { return one.severity == tt::Severity::error; });
  if (errors > 0) out += ", " + plural(static_cast<std::size_t>(errors), "error");
  if (findings.last_judged) return out + "; judged up to global step " + std::to_string(*findings.last_judged);
  return out + (findings.rules > 0 ? "; no step is judged" : "; no rule judges");
}

std::vector<std::string> losses_of(const RunProgress& progress) {
  std::vector<std::string> out;
  if (!progress.lost.empty()) out.push_back("lost: " + to_string(progress.lost));
  if (!progress.thinned.empty()) out.push_back("thinned: " + to_string(progress.thinned.back()));
  if (progress.damaged > 0)
    out.push_back("damaged: " + plural(progress.damaged, "object") + "; tensortap check lists them");
  return out;
}

}  // namespace

std::vector<std::string> frame_of(const std::string& run, const std::optional<RunProgress>& progress,
                                  const SeenFindings& findings, const FrameStyle& style) {
  Lines lines(style);
  const std::string state = progress ? state_text(*progress) : "there is no run yet";
  const std::size_t most = lines.width() - std::min(lines.width(), columns_of(state) + 2);
  const std::size_t least = 8;
  lines.add(cut(tt::escaped(run), std::max(most, least)) + ": ", bold, state,
            progress ? color_of(progress->state) : nullptr);
  if (!progress) return lines.take();
  add_steps(lines, *progress);
  if (progress->cost != tt::HookCost()) lines.add("hook: " + to_string(progress->cost), dim);

  const std::vector<std::string> losses = losses_of(*progress);
  const std::size_t fixed = 3 + losses.size() + (style.keys ? 2 : 0);  // two blank lines and a heading
  const std::size_t rows = lines.left() - std::min(lines.left(), fixed);
  const std::size_t curves =
      std::max<std::size_t>(1, std::min(progress->curves.size() + 1,
                                        rows - std::min(rows, std::min<std::size_t>(findings.list.size(), rows / 2))));
  if (rows > 0) {
    lines.add("");
    add_curves(lines, *progress, curves);
    lines.add("");
  }
  const bool has_error = std::any_of(findings.list.begin(), findings.list.end(),
                                     [](const tt::Finding& one) { return one.severity == tt::Severity::error; });
  lines.add(findings_heading(findings), has_error ? red : findings.list.empty() ? nullptr : yellow);
  const std::size_t after = losses.size() + (style.keys ? 2 : 0);
  for (auto finding = findings.list.rbegin(); finding != findings.list.rend() && lines.left() > after; ++finding)
    lines.add("  ", nullptr, finding_text(*finding));
  for (const std::string& loss : losses) lines.add(loss, red);
  if (style.keys && lines.left() > 1) {
    lines.add("");
    lines.add("q quits", dim);
  }
  return lines.take();
}

std::string line_of(const RunProgress& progress) {
  std::string out = step_text(progress);
  if (progress.rate) out += ", " + rate_text(*progress.rate);
  if (progress.left) out += ", " + duration_text(*progress.left) + " left";
  constexpr double percent = 100;
  if (progress.cost != tt::HookCost()) out += ", hook " + short_number(percent * progress.cost.share()) + " %";
  constexpr std::size_t most = 6, widest = 60;
  for (std::size_t i = 0; i < std::min(most, progress.curves.size()); ++i)
    if (const Curve& curve = progress.curves[i]; curve.value)
      out += ", " + curve_name(curve, progress.modes > 1, widest) + " " + short_number(*curve.value);
  return out;
}

std::string json_of(const std::string& run, const RunProgress& progress, const SeenFindings& findings,
                    std::size_t first_new) {
  nlohmann::ordered_json out = {{"run", run}, {"state", to_string(progress.state)}, {"workers", progress.workers}};
  const auto optional = [&out](const char* key, const auto& value) {
    if (value)
      out[key] = *value;
    else
      out[key] = nullptr;
  };
  out["attempts"] = progress.attempts;
  optional("global_step", progress.step ? std::optional(progress.step->global_step) : std::nullopt);
  optional("mode", progress.step ? std::optional(tt::to_string(progress.step->mode)) : std::nullopt);
  optional("mode_step", progress.step ? std::optional(progress.step->mode_step) : std::nullopt);
  optional("step_age_seconds", progress.age);
  optional("steps_per_second", progress.rate);
  optional("total_steps", progress.total);
  optional("seconds_left", progress.left);
  out["values"] = nlohmann::ordered_json::array();
  for (const Curve& curve : progress.curves) {
    nlohmann::ordered_json one = {
        {"tensor", curve.tensor}, {"mode", tt::to_string(curve.mode)}, {"mode_step", curve.step}};
    one["value"] = curve.value ? nlohmann::ordered_json(*curve.value) : nlohmann::ordered_json();
    out["values"].push_back(std::move(one));
  }
  out["findings"] = findings.list.size();
  optional("judged_global_step", findings.last_judged);
  out["new_findings"] = nlohmann::ordered_json::array();
  for (std::size_t i = std::min(first_new, findings.list.size()); i < findings.list.size(); ++i)
    out["new_findings"].push_back(nlohmann::ordered_json::parse(tt::to_json(findings.list[i])));
  out["lost_steps"] = progress.lost.steps;
  out["lost_tensors"] = progress.lost.tensors;
  out["thinned"] = nlohmann::ordered_json::array();
  for (const tt::Thinning& one : progress.thinned) out["thinned"].push_back(to_string(one));
  out["damaged"] = progress.damaged;
  optional("hook_share", progress.cost == tt::HookCost() ? std::nullopt : std::optional(progress.cost.share()));
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tensortap_command
