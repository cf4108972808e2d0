// Fits a network to a microcontroller: fit_network MODEL.onnx DATA TARGET OUT
#include <fmt/format.h>

#include "base/error.h"
#include "fit/fit.h"
#include "import/network_file.h"

int main(int /*count*/, char** arguments) try {
  const trimtab::Graph network = trimtab::load_network(arguments[1]);
  const trimtab::Dataset data = trimtab::load_dataset(arguments[2], trimtab::Split::test, {});
  trimtab::FitOptions options;
  options.target = trimtab::load_target(arguments[3]);
  options.bounds = {options.target->flash_bytes.value, options.target->ram_bytes.value};
  options.verify_samples = 1;
  const trimtab::FitResult result = fit(network, data, data, {}, options, arguments[4]);
  fmt::print("{} {} {} {}\n", result.deployment->flash_bytes(), result.deployment->ram_bytes(),
             result.deployment->instructions(), result.deployment->mismatches);
} catch (const trimtab::Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return static_cast<int>(error.code());
}
