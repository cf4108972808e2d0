#include "emit/scalable_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/file.h"
#include "emit/source.h"

namespace trimtab {
namespace {

/// Puts `text` where `mark` stands, which is part of what write_sources() has written.
void replace(std::string& source, const std::string& mark, const std::string& text) {
  const std::size_t at = source.rfind(mark);
  if (at == std::string::npos) throw failure("the emitted source has no '{}'", mark);
  source.replace(at, mark.size(), text);
}

std::string numbers(const std::vector<std::int32_t>& items) {
  std::string text;
  std::string line;
  for (const std::int32_t item : items) {
    line += (item == INT32_MIN ? std::string("INT32_MIN") : std::to_string(item)) + ",";
    if (line.size() > 108) {
      text += "\n  " + line;
      line.clear();
    }
  }
  return text + "\n  " + line;
}

/// Where two points have the same biases one array serves both: the number of the first such point.
std::size_t first_with_bias(const ScalableProgram& scalable, std::size_t point, std::size_t step) {
  const auto& bias = scalable.points[point][step].bias;
  for (std::size_t k = 0; k < point; ++k) {
    if (scalable.points[k][step].bias == bias) return k;
  }
  return point;
}

std::string bias_name(std::size_t step, std::size_t point) {
  return point == 0 ? fmt::format("bias_{}", step) : fmt::format("bias_{}_{}", step, point);
}

/// Biases and settings of all points, and the function that puts those of one into the descriptors.
std::string point_tables(const ScalableProgram& scalable, const std::vector<runtime::PointSummary>& summaries) {
  std::string text = "\n// operating points\n";
  std::string tables;
  std::string apply;
  std::size_t varying = 0;
  for (std::size_t s = 0; s < scalable.program.steps.size(); ++s) {
    if (!scalable.points[0][s].varies) continue;
    apply += fmt::format("  rt::apply_setting(step_{}, setting[{}]);\n", s, varying++);
  }
  for (std::size_t k = 0; k < scalable.points.size(); ++k) {
    tables += "  {";
    for (std::size_t s = 0; s < scalable.program.steps.size(); ++s) {
      const StepSetting& setting = scalable.points[k][s];
      if (!setting.varies) continue;
      std::string bias = "nullptr";
      if (!setting.bias.empty()) {
        const std::size_t owner = first_with_bias(scalable, k, s);
        bias = bias_name(s, owner);
        if (owner == k && k > 0) {
          text += fmt::format("alignas(4) const int32_t {}[{}] = {{{}}};\n", bias, setting.bias.size(),
                              numbers(setting.bias));
        }
      }
      tables += fmt::format("{{{}, {}, {}, {}, {}}},\n   ", bias, setting.output_minimum, setting.output_maximum,
                            setting.weight_bits, setting.shift);
    }
    tables += "},\n";
  }
  text +=
      fmt::format("const rt::StepSetting settings[{}][{}] = {{\n{}}};\n\n", scalable.points.size(), varying, tables);
  text += fmt::format("const rt::PointSummary summaries[{}] = {{\n", summaries.size());
  for (const runtime::PointSummary& point : summaries) {
    text += fmt::format("  {{{}, {}, {}, {}}},\n", point.point, point.level, point.accuracy, point.energy_nj);
  }
  text += fmt::format(
      "}};\n\nvolatile int32_t wanted_point = 0;\nint32_t current_point = 0;\n\n"
      "void take_point(int32_t point) {{\n  const rt::StepSetting* setting = settings[point];\n{}"
      "  current_point = point;\n}}\n",
      apply);
  return text;
}

}  // namespace

void write_scalable_sources(const ScalableProgram& scalable, const Schedule& schedule,
                            const std::vector<runtime::PointSummary>& summaries, const std::string& name,
                            const std::filesystem::path& share, const std::filesystem::path& folder) {
  for (std::int32_t point = 0; point < std::ssize(scalable.points); ++point) {
    if (std::none_of(summaries.begin(), summaries.end(), [&](const auto& one) { return one.point == point; }))
      throw failure("operating point {} needs a summary", point);
  }
  write_sources(scalable.program, schedule, name, share, folder);
  const std::filesystem::path source_path = folder / (name + ".cpp");
  const std::filesystem::path header_path = folder / (name + ".h");

  std::string source = read_text(source_path);
  for (std::size_t s = 0; s < scalable.program.steps.size(); ++s) {
    if (!scalable.points[0][s].varies) continue;
    for (const char* type : {"Convolution", "AveragePool", "Addition"}) {
      const std::string mark = fmt::format("constexpr rt::{} step_{} =", type, s);
      if (source.find(mark) != std::string::npos) replace(source, mark, fmt::format("rt::{} step_{} =", type, s));
    }
  }
  replace(source, "\nnamespace {\n", "#include \"trimtab/operating_points.h\"\n\nnamespace {\n");
  replace(source, "\n}  // namespace\n\nextern \"C\" {\n",
          point_tables(scalable, summaries) + "\n}  // namespace\n\nextern \"C\" {\n");
  replace(source, fmt::format("void {}_run(void) {{\n", name),
          fmt::format("int {0}_set_operating_point(int point) {{\n  if (point < 0 || point >= {1}) return -1;\n"
                      "  wanted_point = point;\n  return 0;\n}}\n\n"
                      "int {0}_choose_operating_point(int level, int energy_nj, int accuracy_floor) {{\n"
                      "  return static_cast<int>(rt::choose_operating_point(summaries, {2}, level, energy_nj, "
                      "accuracy_floor));\n}}\n\n"
                      "void {0}_run(void) {{\n  const int32_t point = wanted_point;\n"
                      "  if (point != current_point) take_point(point);\n",
                      name, scalable.points.size(), summaries.size()));
  write_file(source_path, source);

  std::string header = read_text(header_path);
  replace(
      header, fmt::format("void {}_run(void);\n", name),
      fmt::format("void {0}_run(void);\n"
                  "/* Takes effect at the next run, and may be called at any time; -1 where there is no such point. "
                  "*/\n"
                  "int {0}_set_operating_point(int point);\n"
                  "/* The cheapest point that answers at `level` (0: the finest) with at least `accuracy_floor` "
                  "(hundredths of a percent) for at\n * most `energy_nj`; where none does, the most accurate for "
                  "that energy; -1 where none is so cheap. */\n"
                  "int {0}_choose_operating_point(int level, int energy_nj, int accuracy_floor);\n"
                  "#define {1}_OPERATING_POINTS {2}\n",
                  name, upper(name), scalable.points.size()));
  write_file(header_path, header);
  write_file(folder / "trimtab" / "operating_points.h", read_text(share / "trimtab" / "operating_points.h"));
}

}  // namespace trimtab
