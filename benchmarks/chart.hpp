// Draws speeds over sizes as SVG, for light and dark pages: both axes are logarithmic, each operation has a panel.
//
//   std::ofstream("speeds.svg") << chart::svg({{"l2 of float32", {{"ours", "#2a78d6", 2.5, {{16, 5.5}, {64, 21}}}}}});
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

namespace chart {

/// Units: elements, GB/s.
struct Point {
  double elements, speed;
};

enum class Style { solid, dashed, dotted };

struct Line {
  std::string name, color;
  double width;
  std::vector<Point> points;
  Style style = Style::solid;
};

struct Panel {
  std::string title;
  std::vector<Line> lines;
};

namespace detail {

constexpr double width = 560, height = 400, left = 48, right = 410, top = 40, bottom = 356;

/// A logarithmic axis: maps [low, high] to [from, to] in the picture.
struct Axis {
  double low, high, from, to;
  double operator()(double power) const { return from + (power - low) / (high - low) * (to - from); }
};

inline const char* dashes(Style style) {
  return style == Style::dashed ? " stroke-dasharray='6 4'" : style == Style::dotted ? " stroke-dasharray='2 3'" : "";
}

inline std::string elements_text(int power) {
  constexpr const char* units[] = {"", "Ki", "Mi", "Gi"};
  return std::to_string(1 << (power % 10)) + units[power / 10];
}

inline void text(std::ostream& out, double x, double y, const char* attributes, const std::string& what) {
  out << "<text x='" << x << "' y='" << y << "' " << attributes << ">" << what << "</text>\n";
}

inline void draw(std::ostream& out, const Panel& panel) {
  double least = 1e300, most = 0, fewest = 1e300, largest = 0;
  for (const Line& line : panel.lines)
    for (const Point& point : line.points) {
      least = std::min(least, point.speed);
      most = std::max(most, point.speed);
      fewest = std::min(fewest, point.elements);
      largest = std::max(largest, point.elements);
    }
  const Axis x{std::log2(fewest), std::log2(largest), left, right};
  const Axis y{std::floor(std::log10(least)), std::ceil(std::log10(most)), bottom, top};
  text(out, left, 22, "class='title'", panel.title);
  for (double power = y.low; power <= y.high; ++power) {
    out << "<path class='grid' d='M" << left << ' ' << y(power) << "H" << right << "'/>\n";
    std::ostringstream speed;
    speed << std::pow(10, power);
    text(out, left - 6, y(power) + 4, "text-anchor='end'", speed.str());
  }
  text(out, left - 6, top - 10, "text-anchor='end'", "GB/s");
  for (int power = static_cast<int>(x.low); power <= x.high; power += 4)
    text(out, x(power), bottom + 18, "text-anchor='middle'", elements_text(power));
  text(out, (left + right) / 2, bottom + 36, "text-anchor='middle'", "elements");

  struct Label {
    double y;
    const Line* line;
  };
  std::vector<Label> labels;
  for (const Line& line : panel.lines) {
    if (line.points.empty()) continue;
    out << "<path fill='none' stroke='" << line.color << "' stroke-width='" << line.width << "'"
        << detail::dashes(line.style) << " d='";
    char command = 'M';
    for (const Point& point : line.points) {
      out << command << x(std::log2(point.elements)) << ' ' << y(std::log10(point.speed));
      command = 'L';
    }
    out << "'/>\n";
    labels.push_back({y(std::log10(line.points.back().speed)), &line});
  }
  // Names are at the ends of their lines, moved apart where the ends are close.
  constexpr double apart = 14;
  std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
  for (std::size_t i = 1; i < labels.size(); ++i) labels[i].y = std::max(labels[i].y, labels[i - 1].y + apart);
  double floor = bottom + 4;
  for (std::size_t i = labels.size(); i-- > 0; floor = labels[i].y - apart) labels[i].y = std::min(labels[i].y, floor);
  for (const Label& label : labels) {
    const Line& line = *label.line;
    const Point& last = line.points.back();
    out << "<path fill='none' stroke='" << line.color << "' stroke-width='1' opacity='.5' d='M"
        << x(std::log2(last.elements)) + 2 << ' ' << y(std::log10(last.speed)) << "L" << right + 16 << ' ' << label.y
        << "'/>\n";
    text(out, right + 20, label.y + 4, ("style='fill:" + line.color + "'").c_str(), line.name);
  }
}

}  // namespace detail

inline std::string svg(const std::vector<Panel>& panels) {
  const double width = detail::width * static_cast<double>(panels.size());
  std::ostringstream out;
  out.precision(4);
  out << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << width << ' ' << detail::height
      << "' font-family='system-ui, sans-serif' font-size='12'>\n"
         "<style>text { fill: #777 } .title { font-size: 15px; font-weight: 600 } .grid { stroke: #8884 }</style>\n";
  for (std::size_t i = 0; i < panels.size(); ++i) {
    out << "<g transform='translate(" << detail::width * static_cast<double>(i) << ")'>\n";
    detail::draw(out, panels[i]);
    out << "</g>\n";
  }
  out << "</svg>\n";
  return out.str();
}

}  // namespace chart
