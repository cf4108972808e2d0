#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "support/command.h"
#include "support/onnx_builder.h"

// ONNX files that are damaged, hostile or beyond what is supported: one sentence each, and no harm.
namespace trimtab {
namespace {

using reference::Attribute;
using reference::float_tensor;
using reference::int_tensor;
using reference::OnnxBuilder;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

constexpr auto N = OnnxBuilder::free;

Graph parse(const std::string& bytes) {
  return parse_onnx({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "bad.onnx");
}

/// The sentence with which the bytes are refused; the empty string, and a failed test, where they are not.
std::string refusal(const std::string& bytes) {
  try {
    static_cast<void>(parse(bytes));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    const std::string sentence = error.what();
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
    EXPECT_TRUE(sentence.starts_with("bad.onnx: ")) << sentence;
    EXPECT_LT(sentence.size(), 600U);
    return sentence;
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

/// A small network of everything that is common.
OnnxBuilder good(std::string& output) {
  OnnxBuilder onnx({N, 2, 6, 6});
  auto x = onnx.node("Conv", {"input", onnx.floats("w", {3, 2, 3, 3}, std::vector<float>(54, 0.5F)),
                              onnx.floats("b", {3}, {1, 2, 3})});
  x = onnx.node("Clip", {x, onnx.scalar("low", 0), onnx.scalar("high", 6)});
  x = onnx.node("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  x = onnx.node("Reshape", {x, onnx.ints("shape", {0, -1})});
  output = onnx.node("Gemm", {x, onnx.floats("m", {12, 5}, std::vector<float>(60, 0.1F))});
  return onnx;
}

/// The refusal of the good network after `spoil`.
std::string spoiled(const std::function<void(onnx::ModelProto&)>& spoil) {
  std::string output;
  OnnxBuilder onnx = good(output);
  static_cast<void>(onnx.bytes(output));  // sets the output
  spoil(onnx.model);
  return refusal(onnx.model.SerializeAsString());
}

/// The refusal of a network of one node with input 2x6x6.
std::string refused_node(
    const char* type, const std::vector<std::string>& more, const std::vector<Attribute>& attributes,
    const std::function<void(OnnxBuilder&)>& prepare = [](OnnxBuilder&) {}) {
  OnnxBuilder onnx({N, 2, 6, 6});
  prepare(onnx);
  std::vector<std::string> inputs{"input"};
  inputs.insert(inputs.end(), more.begin(), more.end());
  return refusal(onnx.bytes(onnx.node(type, inputs, attributes)));
}

TEST(BadOnnx, TheGoodOneIsGood) {
  std::string output;
  OnnxBuilder onnx = good(output);
  EXPECT_EQ(onnx.read(output).output_shape(), Shape{5});
}

TEST(BadOnnx, TruncatedAnywhere) {
  std::string output;
  OnnxBuilder onnx = good(output);
  const std::string bytes = onnx.bytes(output);
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    ASSERT_THAT(refusal(bytes.substr(0, length)), HasSubstr("bad.onnx: ")) << length;
  }
}

TEST(BadOnnx, AnyByteFlippedIsRefusedOrReadButNoHarm) {
  std::string output;
  OnnxBuilder onnx = good(output);
  const std::string bytes = onnx.bytes(output);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      try {
        validate(parse(changed));
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), ExitCode::bad_input);
      }
    }
  }
}

TEST(BadOnnx, OtherFiles) {
  EXPECT_THAT(refusal("Copyright (c) 2026 Somebody. All rights reserved.\n"), HasSubstr("no ONNX model"));
  EXPECT_THAT(refusal(std::string(1000, '\0')), HasSubstr("no ONNX model"));
  EXPECT_THAT(refusal(std::string(100'000, '\x0b')), HasSubstr("no ONNX model"));  // groups in groups
}

TEST(BadOnnx, Opsets) {
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_opset_import(0)->set_version(6); }),
              HasSubstr("opset 6; 7 to 25"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_opset_import(0)->set_version(99); }), HasSubstr("opset 99"));
  EXPECT_THAT(spoiled([](auto& model) { model.clear_opset_import(); }), HasSubstr("opset"));
}

TEST(BadOnnx, InputsAndOutputs) {
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->clear_input(); }), HasSubstr("0 inputs"));
  EXPECT_THAT(spoiled([](auto& model) {
                for (int i = 0; i < 2; ++i)
                  OnnxBuilder::describe(*model.mutable_graph()->add_input(), "second", {N, 3});
                model.mutable_graph()->mutable_node(1)->set_input(1, "second");
              }),
              HasSubstr("two inputs 'second'"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->clear_output(); }), HasSubstr("0 outputs"));
  EXPECT_THAT(spoiled([](auto& model) {
                OnnxBuilder::describe(*model.mutable_graph()->add_output(), "second", {N, 3});
              }),
              HasSubstr("2 outputs (value5, second); choose with --output"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->mutable_output(0)->set_name("nothing"); }),
              HasSubstr("no node makes the output 'nothing'"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->mutable_output(0)->set_name("w"); }), HasSubstr("'w'"));
  EXPECT_THAT(spoiled([](auto& model) {
                model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
                    onnx::TensorProto::INT64);
              }),
              HasSubstr("float32"));
}

TEST(BadOnnx, InputShapes) {
  const auto with = [](std::int64_t dimension) {
    return spoiled([&](auto& model) {
      auto* shape = model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
      shape->mutable_dim(2)->set_dim_value(dimension);
    });
  };
  EXPECT_THAT(with(0), HasSubstr("only the batch may be free"));
  EXPECT_THAT(with(-5), HasSubstr("only the batch may be free"));
  EXPECT_THAT(with(std::int64_t{1} << 62), HasSubstr("too large"));
  EXPECT_THAT(with(std::int64_t{1} << 31), HasSubstr("elements"));
  EXPECT_THAT(spoiled([](auto& model) {
                model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
              }),
              HasSubstr("0 dimensions"));
  EXPECT_THAT(spoiled([](auto& model) {
                auto* shape =
                    model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
                shape->mutable_dim(3)->set_dim_param("width");
              }),
              HasSubstr("only the batch may be free"));
}

TEST(BadOnnx, BatchOfOneIsFine) {
  std::string output;
  OnnxBuilder onnx = good(output);
  onnx.model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(1);
  EXPECT_EQ(onnx.read(output).output_shape(), Shape{5});
}

TEST(BadOnnx, Graphs) {
  EXPECT_THAT(spoiled([](auto& model) {  // the Conv reads what the Gemm makes
                auto& nodes = *model.mutable_graph()->mutable_node();
                nodes[0].set_input(0, nodes[nodes.size() - 1].output(0));
              }),
              HasSubstr("(Conv) reads 'value5', which no earlier node makes; the model is cyclic"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->mutable_node()->SwapElements(1, 2); }),
              HasSubstr("no earlier node makes"));
  EXPECT_THAT(spoiled([](auto& model) {
                model.mutable_graph()->mutable_node(1)->set_output(0, "value1");
                model.mutable_graph()->mutable_node(2)->set_input(0, "value1");
              }),
              HasSubstr("names must be unique"));
  EXPECT_THAT(spoiled([](auto& model) {
                model.mutable_graph()->mutable_node(1)->set_output(0, "input");
                model.mutable_graph()->mutable_node(2)->set_input(0, "input");
              }),
              HasSubstr("names must be unique"));
  EXPECT_THAT(spoiled([](auto& model) { *model.mutable_graph()->add_initializer() = model.graph().initializer(0); }),
              HasSubstr("two initializers 'w'"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->mutable_initializer(0)->set_name("v"); }),
              HasSubstr("reads 'w', which no earlier node makes"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->add_sparse_initializer(); }), HasSubstr("sparse"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->mutable_node(1)->set_domain("com.example"); }),
              HasSubstr("domain 'com.example'"));
  EXPECT_THAT(spoiled([](auto& model) { model.mutable_graph()->mutable_node(1)->set_op_type("Einsum"); }),
              HasSubstr("node 'Clip_2' (Einsum) is of an operator that is not supported"));
  EXPECT_THAT(spoiled([](auto& model) {
                for (int i = 0; i < 100'001; ++i) model.mutable_graph()->add_node();
              }),
              HasSubstr("at most 100000"));
}

TEST(BadOnnx, NamesOfNodesAreMadeUniqueAndHarmless) {
  std::string output;
  OnnxBuilder onnx = good(output);
  for (auto& node : *onnx.model.mutable_graph()->mutable_node()) node.set_name("a\nb\x01\"c");
  const Graph graph = onnx.read(output);
  EXPECT_EQ(graph.nodes[0].name, "a_b__c");
  EXPECT_EQ(graph.nodes[1].name, "a_b__c_2");
  EXPECT_THAT(spoiled([](auto& model) {
                model.mutable_graph()->mutable_node(1)->set_name(std::string(100'000, '\n'));
                model.mutable_graph()->mutable_node(1)->set_op_type("Bad\nOperator");
              }),
              HasSubstr("Bad_Operator"));
}

TEST(BadOnnx, Weights) {
  const auto with = [](const std::function<void(onnx::TensorProto&)>& spoil) {
    return spoiled([&](auto& model) { spoil(*model.mutable_graph()->mutable_initializer(0)); });
  };
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(with([&](auto& w) { std::memcpy(w.mutable_raw_data()->data() + 8, &bad, 4); }),
                HasSubstr("the weight of node 'Conv_1' (Conv) has numbers that are not finite"));
  }
  EXPECT_THAT(with([](auto& w) { w.mutable_raw_data()->pop_back(); }), HasSubstr("215 bytes of data; 216 are needed"));
  EXPECT_THAT(with([](auto& w) { w.clear_raw_data(); }), HasSubstr("0 numbers; 54 are needed"));
  EXPECT_THAT(with([](auto& w) { w.set_dims(0, -3); }), HasSubstr("negative or too large"));
  EXPECT_THAT(with([](auto& w) { w.set_dims(0, std::int64_t{1} << 40); }), HasSubstr("negative or too large"));
  EXPECT_THAT(with([](auto& w) {
                w.set_dims(0, std::int64_t{1} << 31);
                w.set_dims(1, std::int64_t{1} << 31);
                w.set_dims(2, 4);
              }),
              HasSubstr("negative or too large"));
  EXPECT_THAT(with([](auto& w) { w.set_dims(0, 0); }), HasSubstr("no elements"));
  EXPECT_THAT(with([](auto& w) { w.set_data_location(onnx::TensorProto::EXTERNAL); }), HasSubstr("file of its own"));
  EXPECT_THAT(with([](auto& w) { w.set_data_type(onnx::TensorProto::COMPLEX64); }), HasSubstr("COMPLEX64"));
  EXPECT_THAT(with([](auto& w) { w.set_data_type(12345); }), HasSubstr("12345"));
  EXPECT_THAT(with([](auto& w) { w.set_data_type(onnx::TensorProto::STRING); }), HasSubstr("STRING"));
  EXPECT_THAT(with([](auto& w) {
                w.set_data_type(onnx::TensorProto::INT8);
                w.mutable_raw_data()->resize(54);
              }),
              HasSubstr("has a weight of integers; float32 is needed"));
  EXPECT_THAT(with([](auto& w) { w.set_dims(1, 6), w.set_dims(2, 1); }), HasSubstr("Conv_1"));
  EXPECT_THAT(with([](auto& w) { w.set_dims(0, 54), w.set_dims(1, 1), w.set_dims(2, 1), w.set_dims(3, 1); }),
              HasSubstr("Conv_1"));
}

TEST(BadOnnx, HalfAndDoubleWeightsAreConverted) {
  for (const bool half : {false, true}) {
    OnnxBuilder onnx({N, 2});
    onnx::TensorProto tensor;
    tensor.add_dims(2);
    if (half) {
      tensor.set_data_type(onnx::TensorProto::FLOAT16);
      tensor.set_raw_data(std::string("\x00\x3e\x00\xc1", 4));  // 1.5, -2.5
    } else {
      tensor.set_data_type(onnx::TensorProto::DOUBLE);
      tensor.add_double_data(1.5);
      tensor.add_double_data(-2.5);
    }
    const Graph graph = onnx.read(onnx.node("Mul", {"input", onnx.add("scale", tensor)}));
    EXPECT_EQ(std::get<Affine>(graph.nodes.at(0).op).scale.data, (std::vector<float>{1.5F, -2.5F}));
  }
}

TEST(BadOnnx, AttributesAndInputs) {
  const auto weight = [](OnnxBuilder& onnx) { onnx.floats("w", {2, 2, 3, 3}, std::vector<float>(36, 1)); };
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"strides", Ints{0, 1}}}, weight), HasSubstr("stride 0"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"strides", Ints{1}}}, weight), HasSubstr("strides"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"pads", Ints{-1, 0, 0, 0}}}, weight), HasSubstr("pad of -1"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"pads", Ints{1, 1}}}, weight), HasSubstr("2 pads"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"dilations", Ints{9, 9}}}, weight), HasSubstr("window"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"dilations", Ints{1LL << 62, 1}}}, weight), HasSubstr("dilations"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"group", 0}}, weight), HasSubstr("groups 0"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"group", 3}}, weight), HasSubstr("3 groups"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"group", "two"}}, weight), HasSubstr("'group' of type STRING"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"auto_pad", "SAME"}}, weight), HasSubstr("auto_pad 'SAME'"));
  EXPECT_THAT(refused_node("Conv", {"w"}, {{"kernel_shape", Ints{5, 5}}}, weight), HasSubstr("kernel_shape 5x5"));
  EXPECT_THAT(refused_node("Conv", {}, {}), HasSubstr("lacks its weight"));
  EXPECT_THAT(refused_node("Conv", {"input"}, {}), HasSubstr("constant is needed"));
  EXPECT_THAT(refused_node("MaxPool", {}, {}), HasSubstr("kernel_shape"));
  EXPECT_THAT(refused_node("MaxPool", {}, {{"kernel_shape", Ints{0, 2}}}), HasSubstr("kernel 0"));
  EXPECT_THAT(refused_node("MaxPool", {}, {{"kernel_shape", Ints{9, 9}}}), HasSubstr("must fit"));
  EXPECT_THAT(refused_node("MaxPool", {}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}}),
              HasSubstr("lie in the padding"));
  EXPECT_THAT(refused_node("Transpose", {}, {{"perm", Ints{0, 1, 1, 2}}}), HasSubstr("axis 1 twice"));
  EXPECT_THAT(refused_node("Transpose", {}, {{"perm", Ints{0, 1, 2, 9}}}), HasSubstr("axis 9"));
  EXPECT_THAT(refused_node("Flatten", {}, {{"axis", 2}}), HasSubstr("keeps the batch apart"));
  EXPECT_THAT(refused_node("Squeeze", {}, {{"axes", Ints{1}}}), HasSubstr("squeezes axis 1"));
  EXPECT_THAT(refused_node("Concat", {"input"}, {{"axis", 0}}), HasSubstr("axis 0"));
  EXPECT_THAT(refused_node("ReduceMean", {}, {{"axes", Ints{0}}}), HasSubstr("mixes samples"));
  EXPECT_THAT(refused_node("Softmax", {}, {{"axis", 0}}), HasSubstr("over the batch"));
  EXPECT_THAT(refused_node("Relu", {}, {},
                           [](OnnxBuilder& onnx) { onnx.model.mutable_graph()->mutable_input(0)->set_name("x"); }),
              HasSubstr("reads 'input', which no earlier node makes"));
  const auto shape = [](const Ints& target) {
    return refused_node("Reshape", {"shape"}, {}, [&](OnnxBuilder& onnx) { onnx.ints("shape", target); });
  };
  EXPECT_THAT(shape({-1, -1}), HasSubstr("the batch must stay the first dimension"));
  EXPECT_THAT(shape({-1, 7}), HasSubstr("the batch must stay the first dimension"));
  EXPECT_THAT(shape({0, 1LL << 40, -1}), HasSubstr("the batch must stay the first dimension"));
  EXPECT_THAT(shape({0, -72}), HasSubstr("the batch must stay the first dimension"));
  EXPECT_THAT(shape({72}), HasSubstr("the batch must stay the first dimension"));
  EXPECT_THAT(refused_node("Pad", {}, {{"pads", Ints{0, 0, -7, 0, 0, 0, 0, 0}}}), HasSubstr("takes nothing"));
  EXPECT_THAT(refused_node("Pad", {}, {{"pads", Ints{1, 0, 0, 0, 0, 0, 0, 0}}}), HasSubstr("pads the batch"));
  EXPECT_THAT(refused_node("Pad", {}, {{"pads", Ints{0, 0, 6, 0, 0, 0, 0, 0}}, {"mode", "reflect"}}),
              HasSubstr("reflects more than there is"));
  EXPECT_THAT(refused_node("Clip", {"a", "b"}, {}, [](OnnxBuilder& onnx) { onnx.scalar("a", 1), onnx.scalar("b", 0); }),
              HasSubstr("must not be above"));
  EXPECT_THAT(refused_node("BatchNormalization", {"s", "s", "s", "v"}, {},
                           [](OnnxBuilder& onnx) {
                             onnx.floats("s", {2}, {1, 1});
                             onnx.floats("v", {2}, {1, -1});
                           }),
              HasSubstr("variance of -1"));
}

TEST(BadOnnx, SmallFilesCannotAskForMuchMemory) {
  {  // a constant of 2^31 numbers
    OnnxBuilder onnx({N, 2, 6, 6});
    const auto made = onnx.node("ConstantOfShape", {onnx.ints("shape", {1 << 15, 1 << 16})});
    EXPECT_THAT(refusal(onnx.bytes(onnx.node("Add", {"input", made}))), HasSubstr("memory"));
  }
  {  // doubled 40 times
    OnnxBuilder onnx({N, 2});
    auto x = onnx.floats("one", {1}, {1});
    for (int i = 0; i < 40; ++i) x = onnx.node("Concat", {x, x}, {{"axis", 0}});
    EXPECT_THAT(refusal(onnx.bytes(onnx.node("Add", {"input", x}))), HasSubstr("memory"));
  }
  {  // a scalar for each of 2^31 channels
    OnnxBuilder onnx({N, std::int64_t{1} << 31});
    EXPECT_THAT(refusal(onnx.bytes(onnx.node("Add", {"input", onnx.scalar("one", 1)}))), HasSubstr("memory"));
  }
  {  // one weight in many layers
    OnnxBuilder onnx({N, 64, 1, 1});
    const auto w = onnx.floats("w", {64, 64, 1, 1}, std::vector<float>(4096, 1));
    std::string x = "input";
    for (int i = 0; i < 5000; ++i) x = onnx.node("Conv", {x, w});
    EXPECT_THAT(refusal(onnx.bytes(x)), HasSubstr("memory"));
  }
}

TEST(BadOnnx, TheCommandSaysItInOneLine) {
  const TemporaryDirectory folder;
  const auto file = folder.path() / "bad.onnx";
  expect_refused({"inspect", (folder.path() / "missing.onnx").string()}, "missing.onnx");
  expect_refused({"inspect", folder.path().string()}, folder.path().string());
  write_file(file, std::string_view(""));
  expect_refused({"inspect", file.string()}, "is empty");
  write_file(file, std::string_view("no model at all\n"));
  expect_refused({"inspect", file.string()}, "no ONNX model");
  std::string output;
  OnnxBuilder onnx = good(output);
  const std::string bytes = onnx.bytes(output);
  write_file(file, std::string_view(bytes).substr(0, bytes.size() / 2));
  expect_refused({"inspect", file.string(), "--json"}, "truncated");
  onnx.model.mutable_graph()->mutable_node(0)->set_op_type("Einsum");
  write_file(file, std::string_view(onnx.bytes(output)));
  expect_refused({"eval", file.string(), "--data", "synthetic:shapes:10"},
                 "(Einsum) is of an operator that is not supported");
}

TEST(BadOnnx, EveryObstacleIsNamedAtOnce) {
  const auto add_nodes = [](onnx::ModelProto& model) {
    auto& graph = *model.mutable_graph();
    graph.mutable_node(1)->set_op_type("Einsum");
    graph.mutable_node(2)->set_op_type("LSTM");
    graph.mutable_node(3)->set_domain("com.example");
  };
  const std::string sentence = spoiled(add_nodes);
  EXPECT_THAT(sentence, HasSubstr("the network has 3 obstacles: "));
  EXPECT_THAT(sentence, HasSubstr("node 'Clip_2' (Einsum) is of an operator that is not supported"));
  EXPECT_THAT(sentence, HasSubstr("node 'MaxPool_3' (LSTM) keeps state from step to step"));
  EXPECT_THAT(sentence, HasSubstr("node 'Reshape_4' (Reshape) is of the domain 'com.example'"));
  EXPECT_THAT(spoiled([](auto& model) {
                for (const int node : {1, 2, 3}) model.mutable_graph()->mutable_node(node)->set_op_type("Einsum");
              }),
              HasSubstr("3 obstacles: node 'Clip_2' (Einsum) is of an operator that is not supported (and 2 more like "
                        "it)"));
}

/// The refusal of the good network with its first weight described by `entries` and read from `folder`.
std::string refused_side_file(const std::filesystem::path& folder,
                              const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string output;
  OnnxBuilder onnx = good(output);
  auto& tensor = *onnx.model.mutable_graph()->mutable_initializer(0);
  tensor.clear_raw_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  write_file(folder / "model.onnx", std::string_view(onnx.bytes(output)));
  try {
    static_cast<void>(read_onnx(folder / "model.onnx"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

TEST(BadOnnx, SideFiles) {
  const TemporaryDirectory outside;
  const TemporaryDirectory inside;
  const auto& folder = inside.path();
  write_file(outside.path() / "secret", std::string_view(std::string(1000, 'x')));
  write_file(folder / "short.data", std::string_view(std::string(100, 'x')));
  std::filesystem::create_symlink(outside.path() / "secret", folder / "link.data");
  std::filesystem::create_directory_symlink(outside.path(), folder / "linked");
  const auto refused = [&](const std::vector<std::pair<std::string, std::string>>& entries) {
    return refused_side_file(folder, entries);
  };
  EXPECT_THAT(refused({{"location", "missing.data"}}), HasSubstr("'missing.data', which is not in the model's folder"));
  EXPECT_THAT(refused({{"offset", "0"}}), HasSubstr("not named"));
  EXPECT_THAT(refused({{"location", "short.data"}, {"length", "216"}}), HasSubstr("'short.data', which has only 100"));
  EXPECT_THAT(refused({{"location", "short.data"}, {"offset", "18446744073709551615"}, {"length", "216"}}),
              HasSubstr("which has only 100"));
  EXPECT_THAT(refused({{"location", "short.data"}, {"offset", "-4"}}), HasSubstr("a number is needed"));
  EXPECT_THAT(refused({{"location", "short.data"}}), HasSubstr("100 bytes of data; 216 are needed"));
  const std::string absolute = (outside.path() / "secret").string();
  for (const std::string& bad :
       {absolute, "../" + outside.path().filename().string() + "/secret", std::string("sub/../short.data"),
        std::string("link.data"), std::string("linked/secret")}) {
    EXPECT_THAT(refused({{"location", bad}, {"length", "216"}}), HasSubstr("model's folder")) << bad;
  }
  EXPECT_THAT(refused({{"location", "."}}), HasSubstr("not in the model's folder"));
}

TEST(BadOnnx, InspectListsTheObstacles) {
#ifdef TRIMTAB_COMMAND
  const TemporaryDirectory folder;
  const auto file = folder.path() / "bad.onnx";
  std::string output;
  OnnxBuilder onnx = good(output);
  onnx.model.mutable_graph()->mutable_node(0)->set_op_type("Einsum");
  onnx.model.mutable_graph()->mutable_node(2)->set_op_type("GRU");
  write_file(file, std::string_view(onnx.bytes(output)));
  const ProcessResult text = run_process({TRIMTAB_COMMAND, "inspect", file.string()}, "");
  EXPECT_EQ(text.exit_code, 0) << text.errors;
  EXPECT_THAT(text.output, HasSubstr("it has 2 obstacles:\n  node 'Conv_1' (Einsum) is"));
  EXPECT_THAT(text.output, HasSubstr("\n  node 'MaxPool_3' (GRU) keeps state"));
  const ProcessResult json = run_process({TRIMTAB_COMMAND, "inspect", file.string(), "--json"}, "");
  EXPECT_THAT(json.output, HasSubstr("\"operator\": \"GRU\""));
#else
  GTEST_SKIP() << "the command is not built";
#endif
}

}  // namespace
}  // namespace trimtab
