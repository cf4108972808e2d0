#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/reference.h"
#include "support/tflite_builder.h"

// Small random networks that do little but move numbers, with many axes of length 1: what they make, and that they are
// the same network once they are written and read again. Tensors are followed by plain loops over all dimensions.
namespace trimtab {
namespace {

using reference::OnnxBuilder;
using reference::TfliteBuilder;
using tflite::Code;
using tflite::Options;
using Numbers = std::vector<float>;
using Places = std::vector<std::int64_t>;

/// The numbers of a tensor, C order; its first dimension is a batch of 1.
struct Block {
  Shape shape;
  Numbers data;
};

[[nodiscard]] Block counted(const Shape& shape) {
  Block block{shape, Numbers(static_cast<std::size_t>(element_count(shape)))};
  std::iota(block.data.begin(), block.data.end(), 1.0F);
  return block;
}

[[nodiscard]] Block transposed(const Block& x, const Places& order) {
  Block y{{}, reference::permute({x.shape, order, {}}, x.data)};
  for (const std::int64_t axis : order) y.shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
  return y;
}

[[nodiscard]] Block gathered(const Block& x, std::int64_t axis, const Places& indices) {
  Block y{x.shape, reference::gather({axis, indices}, x.data, x.shape)};
  y.shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(indices.size());
  return y;
}

[[nodiscard]] Block joined(const Block& a, const Block& b, std::int64_t axis) {
  Block y{a.shape, {}};
  y.shape[static_cast<std::size_t>(axis)] += b.shape[static_cast<std::size_t>(axis)];
  y.data = reference::concat({axis}, {a.data, b.data}, y.shape);
  return y;
}

/// Blocks of 2 x 2 channels become rows and columns; which dimension holds the channels depends on the format.
[[nodiscard]] Block to_space(const Block& x, bool last) {
  const Shape& from = x.shape;
  const Places order = last ? Places{0, 1, 3, 2, 4, 5} : Places{0, 3, 4, 1, 5, 2};
  Block cut{last ? Shape{1, from[1], from[2], 2, 2, from[3] / 4} : Shape{1, 2, 2, from[1] / 4, from[2], from[3]},
            x.data};
  cut = transposed(cut, order);
  return {last ? Shape{1, 2 * from[1], 2 * from[2], from[3] / 4} : Shape{1, from[1] / 4, 2 * from[2], 2 * from[3]},
          cut.data};
}

/// `count` as a product of `rank` lengths, of which many are 1.
[[nodiscard]] Shape random_cut(Random& random, std::int64_t count, std::size_t rank) {
  Shape shape(rank, 1);
  for (std::int64_t factor = 2; count > 1; ++factor) {
    for (; count % factor == 0; count /= factor) {
      shape[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(rank) - 1))] *= factor;
    }
  }
  return shape;
}

[[nodiscard]] Shape random_lengths(Random& random, std::size_t rank) {
  constexpr std::array<std::int64_t, 6> lengths{1, 1, 2, 3, 4, 6};
  Shape shape;
  for (std::size_t i = 0; i < rank; ++i) shape.push_back(lengths[static_cast<std::size_t>(random.integer(0, 5))]);
  return shape;
}

[[nodiscard]] Places random_order(Random& random, std::size_t count) {
  Places order(count);
  std::iota(order.begin(), order.end(), 0);
  random.shuffle(order);
  return order;
}

[[nodiscard]] Places random_indices(Random& random, std::int64_t length) {
  Places indices(static_cast<std::size_t>(random.integer(1, 3)));
  for (std::int64_t& index : indices) index = random.integer(0, length - 1);
  return indices;
}

/// The network's operators with the shapes that they make.
[[nodiscard]] std::string described(const Graph& graph) {
  std::string text = to_string(graph.input_shape());
  for (const Node& node : graph.nodes) {
    text += ", " + operator_name(node.op) + "(";
    for (const ValueId input : node.inputs) text += std::to_string(input) + " ";
    text += ") " + std::to_string(node.output) + ": " + to_string(graph.shape_of(node.output));
  }
  return text;
}

[[nodiscard]] Graph reread(const Graph& graph) { return parse_onnx(serialize_onnx(graph), "again.onnx"); }

/// Written and read again, the network is the same; and it does not grow on and on from file to file.
void expect_stays(const Graph& graph) {
  SCOPED_TRACE(described(graph));
  const Graph once = reread(graph);
  EXPECT_EQ(once.input_shape(), graph.input_shape());
  ASSERT_EQ(once.output_shape(), graph.output_shape());
  const Numbers sample = reference::random_sample(graph, 1);
  EXPECT_LE(reference::difference(reference::run(once, sample), reference::run(graph, sample)), 1e-6);
  Graph last = once;
  for (int i = 0; i < 3; ++i) last = reread(last);
  EXPECT_LE(reread(last).nodes.size(), last.nodes.size()) << described(last);
}

/// The tensor as a value of a graph: a sequence is an image of height 1.
[[nodiscard]] Block as_value(const Block& x) {
  Block value{{x.shape.begin() + 1, x.shape.end()}, x.data};
  if (value.shape.empty()) value.shape = {1};
  if (value.shape.size() == 2) value.shape.insert(value.shape.begin() + 1, 1);
  return value;
}

/// The tensor, channels last, as a value of a graph.
[[nodiscard]] Block channels_first(const Block& x) {
  if (x.shape.size() == 4) return as_value(transposed(x, {0, 3, 1, 2}));
  return as_value(x.shape.size() == 3 ? transposed(x, {0, 2, 1}) : x);
}

[[nodiscard]] bool makes(const Graph& graph, const Block& input, const Block& output) {
  return graph.input_shape() == input.shape && graph.output_shape() == output.shape &&
         reference::run(graph, input.data) == output.data;
}

/// Moves of tensors: each adds an operator to a file and says what it makes.
template <typename Name>
struct Tracked {
  Name name;
  Block block;
};

/// A network of ONNX's operators.
class OnnxMovesBuilder {
 public:
  using Tensor = Tracked<std::string>;
  explicit OnnxMovesBuilder(const Shape& input) : onnx_(with_free_batch(input)) {}

  static constexpr std::size_t most_dimensions = 6;
  [[nodiscard]] static Tensor input(const Shape& shape) { return {"input", counted(shape)}; }
  [[nodiscard]] Tensor transpose(const Tensor& x, const Places& order) {
    return {onnx_.node("Transpose", {x.name}, {{"perm", order}}), transposed(x.block, order)};
  }
  [[nodiscard]] Tensor reshape(const Tensor& x, const Shape& shape) {
    Places dimensions(shape.begin(), shape.end());
    dimensions[0] = 0;
    return {onnx_.node("Reshape", {x.name, numbers(dimensions)}), {shape, x.block.data}};
  }
  [[nodiscard]] Tensor squeeze(const Tensor& x, std::int64_t axis) {
    Block y = x.block;
    y.shape.erase(y.shape.begin() + axis);
    return {onnx_.node("Squeeze", {x.name, numbers({axis})}), y};
  }
  [[nodiscard]] Tensor unsqueeze(const Tensor& x, std::int64_t axis) {
    Block y = x.block;
    y.shape.insert(y.shape.begin() + axis, 1);
    return {onnx_.node("Unsqueeze", {x.name, numbers({axis})}), y};
  }
  [[nodiscard]] Tensor concat(const Tensor& a, const Tensor& b, std::int64_t axis) {
    return {onnx_.node("Concat", {a.name, b.name}, {{"axis", axis}}), joined(a.block, b.block, axis)};
  }
  [[nodiscard]] Tensor gather(const Tensor& x, std::int64_t axis, const Places& indices) {
    return {onnx_.node("Gather", {x.name, numbers(indices)}, {{"axis", axis}}), gathered(x.block, axis, indices)};
  }
  static constexpr std::size_t channels = 1;
  [[nodiscard]] Tensor depth_to_space(const Tensor& x) {
    return {onnx_.node("DepthToSpace", {x.name}, {{"blocksize", 2}}), to_space(x.block, false)};
  }
  [[nodiscard]] Tensor negate(const Tensor& x) {
    Block y = x.block;
    for (float& number : y.data) number = -number;
    return {onnx_.node("Neg", {x.name}), y};
  }
  [[nodiscard]] Graph read(const Tensor& output) { return onnx_.read(output.name); }

 private:
  [[nodiscard]] static Shape with_free_batch(Shape shape) {
    shape[0] = OnnxBuilder::free;
    return shape;
  }
  [[nodiscard]] std::string numbers(const Places& list) {
    return onnx_.ints("numbers" + std::to_string(++constants_), list);
  }

  OnnxBuilder onnx_;
  int constants_ = 0;
};

/// The same of TensorFlow Lite's.
class TfliteMovesBuilder {
 public:
  using Tensor = Tracked<std::int32_t>;
  explicit TfliteMovesBuilder(const Shape& input) : input_(file_.value(sizes(input))) {}

  static constexpr std::size_t most_dimensions = 5;
  [[nodiscard]] Tensor input(const Shape& shape) const { return {input_, counted(shape)}; }
  [[nodiscard]] Tensor transpose(const Tensor& x, const Places& order) {
    return made(Code::TRANSPOSE, {x.name, numbers(order)}, transposed(x.block, order));
  }
  [[nodiscard]] Tensor reshape(const Tensor& x, const Shape& shape) {
    return made(Code::RESHAPE, {x.name, numbers(shape)}, {shape, x.block.data});
  }
  [[nodiscard]] Tensor squeeze(const Tensor& x, std::int64_t axis) {
    Block y = x.block;
    y.shape.erase(y.shape.begin() + axis);
    const auto axes = file_.fbb.CreateVector(sizes({axis}));
    return made(Code::SQUEEZE, {x.name}, y, Options::Squeeze, tflite::CreateSqueeze(file_.fbb, axes).Union());
  }
  [[nodiscard]] Tensor unsqueeze(const Tensor& x, std::int64_t axis) {
    Block y = x.block;
    y.shape.insert(y.shape.begin() + axis, 1);
    return made(Code::EXPAND_DIMS, {x.name, numbers({axis})}, y);
  }
  [[nodiscard]] Tensor concat(const Tensor& a, const Tensor& b, std::int64_t axis) {
    const auto options = tflite::CreateConcatenation(file_.fbb, static_cast<std::int32_t>(axis));
    return made(Code::CONCATENATION, {a.name, b.name}, joined(a.block, b.block, axis), Options::Concatenation,
                options.Union());
  }
  [[nodiscard]] Tensor gather(const Tensor& x, std::int64_t axis, const Places& indices) {
    const auto options = tflite::CreateGather(file_.fbb, static_cast<std::int32_t>(axis));
    return made(Code::GATHER, {x.name, numbers(indices)}, gathered(x.block, axis, indices), Options::Gather,
                options.Union());
  }
  static constexpr std::size_t channels = 3;
  [[nodiscard]] Tensor depth_to_space(const Tensor& x) {
    return made(Code::DEPTH_TO_SPACE, {x.name}, to_space(x.block, true), Options::DepthToSpace,
                tflite::CreateBlocks(file_.fbb, 2).Union());
  }
  [[nodiscard]] Tensor negate(const Tensor& x) {
    Block y = x.block;
    for (float& number : y.data) number = -number;
    return made(Code::NEG, {x.name}, y);
  }
  [[nodiscard]] Graph read(const Tensor& output) { return file_.read(input_, output.name); }

 private:
  [[nodiscard]] static TfliteBuilder::Shape32 sizes(const Places& list) { return {list.begin(), list.end()}; }
  [[nodiscard]] std::int32_t numbers(const Places& list) { return file_.integers(sizes(list)); }
  [[nodiscard]] Tensor made(Code code, const std::vector<std::int32_t>& inputs, Block block,
                            Options type = Options::NONE, flatbuffers::Offset<void> options = 0) {
    return {file_.node(code, inputs, sizes(block.shape), type, options), std::move(block)};
  }

  TfliteBuilder file_;
  std::int32_t input_;
};

/// One more operator behind `x`.
template <typename Builder>
[[nodiscard]] typename Builder::Tensor move(Builder& builder, Random& random, const typename Builder::Tensor& x) {
  const Shape& shape = x.block.shape;
  const std::size_t rank = shape.size();
  const auto axis = random.integer(1, static_cast<std::int64_t>(rank) - 1);
  switch (random.integer(0, 8)) {
    case 0:
    case 1: {
      Places order = random_order(random, rank - 1);
      for (std::int64_t& place : order) ++place;
      order.insert(order.begin(), 0);
      return builder.transpose(x, order);
    }
    case 2:
    case 3: {
      Shape cut = random_cut(random, element_count(shape), static_cast<std::size_t>(random.integer(1, 4)));
      cut.insert(cut.begin(), 1);
      return builder.reshape(x, cut);
    }
    case 4: {
      const auto one = std::find(shape.begin() + 1, shape.end(), 1);
      if (rank > 2 && one != shape.end()) return builder.squeeze(x, one - shape.begin());
      return rank < Builder::most_dimensions ? builder.unsqueeze(x, axis) : x;
    }
    case 5:
      return rank < Builder::most_dimensions ? builder.unsqueeze(x, axis + 1) : x;
    case 6:
      return builder.gather(x, axis, random_indices(random, shape[static_cast<std::size_t>(axis)]));
    case 7:
      return rank == 4 && shape[Builder::channels] % 4 == 0 ? builder.depth_to_space(x) : x;
    default: {
      if (element_count(shape) > 200) return x;
      const auto negated = builder.negate(x);
      if (random.integer(0, 1) == 0) return builder.concat(x, negated, axis);
      Places order(rank);  // there and back: in another order, perhaps
      std::iota(order.begin(), order.end(), 0);
      std::reverse(order.begin() + 1, order.end());
      return builder.concat(builder.transpose(builder.transpose(negated, order), order), x, axis);
    }
  }
}

/// Whether the graph makes the block of the numbers `from`, as they lie in a value or with channels first.
bool makes_either_way(const Graph& graph, const Block& from, const Block& block) {
  return makes(graph, from, as_value(block)) || (block.shape.size() == 4 && makes(graph, from, channels_first(block)));
}

TEST(Layout, RandomOnnxNetworksOfMoves) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Shape shape = random_lengths(random, static_cast<std::size_t>(random.integer(1, 3)));
    shape.insert(shape.begin(), 1);
    OnnxMovesBuilder builder(shape);
    auto x = builder.input(shape);
    const Block input = x.block;
    for (std::int64_t i = random.integer(1, 6); i > 0; --i) x = move(builder, random, x);
    const Graph graph = builder.read(x);
    EXPECT_TRUE(makes_either_way(graph, as_value(input), x.block) ||
                makes_either_way(graph, channels_first(input), x.block))
        << described(graph) << " for " << to_string(x.block.shape);
    expect_stays(graph);
    if (HasFailure()) break;
  }
}

TEST(Layout, RandomTfliteNetworksOfMoves) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Shape shape = random_lengths(random, static_cast<std::size_t>(random.integer(1, 3)));
    shape.insert(shape.begin(), 1);
    TfliteMovesBuilder builder(shape);
    auto x = builder.input(shape);
    const Block input = x.block;
    for (std::int64_t i = random.integer(1, 6); i > 0; --i) x = move(builder, random, x);
    const Graph graph = builder.read(x);
    // Three dimensions are an image without its only channel where the operator that reads them adds it.
    EXPECT_TRUE(makes_either_way(graph, channels_first(input), x.block) ||
                (shape.size() == 3 && makes_either_way(graph, as_value(input), x.block)))
        << described(graph) << " for " << to_string(x.block.shape);
    expect_stays(graph);
    if (HasFailure()) break;
  }
}

/// One more operator behind `x`.
ValueId move(reference::GraphBuilder& builder, ValueId x) {
  Random& random = builder.random();
  const Shape in = builder.shape(x);
  const std::int64_t count = element_count(in);
  const auto axis = random.integer(0, static_cast<std::int64_t>(in.size()) - 1);
  const auto cut = [&](std::int64_t least, std::int64_t most) {
    return random_cut(random, count, static_cast<std::size_t>(random.integer(least, most)));
  };
  const auto permuted = [&](const Shape& shape) {
    const Shape from = cut(2, 5);
    return builder.add(Permute{from, random_order(random, from.size()), shape}, {x});
  };
  switch (random.integer(0, 9)) {
    case 0:
    case 1:
      return permuted(cut(3, 3));
    case 2:
      return permuted(cut(1, 4));
    case 3:
      return builder.add(Reshape{cut(3, 3)}, {x});
    case 4:
      return builder.add(Reshape{cut(1, 4)}, {x});
    case 5:
      if (count > 200) return x;
      return builder.add(Concat{axis}, {x, builder.flip() ? permuted(in) : builder.add(Relu{}, {x})});
    case 6:
      return builder.add(Gather{axis, random_indices(random, in[static_cast<std::size_t>(axis)])}, {x});
    case 7:
      return in.size() == 3 && count < 200 ? builder.add(Pad{builder.padding(1), 0.5F}, {x}) : x;
    case 8: {  // an operator that the reader removes, and an operand that is broadcast
      const Tensor ones{{in[0]}, Numbers(static_cast<std::size_t>(in[0]), 1)};
      const Tensor zeros{{in[0]}, Numbers(static_cast<std::size_t>(in[0]), 0)};
      const ValueId same = builder.add(Affine{ones, zeros}, {x});
      if (in.size() != 3) return same;
      return builder.add(Add{}, {same, builder.add(GlobalAveragePool{}, {x})});
    }
    default:
      return in.size() == 3 && in[0] > 1 ? builder.add(Softmax{}, {x}) : builder.add(Relu{}, {x});
  }
}

TEST(Layout, RandomGraphsOfMovesReadBackTheSame) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    reference::GraphBuilder builder(seed, random_lengths(random, random.integer(0, 3) == 0 ? 1 : 3));
    ValueId x = 0;
    for (std::int64_t i = random.integer(1, 5); i > 0; --i) x = move(builder, x);
    // no reader makes a network of two dimensions
    if (builder.shape(x).size() == 2) builder.add(Reshape{{element_count(builder.shape(x))}}, {x});
    expect_stays(builder.take());
    if (HasFailure()) break;
  }
}

TEST(Layout, ATransposeAloneReadsBackTheSame) {
  reference::GraphBuilder builder(1, {3, 1, 6});
  builder.add(Permute{{3, 1, 6}, {2, 0, 1}, {6, 1, 3}}, {0});
  expect_stays(builder.take());
}

TEST(Layout, AnImageIsTurnedToChannelsFirstOnlyWhereItsPixelsStay) {
  const auto read = [](const Shape& shape, const Places& order, const Shape& to) {
    TfliteMovesBuilder builder(shape);
    const auto turned = builder.transpose(builder.input(shape), order);
    return builder.read(builder.reshape(turned, to));
  };
  EXPECT_TRUE(makes(read({1, 2, 3, 5}, {0, 1, 2, 3}, {1, 3, 2, 5}), channels_first(counted({1, 2, 3, 5})),
                    channels_first(counted({1, 3, 2, 5}))));
  const Block swapped = transposed(counted({1, 2, 3, 5}), {0, 2, 1, 3});
  EXPECT_TRUE(
      makes(read({1, 2, 3, 5}, {0, 2, 1, 3}, {1, 3, 2, 5}), channels_first(counted({1, 2, 3, 5})), as_value(swapped)));
}

}  // namespace
}  // namespace trimtab
