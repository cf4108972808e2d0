#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/hierarchy.h"

namespace trimtab {

/// The tree of the hypernyms of `wnids` ("n02084071": letter n and the synset's offset in WordNet 3.0), from WordNet's
/// data.noun (format: wndb(5WN)). A synset with several hypernyms keeps the one that covers most of the classes, the
/// first of them on a tie. Nodes are named by their first word; where two have the same, the wnid follows. Throws Error
/// (bad input), naming the file, for an unknown or repeated wnid or a file that is not WordNet's.
[[nodiscard]] Hierarchy read_wordnet(const std::filesystem::path& data_noun, const std::vector<std::string>& wnids);

/// The wnids at the beginnings of a file's lines ("n01440764 tench, Tinca tinca"). Throws Error (bad input), naming
/// file and line.
[[nodiscard]] std::vector<std::string> read_wnids(const std::filesystem::path& path);

/// Where Debian's package wordnet-base puts it.
inline constexpr const char* wordnet_nouns = "/usr/share/wordnet/data.noun";

}  // namespace trimtab
