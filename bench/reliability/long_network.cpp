// A network of many layers: a chain of 3 x 3 convolutions that change little, and a classifier.
//
//     bench_long_network LAYERS FILE.onnx [zero]     zero: the classifier's weights are zeros

#include <cstdio>
#include <cstdlib>
#include <string>

#include "import/onnx.h"
#include "support/graphs.h"

int main(int argc, char** argv) {
  using namespace trimtab;
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_long_network LAYERS FILE.onnx [zero]\n");
    return 2;
  }
  constexpr std::int64_t channels = 2;
  Random random(1);
  test::GraphMaker maker({channels, 4, 4});
  ValueId value = 0;
  for (int layer = std::atoi(argv[1]); layer > 0; --layer) {
    Conv conv;
    conv.weight = test::random_tensor({channels, channels, 3, 3}, random, -0.01, 0.01);
    for (std::int64_t c = 0; c < channels; ++c)
      conv.weight.data[static_cast<std::size_t>((c * channels + c) * 9 + 4)] += 1;
    conv.bias = test::random_tensor({channels}, random, -0.01, 0.01);
    conv.padding = {1, 1, 1, 1};
    value = maker.add(std::move(conv), {value});
  }
  const double most = argc > 3 ? 0 : 1;
  maker.add(Linear{test::random_tensor({3, channels}, random, -most, most), test::random_tensor({3}, random)},
            {maker.add(GlobalAveragePool{false}, {value})});
  write_onnx(maker.graph(), argv[2]);
  return 0;
}
