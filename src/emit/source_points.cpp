#include "emit/source_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "emit/c_text.h"
#include "emit/point_quality.h"
#include "program/describe.h"

namespace trimtab {
namespace {

/// The declaration of NAME_choose_operating_point without its end. Only programs with levels have one as parameter.
std::string choose_declaration(const Program& program, const std::string& name) {
  const QualityText quality(*program.measure);
  return fmt::format("int {}_choose_operating_point({}int energy_nj, {}, int *meets_{})", name,
                     program.levels.empty() ? "" : "int level, ", quality.declared(), quality.limit());
}

std::string choose_comment(const Program& program) {
  const QualityText quality(*program.measure);
  return fmt::format(
      "/* Chooses the cheapest point whose {}{} is at {} `{}`\n"
      " * ({}) for at most `energy_nj` nanojoules. Where no point is, it chooses the best one within the\n"
      " * energy, and *meets_{} becomes 0, else 1 (`meets_{}` may be null). Returns -1 where no point is within the\n"
      " * energy. The points, on the samples that they were measured with:\n",
      in_comment(quality.name()), program.levels.empty() ? "" : " at `level` (0: the finest)",
      quality.is_error() ? "most" : "least", quality.parameter(), quality.unit(), quality.limit(), quality.limit());
}

/// The table of the points, as the lines of a comment.
std::string point_lines(const Program& program) {
  std::string text;
  std::istringstream lines(describe_points(program, program.points.size()));
  for (std::string line; std::getline(lines, line);) text += fmt::format(" * {}\n", in_comment(line));
  return text;
}

std::size_t most_classes(const Program& program) {
  std::size_t most = 0;
  for (const Level& level : program.levels) most = std::max(most, level.classes.size());
  return most;
}

}  // namespace

std::string point_declarations(const Program& program, const std::string& name) {
  std::string text;
  const std::string prefix = upper(name);
  if (program.points.size() > 1) {
    text += fmt::format(
        "\n#define {0}_OPERATING_POINTS {1}\n"
        "/* Takes effect at the next run and may be called at any time. Returns 0, or -1 where there is no such point. "
        "*/\n"
        "int {2}_set_operating_point(int point);\n",
        prefix, program.points.size(), name);
  }
  if (has_summaries(program)) {
    text += choose_comment(program) + point_lines(program) + " */\n" + choose_declaration(program, name) + ";\n";
  }
  if (!program.levels.empty()) {
    text += fmt::format(
        "\n/* Levels of abstraction of the answer, from the finest. */\n#define {0}_LEVELS {1}\n#define {0}_CLASSES "
        "{2}\n"
        "extern const char *const {3}_level_name[{0}_LEVELS];\n"
        "extern const uint16_t {3}_level_classes[{0}_LEVELS];\n"
        "/* [level][output]: the class of the level that the output belongs to. The probability of a class is the sum\n"
        " * of the probabilities of its outputs. */\n"
        "extern const uint16_t {3}_class_of[{0}_LEVELS][{0}_CLASSES];\n"
        "/* [level][class]; null beyond the level's classes. */\n"
        "extern const char *const {3}_class_name[{0}_LEVELS][{4}];\n",
        prefix, program.levels.size(), program.levels.front().class_of.size(), name, most_classes(program));
  }
  return text;
}

std::string point_state(const Program& program) {
  std::string text = "\nvolatile int32_t wanted_point = 0;\n";
  if (!has_summaries(program)) return text;
  const QualityText quality(*program.measure);
  const std::size_t levels = program.points.front().quality.size();
  text += fmt::format("constexpr rt::PointSummary<{}> summaries[{}] = {{\n", quality.type(),
                      program.points.size() * levels);
  for (std::size_t k = 0; k < program.points.size(); ++k) {
    const ProgramPoint& point = program.points[k];
    const double energy = std::min<double>(point.energy_nj, std::numeric_limits<std::int32_t>::max());
    for (std::size_t level = 0; level < levels; ++level) {
      text +=
          fmt::format("  {{{}, {}, {}, {}}},\n", k, level, quality.literal(point.quality[level]), std::llround(energy));
    }
  }
  return text + "};\n";
}

std::string point_functions(const Program& program, const std::string& name) {
  if (program.points.size() < 2) return {};
  std::string text = fmt::format(
      "int {}_set_operating_point(int point) {{\n  if (point < 0 || point >= {}) return -1;\n  wanted_point = point;\n"
      "  return 0;\n}}\n\n",
      name, program.points.size());
  if (has_summaries(program)) {
    const QualityText quality(*program.measure);
    text += choose_declaration(program, name) + " {\n";
    text += fmt::format(
        "  const rt::PointChoice choice = rt::choose_operating_point<{0}>(summaries, {1}, {2}, energy_nj, {3});\n"
        "  if (meets_{4} != nullptr) *meets_{4} = choice.meets_floor ? 1 : 0;\n  return choice.point;\n}}\n\n",
        quality.type(), program.points.size() * program.points.front().quality.size(),
        program.levels.empty() ? "0" : "level", quality.floor(), quality.limit());
  }
  return text;
}

std::string level_tables(const Program& program, const std::string& name) {
  if (program.levels.empty()) return {};
  const std::string prefix = upper(name);
  std::string names;
  std::string counts;
  std::string classes;
  std::string class_names;
  for (const Level& level : program.levels) {
    names += fmt::format("\n  {},", string_literal(level.name));
    counts += fmt::format("{},", level.classes.size());
    classes += "\n  {";
    for (const std::int64_t of : level.class_of) classes += fmt::format("{},", of);
    classes += "},";
    class_names += "\n  {";
    for (const std::string& one : level.classes) class_names += fmt::format("\n   {},", string_literal(one));
    class_names += "},";
  }
  return fmt::format(
      "const char *const {0}_level_name[{1}_LEVELS] = {{{2}}};\nconst uint16_t {0}_level_classes[{1}_LEVELS] = "
      "{{{3}}};\n"
      "const uint16_t {0}_class_of[{1}_LEVELS][{1}_CLASSES] = {{{4}}};\n"
      "const char *const {0}_class_name[{1}_LEVELS][{5}] = {{{6}}};\n\n",
      name, prefix, names, counts, classes, most_classes(program), class_names);
}

}  // namespace trimtab
