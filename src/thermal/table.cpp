#include "thermal/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace trimtab::thermal {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

bool Table::has(const std::string& name) const { return std::find(names.begin(), names.end(), name) != names.end(); }

std::size_t Table::index(const std::string& name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw bad_input("{} has no column '{}'; it has {}", path, name, joined(names));
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<std::string> Table::text(const std::string& name) const {
  const std::size_t column = index(name);
  std::vector<std::string> values;
  values.reserve(rows.size());
  for (const auto& row : rows) values.push_back(row[column]);
  return values;
}

std::vector<double> Table::numbers(const std::string& name) const {
  const std::size_t column = index(name);
  std::vector<double> values;
  values.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string& field = rows[i][column];
    double value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc{} || end != field.data() + field.size() || !std::isfinite(value)) {
      throw bad_input("{} has '{}' in row {}, column '{}'; it must be a number", path, field, i + 1, name);
    }
    values.push_back(value);
  }
  return values;
}

std::vector<std::string> Table::ending(const std::string& suffix) const {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (name.size() >= suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
      found.push_back(name);
    }
  }
  return found;
}

Table read_table(const std::filesystem::path& path) {
  const std::string content = read_text(path, 256 << 20);
  Table table;
  table.path = path.string();
  std::size_t position = 0;
  std::size_t number = 0;
  while (position < content.size()) {
    std::size_t end = content.find('\n', position);
    if (end == std::string::npos) end = content.size();
    std::string_view line = std::string_view(content).substr(position, end - position);
    position = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.front() == '#') {
      table.comments.emplace_back(line);
      continue;
    }
    std::vector<std::string> fields = csv_fields(line);
    if (table.names.empty()) {
      table.names = std::move(fields);
      continue;
    }
    if (fields.size() != table.names.size()) {
      throw bad_input("{} has {} fields in line {}; its header names {} columns", table.path, fields.size(), number,
                      table.names.size());
    }
    table.rows.push_back(std::move(fields));
  }
  if (table.rows.empty()) throw bad_input("{} holds no rows; it must be a CSV file with a header", table.path);
  return table;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  const double upper = values[middle];
  if (values.size() % 2 == 1) return upper;
  return 0.5 * (upper + *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle)));
}

void check_times(const Table& table, const std::vector<double>& seconds, double factor) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < seconds.size(); ++i) steps.push_back(seconds[i] - seconds[i - 1]);
  const double usual = median(steps);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!(steps[i] > 0)) {
      throw bad_input("{} has times that do not rise at row {} ({} s after {} s)", table.path, i + 2, seconds[i + 1],
                      seconds[i]);
    }
    if (steps[i] > factor * usual) {
      throw bad_input("{} has a gap of {:.1f} s before row {} where a row every {:.2f} s is usual; split the log there",
                      table.path, steps[i], i + 2, usual);
    }
  }
  if (usual > 3600 || (usual > 30 && seconds.size() > 20)) {
    throw bad_input("{} has a row every {:.0f} s; times must be in s, not ms, and a row at least every 30 s is needed",
                    table.path, usual);
  }
}

void check_celsius(const Table& table, const std::string& column, const std::vector<double>& values) {
  const double typical = median(values);
  if (typical > 1000) {
    throw bad_input("{} has temperatures around {:.0f} in '{}'; these look like millidegrees, divide them by 1000",
                    table.path, typical, column);
  }
  if (typical > 200) {
    throw bad_input("{} has temperatures around {:.0f} in '{}'; these look like kelvin, degrees Celsius are needed",
                    table.path, typical, column);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < -40 || values[i] > 150) {
      throw bad_input("{} has {} in row {}, column '{}'; a chip runs between -40 and 150 degrees Celsius", table.path,
                      values[i], i + 1, column);
    }
  }
}

void check_mhz(const Table& table, const std::string& column, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 10 || values[i] > 10000) {
      throw bad_input("{} has a frequency of {} in row {}, column '{}'; it must be in MHz (10 to 10000)", table.path,
                      values[i], i + 1, column);
    }
  }
}

void check_watts(const Table& table, const std::string& column, const std::vector<double>& values) {
  const double typical = median(values);
  if (typical > 200) {
    throw bad_input("{} has powers around {:.0f} in '{}'; these look like mW, W are needed", table.path, typical,
                    column);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] > 500) {
      throw bad_input("{} has a power of {} in row {}, column '{}'; it must be W, 0 to 500", table.path, values[i],
                      i + 1, column);
    }
  }
}

}  // namespace trimtab::thermal
