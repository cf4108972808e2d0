#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/toml_file.h"
#include "data/hierarchy.h"
#include "data/taxonomy.h"

namespace trimtab {

namespace {

constexpr std::size_t most_levels = 64;

using Row = std::vector<std::string>;

/// Levels from their names and, for every leaf, its class on each of them.
Taxonomy make_taxonomy(const Row& names, const std::vector<Row>& rows, const std::string& where) {
  if (names.empty() || names.size() > most_levels) {
    throw bad_input("{}: {} levels are named; 1 to {} are possible", where, names.size(), most_levels);
  }
  Taxonomy taxonomy;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Level level;
    level.name = names[i];
    std::map<std::string, std::int64_t> index_of;
    for (const Row& row : rows) {
      const auto [it, is_new] = index_of.try_emplace(row[i], static_cast<std::int64_t>(level.classes.size()));
      if (is_new) level.classes.push_back(row[i]);
      if (!is_new && i == 0) throw bad_input("{}: the class '{}' is listed twice", where, row[i]);
      level.class_of.push_back(it->second);
    }
    taxonomy.levels.push_back(std::move(level));
  }
  validate(taxonomy, where);
  return taxonomy;
}

/// Fields of one line of CSV (RFC 4180: fields in double quotes may hold commas, and quotes doubled).
Row split_csv(const std::string& line, const std::string& where) {
  Row fields;
  std::size_t at = 0;
  while (true) {
    std::string field;
    while (at < line.size() && line[at] == ' ') ++at;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size()) throw bad_input("{}: a quotation mark is not closed", where);
        if (line[at] == '"') {
          if (at + 1 >= line.size() || line[at + 1] != '"') break;
          ++at;
        }
        field += line[at];
      }
      ++at;
      while (at < line.size() && line[at] == ' ') ++at;
      if (at < line.size() && line[at] != ',') throw bad_input("{}: a comma must follow a quoted name", where);
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      field = line.substr(at, end - at);
      field.erase(field.find_last_not_of(" \t") + 1);
      at = end;
    }
    fields.push_back(std::move(field));
    if (at >= line.size()) return fields;
    ++at;  // the comma
  }
}

Row strings_of(const toml::node* node, const std::string& what, const std::string& name) {
  const toml::array* array = node == nullptr ? nullptr : node->as_array();
  if (array == nullptr) throw bad_input("{}: {} must be an array of names", name, what);
  Row strings;
  for (const toml::node& element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text) throw bad_input("{}, line {}: {} must hold names in quotes", name, element.source().begin.line, what);
    strings.push_back(*text);
  }
  return strings;
}

Taxonomy from_rows(const toml::table& table, const std::string& name) {
  const Row levels = strings_of(table.get("levels"), "'levels'", name);
  std::vector<Row> rows;
  const toml::array* classes = table.get("classes")->as_array();
  if (classes == nullptr) throw bad_input("{}: 'classes' must be an array with a row per class", name);
  for (const toml::node& element : *classes) {
    rows.push_back(strings_of(&element, "a row of 'classes'", name));
    if (rows.back().size() != levels.size()) {
      throw bad_input("{}, line {}: the row has {} names; there are {} levels", name, element.source().begin.line,
                      rows.back().size(), levels.size());
    }
  }
  return make_taxonomy(levels, rows, name);
}

Taxonomy from_parents(const toml::table& table, const std::string& name) {
  const toml::table* parents = table.get("parents")->as_table();
  if (parents == nullptr) throw bad_input("{}: 'parents' must be a table of lines class = \"parent\"", name);
  // The library sorts keys; the order of the file is the order of the labels.
  std::vector<std::pair<toml::source_position, std::pair<std::string, std::string>>> lines;
  for (const auto& [child, parent] : *parents) {
    const auto text = parent.value_exact<std::string>();
    if (!text) throw bad_input("{}: the parent of '{}' must be a name in quotes", name, child.str());
    lines.emplace_back(child.source().begin, std::pair(std::string(child.str()), *text));
  }
  std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::pair<std::string, std::string>> pairs;
  for (auto& line : lines) pairs.push_back(std::move(line.second));

  std::vector<std::int64_t> sizes;
  const toml::array* levels = table.get("levels") == nullptr ? nullptr : table.get("levels")->as_array();
  if (levels == nullptr) throw bad_input("{}: 'levels' must be an array with the number of classes per level", name);
  for (const toml::node& element : *levels) {
    const auto size = element.value_exact<std::int64_t>();
    if (!size) throw bad_input("{}: beside 'parents', 'levels' must hold numbers of classes", name);
    sizes.push_back(*size);
  }
  return cut(make_hierarchy(pairs, name), std::move(sizes));
}

/// As a TOML basic string.
std::string quoted(const std::string& text) {
  std::ostringstream stream;
  stream << toml::array{text};
  std::string line = stream.str();  // [ "..." ]
  const std::size_t begin = line.find_first_not_of("[ ");
  return line.substr(begin, line.find_last_not_of("] ") + 1 - begin);
}

}  // namespace

Taxonomy parse_taxonomy_csv(const std::string& text, const std::string& name) {
  Row levels;
  std::vector<Row> rows;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = fmt::format("{}, line {}", name, number);
    Row fields = split_csv(line, where);
    if (levels.empty()) {
      levels = std::move(fields);
      continue;
    }
    if (fields.size() != levels.size()) {
      throw bad_input("{}: the row has {} names; the header has {}", where, fields.size(), levels.size());
    }
    rows.push_back(std::move(fields));
  }
  return make_taxonomy(levels, rows, name);
}

Taxonomy parse_taxonomy_toml(const std::string& text, const std::string& name) {
  const toml::table table = parse_toml(text, name);
  for (const auto& [key, value] : table) {
    if (key.str() != "levels" && key.str() != "classes" && key.str() != "parents") {
      throw bad_input("{}: unknown key '{}'; a taxonomy has 'levels', and 'classes' or 'parents'", name, key.str());
    }
  }
  if (table.contains("classes") == table.contains("parents")) {
    throw bad_input("{}: a taxonomy has either 'classes' or 'parents'", name);
  }
  return table.contains("classes") ? from_rows(table, name) : from_parents(table, name);
}

Taxonomy read_taxonomy(const std::filesystem::path& path) {
  const std::string text = read_text(path, 64 << 20);
  if (path.extension() == ".csv") return parse_taxonomy_csv(text, path.string());
  if (path.extension() == ".toml") return parse_taxonomy_toml(text, path.string());
  throw bad_input("{} has the ending '{}'; a taxonomy is a .toml or a .csv", path.string(), path.extension().string());
}

std::string to_toml(const Taxonomy& taxonomy) {
  std::string text = "# A taxonomy: levels from fine to coarse, and a row per class with its names on all levels.\n";
  text += "levels = [";
  for (std::size_t i = 0; i < taxonomy.levels.size(); ++i) {
    text += (i > 0 ? ", " : "") + quoted(taxonomy.levels[i].name);
  }
  text += "]\nclasses = [\n";
  for (std::size_t leaf = 0; leaf < static_cast<std::size_t>(taxonomy.leaves()); ++leaf) {
    text += "  [";
    for (std::size_t i = 0; i < taxonomy.levels.size(); ++i) {
      const Level& level = taxonomy.levels[i];
      text += (i > 0 ? ", " : "") + quoted(nth(level.classes, level.class_of[leaf]));
    }
    text += "],\n";
  }
  return text + "]\n";
}

}  // namespace trimtab
