#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/reference.h"

// Quantized networks in ONNX: real numbers between QuantizeLinear and DequantizeLinear, and the grids beside them.
namespace trimtab {
namespace {

using reference::Attribute;
using reference::float_tensor;
using reference::OnnxBuilder;

onnx::TensorProto typed(onnx::TensorProto tensor, int type) {
  tensor.set_data_type(type);
  for (const std::int64_t number : tensor.int64_data()) tensor.add_int32_data(static_cast<std::int32_t>(number));
  tensor.clear_int64_data();
  return tensor;
}
onnx::TensorProto zero_point(int value, int type) { return typed(reference::int_tensor({}, {value}), type); }

const SourceGrid* grid_of_output(const Graph& graph) {
  const auto& grid = graph.values.at(static_cast<std::size_t>(graph.output)).grid;
  return grid.has_value() ? &*grid : nullptr;
}

class OnnxQuantization : public testing::Test {
 protected:
  OnnxQuantization() : onnx({OnnxBuilder::free, 2, 2, 2}, 21) {
    onnx.scalar("scale", 0.5F);
    onnx.add("zero", zero_point(3, onnx::TensorProto::INT8));
    onnx.add("least", zero_point(-128, onnx::TensorProto::INT8));
  }
  std::string pair(const std::string& value, const std::string& zero = "zero") {
    return onnx.node("DequantizeLinear", {onnx.node("QuantizeLinear", {value, "scale", zero}), "scale", zero});
  }
  std::string quantized(const std::string& value) { return onnx.node("QuantizeLinear", {value, "scale", "zero"}); }
  std::string real(const std::string& value) { return onnx.node("DequantizeLinear", {value, "scale", "zero"}); }

  OnnxBuilder onnx;
};

TEST_F(OnnxQuantization, APairLeavesTheValueAndNotesItsGrid) {
  const Graph graph = onnx.read(pair(onnx.node("Tanh", {pair("input")})));
  ASSERT_EQ(graph.nodes.size(), 1U);
  ASSERT_NE(grid_of_output(graph), nullptr);
  EXPECT_EQ(*grid_of_output(graph), (SourceGrid{0.5F, 3, 8, true}));
  EXPECT_EQ(graph.values.at(static_cast<std::size_t>(graph.input)).grid, (SourceGrid{0.5F, 3, 8, true}));
}

TEST_F(OnnxQuantization, IntegersThatBeginAtZeroAreARelu) {
  const Graph graph = onnx.read(pair(onnx.node("Tanh", {"input"}), "least"));
  const std::vector<float> outputs = reference::run(graph, {-1, 1, -2, 2, 0, 0, 0, 0});
  EXPECT_EQ(outputs[0], 0);
  EXPECT_FLOAT_EQ(outputs[1], std::tanh(1.0F));
  EXPECT_EQ(outputs[2], 0);
  EXPECT_EQ(*grid_of_output(graph), (SourceGrid{0.5F, -128, 8, true}));
  // a value that has no negative numbers needs none, and neither does the input
  EXPECT_EQ(onnx.read(pair(onnx.node("Sigmoid", {pair("input", "least")}), "least")).nodes.size(), 1U);
}

TEST_F(OnnxQuantization, MovesKeepTheGridOfIntegers) {
  const std::string pooled = onnx.node("MaxPool", {quantized(onnx.node("Tanh", {"input"}))},
                                       {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  const Graph graph = onnx.read(real(onnx.node("Flatten", {pooled})));
  ASSERT_EQ(graph.nodes.size(), 3U);  // no Affine: the integers become the numbers that they were
  EXPECT_EQ(graph.values.at(static_cast<std::size_t>(graph.nodes[1].output)).grid, (SourceGrid{0.5F, 3, 8, true}));
  OnnxBuilder other({OnnxBuilder::free, 2, 2, 2}, 21);
  other.scalar("scale", 0.5F);
  const std::string integers = other.node("QuantizeLinear", {"input", "scale"});
  EXPECT_THROW((void)other.read(other.node("DequantizeLinear", {other.node("Abs", {integers}), "scale"})), Error);
}

TEST_F(OnnxQuantization, ClippedAndPaddedIntegersAreRealNumbers) {
  // PyTorch limits integers to seven bits: -1.5 .. 2.5 here
  onnx.add("low", zero_point(0, onnx::TensorProto::INT8));
  onnx.add("high", zero_point(8, onnx::TensorProto::INT8));
  onnx.ints("pads", {0, 0, 0, 0, 0, 0, 0, 1});
  onnx.add("number", zero_point(5, onnx::TensorProto::INT8));
  const std::string clipped = onnx.node("Clip", {quantized("input"), "low", "high"});
  const Graph graph = onnx.read(real(onnx.node("Pad", {clipped, "pads", "number"})));
  const std::vector<float> outputs = reference::run(graph, {-7, 1, 2, 3, -1, 0, 6, 7});
  EXPECT_EQ(outputs, (std::vector<float>{-1.5F, 1, 1, 2, 2.5F, 1, -1, 0, 1, 2.5F, 2.5F, 1}));
}

TEST_F(OnnxQuantization, AComputedZeroPointBelongsToTheIntegersThatWereMade) {
  onnx.add("wide", zero_point(1000, onnx::TensorProto::INT16));
  onnx.ints("five_hundred", {500});
  onnx.scalar("half_scale", 0.25F);
  const std::string integers = onnx.node("QuantizeLinear", {onnx.node("Tanh", {"input"}), "scale", "wide"});
  const std::string zero = onnx.node("Squeeze", {onnx.node("Add", {"five_hundred", "five_hundred"})});
  const Graph graph = onnx.read(onnx.node("DequantizeLinear", {integers, "half_scale", zero}));
  EXPECT_NEAR(reference::run(graph, {1, 0, 0, 0, 0, 0, 0, 0})[0], std::tanh(1.0F) / 2, 1e-6);
}

TEST_F(OnnxQuantization, IntegersOfTheInputBecomeReal) {
  const Graph graph = onnx.read(real("input"));
  const std::vector<float> outputs = reference::run(graph, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(outputs, (std::vector<float>{-1.5F, -1, -0.5F, 0, 0.5F, 1, 1.5F, 2}));
}

TEST_F(OnnxQuantization, WeightsComeOffTheirGridByChannel) {
  onnx.add("weight", typed(reference::int_tensor({2, 2, 1, 1}, {1, -2, 3, -128}), onnx::TensorProto::INT8));
  onnx.floats("weight_scale", {2}, {0.5F, 0.25F});
  onnx.add("weight_zero", typed(reference::int_tensor({2}, {0, 1}), onnx::TensorProto::INT8));
  const std::string weight = onnx.node("DequantizeLinear", {"weight", "weight_scale", "weight_zero"}, {{"axis", 0}});
  const Graph graph = onnx.read(onnx.node("Conv", {"input", weight}));
  EXPECT_EQ(std::get<Conv>(graph.nodes.at(0).op).weight.data, (std::vector<float>{0.5F, -1, 0.5F, -32.25F}));
}

TEST_F(OnnxQuantization, FakeQuantizedWeightsAreRounded) {
  // ONNX rounds halves to even, and saturates
  onnx.floats("weight", {1, 2, 1, 1}, {1.25F, -100});
  const std::string weight = pair("weight", "zero");
  const Graph graph = onnx.read(onnx.node("Conv", {"input", weight}));
  EXPECT_EQ(std::get<Conv>(graph.nodes.at(0).op).weight.data, (std::vector<float>{1, -65.5F}));
}

TEST_F(OnnxQuantization, FourBitWeightsInBlocks) {
  onnx::TensorProto packed;  // 1 -1 | 7 -8, the first in the low half of a byte
  packed.set_data_type(22);
  for (const std::int64_t dimension : {1, 4, 1, 1}) packed.add_dims(dimension);
  packed.set_raw_data(std::string("\xf1\x87", 2));
  onnx.add("weight", packed);
  onnx.floats("weight_scale", {1, 2, 1, 1}, {0.5F, 2});
  OnnxBuilder four({OnnxBuilder::free, 4, 2, 2}, 21);
  *four.model.mutable_graph()->mutable_initializer() = onnx.model.graph().initializer();
  const std::string weight =
      four.node("DequantizeLinear", {"weight", "weight_scale"}, {{"axis", 1}, {"block_size", 2}});
  const Graph graph = four.read(four.node("Conv", {"input", weight}));
  EXPECT_EQ(std::get<Conv>(graph.nodes.at(0).op).weight.data, (std::vector<float>{0.5F, -0.5F, 14, -16}));
}

TEST_F(OnnxQuantization, QLinearConvIsAConvOnRealNumbers) {
  onnx.add("weight", typed(reference::int_tensor({1, 2, 1, 1}, {2, -3}), onnx::TensorProto::INT8));
  onnx.floats("weight_scale", {1}, {0.25F});
  onnx.add("weight_zero", typed(reference::int_tensor({1}, {0}), onnx::TensorProto::INT8));
  onnx.add("bias", typed(reference::int_tensor({1}, {5}), onnx::TensorProto::INT32));
  const std::string conv = onnx.node("QLinearConv", {quantized("input"), "scale", "zero", "weight", "weight_scale",
                                                     "weight_zero", "scale", "zero", "bias"});
  const Graph graph = onnx.read(real(conv));
  ASSERT_EQ(graph.nodes.size(), 1U);
  const auto& op = std::get<Conv>(graph.nodes[0].op);
  EXPECT_EQ(op.weight.data, (std::vector<float>{0.5F, -0.75F}));
  EXPECT_EQ(op.bias.data, (std::vector<float>{5 * 0.125F}));
  EXPECT_EQ(*grid_of_output(graph), (SourceGrid{0.5F, 3, 8, true}));
}

TEST_F(OnnxQuantization, OperatorsOfOnnxruntime) {
  const auto microsoft = [&](const std::string& output) {
    onnx.model.mutable_graph()->mutable_node()->rbegin()->set_domain("com.microsoft");
    return output;
  };
  const std::string x = quantized("input");
  const std::string sum = microsoft(onnx.node("QLinearAdd", {x, "scale", "zero", x, "scale", "zero", "scale", "zero"}));
  const std::string joined =
      microsoft(onnx.node("QLinearConcat", {"scale", "zero", sum, "scale", "zero", x, "scale", "zero"}, {{"axis", 1}}));
  const std::string mean = microsoft(
      onnx.node("QLinearGlobalAveragePool", {joined, "scale", "zero", "scale", "zero"}, {{"channels_last", 0}}));
  const Graph graph = onnx.read(real(mean));
  const std::vector<float> outputs = reference::run(graph, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(outputs, (std::vector<float>{3, 11, 1.5F, 5.5F}));
  EXPECT_EQ(*grid_of_output(graph), (SourceGrid{0.5F, 3, 8, true}));
}

TEST_F(OnnxQuantization, BadGridsAreRefused) {
  const auto refuses = [](OnnxBuilder& builder, const std::string& output, const std::string& words) {
    try {
      (void)builder.read(output);
      ADD_FAILURE() << "read";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  const auto builder = [](const onnx::TensorProto& scale, const onnx::TensorProto& zero) {
    OnnxBuilder made({OnnxBuilder::free, 2, 2, 2}, 21);
    made.add("scale", scale);
    made.add("zero", zero);
    return made;
  };
  const auto quantize = [&](const onnx::TensorProto& scale, const onnx::TensorProto& zero, const std::string& words) {
    OnnxBuilder made = builder(scale, zero);
    refuses(made, made.node("QuantizeLinear", {"input", "scale", "zero"}), words);
  };
  const int int8 = onnx::TensorProto::INT8;
  quantize(float_tensor({}, {0}), zero_point(0, int8), "not positive");
  quantize(float_tensor({}, {NAN}), zero_point(0, int8), "not positive");
  quantize(float_tensor({2}, {1, 1}), typed(reference::int_tensor({2}, {0, 0}), int8), "several scales");
  quantize(float_tensor({}, {1}), typed(reference::int_tensor({2}, {0, 0}), int8), "zero points");
  quantize(float_tensor({}, {1}), zero_point(0, onnx::TensorProto::INT32), "a type that is not supported");
  OnnxBuilder wrong({OnnxBuilder::free, 2, 2, 2}, 21);
  wrong.add("weight", typed(reference::int_tensor({1, 2, 1, 1}, {1, 2}), int8));
  wrong.floats("scale", {3}, {1, 1, 1});
  refuses(wrong, wrong.node("Conv", {"input", wrong.node("DequantizeLinear", {"weight", "scale"}, {{"axis", 1}})}),
          "scales of shape");
  OnnxBuilder few({OnnxBuilder::free, 2, 2, 2}, 21);
  refuses(few, few.node("QLinearConv", {"input"}), "lacks its input");
  OnnxBuilder dynamic({OnnxBuilder::free, 2, 2, 2}, 21);
  refuses(dynamic, dynamic.node("DynamicQuantizeLinear", {"input"}), "anew for every sample");
}

}  // namespace
}  // namespace trimtab
