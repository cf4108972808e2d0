#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/index.h"
#include "base/random.h"
#include "fit/quantized_onnx.h"
#include "graph/device_form.h"
#include "import/onnx.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "support/quantized_builder.h"

// Averages with many halves: the nodes of quantized.onnx by ONNX's definition, in float32 and with halves to even,
// against the program.
namespace trimtab {
namespace {

struct AverageCase {
  ActivationGrid grid;
  std::optional<std::int32_t> stored_zero;  ///< by the value's file
  std::int64_t size;
  std::int64_t kernel;
};

class QuantizedAverages : public testing::TestWithParam<AverageCase> {
 protected:
  QuantizedAverages() {
    const AverageCase& own = GetParam();
    Pool pool;
    pool.kind = PoolKind::average;
    pool.kernel = pool.stride = {own.kernel, own.kernel};
    builder.add("average", pool, {builder.start({2, own.size, own.size}, own.grid)}, own.grid);
    const bool other_sign = own.stored_zero.has_value() && *own.stored_zero != 0;
    if (!own.stored_zero.has_value()) return;
    const SourceGrid file{own.grid.scale, own.grid.zero_point - *own.stored_zero, 8,
                          other_sign ? !own.grid.is_signed : own.grid.is_signed};
    for (Value& value : builder.network.graph.values) value.grid = file;
  }

  /// Numbers around a middle.
  std::vector<std::int32_t> integers(Random& random) const {
    const AverageCase& own = GetParam();
    const auto middle = random.integer(own.grid.minimum(), own.grid.maximum());
    std::vector<std::int32_t> made;
    for (std::int64_t i = 0; i < 2 * own.size * own.size; ++i) {
      const std::int64_t number = middle + random.integer(-8, 8);
      made.push_back(
          static_cast<std::int32_t>(std::clamp<std::int64_t>(number, own.grid.minimum(), own.grid.maximum())));
    }
    return made;
  }

  QuantizedBuilder builder;
};

/// The nodes of a model of QuantizeLinear, DequantizeLinear and AveragePool without padding.
class OnnxNodes {
 public:
  OnnxNodes(const std::vector<std::uint8_t>& bytes, std::int64_t size, std::int64_t kernel)
      : size_(size), kernel_(kernel) {
    EXPECT_TRUE(model_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    for (const onnx::TensorProto& tensor : model_.graph().initializer()) constants_[tensor.name()] = number(tensor);
  }

  std::vector<float> operator()(const std::vector<float>& sample) {
    std::map<std::string, std::vector<float>> values{{model_.graph().input(0).name(), sample}};
    for (const onnx::NodeProto& node : model_.graph().node()) {
      std::vector<float> x = values.at(node.input(0));
      if (node.op_type() == "AveragePool") {
        x = averages(x);
      } else {
        const float scale = static_cast<float>(constants_.at(node.input(1)));
        const double zero = constants_.at(node.input(2));
        const bool is_signed = signs_.at(node.input(2));
        for (float& each : x) {
          if (node.op_type() == "QuantizeLinear") {
            const double level = std::nearbyint(each / scale) + zero;
            each = static_cast<float>(std::clamp(level, is_signed ? -128.0 : 0.0, is_signed ? 127.0 : 255.0));
          } else {
            EXPECT_EQ(node.op_type(), "DequantizeLinear");
            each = scale * static_cast<float>(each - zero);
          }
        }
      }
      values[node.output(0)] = x;
    }
    return values.at(model_.graph().output(0).name());
  }

 private:
  double number(const onnx::TensorProto& tensor) {
    const std::string& raw = tensor.raw_data();
    signs_[tensor.name()] = tensor.data_type() == onnx::TensorProto::INT8;
    if (tensor.data_type() == onnx::TensorProto::INT8) return static_cast<std::int8_t>(raw.at(0));
    if (tensor.data_type() == onnx::TensorProto::UINT8) return static_cast<std::uint8_t>(raw.at(0));
    float value = 0;
    EXPECT_EQ(raw.size(), sizeof value);
    std::memcpy(&value, raw.data(), sizeof value);
    return static_cast<double>(value);
  }

  std::vector<float> averages(const std::vector<float>& x) const {
    std::vector<float> result;
    const std::int64_t side = size_ / kernel_;
    for (std::int64_t place = 0; place < 2 * side * side; ++place) {
      const std::int64_t channel = place / (side * side);
      const std::int64_t top = place / side % side * kernel_;
      const std::int64_t left = place % side * kernel_;
      float sum = 0;
      for (std::int64_t i = 0; i < kernel_ * kernel_; ++i) {
        const std::int64_t row = channel * size_ + top + i / kernel_;
        sum += x.at(static_cast<std::size_t>(row * size_ + left + i % kernel_));
      }
      result.push_back(sum / static_cast<float>(kernel_ * kernel_));
    }
    return result;
  }

  onnx::ModelProto model_;
  std::map<std::string, double> constants_;
  std::map<std::string, bool> signs_;  ///< of the integers
  std::int64_t size_;
  std::int64_t kernel_;
};

TEST_P(QuantizedAverages, RoundTheirHalvesAsTheDeviceDoes) {
  const AverageCase& own = GetParam();
  const Program program = builder.lowered();
  const ProgramRunner runner(program, Core::generic);
  const std::vector<std::uint8_t> bytes = quantized_onnx(builder.network);
  OnnxNodes nodes(bytes, own.size, own.kernel);
  Random random(3);
  int halves = 0;
  for (int sample = 0; sample < 1000; ++sample) {
    const std::vector<std::int32_t> stored = integers(random);  // channels first
    const std::int64_t pixels = own.size * own.size;
    std::vector<std::uint8_t> input;
    for (std::int64_t i = 0; i < 2 * pixels; ++i)
      input.push_back(static_cast<std::uint8_t>(stored[static_cast<std::size_t>(i % 2 * pixels + i / 2)]));
    std::vector<std::int32_t> answered(static_cast<std::size_t>(runner.output_elements()));
    runner.run(input, 1, answered);
    const std::size_t apart = answered.size() / 2;
    std::vector<float> reals;
    for (const std::int32_t integer : stored) reals.push_back(dequantize(integer, own.grid));
    const std::vector<float> answers = nodes(reals);
    ASSERT_EQ(answers.size(), answered.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const std::int32_t wanted = answered[i % apart * 2 + i / apart];
      EXPECT_EQ(answers[i], dequantize(wanted, own.grid)) << sample << " " << i;
      // by plain arithmetic: away from the stored zero, or upward
      if (own.kernel * own.kernel != pixels) continue;
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < pixels; ++k)
        sum += stored[i * static_cast<std::size_t>(pixels) + static_cast<std::size_t>(k)];
      const double mean = static_cast<double>(sum) / static_cast<double>(pixels);
      const bool down = own.stored_zero.has_value() && mean < *own.stored_zero;
      EXPECT_EQ(wanted, down ? std::ceil(mean - 0.5) : std::floor(mean + 0.5));
      if (mean - std::floor(mean) == 0.5) ++halves;
    }
  }
  if (own.kernel == own.size) {
    EXPECT_GT(halves, 3);
  }

  // Read again it is the same average on the same grids, with a Relu behind it where its
  // integers begin at zero.
  const Graph read = parse_onnx(bytes, "quantized.onnx");
  const bool from_zero =
      own.stored_zero.value_or(own.grid.minimum()) == own.grid.zero_point && own.grid.zero_point == own.grid.minimum();
  ASSERT_EQ(read.nodes.size(), from_zero ? 2U : 1U);
  EXPECT_EQ(device_form(read.nodes[0].op), DeviceForm::average_pool);
  for (const ValueId value : {read.input, read.output}) {
    const std::optional<SourceGrid>& grid = nth(read.values, value).grid;
    ASSERT_TRUE(grid.has_value());
    EXPECT_EQ(grid->scale, own.grid.scale);
    EXPECT_EQ(grid->zero_point, own.grid.zero_point);
  }
}

INSTANTIATE_TEST_SUITE_P(Grids, QuantizedAverages,
                         testing::Values(AverageCase{{0.05F, 8, false, 0}, {}, 8, 8},       // as after a Relu
                                         AverageCase{{0.05F, 8, false, 0}, 128, 8, 8},      // ... of LiteRT
                                         AverageCase{{0.0371F, 8, false, 57}, 0, 4, 4},     // of onnxruntime
                                         AverageCase{{0.0371F, 8, false, 200}, 128, 6, 2},  // several windows
                                         AverageCase{{0.3F, 8, true, -20}, {}, 8, 8},
                                         AverageCase{{0.3F, 8, true, -20}, 0, 10, 10},
                                         AverageCase{{0.3F, 8, true, 31}, -128, 4, 4}));

}  // namespace
}  // namespace trimtab
