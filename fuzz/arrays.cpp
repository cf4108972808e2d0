// Numbers from outside, in binary: whatever the bytes are, they are refused with an Error or read. The first byte
// chooses the reader: an array of NumPy, an archive of them, a batch of CIFAR-10, a quantized network, a network of a
// trial.

#include "base/error.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "input_file.h"
#include "plan/quantized_network_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trimtab;
  if (size == 0) return 0;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  try {
    switch (data[0] % 5) {
      case 0:
        static_cast<void>(parse_npy(bytes, "array.npy"));
        break;
      case 1:
        static_cast<void>(load_dataset("npz:" + fuzzed_file(bytes, "arrays.npz").string(), Split::test, {}));
        break;
      case 2:
        static_cast<void>(load_dataset("cifar10:" + fuzzed_file(bytes, "batch.bin").string(), Split::test, {}));
        break;
      case 3:
        static_cast<void>(parse_quantized_network(bytes, "network"));
        break;
      default:
        static_cast<void>(load_graph(fuzzed_file(bytes, "network")));
    }
  } catch (const Error&) {
  }
  return 0;
}
