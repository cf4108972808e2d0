#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/reference.h"

// How exporters write what a graph has one operator for.
namespace trimtab {
namespace {

using reference::Attribute;
using reference::GraphBuilder;
using reference::OnnxBuilder;
using reference::random_sample;
using Ints = std::vector<std::int64_t>;

constexpr auto N = OnnxBuilder::free;

void expect_same(const Graph& graph, const Graph& expected, double tolerance = 1e-5) {
  ASSERT_EQ(element_count(graph.input_shape()), element_count(expected.input_shape()));
  const auto sample = random_sample(graph, 7);
  EXPECT_LE(reference::difference(reference::run(graph, sample), reference::run(expected, sample)), tolerance);
}

void expect_each(const Graph& graph, const std::function<double(double)>& f, double range = 1) {
  auto sample = random_sample(graph, 8);
  std::vector<float> expected;
  for (float& x : sample) expected.push_back(static_cast<float>(f(x *= static_cast<float>(range))));
  EXPECT_LE(reference::difference(reference::run(graph, sample), expected), 1e-5);
}

template <typename Op>
const Op& only(const Graph& graph) {
  EXPECT_EQ(graph.nodes.size(), 1U);
  return std::get<Op>(graph.nodes.at(0).op);
}

double hard_swish(double x) { return x * std::min(std::max(x + 3, 0.0), 6.0) / 6; }

/// A GraphBuilder for one image and random tensors.
struct Case {
  explicit Case(const Shape& input = {3, 7, 9}) : graph(11, input) {}
  GraphBuilder graph;
  [[nodiscard]] Tensor tensor(const Shape& shape) { return graph.tensor(shape, -1, 1); }
};

// --- decompositions of activation functions

TEST(OnnxIdioms, HardSwishOfClip) {
  for (const int form : {0, 1, 2, 3}) {
    OnnxBuilder onnx({N, 3, 4, 4});
    const auto sum = onnx.node("Add", {"input", onnx.scalar("three", 3)});
    const auto clip = onnx.node("Clip", {sum, onnx.scalar("zero", 0), onnx.scalar("six", 6)});
    std::string y;
    if (form == 0) y = onnx.node("Div", {onnx.node("Mul", {"input", clip}), onnx.scalar("h", 6)});
    if (form == 1) y = onnx.node("Mul", {"input", onnx.node("Div", {clip, onnx.scalar("h", 6)})});
    if (form == 2) y = onnx.node("Mul", {onnx.node("Mul", {clip, onnx.scalar("h", 1.0F / 6)}), "input"});
    if (form == 3) y = onnx.node("Mul", {onnx.node("Div", {"input", onnx.scalar("h", 6)}), clip});
    const Graph graph = onnx.read(y);
    only<HardSwish>(graph);
    expect_each(graph, hard_swish, 5);
  }
}

TEST(OnnxIdioms, HardSwishOfRelu6AsReluAndMin) {
  OnnxBuilder onnx({N, 3, 4, 4});
  const auto relu = onnx.node("Relu", {onnx.node("Add", {"input", onnx.scalar("three", 3)})});
  const auto clip = onnx.node("Min", {relu, onnx.scalar("six", 6)});
  const Graph graph = onnx.read(onnx.node("Mul", {"input", onnx.node("Mul", {clip, onnx.scalar("h", 1.0F / 6)})}));
  only<HardSwish>(graph);
  expect_each(graph, hard_swish, 5);
}

TEST(OnnxIdioms, HardSwishOfHardSigmoid) {
  OnnxBuilder onnx({N, 3, 4, 4});
  const auto gate = onnx.node("HardSigmoid", {"input"}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}});
  const Graph graph = onnx.read(onnx.node("Mul", {"input", gate}));
  only<HardSwish>(graph);
  expect_each(graph, hard_swish, 5);
}

TEST(OnnxIdioms, HardSigmoidOfClip) {
  OnnxBuilder onnx({N, 3, 4, 4});
  const auto scaled = onnx.node("Mul", {"input", onnx.scalar("scale", 0.2F)});
  const auto shifted = onnx.node("Add", {scaled, onnx.scalar("shift", 0.5F)});
  const Graph graph = onnx.read(onnx.node("Clip", {shifted, onnx.scalar("zero", 0), onnx.scalar("one", 1)}));
  EXPECT_FLOAT_EQ(only<HardSigmoid>(graph).alpha, 0.2F);
  expect_each(
      graph, [](double x) { return std::min(std::max(0.2 * x + 0.5, 0.0), 1.0); }, 5);
}

TEST(OnnxIdioms, HardSigmoidOfHardSwishThatOthersReadStays) {
  OnnxBuilder onnx({N, 3, 4, 4});
  const auto gate = onnx.node("HardSigmoid", {"input"}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}});
  const auto swish = onnx.node("Mul", {"input", gate});
  expect_each(onnx.read(onnx.node("Add", {swish, gate})),
              [](double x) { return hard_swish(x) + std::min(std::max(x / 6 + 0.5, 0.0), 1.0); });
}

TEST(OnnxIdioms, SiluIsOneFunction) {
  OnnxBuilder onnx({N, 3, 4, 4});
  const Graph graph = onnx.read(onnx.node("Mul", {"input", onnx.node("Sigmoid", {"input"})}));
  only<ScalarFunction>(graph);
  expect_each(graph, [](double x) { return x / (1 + std::exp(-x)); });
}

TEST(OnnxIdioms, ClipsOfAllOpsets) {
  OnnxBuilder old({N, 3, 4, 4}, 7);
  const Graph six = old.read(old.node("Clip", {"input"}, {{"min", 0.0F}, {"max", 6.0F}}));
  EXPECT_EQ(only<Clip>(six).high, 6);
  OnnxBuilder low({N, 3, 4, 4}, 11);
  only<Relu>(low.read(low.node("Clip", {"input", low.scalar("min", 0)})));
  OnnxBuilder high({N, 3, 4, 4}, 11);
  const Graph graph = high.read(high.node("Clip", {"input", "", high.scalar("max", 0.25F)}));
  EXPECT_TRUE(std::isinf(only<Clip>(graph).low));
  expect_each(graph, [](double x) { return std::min(x, 0.25); });
  OnnxBuilder max({N, 3, 4, 4}, 12);
  only<Relu>(max.read(max.node("Max", {max.scalar("zero", 0), "input"})));
}

TEST(OnnxIdioms, PreluWithOneSlope) {
  OnnxBuilder onnx({N, 3, 4, 4});
  const Graph graph = onnx.read(onnx.node("PRelu", {"input", onnx.floats("slope", {3, 1, 1}, {0.2F, 0.2F, 0.2F})}));
  EXPECT_FLOAT_EQ(only<LeakyRelu>(graph).alpha, 0.2F);
}

// --- arithmetics with constants

TEST(OnnxArithmetic, ConstantsBecomeOneAffine) {
  OnnxBuilder onnx({N, 3, 2, 2});
  auto x = onnx.node("Sub", {"input", onnx.floats("mean", {1, 3, 1, 1}, {1, 2, 3})});
  x = onnx.node("Div", {x, onnx.floats("deviation", {3, 1, 1}, {2, 4, 8})});
  x = onnx.node("Sub", {onnx.scalar("one", 1), x});
  x = onnx.node("Neg", {onnx.node("Mul", {x, onnx.scalar("ten", 10)})});
  const Graph graph = onnx.read(x);
  const auto& affine = only<Affine>(graph);
  const std::vector<float> mean{1, 2, 3};
  const std::vector<float> deviation{2, 4, 8};
  for (std::size_t c = 0; c < 3; ++c) {  // -10 (1 - (x - mean) / deviation)
    EXPECT_FLOAT_EQ(affine.scale.data[c], 10 / deviation[c]);
    EXPECT_FLOAT_EQ(affine.offset.data[c], -10 - 10 * mean[c] / deviation[c]);
  }
}

TEST(OnnxArithmetic, AddBehindConvAndMatMulIsTheirBias) {
  Case c;
  Conv conv;
  conv.weight = c.tensor({4, 3, 7, 9});
  conv.bias = c.tensor({4});
  Linear linear{c.tensor({2, 4}), c.tensor({2})};
  c.graph.add(linear, {c.graph.add(Reshape{{4}}, {c.graph.add(conv, {0})})});
  OnnxBuilder onnx({N, 3, 7, 9});
  auto x = onnx.node("Conv", {"input", onnx.floats("w", conv.weight)});
  x = onnx.node("Add", {onnx.floats("b", {1, 4, 1, 1}, conv.bias.data), x});
  x = onnx.node("Flatten", {x});
  const auto matrix = onnx.node("Transpose", {onnx.floats("m", linear.weight)}, {{"perm", Ints{1, 0}}});
  x = onnx.node("Add", {onnx.node("MatMul", {x, matrix}), onnx.floats("mb", linear.bias)});
  const Graph graph = onnx.read(x);
  EXPECT_EQ(graph.nodes.size(), 3U);
  expect_same(graph, c.graph.take());
}

TEST(OnnxArithmetic, ANumberForEachElement) {
  Case c({2, 2, 3});
  const Tensor offset = c.tensor({2, 2, 3});
  OnnxBuilder onnx({N, 2, 2, 3});
  const Graph graph = onnx.read(onnx.node("Add", {"input", onnx.floats("offset", offset)}));
  auto sample = random_sample(graph, 1);
  const auto computed = reference::run(graph, sample);
  for (std::size_t i = 0; i < sample.size(); ++i) EXPECT_FLOAT_EQ(computed[i], sample[i] + offset.data[i]);
}

TEST(OnnxArithmetic, DifferenceAndSumOfValues) {
  OnnxBuilder onnx({N, 3, 2, 2});
  const auto a = onnx.node("Relu", {"input"});
  const auto b = onnx.node("Sigmoid", {"input"});
  const auto difference = onnx.node("Sub", {a, b});
  expect_each(onnx.read(onnx.node("Sum", {difference, a, b})), [](double x) { return 2 * std::max(x, 0.0); });
}

TEST(OnnxArithmetic, GemmOfAllForms) {
  for (const bool transposed : {false, true}) {
    Case c({6});
    const Tensor weight = c.tensor({4, 6});
    const Tensor bias = c.tensor({4});
    Linear linear{weight, bias};
    for (float& w : linear.weight.data) w *= 0.5F;
    for (float& b : linear.bias.data) b *= 2;
    c.graph.add(linear, {0});
    Tensor stored = weight;
    if (!transposed) {
      stored.shape = {6, 4};
      for (std::size_t i = 0; i < 24; ++i) stored.data[i] = weight.data[i % 4 * 6 + i / 4];
    }
    OnnxBuilder onnx({N, 6}, 9);
    const auto y = onnx.node("Gemm", {"input", onnx.floats("w", stored), onnx.floats("b", {1, 4}, bias.data)},
                             {{"transB", transposed ? 1 : 0}, {"alpha", 0.5F}, {"beta", 2.0F}});
    expect_same(onnx.read(y), c.graph.take());
  }
}

// --- windows

TEST(OnnxWindows, AutomaticPadding) {
  const std::vector<std::pair<const char*, Padding>> cases{
      {"SAME_UPPER", {1, 1, 2, 1}}, {"SAME_LOWER", {2, 1, 1, 1}}, {"VALID", {}}};
  for (const auto& [name, padding] : cases) {  // 7 rows: stride 2, extent 5 pads 3 - SAME: 4 windows, 9 columns: 2
    Case c({3, 8, 9});
    Conv conv;
    conv.weight = c.tensor({2, 3, 3, 3});
    conv.dilation = {2, 1};
    conv.stride = {2, 2};
    conv.padding = padding;
    c.graph.add(conv, {0});
    OnnxBuilder onnx({N, 3, 8, 9});
    const Graph graph = onnx.read(onnx.node("Conv", {"input", onnx.floats("w", conv.weight)},
                                            {{"auto_pad", name}, {"strides", Ints{2, 2}}, {"dilations", Ints{2, 1}}}));
    EXPECT_EQ(only<Conv>(graph).padding, padding) << name;
    expect_same(graph, c.graph.take());
  }
}

TEST(OnnxWindows, CeilModeDropsWindowsThatStartInThePadding) {
  const auto shape = [](std::int64_t length, std::int64_t kernel, std::int64_t pad) {
    OnnxBuilder onnx({N, 1, length, length});
    return onnx
        .read(onnx.node("MaxPool", {"input"},
                        {{"kernel_shape", Ints{kernel, kernel}},
                         {"strides", Ints{3, 3}},
                         {"pads", Ints{pad, pad, pad, pad}},
                         {"ceil_mode", 1}}))
        .output_shape();
  };
  EXPECT_EQ(shape(7, 3, 0), (Shape{1, 3, 3}));  // the third starts at 6, the last pixel
  EXPECT_EQ(shape(6, 2, 0), (Shape{1, 2, 2}));  // a third would start at 6, behind the image
  EXPECT_EQ(shape(5, 2, 1), (Shape{1, 2, 2}));  // a third would start at 5, in the padding
}

TEST(OnnxWindows, AverageOfTheWholeImageInAllForms) {
  Case c;
  c.graph.add(Reshape{{3}}, {c.graph.add(GlobalAveragePool{}, {0})});
  const Graph expected = c.graph.take();
  for (const int form : {0, 1, 2, 3, 4, 5}) {
    OnnxBuilder onnx({N, 3, 7, 9}, form == 4 ? 18 : 13);
    std::string x;
    if (form == 0) x = onnx.node("GlobalAveragePool", {"input"});
    if (form == 1) x = onnx.node("AveragePool", {"input"}, {{"kernel_shape", Ints{7, 9}}});
    if (form == 2) x = onnx.node("ReduceMean", {"input"}, {{"axes", Ints{2, 3}}});
    if (form == 3) x = onnx.node("ReduceMean", {"input"}, {{"axes", Ints{-1, -2}}, {"keepdims", 0}});
    if (form == 4) x = onnx.node("ReduceMean", {"input", onnx.ints("axes", {3, 2})}, {{"keepdims", 0}});
    if (form == 5) {  // x.flatten(2).mean(2)
      x = onnx.node("Reshape", {"input", onnx.ints("shape", {0, 3, -1})});
      x = onnx.node("ReduceMean", {x}, {{"axes", Ints{2}}, {"keepdims", 0}});
    }
    const Graph graph = onnx.read(onnx.node("Flatten", {x}));
    EXPECT_TRUE(std::holds_alternative<GlobalAveragePool>(graph.nodes[0].op)) << form;
    EXPECT_EQ(graph.output_shape(), Shape{3});
    expect_same(graph, expected);
  }
}

TEST(OnnxWindows, PadsOfAllOpsets) {
  Case c;
  c.graph.add(Pad{{1, 2, 3, 0}, 0.5F}, {0});
  const Graph expected = c.graph.take();
  OnnxBuilder old({N, 3, 7, 9}, 10);
  expect_same(old.read(old.node("Pad", {"input"}, {{"pads", Ints{0, 0, 1, 2, 0, 0, 3, 0}}, {"value", 0.5F}})),
              expected);
  OnnxBuilder onnx({N, 3, 7, 9}, 13);
  expect_same(
      onnx.read(onnx.node("Pad", {"input", onnx.ints("pads", {0, 0, 1, 2, 0, 0, 3, 0}), onnx.scalar("v", 0.5F)})),
      expected);
  OnnxBuilder axes({N, 3, 7, 9}, 18);
  expect_same(axes.read(axes.node("Pad", {"input", axes.ints("pads", {2, 1, 0, 3}), axes.scalar("v", 0.5F),
                                          axes.ints("axes", {-1, 2})})),
              expected);
}

TEST(OnnxWindows, PadsComputedAsPyTorchDoes) {
  // F.pad(x, (2, 0, 1, 3)): last axis first, completed with zeros, cut in pairs, turned round, transposed
  Case c;
  c.graph.add(Pad{{1, 2, 3, 0}, 0}, {0});
  OnnxBuilder onnx({N, 3, 7, 9}, 11);
  const auto given = onnx.ints("given", {2, 0, 1, 3});
  const auto zeros =
      onnx.node("ConstantOfShape", {onnx.ints("four", {4})}, {{"value", reference::int_tensor({1}, {0})}});
  auto pads = onnx.node("Concat", {given, zeros}, {{"axis", 0}});
  pads = onnx.node("Reshape", {pads, onnx.ints("pairs", {-1, 2})});
  pads = onnx.node("Slice",
                   {pads, onnx.ints("start", {-1}), onnx.ints("end", {std::numeric_limits<std::int64_t>::min() + 1}),
                    onnx.ints("axis", {0}), onnx.ints("step", {-1})});
  pads = onnx.node("Transpose", {pads}, {{"perm", Ints{1, 0}}});
  pads = onnx.node("Cast", {onnx.node("Reshape", {pads, onnx.ints("flat", {-1})})}, {{"to", 7}});
  const auto zero = onnx.node("Constant", {}, {{"value_float", 0.0F}});
  expect_same(onnx.read(onnx.node("Pad", {"input", pads, zero}, {{"mode", "constant"}})), c.graph.take());
}

TEST(OnnxWindows, OldBatchNormalization) {
  Case c;
  const BatchNormalization bn = c.graph.batch_normalization(3);
  c.graph.add(bn, {0});
  OnnxBuilder onnx({N, 3, 7, 9}, 7);
  const auto y = onnx.node("BatchNormalization",
                           {"input", onnx.floats("s", bn.scale), onnx.floats("b", bn.bias), onnx.floats("m", bn.mean),
                            onnx.floats("v", bn.variance)},
                           {{"epsilon", bn.epsilon}, {"momentum", 0.9F}, {"spatial", 1}});
  expect_same(onnx.read(y), c.graph.take());
}

// --- shapes

TEST(OnnxShapes, ViewWithAFreeBatch) {
  for (const int form : {0, 1, 2, 3}) {  // x.view(x.size(0), -1) of several exporters
    OnnxBuilder onnx({N, 3, 7, 9}, form == 2 ? 15 : 11);
    std::string shape;
    if (form == 0) {
      const auto size = onnx.node(
          "Gather",
          {onnx.node("Shape", {"input"}), onnx.node("Constant", {}, {{"value", reference::int_tensor({}, {0})}})},
          {{"axis", 0}});
      const auto first = onnx.node("Unsqueeze", {size}, {{"axes", Ints{0}}});
      shape = onnx.node("Concat", {first, onnx.ints("rest", {-1})}, {{"axis", 0}});
    } else if (form == 1) {
      const auto first =
          onnx.node("Slice", {onnx.node("Shape", {"input"}), onnx.ints("zero", {0}), onnx.ints("one", {1})});
      shape = onnx.node("Concat", {first, onnx.ints("rest", {189})}, {{"axis", 0}});
    } else if (form == 2) {
      const auto first = onnx.node("Shape", {"input"}, {{"start", 0}, {"end", 1}});
      shape = onnx.node("Concat", {first, onnx.node("Constant", {}, {{"value_ints", Ints{-1}}})}, {{"axis", 0}});
    } else {
      const auto whole = onnx.node("Shape", {"input"});  // x.view(-1, c * h * w)
      const auto dimension = [&](std::int64_t i) {
        return onnx.node("Gather", {whole, onnx.ints(fmt::format("i{}", i), {i})});
      };
      const auto product = onnx.node("Mul", {onnx.node("Mul", {dimension(1), dimension(2)}), dimension(3)});
      shape = onnx.node("Concat", {onnx.ints("free", {-1}), product}, {{"axis", 0}});
    }
    const Graph graph = onnx.read(onnx.node("Reshape", {"input", shape}));
    EXPECT_EQ(graph.output_shape(), Shape{189}) << form;
    expect_each(graph, [](double x) { return x; });
  }
}

TEST(OnnxShapes, SqueezeAndUnsqueezeOfAllOpsets) {
  OnnxBuilder old({N, 5, 1, 1}, 11);
  auto x = old.node("Squeeze", {"input"}, {{"axes", Ints{2, 3}}});
  EXPECT_EQ(old.read(old.node("Relu", {x})).output_shape(), Shape{5});
  OnnxBuilder onnx({N, 5, 1, 1}, 13);
  x = onnx.node("Squeeze", {"input", onnx.ints("axes", {-1, -2})});
  x = onnx.node("Unsqueeze", {x, onnx.ints("more", {1})});
  EXPECT_EQ(onnx.read(onnx.node("Relu", {x})).output_shape(), (Shape{1, 1, 5}));
}

TEST(OnnxShapes, FixedBatchOfOne) {
  OnnxBuilder onnx({1, 3, 7, 9});
  const Graph graph = onnx.read(onnx.node("Reshape", {"input", onnx.ints("shape", {1, 189})}));
  EXPECT_EQ(graph.input_shape(), (Shape{3, 7, 9}));
  EXPECT_EQ(graph.output_shape(), Shape{189});
}

TEST(OnnxShapes, InitializersMayBeInputsAndHoldFloats) {
  Case c({2, 3, 3});
  Conv conv;
  conv.weight = c.tensor({2, 2, 1, 1});
  c.graph.add(conv, {0});
  OnnxBuilder onnx({N, 2, 3, 3}, 8);
  OnnxBuilder::describe(*onnx.model.mutable_graph()->add_input(), "w", {2, 2, 1, 1});
  onnx.add("w", reference::float_tensor(conv.weight.shape, conv.weight.data, false));
  expect_same(onnx.read(onnx.node("Conv", {"input", "w"})), c.graph.take());
}

TEST(OnnxShapes, WeightsThatAreComputed) {
  Case c({2, 5, 5});
  Conv conv;
  conv.weight = c.tensor({3, 2, 2, 2});
  c.graph.add(conv, {0});
  Tensor last{{2, 2, 2, 3}, std::vector<float>(24)};  // tf's height, width, inputs, outputs; halved
  for (std::size_t o = 0; o < 3; ++o) {
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t k = 0; k < 4; ++k) last.data[(k * 2 + i) * 3 + o] = conv.weight.data[(o * 2 + i) * 4 + k] / 2;
    }
  }
  OnnxBuilder onnx({N, 2, 5, 5});
  const auto doubled = onnx.node("Mul", {onnx.floats("w", last), onnx.scalar("two", 2)});
  const auto weight = onnx.node("Transpose", {doubled}, {{"perm", Ints{3, 2, 0, 1}}});
  const Graph graph = onnx.read(onnx.node("Conv", {"input", onnx.node("Identity", {weight})}));
  expect_same(graph, c.graph.take());
}

TEST(OnnxShapes, DropoutIdentityAndUnusedNodesVanish) {
  OnnxBuilder onnx({N, 2, 3, 3}, 7);
  auto x = onnx.node("Dropout", {onnx.node("Identity", {"input"})}, {{"ratio", 0.5F}});
  static_cast<void>(onnx.node("Einsum", {x}));  // nobody reads it
  x = onnx.node("Cast", {onnx.node("Relu", {x})}, {{"to", 1}});
  only<Relu>(onnx.read(x));
}

TEST(OnnxShapes, SoftmaxOfBothMeanings) {
  OnnxBuilder onnx({N, 4}, 13);
  only<Softmax>(onnx.read(onnx.node("Softmax", {"input"})));
  OnnxBuilder old({N, 4, 1, 1}, 11);
  only<Softmax>(old.read(old.node("Softmax", {"input"})));
  OnnxBuilder coerced({N, 2, 3, 1}, 11);  // over all that follows the batch
  const Graph graph = coerced.read(coerced.node("Softmax", {"input"}));
  const auto y = reference::run(graph, {0, 0, 0, 0, 0, 0});
  for (const float p : y) EXPECT_FLOAT_EQ(p, 1.0F / 6);
}

// --- layouts

/// A net of all that moves data, channels first.
Graph channels_first_net(Case& c, const Conv& conv, const Linear& linear, const Affine& affine, bool flat) {
  auto x = c.graph.add(Pad{{0, 1, 1, 2}, 0}, {0});
  x = c.graph.add(conv, {x});
  x = c.graph.add(affine, {x});
  x = c.graph.add(Relu{}, {x});
  x = c.graph.add(Concat{}, {x, c.graph.add(Sigmoid{}, {x})});
  const auto mean = c.graph.add(GlobalAveragePool{}, {x});
  x = c.graph.add(Mul{}, {x, c.graph.add(Sigmoid{}, {mean})});
  if (!flat) x = c.graph.add(GlobalAveragePool{}, {x});
  x = c.graph.add(Reshape{{element_count(c.graph.shape(x))}}, {x});
  c.graph.add(linear, {x});
  return c.graph.take();
}

TEST(OnnxLayouts, ChannelsLastAsTf2onnxWritesIt) {
  for (const bool flat : {false, true}) {
    Case c({3, 6, 5});
    Conv conv;
    conv.weight = c.tensor({4, 3, 3, 3});
    const Affine affine = c.graph.affine(4);
    const std::int64_t pixels = flat ? 5 * 6 : 1;
    Linear linear{c.tensor({5, 8 * pixels}), c.tensor({5})};
    const Graph expected = channels_first_net(c, conv, linear, affine, flat);

    OnnxBuilder onnx({N, 6, 5, 3});
    auto x = onnx.node("Pad", {"input", onnx.ints("pads", {0, 0, 1, 0, 0, 1, 2, 0})});
    x = onnx.node("Transpose", {x}, {{"perm", Ints{0, 3, 1, 2}}});
    x = onnx.node("Conv", {x, onnx.floats("w", conv.weight)});
    x = onnx.node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
    x = onnx.node("Mul", {x, onnx.floats("scale", affine.scale)});
    x = onnx.node("Add", {x, onnx.floats("offset", affine.offset)});
    x = onnx.node("Relu", {x});
    x = onnx.node("Concat", {x, onnx.node("Sigmoid", {x})}, {{"axis", 3}});
    auto mean = onnx.node("ReduceMean", {x}, {{"axes", Ints{1, 2}}, {"keepdims", 0}});
    mean = onnx.node("Reshape", {mean, onnx.ints("gate", {-1, 1, 1, 8})});
    x = onnx.node("Mul", {x, onnx.node("Sigmoid", {mean})});
    if (!flat) x = onnx.node("ReduceMean", {x}, {{"axes", Ints{1, 2}}});
    x = onnx.node("Reshape", {x, onnx.ints("flatten", {-1, 8 * pixels})});
    // the weight's rows are in the order height, width, channels; the reference's columns in channels, height, width
    Tensor matrix{{8 * pixels, 5}, std::vector<float>(linear.weight.data.size())};
    for (std::int64_t o = 0; o < 5; ++o) {
      for (std::int64_t ch = 0; ch < 8; ++ch) {
        for (std::int64_t p = 0; p < pixels; ++p) {
          matrix.data[static_cast<std::size_t>((p * 8 + ch) * 5 + o)] =
              linear.weight.data[static_cast<std::size_t>((o * 8 + ch) * pixels + p)];
        }
      }
    }
    x = onnx.node("Add", {onnx.node("MatMul", {x, onnx.floats("matrix", matrix)}), onnx.floats("bias", linear.bias)});
    const Graph graph = onnx.read(x);
    EXPECT_EQ(graph.input_shape(), (Shape{3, 6, 5}));
    EXPECT_EQ(graph.nodes.size(), expected.nodes.size() + 1) << flat;  // the gate is made a vector and an image again
    expect_same(graph, expected);
  }
}

TEST(OnnxLayouts, AVectorCutIntoAnImage) {
  // Keras: a flat input made an image of one channel, then turned to channels first
  Case c({1, 4, 6});
  Conv conv;
  conv.weight = c.tensor({2, 1, 3, 3});
  c.graph.add(conv, {0});
  OnnxBuilder onnx({N, 24});
  auto x = onnx.node("Reshape", {"input", onnx.ints("shape", {-1, 4, 6, 1})});
  x = onnx.node("Transpose", {x}, {{"perm", Ints{0, 3, 1, 2}}});
  expect_same(onnx.read(onnx.node("Conv", {x, onnx.floats("w", conv.weight)})), c.graph.take());
}

TEST(OnnxLayouts, TransposesCancelThroughElementwiseOperators) {
  OnnxBuilder onnx({N, 3, 4, 5});
  auto x = onnx.node("Transpose", {"input"}, {{"perm", Ints{0, 2, 3, 1}}});
  x = onnx.node("Relu", {x});
  x = onnx.node("Transpose", {x}, {{"perm", Ints{0, 3, 1, 2}}});
  const Graph graph = onnx.read(x);
  only<Relu>(graph);
  expect_each(graph, [](double v) { return std::max(v, 0.0); });
}

TEST(OnnxLayouts, SoftmaxAndOutputChannelsLast) {
  OnnxBuilder onnx({N, 4, 5, 3});
  auto x = onnx.node("Transpose", {"input"}, {{"perm", Ints{0, 3, 1, 2}}});
  x = onnx.node("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}});
  x = onnx.node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  const Graph graph = onnx.read(onnx.node("Softmax", {x}, {{"axis", -1}}));
  EXPECT_EQ(graph.output_shape(), (Shape{3, 3, 4}));
}

TEST(OnnxLayouts, WhatIsNotOnlyLayoutMovesNumbers) {
  OnnxBuilder onnx({N, 1, 2, 3});  // rows become columns
  const auto x = onnx.node("Transpose", {"input"}, {{"perm", Ints{0, 1, 3, 2}}});
  const Graph graph = onnx.read(onnx.node("MaxPool", {x}, {{"kernel_shape", Ints{1, 1}}}));
  EXPECT_EQ(graph.output_shape(), (Shape{1, 3, 2}));
  EXPECT_EQ(reference::run(graph, {1, 2, 3, 4, 5, 6}), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

}  // namespace
}  // namespace trimtab
