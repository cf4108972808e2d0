#include "data/taxonomy.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {

namespace {

void check_level(const Level& level, std::int64_t leaves, const std::string& where) {
  if (level.name.empty()) throw bad_input("{}: a level has no name", where);
  if (static_cast<std::int64_t>(level.class_of.size()) != leaves) {
    throw bad_input("{}: the level '{}' places {} classes; there are {}", where, level.name, level.class_of.size(),
                    leaves);
  }
  std::set<std::string> names;
  for (const std::string& name : level.classes) {
    if (name.empty()) throw bad_input("{}: a class of the level '{}' has no name", where, level.name);
    if (!names.insert(name).second) {
      throw bad_input("{}: the level '{}' has the class '{}' twice", where, level.name, name);
    }
  }
  std::vector<bool> used(level.classes.size());
  for (const std::int64_t index : level.class_of) {
    if (index < 0 || index >= static_cast<std::int64_t>(level.classes.size())) {
      throw bad_input("{}: the level '{}' has no class number {}", where, level.name, index);
    }
    nth(used, index) = true;
  }
  const auto unused = std::find(used.begin(), used.end(), false);
  if (unused != used.end()) {
    throw bad_input("{}: the class '{}' of the level '{}' is empty", where, nth(level.classes, unused - used.begin()),
                    level.name);
  }
}

void check_nested(const Level& fine, const Level& coarse, const std::string& where) {
  std::vector<std::int64_t> parent(fine.classes.size(), -1);
  for (std::size_t leaf = 0; leaf < fine.class_of.size(); ++leaf) {
    const auto child = static_cast<std::size_t>(fine.class_of[leaf]);
    if (parent[child] == -1) parent[child] = coarse.class_of[leaf];
    if (parent[child] != coarse.class_of[leaf]) {
      throw bad_input("{}: '{}' of the level '{}' lies in both '{}' and '{}' of the level '{}'; levels must be nested",
                      where, fine.classes[child], fine.name, nth(coarse.classes, parent[child]),
                      nth(coarse.classes, coarse.class_of[leaf]), coarse.name);
    }
  }
}

bool is_numbered(const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] != std::to_string(i)) return false;
  }
  return true;
}

/// The taxonomy with a class "background", and a leaf of this name, in front.
Taxonomy with_background(Taxonomy taxonomy) {
  for (Level& level : taxonomy.levels) {
    level.classes.insert(level.classes.begin(), "background");
    for (std::int64_t& index : level.class_of) ++index;
    level.class_of.insert(level.class_of.begin(), 0);
  }
  return taxonomy;
}

/// Position in the taxonomy of every class of the data.
std::vector<std::size_t> find_leaves(const std::vector<std::string>& leaves, const std::vector<std::string>& classes) {
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < leaves.size(); ++i) position[leaves[i]] = i;
  std::vector<std::size_t> found;
  std::set<std::string> seen;
  for (const std::string& name : classes) {
    const auto it = position.find(name);
    if (it == position.end()) throw bad_input("the taxonomy misses the class '{}' of the data", name);
    if (!seen.insert(name).second) throw bad_input("the data have two classes named '{}'", name);
    found.push_back(it->second);
  }
  for (const std::string& leaf : leaves) {
    if (!seen.contains(leaf)) throw bad_input("the taxonomy has the class '{}'; the data have no such class", leaf);
  }
  return found;
}

std::size_t argmax(std::span<const float> values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace

void validate(const Taxonomy& taxonomy, const std::string& where) {
  if (taxonomy.levels.empty() || taxonomy.leaves() == 0) throw bad_input("{}: the taxonomy has no classes", where);
  for (const Level& level : taxonomy.levels) check_level(level, taxonomy.leaves(), where);
  const std::vector<std::int64_t>& first = taxonomy.levels.front().class_of;
  for (std::size_t leaf = 0; leaf < first.size(); ++leaf) {
    if (first[leaf] != static_cast<std::int64_t>(leaf)) {
      throw bad_input("{}: the first level must be the classes themselves", where);
    }
  }
  for (std::size_t i = 1; i < taxonomy.levels.size(); ++i) {
    check_nested(taxonomy.levels[i - 1], taxonomy.levels[i], where);
  }
}

Taxonomy arrange(const Taxonomy& taxonomy, const std::vector<std::string>& classes) {
  const std::vector<std::string>& leaves = taxonomy.levels.front().classes;
  const bool adds_background = !classes.empty() && classes.front() == "background" &&
                               std::find(leaves.begin(), leaves.end(), "background") == leaves.end();
  if (adds_background) {
    const Taxonomy rest = arrange(taxonomy, {classes.begin() + 1, classes.end()});
    return with_background(rest);
  }
  if (is_numbered(classes)) {
    if (classes.size() > leaves.size()) {
      throw bad_input("the taxonomy has {} classes; the data have {}", leaves.size(), classes.size());
    }
    return taxonomy;
  }
  const std::vector<std::size_t> order = find_leaves(leaves, classes);
  Taxonomy arranged = taxonomy;
  for (std::size_t i = 0; i < taxonomy.levels.size(); ++i) {
    for (std::size_t leaf = 0; leaf < order.size(); ++leaf) {
      arranged.levels[i].class_of[leaf] = taxonomy.levels[i].class_of[order[leaf]];
    }
  }
  // The leaves are their own classes: numbered anew.
  arranged.levels[0] = {taxonomy.levels[0].name, classes, {}};
  for (std::size_t leaf = 0; leaf < order.size(); ++leaf) {
    arranged.levels[0].class_of.push_back(static_cast<std::int64_t>(leaf));
  }
  return arranged;
}

std::vector<float> aggregate(const Level& level, std::span<const float> probabilities) {
  const std::size_t leaves = level.class_of.size();
  if (leaves == 0 || probabilities.size() % leaves != 0) {
    throw bad_input("{} probabilities are no multiple of the {} classes of the taxonomy", probabilities.size(), leaves);
  }
  const std::size_t samples = probabilities.size() / leaves;
  std::vector<float> sums(samples * level.classes.size());
  for (std::size_t sample = 0; sample < samples; ++sample) {
    for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
      sums[sample * level.classes.size() + static_cast<std::size_t>(level.class_of[leaf])] +=
          probabilities[sample * leaves + leaf];
    }
  }
  return sums;
}

std::vector<std::int64_t> answers(const Level& level, std::span<const float> probabilities) {
  const std::vector<float> sums = aggregate(level, probabilities);
  const std::size_t classes = level.classes.size();
  std::vector<std::int64_t> result;
  for (std::size_t first = 0; first < sums.size(); first += classes) {
    result.push_back(static_cast<std::int64_t>(argmax(std::span(sums).subspan(first, classes))));
  }
  return result;
}

LevelScore score(const Level& level, std::span<const float> probabilities, std::span<const std::int64_t> labels) {
  const std::vector<std::int64_t> answered = answers(level, probabilities);
  const std::size_t classes = level.classes.size();
  if (labels.size() != answered.size()) {
    throw bad_input("there are probabilities of {} samples and labels of {}", answered.size(), labels.size());
  }
  std::vector<std::int64_t> total(classes);
  std::vector<std::int64_t> right(classes);
  for (std::size_t sample = 0; sample < labels.size(); ++sample) {
    if (labels[sample] < 0 || labels[sample] >= static_cast<std::int64_t>(level.class_of.size())) {
      throw bad_input("sample {} has the label {}; the taxonomy has {} classes", sample, labels[sample],
                      level.class_of.size());
    }
    const auto wanted = static_cast<std::size_t>(nth(level.class_of, labels[sample]));
    ++total[wanted];
    if (static_cast<std::size_t>(answered[sample]) == wanted) ++right[wanted];
  }

  LevelScore result;
  result.samples = static_cast<std::int64_t>(labels.size());
  if (labels.empty()) return result;
  std::int64_t present = 0;
  std::int64_t hits = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    if (total[c] == 0) continue;
    ++present;
    hits += right[c];
    result.balanced += 100.0 * static_cast<double>(right[c]) / static_cast<double>(total[c]);
  }
  const auto samples = static_cast<double>(labels.size());
  result.balanced /= static_cast<double>(present);
  result.top1 = 100.0 * static_cast<double>(hits) / samples;
  result.majority = 100.0 * static_cast<double>(*std::max_element(total.begin(), total.end())) / samples;
  return result;
}

}  // namespace trimtab
