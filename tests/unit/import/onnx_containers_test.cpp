#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/reference.h"

// How a model's numbers are stored, what its file leaves open, and sequences.
namespace trimtab {
namespace {

using reference::OnnxBuilder;
using reference::random_sample;

constexpr auto open_batch = OnnxBuilder::free;

[[nodiscard]] std::vector<float> some_numbers(std::size_t count) {
  std::vector<float> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(static_cast<float>(std::sin(static_cast<double>(i) + 0.5)));
  return numbers;
}

[[nodiscard]] Graph read_with(OnnxBuilder& onnx, const std::string& output, const ImportOptions& options) {
  const std::string bytes = onnx.bytes(output);
  return parse_onnx({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "test.onnx", {}, options);
}

TEST(OnnxContainers, WeightsInSideFiles) {
  const auto weight = some_numbers(36);
  const auto bias = some_numbers(2);
  OnnxBuilder inside({open_batch, 2, 5, 5});
  const Graph expected = inside.read(
      inside.node("Conv", {"input", inside.floats("w", {2, 2, 3, 3}, weight), inside.floats("b", {2}, bias)}));

  OnnxBuilder onnx({open_batch, 2, 5, 5});
  const auto y = onnx.node("Conv", {"input", onnx.floats("w", {2, 2, 3, 3}, weight), onnx.floats("b", {2}, bias)});
  std::string data(8, '\0');  // the weight at byte 8, the bias up to the end, in a folder of its own
  for (auto& tensor : *onnx.model.mutable_graph()->mutable_initializer()) {
    const auto set = [&](const char* key, const std::string& value) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    };
    set("location", "weights/m.onnx.data");
    set("offset", std::to_string(data.size()));
    if (tensor.name() == "w") set("length", std::to_string(tensor.raw_data().size()));
    set("checksum", "none");
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    data += tensor.raw_data();
    tensor.clear_raw_data();
  }
  const TemporaryDirectory folder;
  make_directory(folder.path() / "weights");
  write_file(folder.path() / "weights" / "m.onnx.data", std::string_view(data));
  write_file(folder.path() / "m.onnx", std::string_view(onnx.bytes(y)));
  const Graph graph = read_onnx(folder.path() / "m.onnx");
  const auto sample = random_sample(graph, 3);
  EXPECT_EQ(reference::run(graph, sample), reference::run(expected, sample));
}

TEST(OnnxContainers, ShortFloatsAreReadAsFloats) {
  for (const bool raw : {false, true}) {
    onnx::TensorProto tensor;
    tensor.add_dims(3);
    tensor.set_data_type(onnx::TensorProto::BFLOAT16);
    const std::vector<std::uint16_t> bits{0x3fc0, 0xc020, 0x0000};  // 1.5, -2.5, 0
    if (raw) {
      tensor.mutable_raw_data()->resize(6);
      std::memcpy(tensor.mutable_raw_data()->data(), bits.data(), 6);
    } else {
      for (const auto b : bits) tensor.add_int32_data(b);
    }
    OnnxBuilder onnx({open_batch, 3}, 22);
    onnx.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
        onnx::TensorProto::BFLOAT16);
    const auto cast = onnx.node("Cast", {"input"}, {{"to", static_cast<std::int64_t>(onnx::TensorProto::FLOAT16)}});
    const Graph graph = onnx.read(onnx.node("Mul", {cast, onnx.add("scale", tensor)}));
    EXPECT_EQ(std::get<Affine>(graph.nodes.at(0).op).scale.data, (std::vector<float>{1.5F, -2.5F, 0}));
  }
}

TEST(OnnxContainers, PixelsWithACast) {
  OnnxBuilder onnx({open_batch, 1, 2, 2});
  onnx.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::UINT8);
  const auto cast = onnx.node("Cast", {"input"}, {{"to", 1}});
  const Graph graph = onnx.read(onnx.node("Div", {cast, onnx.scalar("most", 255)}));
  EXPECT_LE(reference::difference(reference::run(graph, {0, 51, 102, 255}), {0, 0.2F, 0.4F, 1}), 1e-7);
}

TEST(OnnxContainers, OneOutputOfSeveral) {
  OnnxBuilder onnx({open_batch, 3});
  const auto relu = onnx.node("Relu", {"input"});
  const auto negative = onnx.node("Neg", {"input"});
  static_cast<void>(onnx.bytes(relu));
  OnnxBuilder::describe(*onnx.model.mutable_graph()->add_output(), negative, {});
  const std::string bytes = onnx.model.SerializeAsString();
  const auto read = [&](const std::vector<std::string>& outputs) {
    return parse_onnx({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "test.onnx", {},
                      {{}, outputs});
  };
  EXPECT_EQ(reference::run(read({relu}), {-1, 2, 3}), (std::vector<float>{0, 2, 3}));
  EXPECT_EQ(reference::run(read({negative}), {-1, 2, 3}), (std::vector<float>{1, -2, -3}));
  EXPECT_EQ(reference::run(read({negative, relu}), {-1, 2, 3}), (std::vector<float>{1, -2, -3, 0, 2, 3}));
  EXPECT_THROW(static_cast<void>(read({"third"})), Error);
}

TEST(OnnxContainers, SeveralOutputsStandOneBehindTheOther) {
  OnnxBuilder onnx({open_batch, 2, 1, 2});
  const auto image = onnx.node("Relu", {"input"});
  const auto vector = onnx.node("Flatten", {onnx.node("Neg", {"input"})});
  static_cast<void>(onnx.bytes(image));
  OnnxBuilder::describe(*onnx.model.mutable_graph()->add_output(), vector, {});
  const std::string bytes = onnx.model.SerializeAsString();
  const auto read = [&](const std::vector<std::string>& outputs) {
    return parse_onnx({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "test.onnx", {},
                      {{}, outputs});
  };
  const std::vector<float> sample{-1, 2, 3, -4};
  const Graph both = read({image, vector});
  EXPECT_EQ(both.output_parts, (std::vector<JoinedPart>{{image, {2, 1, 2}}, {vector, {4}}}));
  EXPECT_EQ(reference::run(both, sample), (std::vector<float>{0, 2, 3, 0, 1, -2, -3, 4}));
  EXPECT_EQ(reference::run(read({vector, image}), sample), (std::vector<float>{1, -2, -3, 4, 0, 2, 3, 0}));
  EXPECT_TRUE(read({vector}).output_parts.empty());
  EXPECT_THROW(static_cast<void>(read({})), Error);
  EXPECT_THROW(static_cast<void>(read({image, image})), Error);
  EXPECT_THROW(static_cast<void>(read({image, "third"})), Error);
}

TEST(OnnxContainers, SeveralInputsStandOneBehindTheOther) {
  OnnxBuilder onnx({open_batch, 2, 1, 2});
  OnnxBuilder::describe(*onnx.model.mutable_graph()->add_input(), "more", {open_batch, 3});
  OnnxBuilder::describe(*onnx.model.mutable_graph()->add_input(), "unread", {open_batch, 5});
  const auto sums =
      onnx.node("Flatten", {onnx.node("ReduceSum", {"input"}, {{"keepdims", 1}, {"axes", reference::Shape64{2, 3}}})});
  const Graph graph = onnx.read(onnx.node("Concat", {onnx.node("Neg", {"more"}), sums}, {{"axis", 1}}));
  EXPECT_EQ(graph.input_parts, (std::vector<JoinedPart>{{"input", {2, 1, 2}}, {"more", {3}}}));
  EXPECT_EQ(graph.input_shape(), (Shape{7}));
  EXPECT_EQ(reference::run(graph, {1, 2, 3, 4, 5, 6, 7}), (std::vector<float>{-5, -6, -7, 3, 7}));
}

/// The export of AdaptiveAvgPool2d to sizes that do not divide the image: windows of two and of three pixels.
TEST(OnnxContainers, AdaptivePoolsOfGatheredWindows) {
  OnnxBuilder onnx({open_batch, 2, 5, 3}, 18);
  const auto pixels = onnx.node("Transpose", {"input"}, {{"perm", reference::Shape64{2, 3, 0, 1}}});
  const std::vector<reference::Shape64> rows{{0, 1, 0}, {1, 2, 3}, {3, 4, 0}};  // 0 to 2, 1 to 4 and 3 to 5
  reference::Shape64 places;
  std::vector<float> mask;
  for (const reference::Shape64& window : rows) {
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::int64_t column = 0; column < 3; ++column) places.insert(places.end(), {window[i], column});
      const bool real = i < 2 || window == rows[1];
      mask.push_back(real ? 1.0F : 0.0F);
    }
  }
  onnx.add("places", reference::int_tensor({3, 3, 3, 2}, places));
  onnx.floats("mask", {3, 3, 1}, mask);
  onnx.floats("counts", {3, 1}, {6, 9, 6});
  const auto windows = onnx.node("GatherND", {pixels, "places"});  // 3 x 3 x 3 x N x 2
  const auto masked =
      onnx.node("Mul", {onnx.node("Transpose", {windows}, {{"perm", reference::Shape64{3, 4, 0, 1, 2}}}), "mask"});
  const auto summed = [&](const std::string& value) {  // over the three elements of axis 3
    std::string sum;
    for (const std::string index : {"0", "1", "2"}) {
      const auto element = onnx.node("Gather", {value, index}, {{"axis", 3}});
      sum = sum.empty() ? element : onnx.node("Add", {sum, element});
    }
    return sum;
  };
  for (const int index : {0, 1, 2}) onnx.add(std::to_string(index), reference::int_tensor({}, {index}));
  const auto sums = summed(summed(masked));
  onnx.ints("last", {3});
  const auto mean = onnx.node("Div", {onnx.node("Unsqueeze", {sums, "last"}), "counts"});
  std::vector<float> sample;
  for (int i = 0; i < 30; ++i) sample.push_back(static_cast<float>(i * i % 17));
  std::vector<float> expected;
  for (std::size_t c = 0; c < 2; ++c) {
    for (const auto& [begin, end] : {std::pair{0, 2}, {1, 4}, {3, 5}}) {
      float sum = 0;
      for (int i = begin * 3; i < end * 3; ++i) sum += sample[c * 15 + static_cast<std::size_t>(i)];
      expected.push_back(sum / static_cast<float>((end - begin) * 3));
    }
  }
  const std::vector<float> outputs = reference::run(onnx.read(mean), sample);
  ASSERT_EQ(outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_NEAR(outputs[i], expected[i], 1e-5);
  // other numbers are another function
  onnx.model.mutable_graph()->mutable_initializer(2)->mutable_raw_data()->assign(
      onnx.model.graph().initializer(1).raw_data().substr(0, 12));
  EXPECT_THROW((void)onnx.read(mean), Error);
}

TEST(OnnxContainers, FreeHeightAndWidth) {
  OnnxBuilder onnx({open_batch, 3, open_batch, open_batch});
  const auto y = onnx.node("GlobalAveragePool", {"input"});
  EXPECT_THROW(static_cast<void>(read_with(onnx, y, {})), Error);
  EXPECT_THROW(static_cast<void>(read_with(onnx, y, {{3, 8}, {}})), Error);
  EXPECT_THROW(static_cast<void>(read_with(onnx, y, {{4, 8, 9}, {}})), Error);  // the channels are fixed
  EXPECT_EQ(read_with(onnx, y, {{3, 8, 9}, {}}).input_shape(), (Shape{3, 8, 9}));
}

TEST(OnnxContainers, AnArgMaxAtTheEndIsLeftOut) {
  OnnxBuilder onnx({open_batch, 4});
  const auto y = onnx.node("ArgMax", {onnx.node("Neg", {"input"})}, {{"axis", 1}, {"keepdims", 0}});
  EXPECT_EQ(reference::run(onnx.read(y), {1, -2, 3, 0}), (std::vector<float>{-1, 2, -3, 0}));
}

TEST(OnnxContainers, ConstantsComputedFromShapes) {
  // a pool whose window is ceil(height / 2), and channels 0, 2, ... counted by Range and Mod
  OnnxBuilder onnx({open_batch, 4, 7, 7}, 16);
  const auto shape = onnx.node("Shape", {"input"});
  const auto height = onnx.node("Gather", {shape, onnx.add("two", reference::int_tensor({}, {2}))});
  const auto half = onnx.node("Div", {onnx.node("Cast", {height}, {{"to", 1}}), onnx.scalar("h", 2)});
  const auto rows = onnx.node("Cast", {onnx.node("Ceil", {half})}, {{"to", 7}});  // 4
  const auto one = onnx.add("one", reference::int_tensor({}, {1}));
  const auto zero = onnx.add("zero", reference::int_tensor({}, {0}));
  const auto range = onnx.node("Range", {zero, rows, one});                                   // 0 1 2 3
  const auto odd = onnx.node("Mod", {range, onnx.add("m", reference::int_tensor({}, {2}))});  // 0 1 0 1
  const auto chosen = onnx.node("Where", {onnx.node("Equal", {odd, one}), range, onnx.node("Neg", {range})});
  const auto factors = onnx.node("Reshape", {onnx.node("Cast", {chosen}, {{"to", 1}}), onnx.ints("s", {4, 1, 1})});
  const Graph graph = onnx.read(onnx.node("Mul", {"input", factors}));
  EXPECT_EQ(std::get<Affine>(graph.nodes.at(0).op).scale.data, (std::vector<float>{0, 1, -2, 3}));
}

/// A 1-D convolution by its definition.
std::vector<float> convolve_row(const std::vector<float>& x, std::size_t channels, const std::vector<float>& w,
                                std::size_t filters, std::size_t kernel, std::ptrdiff_t pad, std::size_t stride) {
  const std::size_t length = x.size() / channels;
  const std::size_t outputs = (length + 2 * static_cast<std::size_t>(pad) - kernel) / stride + 1;
  std::vector<float> y;
  for (std::size_t o = 0; o < filters; ++o) {
    for (std::size_t i = 0; i < outputs; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t k = 0; k < kernel; ++k) {
          const auto at = static_cast<std::ptrdiff_t>(i * stride + k) - pad;
          if (at < 0 || at >= static_cast<std::ptrdiff_t>(length)) continue;
          sum += w[(o * channels + c) * kernel + k] * x[c * length + static_cast<std::size_t>(at)];
        }
      }
      y.push_back(static_cast<float>(sum));
    }
  }
  return y;
}

TEST(OnnxSequences, AreImagesOfOneRow) {
  using Ints = std::vector<std::int64_t>;
  const auto w = some_numbers(3 * 2 * 4);
  for (const bool channels_last : {false, true}) {
    OnnxBuilder onnx(channels_last ? reference::Shape64{open_batch, 11, 2} : reference::Shape64{open_batch, 2, 11});
    std::string x = "input";
    if (channels_last) x = onnx.node("Transpose", {x}, {{"perm", Ints{0, 2, 1}}});
    x = onnx.node("Conv", {x, onnx.floats("w", {3, 2, 4}, w)}, {{"pads", Ints{2, 2}}, {"strides", Ints{2}}});
    x = onnx.node("MaxPool", {x}, {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}});
    const Graph graph = onnx.read(onnx.node("Flatten", {x}));
    EXPECT_EQ(graph.input_shape(), (Shape{2, 1, 11}));
    const auto sample = random_sample(graph, 5);
    const auto rows = convolve_row(sample, 2, w, 3, 4, 2, 2);  // 3 x 6
    std::vector<float> expected;
    for (std::size_t i = 0; i < rows.size(); i += 2) expected.push_back(std::max(rows[i], rows[i + 1]));
    EXPECT_LE(reference::difference(reference::run(graph, sample), expected), 1e-6);
  }
}

TEST(OnnxSequences, NormalizationAndMeansOverTheLength) {
  using Ints = std::vector<std::int64_t>;
  OnnxBuilder onnx({open_batch, 2, 3});
  const auto x = onnx.node("BatchNormalization",
                           {"input", onnx.floats("s", {2}, {2, 1}), onnx.floats("b", {2}, {0, 1}),
                            onnx.floats("m", {2}, {1, 0}), onnx.floats("v", {2}, {1, 4})},
                           {{"epsilon", 0.0F}});
  const Graph graph = onnx.read(onnx.node("ReduceMean", {x}, {{"axes", Ints{2}}, {"keepdims", 0}}));
  EXPECT_EQ(reference::run(graph, {1, 2, 3, 2, 4, 6}), (std::vector<float>{2, 3}));
}

TEST(OnnxReductions, OverAllAxesOfASample) {
  using Ints = std::vector<std::int64_t>;
  const std::vector<float> sample{1, -2, 3, 4, 5, 6, -7, 8};  // 2 x 2 x 2
  const auto reduced = [&](const char* type, const Ints& axes) {
    OnnxBuilder onnx({open_batch, 2, 2, 2});
    const Graph graph =
        onnx.read(onnx.node("Flatten", {onnx.node(type, {"input"}, {{"axes", axes}, {"keepdims", 1}})}));
    const Graph squeezed =
        onnx.read(onnx.node("Flatten", {onnx.node(type, {"input"}, {{"axes", axes}, {"keepdims", 0}})}));
    EXPECT_EQ(reference::run(graph, sample), reference::run(squeezed, sample));
    return reference::run(graph, sample);
  };
  EXPECT_EQ(reduced("ReduceMax", {2, 3}), (std::vector<float>{4, 8}));
  EXPECT_EQ(reduced("ReduceMin", {2, 3}), (std::vector<float>{-2, -7}));
  EXPECT_EQ(reduced("ReduceSum", {2, 3}), (std::vector<float>{6, 12}));
  EXPECT_EQ(reduced("ReduceMean", {1}), (std::vector<float>{3, 2, -2, 6}));
  EXPECT_EQ(reduced("ReduceMax", {1}), (std::vector<float>{5, 6, 3, 8}));
  EXPECT_EQ(reduced("ReduceMean", {-1}), (std::vector<float>{-0.5F, 3.5F, 5.5F, 0.5F}));
}

TEST(OnnxArithmetic, MapsOfOneChannelAndExtrema) {
  using Ints = std::vector<std::int64_t>;
  OnnxBuilder onnx({open_batch, 2, 1, 2});
  const auto mean = onnx.node("ReduceMean", {"input"}, {{"axes", Ints{1}}, {"keepdims", 1}});
  const Graph attention = onnx.read(onnx.node("Mul", {"input", mean}));
  EXPECT_EQ(reference::run(attention, {1, 2, 3, -4}), (std::vector<float>{2, -2, 6, 4}));
  const auto negative = onnx.node("Neg", {"input"});
  EXPECT_EQ(reference::run(onnx.read(onnx.node("Max", {"input", negative})), {1, -2, 3, -4}),
            (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(reference::run(onnx.read(onnx.node("Min", {"input", negative})), {1, -2, 3, -4}),
            (std::vector<float>{-1, -2, -3, -4}));
}

TEST(OnnxLayers, LogarithmOfSoftmax) {
  OnnxBuilder onnx({open_batch, 3});
  const Graph graph = onnx.read(onnx.node("LogSoftmax", {"input"}, {{"axis", -1}}));
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(0.5);
  std::vector<float> expected;
  for (const double x : {1.0, 2.0, 0.5}) expected.push_back(static_cast<float>(x - std::log(sum)));
  EXPECT_LE(reference::difference(reference::run(graph, {1, 2, 0.5F}), expected), 1e-6);
  const Graph again = parse_onnx(serialize_onnx(graph), "again.onnx");
  EXPECT_LE(reference::difference(reference::run(again, {1, 2, 0.5F}), expected), 1e-6);
}

}  // namespace
}  // namespace trimtab
