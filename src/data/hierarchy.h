#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/taxonomy.h"

namespace trimtab {

/// A tree of classes, as deep and uneven as it may be. One root; the classes that a network tells apart are nodes, too.
struct Hierarchy {
  std::vector<std::string> names;
  std::vector<std::int64_t> parent;  ///< per node; -1 of the root
  std::vector<std::int64_t> leaves;  ///< the node of every label
};

/// Makes a hierarchy from pairs (child, parent), every child once. Leaves are the children that are nobody's parent, in
/// the order of the pairs. Where several nodes have no parent, a root "everything" is put above them. Throws Error (bad
/// input), with `where` in front, for a child with two parents, a cycle (naming its members), or no pairs.
[[nodiscard]] Hierarchy make_hierarchy(const std::vector<std::pair<std::string, std::string>>& pairs,
                                       const std::string& where);

/// Levels with at most `sizes` classes (any order; each from 2). The cut begins with the root as one class. The class
/// with most leaves is split into its children, again and again, as long as the number of classes allows. Children with
/// a single leaf stay together as "other PARENT" until only they are left to split. So levels are nested, and their
/// classes are of similar size. (Cuts by depth would give classes of unlike sizes.) The level of the leaves comes
/// first. A size is dropped if its level equals another. Throws Error (bad input) where a size is below 2.
[[nodiscard]] Taxonomy cut(const Hierarchy& hierarchy, std::vector<std::int64_t> sizes);

}  // namespace trimtab
