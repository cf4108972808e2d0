#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace trimtab {

/// One level of abstraction: every leaf (class that the network tells apart) belongs to one class of the level.
struct Level {
  std::string name;
  std::vector<std::string> classes;
  std::vector<std::int64_t> class_of;  ///< per leaf, in the order of the labels: index into `classes`

  bool operator==(const Level&) const = default;
};

/// Levels from fine to coarse. The first is the leaves themselves (class_of is 0, 1, 2, ...), and they are nested: two
/// leaves in one class of a level are in one class of every coarser level, too.
struct Taxonomy {
  std::vector<Level> levels;

  [[nodiscard]] std::int64_t leaves() const {
    return levels.empty() ? 0 : static_cast<std::int64_t>(levels.front().classes.size());
  }
  bool operator==(const Taxonomy&) const = default;
};

/// Throws Error (bad input), with `where` in front, unless the levels are as said above, names within a level are
/// unique and not empty, and no class is without leaves.
void validate(const Taxonomy& taxonomy, const std::string& where);

/// Reads a taxonomy from TOML (`levels` and `classes`, or `parents`) or CSV (a header with the levels' names, a row per
/// leaf); see docs/taxonomy.md. Leaves are in the order of the file. Throws Error (bad input), naming the file, where a
/// class is missing, repeated, lies in two classes of a level, or is its own ancestor.
[[nodiscard]] Taxonomy read_taxonomy(const std::filesystem::path& path);
[[nodiscard]] Taxonomy parse_taxonomy_csv(const std::string& text, const std::string& name);
[[nodiscard]] Taxonomy parse_taxonomy_toml(const std::string& text, const std::string& name);

/// The text form that read_taxonomy reads.
[[nodiscard]] std::string to_toml(const Taxonomy& taxonomy);

/// The taxonomy with its leaves in the order of a data set's classes. Classes named by numbers ("0", "1", ...) are
/// taken in the order of the taxonomy. A first class "background" that the taxonomy lacks becomes a class of its own on
/// every level. Throws Error (bad input) where one has a class that the other lacks, and names the class.
[[nodiscard]] Taxonomy arrange(const Taxonomy& taxonomy, const std::vector<std::string>& classes);

/// Probabilities of a level's classes: the sums of the probabilities of their leaves. `probabilities` is samples x
/// leaves, the result is samples x classes of the level.
[[nodiscard]] std::vector<float> aggregate(const Level& level, std::span<const float> probabilities);

/// By sample: the most probable class of the level, the first of equals.
[[nodiscard]] std::vector<std::int64_t> answers(const Level& level, std::span<const float> probabilities);

/// How often the most probable class of a level is the right one.
struct LevelScore {
  std::int64_t samples = 0;
  double top1 = 0;      ///< percent
  double balanced = 0;  ///< percent: mean, over the classes with samples, of the share of right answers in the class
  double majority = 0;  ///< percent right if the most frequent class were always named
};

/// `probabilities` is samples x leaves, `labels` one leaf per sample. Throws Error (bad input) where their sizes do not
/// fit, or a label is out of range.
[[nodiscard]] LevelScore score(const Level& level, std::span<const float> probabilities,
                               std::span<const std::int64_t> labels);

}  // namespace trimtab
