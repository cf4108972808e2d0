#pragma once

#include <tflite_generated.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "import/tflite.h"

// Makes TensorFlow Lite files through the FlatBuffers builder alone.
namespace trimtab::reference {

/// How a tensor is quantized.
struct TfliteGrid {
  std::vector<float> scales;
  std::vector<std::int64_t> zero_points;
  int axis = 0;
};

class TfliteBuilder {
 public:
  using Shape32 = std::vector<std::int32_t>;
  template <typename Table>
  using Offset = flatbuffers::Offset<Table>;

  TfliteBuilder() { buffers_.push_back(tflite::CreateBuffer(fbb)); }  // the first is always empty

  /// A tensor that operators make, or the network's input; returns its index.
  std::int32_t value(const Shape32& shape, tflite::Type type = tflite::Type::FLOAT32, const TfliteGrid& grid = {}) {
    return tensor(shape, type, 0, grid);
  }
  template <typename Element>
  std::int32_t constant(const Shape32& shape, tflite::Type type, const std::vector<Element>& numbers,
                        const TfliteGrid& grid = {}) {
    std::vector<std::uint8_t> bytes(numbers.size() * sizeof(Element));
    if (!bytes.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
    fbb.ForceVectorAlignment(bytes.size(), 1, 16);
    buffers_.push_back(tflite::CreateBuffer(fbb, fbb.CreateVector(bytes)));
    return tensor(shape, type, static_cast<std::uint32_t>(buffers_.size() - 1), grid);
  }
  /// Another tensor of the data of the newest constant.
  std::int32_t alias(const Shape32& shape, tflite::Type type = tflite::Type::FLOAT32) {
    return tensor(shape, type, static_cast<std::uint32_t>(buffers_.size() - 1), {});
  }
  std::int32_t floats(const Shape32& shape, const std::vector<float>& numbers) {
    return constant(shape, tflite::Type::FLOAT32, numbers);
  }
  std::int32_t floats(const Tensor& tensor) {
    return floats(Shape32(tensor.shape.begin(), tensor.shape.end()), tensor.data);
  }
  std::int32_t integers(const std::vector<std::int32_t>& numbers) {
    return constant({static_cast<std::int32_t>(numbers.size())}, tflite::Type::INT32, numbers);
  }

  /// An operator with outputs that are there already.
  void connect(tflite::Code code, const std::vector<std::int32_t>& inputs, const std::vector<std::int32_t>& outputs,
               tflite::Options type = tflite::Options::NONE, Offset<void> options = 0, const char* custom = nullptr) {
    const auto small = static_cast<std::int8_t>(std::min<std::int32_t>(static_cast<std::int32_t>(code), 127));
    codes_.push_back(tflite::CreateOperatorCode(fbb, small, custom != nullptr ? fbb.CreateString(custom) : 0, 1, code));
    operators_.push_back(tflite::CreateOperator(fbb, static_cast<std::uint32_t>(codes_.size() - 1),
                                                fbb.CreateVector(inputs), fbb.CreateVector(outputs), type, options));
  }
  /// An operator with one float output of this shape; returns it.
  std::int32_t node(tflite::Code code, const std::vector<std::int32_t>& inputs, const Shape32& shape,
                    tflite::Options type = tflite::Options::NONE, Offset<void> options = 0) {
    const std::int32_t output = value(shape);
    connect(code, inputs, {output}, type, options);
    return output;
  }

  [[nodiscard]] std::vector<std::uint8_t> bytes(const std::vector<std::int32_t>& inputs,
                                                const std::vector<std::int32_t>& outputs, std::uint32_t version = 3,
                                                int subgraphs = 1) {
    const auto graph = tflite::CreateSubGraph(fbb, fbb.CreateVector(tensors_), fbb.CreateVector(inputs),
                                              fbb.CreateVector(outputs), fbb.CreateVector(operators_));
    const std::vector<Offset<tflite::SubGraph>> graphs(static_cast<std::size_t>(subgraphs), graph);
    fbb.Finish(tflite::CreateModel(fbb, version, fbb.CreateVector(codes_), fbb.CreateVector(graphs), 0,
                                   fbb.CreateVector(buffers_)),
               tflite::ModelIdentifier());
    return {fbb.GetBufferPointer(), fbb.GetBufferPointer() + fbb.GetSize()};
  }
  /// Reads the file back.
  [[nodiscard]] Graph read(std::int32_t input, std::int32_t output) {
    return parse_tflite(bytes({input}, {output}), "test.tflite");
  }

  flatbuffers::FlatBufferBuilder fbb;

 private:
  std::int32_t tensor(const Shape32& shape, tflite::Type type, std::uint32_t buffer, const TfliteGrid& grid) {
    Offset<tflite::Quantization> quantization = 0;
    if (!grid.scales.empty() || !grid.zero_points.empty()) {
      quantization = tflite::CreateQuantization(fbb, 0, 0, fbb.CreateVector(grid.scales),
                                                fbb.CreateVector(grid.zero_points), 0, 0, grid.axis);
    }
    const auto name = fbb.CreateString("tensor" + std::to_string(tensors_.size()));
    tensors_.push_back(tflite::CreateTensor(fbb, fbb.CreateVector(shape), type, buffer, name, quantization));
    return static_cast<std::int32_t>(tensors_.size() - 1);
  }

  std::vector<Offset<tflite::Buffer>> buffers_;
  std::vector<Offset<tflite::Tensor>> tensors_;
  std::vector<Offset<tflite::OperatorCode>> codes_;
  std::vector<Offset<tflite::Operator>> operators_;
};

}  // namespace trimtab::reference
