#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab::thermal {

/// A CSV file with one line of column names. Lines that begin with # are comments.
struct Table {
  std::string path;
  std::vector<std::string> comments;
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;

  [[nodiscard]] bool has(const std::string& name) const;
  /// Column as text. Throws Error (bad input) naming the file and the columns it has.
  [[nodiscard]] std::vector<std::string> text(const std::string& name) const;
  /// Column as finite numbers. Throws Error (bad input) naming the file, row and column.
  [[nodiscard]] std::vector<double> numbers(const std::string& name) const;
  /// Names of the columns that end with `suffix`.
  [[nodiscard]] std::vector<std::string> ending(const std::string& suffix) const;

 private:
  [[nodiscard]] std::size_t index(const std::string& name) const;
};

/// Fields in double quotes may hold commas. Throws Error (bad input) where a row has another number of fields than the
/// names, or the file has no rows.
[[nodiscard]] Table read_table(const std::filesystem::path& path);

// Each check throws Error (bad input) with the file, what is wrong and what would be right.
/// Times in s that rise, without gaps longer than `factor` times the usual step.
void check_times(const Table& table, const std::vector<double>& seconds, double factor = 8);
/// Temperatures that can be degrees Celsius of a running chip; says so where they are millidegrees or kelvin.
void check_celsius(const Table& table, const std::string& column, const std::vector<double>& values);
/// Frequencies that can be MHz.
void check_mhz(const Table& table, const std::string& column, const std::vector<double>& values);
/// Powers that can be W.
void check_watts(const Table& table, const std::string& column, const std::vector<double>& values);

[[nodiscard]] double median(std::vector<double> values);

}  // namespace trimtab::thermal
