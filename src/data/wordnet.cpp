#include "data/wordnet.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {

namespace {

struct Synset {
  std::string word;                     ///< its first one
  std::vector<std::int64_t> hypernyms;  ///< offsets, as listed
};

/// Words of a line, up to the gloss.
class Fields {
 public:
  Fields(std::string_view line, const std::string& file, std::int64_t offset)
      : rest_(line.substr(0, line.find('|'))), file_(file), offset_(offset) {}

  std::string_view next() {
    const std::size_t end = rest_.find(' ');
    const std::string_view field = rest_.substr(0, end);
    if (field.empty()) fail();
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return field;
  }

  std::int64_t number(int base) {
    const std::string_view field = next();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, base);
    if (error != std::errc{} || end != field.data() + field.size() || value < 0) fail();
    return value;
  }

  [[noreturn]] void fail() const {
    throw bad_input("{} has no synset at byte {}; the nouns of WordNet 3.0 are needed", file_, offset_);
  }

 private:
  std::string_view rest_;
  const std::string& file_;
  std::int64_t offset_;
};

/// The line at `offset` begins with it, in 8 digits: offset, file number, type, number of words (hexadecimal), words
/// with a number each, number of pointers, pointers of four fields (symbol, offset, part of speech, words) each.
Synset parse_synset(std::string_view nouns, std::int64_t offset, const std::string& file) {
  const auto at = static_cast<std::size_t>(std::max<std::int64_t>(offset, 0));
  const std::string_view line = at < nouns.size() ? nouns.substr(at, nouns.find('\n', at) - at) : std::string_view();
  Fields fields(line, file, offset);
  if (fields.number(10) != offset) fields.fail();
  (void)fields.next();
  (void)fields.next();
  const std::int64_t words = fields.number(16);
  if (words < 1) fields.fail();
  Synset synset;
  synset.word = fields.next();
  std::replace(synset.word.begin(), synset.word.end(), '_', ' ');
  (void)fields.next();
  for (std::int64_t i = 1; i < words; ++i) {
    (void)fields.next();
    (void)fields.next();
  }
  const std::int64_t pointers = fields.number(10);
  for (std::int64_t i = 0; i < pointers; ++i) {
    const std::string_view symbol = fields.next();
    const std::int64_t target = fields.number(10);
    (void)fields.next();
    (void)fields.next();
    if (symbol == "@" || symbol == "@i") synset.hypernyms.push_back(target);
  }
  return synset;
}

std::optional<std::int64_t> parse_wnid(std::string_view wnid) {
  std::int64_t offset = 0;
  if (wnid.size() != 9 || wnid[0] != 'n') return {};
  const auto [end, error] = std::from_chars(wnid.data() + 1, wnid.data() + 9, offset);
  if (error != std::errc{} || end != wnid.data() + 9) return {};
  return offset;
}

/// All synsets at or above the classes.
std::map<std::int64_t, Synset> collect(std::string_view nouns, const std::vector<std::int64_t>& classes,
                                       const std::string& file) {
  std::map<std::int64_t, Synset> synsets;
  std::vector<std::int64_t> open = classes;
  while (!open.empty()) {
    const std::int64_t offset = open.back();
    open.pop_back();
    if (synsets.contains(offset)) continue;
    const Synset& synset = synsets[offset] = parse_synset(nouns, offset, file);
    open.insert(open.end(), synset.hypernyms.begin(), synset.hypernyms.end());
  }
  return synsets;
}

/// How many of the classes lie at or below each synset, by any way.
std::map<std::int64_t, std::int64_t> count_classes(const std::map<std::int64_t, Synset>& synsets,
                                                   const std::vector<std::int64_t>& classes) {
  std::map<std::int64_t, std::int64_t> counts;
  for (const std::int64_t leaf : classes) {
    std::set<std::int64_t> above;
    std::vector<std::int64_t> open{leaf};
    while (!open.empty()) {
      const std::int64_t offset = open.back();
      open.pop_back();
      if (!above.insert(offset).second) continue;
      ++counts[offset];
      const auto& hypernyms = synsets.at(offset).hypernyms;
      open.insert(open.end(), hypernyms.begin(), hypernyms.end());
    }
  }
  return counts;
}

}  // namespace

Hierarchy read_wordnet(const std::filesystem::path& data_noun, const std::vector<std::string>& wnids) {
  std::vector<std::int64_t> classes;
  std::set<std::int64_t> seen;
  for (const std::string& wnid : wnids) {
    const auto offset = parse_wnid(wnid);
    if (!offset) throw bad_input("'{}' is no wnid; the letter n and 8 digits are needed", wnid);
    if (!seen.insert(*offset).second) throw bad_input("the class {} is listed twice", wnid);
    classes.push_back(*offset);
  }
  if (!std::filesystem::exists(data_noun)) {
    throw bad_input("{} does not exist; install the package wordnet-base or say where WordNet's data.noun is",
                    data_noun.string());
  }
  const std::string nouns = read_text(data_noun);
  const std::map<std::int64_t, Synset> synsets = collect(nouns, classes, data_noun.string());
  const std::map<std::int64_t, std::int64_t> counts = count_classes(synsets, classes);

  std::map<std::string, int> uses;
  for (const auto& [offset, synset] : synsets) ++uses[synset.word];
  const auto name_of = [&](std::int64_t offset) {
    const std::string& word = synsets.at(offset).word;
    return uses[word] == 1 ? word : fmt::format("{} (n{:08})", word, offset);
  };
  // Classes first, in their order: labels are the leaves' order. A class above another one is no leaf of the tree; it
  // gets a leaf of its own below itself.
  std::set<std::int64_t> has_children;
  std::vector<std::pair<std::string, std::string>> pairs;
  std::set<std::int64_t> done;
  const auto add = [&](std::int64_t offset) {
    while (done.insert(offset).second) {
      const std::vector<std::int64_t>& hypernyms = synsets.at(offset).hypernyms;
      if (hypernyms.empty()) return;
      // max_element gives the first of equals.
      const std::int64_t parent =
          *std::max_element(hypernyms.begin(), hypernyms.end(),
                            [&](std::int64_t a, std::int64_t b) { return counts.at(a) < counts.at(b); });
      has_children.insert(parent);
      pairs.emplace_back(name_of(offset), name_of(parent));
      offset = parent;
    }
  };
  for (const std::int64_t offset : classes) add(offset);
  if (pairs.empty()) throw bad_input("no class has a hypernym; two or more nouns of WordNet are needed");

  for (const std::int64_t offset : classes) {
    if (has_children.contains(offset)) pairs.emplace_back(name_of(offset) + " itself", name_of(offset));
  }
  Hierarchy tree = make_hierarchy(pairs, data_noun.string());
  std::map<std::string, std::int64_t> node_of;
  for (std::size_t i = 0; i < tree.names.size(); ++i) node_of[tree.names[i]] = static_cast<std::int64_t>(i);
  tree.leaves.clear();
  for (const std::int64_t offset : classes) {
    tree.leaves.push_back(node_of.at(has_children.contains(offset) ? name_of(offset) + " itself" : name_of(offset)));
  }
  return tree;
}

std::vector<std::string> read_wnids(const std::filesystem::path& path) {
  const std::string text = read_text(path, 16 << 20);
  std::vector<std::string> wnids;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    const std::string_view word = line.substr(0, line.find_first_of(" \r\t"));
    if (!parse_wnid(word)) {
      throw bad_input("{}, line {}: '{}' is no wnid; the letter n and 8 digits are needed", path.string(), number,
                      word);
    }
    wnids.emplace_back(word);
  }
  if (wnids.empty()) throw bad_input("{} lists no wnids", path.string());
  return wnids;
}

}  // namespace trimtab
