#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/reference.h"

// Operators that move elements and make images larger, against the definitions in the ONNX documents.
namespace trimtab {
namespace {

using reference::Attribute;
using reference::OnnxBuilder;
using Numbers = std::vector<float>;
using Places = std::vector<std::int64_t>;

constexpr auto any_batch = OnnxBuilder::free;

/// The network's answer, also after it is written and read again.
Numbers answer(const Graph& graph, const Numbers& sample) {
  const Numbers result = reference::run(graph, sample);
  const Graph again = parse_onnx(serialize_onnx(graph), "again.onnx");
  EXPECT_LE(reference::difference(reference::run(again, sample), result), 1e-6);
  return result;
}

/// 0, 1, 2, ...
Numbers counted(std::size_t count) {
  Numbers numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(static_cast<float>(i));
  return numbers;
}

TEST(OnnxMoves, SlicesOfChannelsAndPixels) {
  OnnxBuilder onnx({any_batch, 3, 2, 4});
  auto x = onnx.node("Slice", {"input", onnx.ints("s", {-2, 3}), onnx.ints("e", {1000, -5}), onnx.ints("a", {1, 3}),
                               onnx.ints("t", {1, -2})});
  const Graph graph = onnx.read(x);
  EXPECT_EQ(graph.output_shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(answer(graph, counted(24)), (Numbers{11, 9, 15, 13, 19, 17, 23, 21}));
}

TEST(OnnxMoves, SplitAndGather) {
  OnnxBuilder onnx({any_batch, 4, 1, 2});
  const auto first = onnx.node("Split", {"input", onnx.ints("parts", {1, 3})}, {{"axis", 1}});
  onnx.model.mutable_graph()->mutable_node(0)->add_output("second");
  const auto picked = onnx.node("Gather", {"second", onnx.ints("picks", {2, 0})}, {{"axis", -3}});
  EXPECT_EQ(answer(onnx.read(onnx.node("Concat", {picked, first}, {{"axis", 1}})), counted(8)),
            (Numbers{6, 7, 2, 3, 0, 1}));
  const auto one = onnx.add("one", reference::int_tensor({}, {1}));
  const Graph vector = onnx.read(onnx.node("Flatten", {onnx.node("Gather", {"input", one}, {{"axis", 1}})}));
  EXPECT_EQ(answer(vector, counted(8)), (Numbers{2, 3}));
}

TEST(OnnxMoves, ShuffledChannelsAreOneGather) {
  OnnxBuilder onnx({any_batch, 6, 2, 1});
  auto x = onnx.node("Reshape", {"input", onnx.ints("groups", {0, 2, 3, 2, 1})});
  x = onnx.node("Transpose", {x}, {{"perm", Places{0, 2, 1, 3, 4}}});
  x = onnx.node("Reshape", {x, onnx.ints("back", {0, 6, 2, 1})});
  const Graph graph = onnx.read(onnx.node("MaxPool", {x}, {{"kernel_shape", Places{1, 1}}}));
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(std::get<Gather>(graph.nodes[0].op).indices, (Places{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(answer(graph, counted(12)), (Numbers{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}));
}

TEST(OnnxMoves, PartsOfShuffledChannelsAreOneGatherEach) {
  OnnxBuilder onnx({any_batch, 4, 1, 1});
  auto x = onnx.node("Reshape", {"input", onnx.ints("groups", {0, 2, 2, 1, 1})});
  x = onnx.node("Transpose", {x}, {{"perm", Places{0, 2, 1, 3, 4}}});
  x = onnx.node("Reshape", {x, onnx.ints("back", {0, 4, 1, 1})});
  const auto front = onnx.node("Slice", {x, onnx.ints("s", {0}), onnx.ints("m", {2}), onnx.ints("a", {1})});
  const auto back = onnx.node("Slice", {x, "m", onnx.ints("e", {4}), "a"});
  const Graph graph = onnx.read(onnx.node("Concat", {back, front}, {{"axis", 1}}));
  EXPECT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(answer(graph, counted(4)), (Numbers{1, 3, 0, 2}));
}

TEST(OnnxMoves, DepthToSpaceAndBack) {
  const auto moved = [](const char* mode) {
    OnnxBuilder onnx({any_batch, 8, 1, 1});
    return answer(onnx.read(onnx.node("DepthToSpace", {"input"}, {{"blocksize", 2}, {"mode", mode}})), counted(8));
  };
  EXPECT_EQ(moved("DCR"), (Numbers{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(moved("CRD"), (Numbers{0, 1, 2, 3, 4, 5, 6, 7}));
  OnnxBuilder onnx({any_batch, 2, 2, 2});
  EXPECT_EQ(answer(onnx.read(onnx.node("SpaceToDepth", {"input"}, {{"blocksize", 2}})), counted(8)),
            (Numbers{0, 4, 1, 5, 2, 6, 3, 7}));
}

TEST(OnnxMoves, ConcatAlongRowsAndColumns) {
  OnnxBuilder onnx({any_batch, 2, 1, 2});
  const auto turned = onnx.node("Neg", {"input"});
  EXPECT_EQ(answer(onnx.read(onnx.node("Concat", {"input", turned}, {{"axis", 2}})), counted(4)),
            (Numbers{0, 1, 0, -1, 2, 3, -2, -3}));
  EXPECT_EQ(answer(onnx.read(onnx.node("Concat", {"input", turned}, {{"axis", -1}})), counted(4)),
            (Numbers{0, 1, 0, -1, 2, 3, -2, -3}));
}

TEST(OnnxMoves, PadsOfAllModes) {
  const auto padded = [](const char* mode, const Places& pads) {
    OnnxBuilder onnx({any_batch, 1, 1, 3});
    return answer(onnx.read(onnx.node("Pad", {"input", onnx.ints("pads", pads)}, {{"mode", mode}})), {1, 2, 3});
  };
  EXPECT_EQ(padded("reflect", {0, 0, 0, 2, 0, 0, 0, 1}), (Numbers{3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(padded("edge", {0, 0, 0, 2, 0, 0, 0, 1}), (Numbers{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(padded("wrap", {0, 0, 0, 2, 0, 0, 0, 1}), (Numbers{2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(padded("constant", {0, 0, 0, -1, 0, 0, 0, 1}), (Numbers{2, 3, 0}));
  EXPECT_EQ(padded("constant", {0, 1, 0, 0, 0, 2, 0, 0}), (Numbers{0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0}));
}

/// By its definition: every input adds its weights to the outputs that it reaches.
Numbers transposed_convolution(const Numbers& x, const Shape& in, const Numbers& w, const Shape& shape,
                               std::int64_t groups, const Places& strides, const Places& pads, const Shape& out) {
  Numbers y(static_cast<std::size_t>(element_count(out)), 0.5F);  // the bias
  const std::int64_t inputs = in[0] / groups;
  for (std::int64_t i = 0; i < in[0]; ++i) {
    for (std::int64_t o = 0; o < shape[1]; ++o) {
      for (std::int64_t pixel = 0; pixel < in[1] * in[2]; ++pixel) {
        for (std::int64_t k = 0; k < shape[2] * shape[3]; ++k) {
          const std::int64_t row = pixel / in[2] * strides[0] + k / shape[3] - pads[0];
          const std::int64_t column = pixel % in[2] * strides[1] + k % shape[3] - pads[1];
          if (row < 0 || column < 0 || row >= out[1] || column >= out[2]) continue;
          const std::int64_t filter = i / inputs * shape[1] + o;
          y[static_cast<std::size_t>((filter * out[1] + row) * out[2] + column)] +=
              x[static_cast<std::size_t>(i * in[1] * in[2] + pixel)] *
              w[static_cast<std::size_t>((i * shape[1] + o) * shape[2] * shape[3] + k)];
        }
      }
    }
  }
  return y;
}

TEST(OnnxUpsampling, TransposedConvolutions) {
  struct Case {
    Shape weight;
    std::int64_t groups;
    Places strides, pads, more;
  };
  const std::vector<Case> cases{{{4, 3, 2, 2}, 1, {2, 2}, {0, 0, 0, 0}, {0, 0}},
                                {{4, 3, 3, 3}, 1, {2, 2}, {1, 1, 1, 1}, {1, 1}},
                                {{4, 2, 4, 3}, 2, {3, 1}, {1, 0, 2, 1}, {0, 0}},
                                {{4, 1, 1, 2}, 4, {2, 3}, {0, 0, 0, 0}, {1, 2}},
                                {{4, 3, 5, 5}, 1, {1, 1}, {2, 2, 2, 2}, {0, 0}}};
  for (const Case& test : cases) {
    OnnxBuilder onnx({any_batch, 4, 3, 5});
    Numbers weight;
    for (std::int64_t i = 0; i < element_count(test.weight); ++i) {
      weight.push_back(static_cast<float>(std::sin(static_cast<double>(i))));
    }
    const std::int64_t outputs = test.weight[1] * test.groups;
    const auto bias = onnx.floats("b", {outputs}, Numbers(static_cast<std::size_t>(outputs), 0.5F));
    const Graph graph = onnx.read(onnx.node(
        "ConvTranspose", {"input", onnx.floats("w", test.weight, weight), bias},
        {{"strides", test.strides}, {"pads", test.pads}, {"output_padding", test.more}, {"group", test.groups}}));
    Shape out{outputs, 0, 0};
    for (std::size_t axis = 0; axis < 2; ++axis) {
      out[1 + axis] = (axis == 0 ? 2 : 4) * test.strides[axis] + test.weight[2 + axis] + test.more[axis] -
                      test.pads[axis] - test.pads[axis + 2];
    }
    ASSERT_EQ(graph.output_shape(), out);
    const auto sample = reference::random_sample(graph, 2);
    EXPECT_LE(
        reference::difference(answer(graph, sample), transposed_convolution(sample, {4, 3, 5}, weight, test.weight,
                                                                            test.groups, test.strides, test.pads, out)),
        1e-5);
  }
}

Numbers resized(const Numbers& row, const char* mode, const char* transformation, const Numbers& scale,
                const char* nearest = "round_prefer_floor") {
  OnnxBuilder onnx({any_batch, 1, 1, static_cast<std::int64_t>(row.size())});
  return answer(onnx.read(onnx.node(
                    "Resize", {"input", "", onnx.floats("scales", {4}, {1, 1, 1, scale[0]})},
                    {{"mode", mode}, {"coordinate_transformation_mode", transformation}, {"nearest_mode", nearest}})),
                row);
}

// The numbers of ONNX's own examples of Resize, along one axis.
TEST(OnnxUpsampling, Resizes) {
  EXPECT_EQ(resized({1, 2}, "nearest", "half_pixel", {2}), (Numbers{1, 1, 2, 2}));
  EXPECT_EQ(resized({1, 2}, "nearest", "asymmetric", {3}, "floor"), (Numbers{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(resized({1, 2, 3, 4}, "nearest", "half_pixel", {0.5F}), (Numbers{1, 3}));
  EXPECT_EQ(resized({1, 2, 3, 4}, "nearest", "align_corners", {2}), (Numbers{1, 1, 2, 2, 3, 3, 4, 4}));
  EXPECT_EQ(resized({1, 2}, "linear", "half_pixel", {2}), (Numbers{1, 1.25F, 1.75F, 2}));
  EXPECT_EQ(resized({1, 2}, "linear", "asymmetric", {2}), (Numbers{1, 1.5F, 2, 2}));
  EXPECT_THROW(static_cast<void>(resized({1, 2}, "linear", "align_corners", {2})), Error);
  EXPECT_THROW(static_cast<void>(resized({1, 2}, "cubic", "half_pixel", {2})), Error);
}

}  // namespace
}  // namespace trimtab
