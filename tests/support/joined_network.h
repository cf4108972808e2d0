#pragma once

// A small network with two inputs and two outputs whose numbers are of very different sizes.

#include <cstdint>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"
#include "support/graphs.h"

namespace trimtab {

/// An image of numbers about 1 and four numbers about 300; of them a map about 1, and three numbers about 1000.
inline Graph joined_network() {
  Random random(4);
  test::GraphMaker maker({2 * 4 * 4 + 4});
  const auto part = [&](std::int64_t first, std::int64_t count) {
    Gather cut{0, std::vector<std::int64_t>(static_cast<std::size_t>(count))};
    std::iota(cut.indices.begin(), cut.indices.end(), first);
    return maker.add(cut, {0});
  };
  const ValueId image = maker.add(Reshape{{2, 4, 4}}, {part(0, 32)});
  const ValueId numbers = part(32, 4);
  Conv conv = test::random_conv(2, 3, 3, 3, 1, random);
  conv.padding = {1, 1, 1, 1};
  const ValueId map = maker.add(conv, {image});
  const ValueId pooled = maker.add(GlobalAveragePool{false}, {map});
  const ValueId both = maker.add(Concat{}, {pooled, maker.add(Relu{}, {numbers})});
  Linear linear{{{3, 7}, {}}, {}};
  for (int i = 0; i < 21; ++i) linear.weight.data.push_back(static_cast<float>(random.uniform(-1, 2)));
  const ValueId sums = maker.add(linear, {both});
  const ValueId flat = maker.add(Reshape{{48}}, {maker.add(Sigmoid{}, {map})});
  maker.add(Concat{}, {flat, sums});
  Graph graph = maker.graph();
  graph.input_parts = {{"image", {2, 4, 4}}, {"numbers", {4}}};
  graph.output_parts = {{"map", {3, 4, 4}}, {"sums", {3}}};
  return graph;
}

inline Dataset joined_samples(std::int64_t count) {
  Random random(5);
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < count * 36; ++i)
    numbers.push_back(static_cast<float>(i % 36 < 32 ? random.uniform(-1, 1) : random.uniform(-200, 300)));
  Dataset data;
  data.shape = {36};
  data.features = {std::move(numbers), 36};
  return data;
}

}  // namespace trimtab
