#include <map>

#include "import/onnx_import.h"

namespace trimtab::onnx_reader {

std::string reason_against(const std::string& type) {
  static const char* const state = "keeps state from step to step, which a ConvNet does not";
  static const char* const attention = "is attention over a sequence, which a ConvNet does not have";
  static const char* const statistics = "divides by statistics of each sample, which has no integer form here";
  static const char* const control = "decides at run time what is computed, which has no fixed program";
  static const char* const boxes = "selects boxes; leave it to the application, and name an earlier output";
  static const char* const dynamic =
      "chooses its grid anew for every sample, which a device does not; quantize the network statically";
  static const std::map<std::string, const char*> reasons{{"LSTM", state},
                                                          {"GRU", state},
                                                          {"RNN", state},
                                                          {"Attention", attention},
                                                          {"MultiHeadAttention", attention},
                                                          {"RotaryEmbedding", attention},
                                                          {"LayerNormalization", statistics},
                                                          {"InstanceNormalization", statistics},
                                                          {"GroupNormalization", statistics},
                                                          {"RMSNormalization", statistics},
                                                          {"MeanVarianceNormalization", statistics},
                                                          {"LpNormalization", statistics},
                                                          {"LRN", statistics},
                                                          {"ReduceL1", statistics},
                                                          {"ReduceL2", statistics},
                                                          {"If", control},
                                                          {"Loop", control},
                                                          {"Scan", control},
                                                          {"NonZero", control},
                                                          {"NonMaxSuppression", boxes},
                                                          {"TopK", boxes},
                                                          {"RoiAlign", boxes},
                                                          {"DynamicQuantizeLinear", dynamic},
                                                          {"ConvInteger", dynamic},
                                                          {"MatMulInteger", dynamic}};
  const auto found = reasons.find(type);
  return found != reasons.end() ? found->second : "is of an operator that is not supported";
}

}  // namespace trimtab::onnx_reader
