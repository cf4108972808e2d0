#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"

namespace trimtab {
namespace {

// Colours that colour-blind readers can tell apart (Okabe, Ito 2008).
constexpr const char* palette[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                   "#E69F00", "#56B4E9", "#000000", "#8C6D00"};

/// Any text as a string of a gnuplot script. In gnuplot's single quotes only the quote itself is special.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : printable(text)) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

/// The name of a file in the folder where gnuplot works. A name that begins with | or < would be a command, one that
/// begins with - an option.
std::string quoted_file(const std::string& name) { return quoted("./" + name); }

/// Names in the middle of the steps that begin at 0, 1, ...; nothing that was set for the plot before stays.
std::string names_of_x(const Plot& plot) {
  if (plot.x_names.empty()) return "unset xtics\nset xtics autofreq norotate\n";
  std::string names;
  for (std::size_t i = 0; i < plot.x_names.size(); ++i)
    names += fmt::format("{}{} {}.5", i == 0 ? "" : ", ", quoted(plot.x_names[i]), i);
  return fmt::format("set xtics ({}) rotate by -30 noenhanced\n", names);
}

}  // namespace

void draw(const std::filesystem::path& path, const std::vector<Plot>& plots, int width, int height) {
  const std::string ending = path.extension().string();
  if (ending != ".svg" && ending != ".png") {
    throw bad_input("a plot cannot be written to {}; its name must end with .svg or .png", path.string());
  }
  const std::string name = path.filename().string();
  if (printable(name) != name) {
    throw bad_input("a plot cannot be written to {}; its name must hold no control characters", path.string());
  }
  std::string data;
  std::string script = fmt::format(
      "# Draws {}.\nset terminal {} size {},{} {}\nset output {}\n", name, ending == ".svg" ? "svg" : "pngcairo", width,
      height * static_cast<int>(plots.size()),
      ending == ".svg" ? "background '#ffffff' font 'Helvetica,13'" : "font 'Helvetica,11'", quoted_file(name));
  script +=
      "set encoding utf8\nset datafile missing 'nan'\nset grid lc rgb '#dddddd'\nset key outside right top samplen 2\n";
  script += "set border lc rgb '#444444'\nset lmargin 11\n";
  // One right margin for all plots, so that they stand exactly below each other.
  std::size_t longest = 8;
  for (const Plot& plot : plots) {
    for (const Curve& curve : plot.curves) longest = std::max(longest, curve.title.size());
  }
  script += fmt::format("set rmargin {}\n", std::min<std::size_t>(longest, 40) + 10);
  script += fmt::format("set multiplot layout {},1\n", plots.size());
  const std::string data_name = name + ".dat";
  std::size_t block = 0;
  for (const Plot& plot : plots) {
    bool right = false;
    for (const Curve& curve : plot.curves) right = right || curve.right_axis;
    script += fmt::format("set title {} noenhanced\nset xlabel {} noenhanced\nset ylabel {} noenhanced\n",
                          quoted(plot.title), quoted(plot.x_label), quoted(plot.y_label));
    script += names_of_x(plot);
    script += plot.right_from_zero ? "set y2range [0:*]\n" : "set autoscale y2\n";
    script += plot.y_from_zero ? "set yrange [0:*]\n" : "set autoscale y\n";
    script += right
                  ? fmt::format("set ytics nomirror\nset y2tics\nset y2label {} noenhanced\n", quoted(plot.right_label))
                  : std::string("set ytics mirror\nunset y2tics\nunset y2label\n");
    std::string lines;
    std::size_t colour = 0;
    for (const Curve& curve : plot.curves) {
      if (curve.x.size() != curve.y.size()) {
        throw bad_input("the curve '{}' has {} x and {} y; it must have as many", curve.title, curve.x.size(),
                        curve.y.size());
      }
      if (!curve.high.empty() && curve.high.size() != curve.x.size()) {
        throw bad_input("the band '{}' has {} x and {} upper ends; it must have as many", curve.title, curve.x.size(),
                        curve.high.size());
      }
      for (std::size_t i = 0; i < curve.x.size(); ++i) {
        if (!curve.high.empty()) {
          data += fmt::format("{:.6g} {:.6g} {:.6g}\n", curve.x[i], curve.y[i], curve.high[i]);
          continue;
        }
        data += std::isfinite(curve.y[i]) ? fmt::format("{:.6g} {:.6g}\n", curve.x[i], curve.y[i])
                                          : fmt::format("{:.6g} nan\n", curve.x[i]);
      }
      if (curve.x.empty()) data += "nan nan\n";
      data += "\n\n";
      const char* style = curve.points ? "points pt 7 ps 0.5" : curve.steps ? "steps lw 1.5" : "lines lw 1.8";
      const char* rgb =
          palette[(curve.colour >= 0 ? static_cast<std::size_t>(curve.colour) : colour++) % std::size(palette)];
      if (!curve.high.empty()) {
        lines +=
            fmt::format("{}{} index {} using 1:2:3 with filledcurves fc rgb '{}' fs transparent solid 0.2 noborder {}",
                        lines.empty() ? "" : ", \\\n  ", quoted_file(data_name), block++, rgb,
                        curve.title.empty() ? "notitle" : "title " + quoted(curve.title) + " noenhanced");
        continue;
      }
      lines += fmt::format("{}{} index {} using 1:2 with {} lc rgb '{}' title {} noenhanced{}",
                           lines.empty() ? "" : ", \\\n  ", quoted_file(data_name), block++, style, rgb,
                           quoted(curve.title), curve.right_axis ? " axes x1y2" : "");
    }
    for (const double level : plot.levels) {
      lines += fmt::format("{}{:.6g} with lines dt 2 lc rgb '#888888' title {}", lines.empty() ? "" : ", \\\n  ", level,
                           quoted(fmt::format("{:g}", level)));
    }
    if (lines.empty()) throw bad_input("the plot '{}' has no curve", plot.title);
    script += "plot " + lines + "\n";
  }
  script += "unset multiplot\n";

  make_directory(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
  write_file(path.string() + ".dat", data);
  write_file(path.string() + ".gp", script);
  const ProcessResult result =
      run_process({"gnuplot", "./" + name + ".gp"}, "install the package gnuplot-nox", std::chrono::minutes(2),
                  path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
  if (result.exit_code != 0) throw failure("gnuplot could not draw {}: {}", path.string(), result.errors);
}

}  // namespace trimtab
