#include "data/hierarchy.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {

namespace {

/// A class of a level while it is being cut: a node of the tree, or the children of a node with one leaf each.
struct Group {
  std::int64_t node = -1;
  bool is_rest = false;  ///< "other NODE"
  std::vector<std::int64_t> leaves;
};

class Cutter {
 public:
  explicit Cutter(const Hierarchy& hierarchy) : tree_(hierarchy), children_(hierarchy.names.size()) {
    below_.resize(hierarchy.names.size());
    std::int64_t root = -1;
    for (std::size_t node = 0; node < tree_.parent.size(); ++node) {
      if (tree_.parent[node] >= 0) {
        nth(children_, tree_.parent[node]).push_back(static_cast<std::int64_t>(node));
      } else {
        root = static_cast<std::int64_t>(node);
      }
    }
    for (std::size_t label = 0; label < tree_.leaves.size(); ++label) {
      for (std::int64_t node = tree_.leaves[label]; node >= 0; node = nth(tree_.parent, node)) {
        nth(below_, node).push_back(static_cast<std::int64_t>(label));
      }
    }
    groups_.push_back({root, false, nth(below_, root)});
  }

  /// Splits as far as `size` classes allow.
  void refine(std::int64_t size) {
    while (split_largest(size)) {
    }
  }

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(groups_.size()); }

  /// Its classes in the order of their first leaves, as a file that lists the leaves would give them.
  [[nodiscard]] Level level() const {
    std::vector<Group> groups = groups_;
    std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return first(a) < first(b); });
    Level level;
    level.name = fmt::format("{} classes", groups.size());
    level.class_of.resize(tree_.leaves.size());
    std::set<std::string> taken;
    for (const Group& group : groups) {
      const std::string wanted = name_of(group);
      std::string name = wanted;
      for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{} ({})", wanted, number);
      for (const std::int64_t leaf : group.leaves) {
        nth(level.class_of, leaf) = static_cast<std::int64_t>(level.classes.size());
      }
      level.classes.push_back(name);
    }
    return level;
  }

 private:
  static std::int64_t first(const Group& group) { return *std::min_element(group.leaves.begin(), group.leaves.end()); }

  [[nodiscard]] std::string name_of(const Group& group) const {
    if (group.leaves.size() == 1) {
      return nth(tree_.names, nth(tree_.leaves, group.leaves[0]));
    }
    const std::string& name = nth(tree_.names, group.node);
    return group.is_rest ? "other " + name : name;
  }

  /// The groups that this group falls into; itself alone where nothing is left to split.
  [[nodiscard]] std::vector<Group> split(const Group& group) const {
    if (group.leaves.size() == 1) return {group};
    std::vector<Group> parts;
    Group rest{group.node, true, {}};
    std::set<std::int64_t> placed;
    if (!group.is_rest) {
      // Down to where the tree branches.
      std::int64_t node = group.node;
      while (const std::int64_t only = only_child(node, group.leaves.size())) node = only;
      for (const std::int64_t child : nth(children_, node)) {
        const auto& leaves = nth(below_, child);
        placed.insert(leaves.begin(), leaves.end());
        if (leaves.size() > 1) parts.push_back({child, false, leaves});
        if (leaves.size() == 1) rest.leaves.push_back(leaves[0]);
      }
      // A label may stand at the branching itself.
      for (const std::int64_t leaf : group.leaves) {
        if (!placed.contains(leaf)) rest.leaves.push_back(leaf);
      }
      rest.node = node;
    }
    if (parts.empty()) {
      for (const std::int64_t leaf : group.leaves) parts.push_back({group.node, false, {leaf}});
      return parts;
    }
    if (!rest.leaves.empty()) parts.push_back(std::move(rest));
    return parts;
  }

  /// The child that holds all `leaves` leaves of the node, or 0 (the root is nobody's child).
  [[nodiscard]] std::int64_t only_child(std::int64_t node, std::size_t leaves) const {
    for (const std::int64_t child : nth(children_, node)) {
      if (nth(below_, child).size() == leaves) return child;
    }
    return 0;
  }

  bool split_largest(std::int64_t size) {
    std::vector<std::size_t> order(groups_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return groups_[a].leaves.size() > groups_[b].leaves.size(); });
    for (const std::size_t index : order) {
      if (groups_[index].leaves.size() == 1) return false;
      std::vector<Group> parts = split(groups_[index]);
      if (static_cast<std::int64_t>(groups_.size() + parts.size()) - 1 > size) continue;
      const auto at = groups_.begin() + static_cast<std::ptrdiff_t>(index);
      groups_.insert(groups_.erase(at), parts.begin(), parts.end());
      return true;
    }
    return false;
  }

  const Hierarchy& tree_;
  std::vector<std::vector<std::int64_t>> children_;
  std::vector<std::vector<std::int64_t>> below_;  ///< labels at or below every node
  std::vector<Group> groups_;
};

Level level_of_leaves(const Hierarchy& hierarchy) {
  Level level;
  level.name = "class";
  for (std::size_t label = 0; label < hierarchy.leaves.size(); ++label) {
    level.classes.push_back(nth(hierarchy.names, hierarchy.leaves[label]));
    level.class_of.push_back(static_cast<std::int64_t>(label));
  }
  return level;
}

}  // namespace

Hierarchy make_hierarchy(const std::vector<std::pair<std::string, std::string>>& pairs, const std::string& where) {
  if (pairs.empty()) throw bad_input("{}: the taxonomy has no classes", where);
  Hierarchy tree;
  // Node 0 is the root above whatever has no parent.
  tree.names.emplace_back("everything");
  tree.parent.push_back(-1);
  std::map<std::string, std::int64_t> node_of;
  const auto node = [&](const std::string& name) {
    const auto [it, is_new] = node_of.try_emplace(name, static_cast<std::int64_t>(tree.names.size()));
    if (is_new) {
      tree.names.push_back(name);
      tree.parent.push_back(0);
    }
    return it->second;
  };
  std::set<std::string> parents;
  for (const auto& [child, parent] : pairs) {
    if (child.empty() || parent.empty()) throw bad_input("{}: a class has no name", where);
    const auto index = static_cast<std::size_t>(node(child));
    if (tree.parent[index] != 0) {
      throw bad_input("{}: the class '{}' has two parents, '{}' and '{}'", where, child,
                      nth(tree.names, tree.parent[index]), parent);
    }
    tree.parent[index] = node(parent);
    parents.insert(parent);
  }
  // A walk up that is longer than there are nodes goes round.
  for (std::size_t start = 1; start < tree.names.size(); ++start) {
    auto at = static_cast<std::int64_t>(start);
    for (std::size_t steps = 0; at > 0; ++steps) {
      if (steps > tree.names.size()) {
        throw bad_input("{}: the class '{}' is its own ancestor", where, nth(tree.names, at));
      }
      at = nth(tree.parent, at);
    }
  }
  for (const auto& [child, parent] : pairs) {
    if (!parents.contains(child)) tree.leaves.push_back(node_of.at(child));
  }
  return tree;
}

Taxonomy cut(const Hierarchy& hierarchy, std::vector<std::int64_t> sizes) {
  for (const std::int64_t size : sizes) {
    if (size < 2) throw bad_input("a level of {} classes is asked for; 2 or more make sense", size);
  }
  std::sort(sizes.begin(), sizes.end());
  Cutter cutter(hierarchy);
  Taxonomy taxonomy;
  for (const std::int64_t size : sizes) {
    const std::int64_t before = cutter.count();
    cutter.refine(size);
    const bool is_new = cutter.count() > before && cutter.count() < static_cast<std::int64_t>(hierarchy.leaves.size());
    if (is_new) taxonomy.levels.insert(taxonomy.levels.begin(), cutter.level());
  }
  taxonomy.levels.insert(taxonomy.levels.begin(), level_of_leaves(hierarchy));
  validate(taxonomy, "the hierarchy");
  return taxonomy;
}

}  // namespace trimtab
