#include "data/taxonomy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "data/dataset.h"
#include "data/hierarchy.h"
#include "data/wordnet.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr const char* pets =
    "class,kind,realm\n"
    "cat,pet,animal\n"
    "\"dog, tame\" , pet,animal\r\n"
    "\n"
    "car,car,vehicle\n";

template <typename Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "nothing thrown";
}

std::string csv_message(const std::string& text) {
  return message([&] { (void)parse_taxonomy_csv(text, "t.csv"); });
}

std::string toml_message(const std::string& text) {
  return message([&] { (void)parse_taxonomy_toml(text, "t.toml"); });
}

TEST(Taxonomy, FromCsv) {
  const Taxonomy taxonomy = parse_taxonomy_csv(pets, "t.csv");
  ASSERT_EQ(taxonomy.levels.size(), 3U);
  EXPECT_EQ(taxonomy.levels[0].classes, (std::vector<std::string>{"cat", "dog, tame", "car"}));
  EXPECT_EQ(taxonomy.levels[1].classes, (std::vector<std::string>{"pet", "car"}));
  EXPECT_EQ(taxonomy.levels[2].name, "realm");
  EXPECT_EQ(taxonomy.levels[2].class_of, (std::vector<std::int64_t>{0, 0, 1}));
}

TEST(Taxonomy, TextFormRoundTrips) {
  Taxonomy taxonomy = parse_taxonomy_csv(pets, "t.csv");
  EXPECT_EQ(parse_taxonomy_toml(to_toml(taxonomy), "t.toml"), taxonomy);
  taxonomy.levels[0].classes[0] = "\"c\\a\nt\" d'été";
  EXPECT_EQ(parse_taxonomy_toml(to_toml(taxonomy), "t.toml"), taxonomy);
}

TEST(Taxonomy, RefusesWhatIsNoTaxonomy) {
  EXPECT_NE(csv_message("class,kind\ncat,pet\ncat,pet\n").find("'cat' is listed twice"), std::string::npos);
  EXPECT_NE(csv_message("class,a,b\nx,1,1\ny,1,2\n").find("'1' of the level 'a' lies in both '1' and '2'"),
            std::string::npos);
  EXPECT_NE(csv_message("class,kind\ncat\n").find("line 2: the row has 1 names"), std::string::npos);
  EXPECT_NE(csv_message("class,kind\ncat,\n").find("no name"), std::string::npos);
  EXPECT_NE(csv_message("class,kind\n\"cat,pet\n").find("not closed"), std::string::npos);
  EXPECT_NE(csv_message("class,kind\n\"cat\"x,pet\n").find("comma"), std::string::npos);
  EXPECT_NE(csv_message("class,kind\n").find("no classes"), std::string::npos);
  EXPECT_NE(csv_message("").find("0 levels"), std::string::npos);
  EXPECT_NE(toml_message("levels = [").find("line 1"), std::string::npos);
  EXPECT_NE(toml_message("levels = ['a']").find("either"), std::string::npos);
  EXPECT_NE(toml_message("levels = ['a']\nclasses = [['x'], ['x', 'y']]").find("2 names; there are 1"),
            std::string::npos);
  EXPECT_NE(toml_message("levels = ['a']\nclasses = [['x'], 'y']").find("array"), std::string::npos);
  EXPECT_NE(toml_message("levels = ['a']\nclasses = [[1]]").find("names in quotes"), std::string::npos);
  EXPECT_NE(toml_message("levels = 1\nclasses = [['x']]").find("'levels'"), std::string::npos);
  EXPECT_NE(toml_message("levels = ['a']\nclasses = 'x'").find("'classes'"), std::string::npos);
  EXPECT_NE(toml_message("levels = ['a']\nclasses = []").find("no classes"), std::string::npos);
  EXPECT_NE(toml_message("colour = 1").find("unknown key 'colour'"), std::string::npos);
  EXPECT_NE(message([] { (void)read_taxonomy("/no/such/t.toml"); }).find("does not exist"), std::string::npos);
}

TEST(Taxonomy, FromParents) {
  const Taxonomy taxonomy = parse_taxonomy_toml(
      "levels = [2]\n[parents]\nzebra = 'animal'\ncat = 'pet'\ndog = 'pet'\npet = 'animal'\ncar = 'vehicle'\nbus = "
      "'vehicle'\n",
      "t.toml");
  ASSERT_EQ(taxonomy.levels.size(), 2U);
  EXPECT_EQ(taxonomy.levels[0].classes, (std::vector<std::string>{"zebra", "cat", "dog", "car", "bus"}))
      << "the file's order, inner nodes left out";
  EXPECT_EQ(taxonomy.levels[1].classes, (std::vector<std::string>{"animal", "vehicle"}));
  EXPECT_EQ(taxonomy.levels[1].class_of, (std::vector<std::int64_t>{0, 0, 0, 1, 1}));
}

TEST(Taxonomy, RefusesParentsThatAreNoTree) {
  EXPECT_NE(toml_message("levels = [2]\n[parents]\na = 'b'\nb = 'c'\nc = 'a'\n").find("its own ancestor"),
            std::string::npos);
  EXPECT_NE(toml_message("levels = [2]\n[parents]\na = 'a'\n").find("its own ancestor"), std::string::npos);
  EXPECT_NE(toml_message("levels = [2]\n[parents]\nx = 'y'\na = 'b'\nb = 'a'\n").find("its own ancestor"),
            std::string::npos);
  EXPECT_NE(toml_message("levels = [2]\n[parents]\n").find("no classes"), std::string::npos);
  EXPECT_NE(toml_message("levels = [2]\n[parents]\na = 1\n").find("'a'"), std::string::npos);
  EXPECT_NE(toml_message("levels = ['x']\n[parents]\na = 'b'\n").find("numbers"), std::string::npos);
  EXPECT_NE(toml_message("levels = [1]\n[parents]\na = 'b'\n").find("level of 1"), std::string::npos);
  EXPECT_NE(message([] {
              (void)make_hierarchy({{"a", "b"}, {"a", "c"}}, "t");
            }).find("two parents, 'b' and 'c'"),
            std::string::npos);
}

// root -> (a -> a1..a4, b -> (b1, b2), c, d): the largest is split first; single leaves c and d stay together.
TEST(Taxonomy, CutsTheLargestClassAndKeepsSinglesTogether) {
  const Hierarchy tree = make_hierarchy({{"a1", "a"},
                                         {"a2", "a"},
                                         {"a3", "a"},
                                         {"a4", "a"},
                                         {"b1", "b"},
                                         {"b2", "b"},
                                         {"a", "root"},
                                         {"b", "root"},
                                         {"c", "root"},
                                         {"d", "root"}},
                                        "t");
  EXPECT_EQ(tree.leaves.size(), 8U);
  const Taxonomy taxonomy = cut(tree, {3, 7});
  ASSERT_EQ(taxonomy.levels.size(), 3U);
  EXPECT_EQ(taxonomy.levels[2].classes, (std::vector<std::string>{"a", "b", "other root"}));
  EXPECT_EQ(taxonomy.levels[2].class_of, (std::vector<std::int64_t>{0, 0, 0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(taxonomy.levels[1].classes, (std::vector<std::string>{"a1", "a2", "a3", "a4", "b1", "b2", "other root"}));
  EXPECT_EQ(cut(tree, {2}).levels.size(), 1U) << "the first split gives three";
}

TEST(Taxonomy, ArrangesItselfToTheData) {
  const Taxonomy taxonomy = parse_taxonomy_csv(pets, "t.csv");
  const Taxonomy arranged = arrange(taxonomy, {"car", "cat", "dog, tame"});
  EXPECT_EQ(arranged.levels[0].classes, (std::vector<std::string>{"car", "cat", "dog, tame"}));
  EXPECT_EQ(arranged.levels[0].class_of, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(arranged.levels[2].class_of, (std::vector<std::int64_t>{1, 0, 0}));
  EXPECT_NO_THROW(validate(arranged, "arranged"));
  EXPECT_EQ(arrange(taxonomy, {"0", "1", "2"}), taxonomy);
  const Taxonomy background = arrange(taxonomy, {"background", "car", "cat", "dog, tame"});
  EXPECT_NO_THROW(validate(background, "with background"));
  EXPECT_EQ(background.levels[2].class_of, (std::vector<std::int64_t>{0, 2, 1, 1}));
  const auto refused = [&](const std::vector<std::string>& classes) {
    return message([&] { (void)arrange(taxonomy, classes); });
  };
  EXPECT_NE(refused({"car", "cat", "cow"}).find("misses the class 'cow'"), std::string::npos);
  EXPECT_NE(refused({"car", "cat"}).find("no such class"), std::string::npos);
  EXPECT_NE(refused({"car", "car", "cat"}).find("two classes named 'car'"), std::string::npos);
  EXPECT_NE(refused({"0", "1", "2", "3"}).find("3 classes; the data have 4"), std::string::npos);
}

TEST(Taxonomy, SumsProbabilitiesBeforeItChooses) {
  const Taxonomy taxonomy = parse_taxonomy_csv(pets, "t.csv");
  // Second sample: car is the likeliest class, but animal the likelier realm.
  const std::vector<float> probabilities{0.6F, 0.3F, 0.1F, 0.3F, 0.3F, 0.4F, 0.1F, 0.1F, 0.8F};
  EXPECT_EQ(aggregate(taxonomy.levels[0], probabilities), probabilities);
  const std::vector<float> sums = aggregate(taxonomy.levels[2], probabilities);
  const std::vector<float> expected{0.9F, 0.1F, 0.6F, 0.4F, 0.2F, 0.8F};
  ASSERT_EQ(sums.size(), expected.size());
  for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_FLOAT_EQ(sums[i], expected[i]);

  const std::vector<std::int64_t> labels{0, 1, 1};
  const LevelScore fine = score(taxonomy.levels[0], probabilities, labels);
  EXPECT_NEAR(fine.top1, 100.0 / 3, 1e-9);
  EXPECT_NEAR(fine.balanced, 50, 1e-9) << "cat 1 of 1, dog 0 of 2; no car";
  EXPECT_NEAR(fine.majority, 200.0 / 3, 1e-9);
  const LevelScore coarse = score(taxonomy.levels[2], probabilities, labels);
  EXPECT_NEAR(coarse.top1, 200.0 / 3, 1e-9);
  EXPECT_NEAR(coarse.majority, 100, 1e-9);
  EXPECT_THROW((void)score(taxonomy.levels[0], probabilities, std::vector<std::int64_t>{0, 1}), Error);
  EXPECT_THROW((void)score(taxonomy.levels[0], probabilities, std::vector<std::int64_t>{0, 1, 3}), Error);
  EXPECT_THROW((void)aggregate(taxonomy.levels[0], std::vector<float>{1, 2}), Error);
}

TEST(Taxonomy, TutorialsFitTheirDataSets) {
  const fs::path tutorial = fs::path(TRIMTAB_SOURCE_DIR) / "tutorial";
  const std::vector<std::string> cifar10{"airplane", "automobile", "bird",  "cat",  "deer",
                                         "dog",      "frog",       "horse", "ship", "truck"};
  EXPECT_EQ(arrange(read_taxonomy(tutorial / "cifar10-taxonomy.toml"), cifar10).levels.back().classes.size(), 2U);
  const Dataset shapes = load_dataset("synthetic:shapes:1", Split::test, {});
  EXPECT_EQ(arrange(read_taxonomy(tutorial / "shapes-taxonomy.toml"), shapes.classes).levels[1].classes.size(), 4U);
}

/// A small file in WordNet's format. Offsets are byte positions.
std::string tiny_wordnet(std::vector<std::string>& wnids) {
  struct Entry {
    std::string word;
    std::vector<std::size_t> hypernyms;
  };
  const std::vector<Entry> entries{{"entity", {}},  {"animal", {0}}, {"vehicle", {0}}, {"pet", {0}},
                                   {"cat", {3, 1}}, {"dog", {1, 3}}, {"cow", {1}},     {"car", {2}}};
  const auto line = [&](const Entry& entry, const std::vector<std::size_t>& offsets, std::size_t own) {
    std::string text = fmt::format("{:08} 03 n 02 {} 0 second_word 0 {:03} ", own, entry.word, entry.hypernyms.size());
    for (const std::size_t hypernym : entry.hypernyms) text += fmt::format("@ {:08} n 0000 ", offsets[hypernym]);
    return text + "| a gloss with | bars\n";
  };
  std::string text = "  1 licence\n";
  std::vector<std::size_t> offsets(entries.size());
  for (std::size_t i = 0, at = text.size(); i < entries.size(); ++i) {
    offsets[i] = at;
    at += line(entries[i], offsets, 0).size();
  }
  for (std::size_t i = 0; i < entries.size(); ++i) text += line(entries[i], offsets, offsets[i]);
  for (std::size_t i = 4; i < entries.size(); ++i) wnids.push_back(fmt::format("n{:08}", offsets[i]));
  return text;
}

TEST(WordNet, KeepsTheHypernymThatCoversMost) {
  const TemporaryDirectory folder;
  std::vector<std::string> wnids;
  write_file(folder.path() / "data.noun", tiny_wordnet(wnids));
  const Hierarchy tree = read_wordnet(folder.path() / "data.noun", wnids);
  const auto parent_of = [&](std::size_t label) {
    return tree.names[static_cast<std::size_t>(tree.parent[static_cast<std::size_t>(tree.leaves[label])])];
  };
  EXPECT_EQ(tree.leaves.size(), 4U);
  EXPECT_EQ(parent_of(0), "animal") << "covers cat, dog and cow, pet only two";
  EXPECT_EQ(parent_of(1), "animal");
  EXPECT_EQ(parent_of(3), "vehicle");
  const Taxonomy taxonomy = cut(tree, {2});
  EXPECT_EQ(taxonomy.levels[0].classes, (std::vector<std::string>{"cat", "dog", "cow", "car"}));
  EXPECT_EQ(taxonomy.levels[1].classes, (std::vector<std::string>{"animal", "car"}));

  // Without the cow both cover two: the first listed stays.
  const Hierarchy two = read_wordnet(folder.path() / "data.noun", {wnids[0], wnids[1]});
  EXPECT_EQ(two.names[static_cast<std::size_t>(two.parent[static_cast<std::size_t>(two.leaves[0])])], "pet");
  EXPECT_EQ(two.names[static_cast<std::size_t>(two.parent[static_cast<std::size_t>(two.leaves[1])])], "animal");
}

TEST(WordNet, RefusesWhatItDoesNotKnow) {
  const TemporaryDirectory folder;
  const fs::path nouns = folder.path() / "data.noun";
  std::vector<std::string> wnids;
  const std::string text = tiny_wordnet(wnids);
  write_file(nouns, text);
  const auto refused = [&](const std::vector<std::string>& classes) {
    return message([&] { (void)read_wordnet(nouns, classes); });
  };
  EXPECT_NE(refused({"n00000001"}).find("no synset at byte 1"), std::string::npos);
  EXPECT_NE(refused({"n99999999"}).find("no synset"), std::string::npos);
  EXPECT_NE(refused({wnids[0], wnids[0]}).find("twice"), std::string::npos);
  for (const char* wrong : {"", "n1", "x02084071", "n0208407x", "n020840711"}) {
    EXPECT_NE(refused({wrong}).find("no wnid"), std::string::npos) << wrong;
  }
  for (std::size_t length = 0; length < text.size(); length += 7) {  // cut off anywhere: an Error or a tree, no crash
    write_file(nouns, text.substr(0, length));
    try {
      (void)read_wordnet(nouns, wnids);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
    }
  }
  EXPECT_NE(message([&] { (void)read_wordnet(folder.path() / "absent", wnids); }).find("wordnet-base"),
            std::string::npos);
  write_file(folder.path() / "list", std::string_view("n02084071 dog\n\n02121808 cat\n"));
  EXPECT_NE(message([&] { (void)read_wnids(folder.path() / "list"); }).find("line 3"), std::string::npos);
}

TEST(WordNet, ResolvesImageNet) {
  const fs::path synsets = fs::path(TRIMTAB_SOURCE_DIR) / ".." / "shared" / "data" / "imagenet" / "synset_words.txt";
  if (!fs::exists(synsets)) GTEST_SKIP() << "ImageNet's list of classes is not beside the checkout";
  if (!fs::exists(wordnet_nouns)) GTEST_SKIP() << "the package wordnet-base is not installed";
  const Taxonomy taxonomy = cut(read_wordnet(wordnet_nouns, read_wnids(synsets)), {2, 15, 30, 120, 500});
  ASSERT_EQ(taxonomy.levels.size(), 6U);
  EXPECT_EQ(taxonomy.leaves(), 1000);
  EXPECT_EQ(taxonomy.levels[0].classes[0], "tench");
  EXPECT_EQ(parse_taxonomy_toml(to_toml(taxonomy), "t"), taxonomy);
}

}  // namespace
}  // namespace trimtab
