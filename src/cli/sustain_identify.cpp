#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "cli/sustain.h"
#include "thermal/identify_result.h"

namespace trimtab::cli {
namespace {

struct SustainIdentifyOptions {
  CommonOptions common;
  thermal::IdentifyRequest request;
  std::string output;
};

void run(const SustainIdentifyOptions& options) {
  if (!options.output.empty() && options.request.base.empty())
    throw bad_input("-o needs --base, the file with the OPPs and trips to complete");
  thermal::Identification identified = identify(options.request);
  if (!options.output.empty()) {
    write_file(options.output, thermal::format_soc(identified.soc));
    identified.result.text += fmt::format("written to {}\n", options.output);
  }
  print(identified.result, options.common.json);
}

}  // namespace

void add_sustain_identify(CLI::App& sustain) {
  const auto options = std::make_shared<SustainIdentifyOptions>();
  CLI::App* command =
      sustain.add_subcommand("identify", "latency, power and thermal model from measurements of a board");
  command->add_option("--latency", options->request.latency,
                      "CSV tables program,mhz,latency_s, or NAME.runs.csv beside NAME.csv");
  command->add_option("--power", options->request.power,
                      "CSV table with a row per steady workload: frequency, voltage, power, temperatures, rates");
  command->add_option("--thermal", options->request.thermal,
                      "CSV series time_s, temperature, power to identify the network on");
  command->add_option("--test", options->request.test, "CSV series to test the network on");
  command->add_option("--prefix", options->request.power_columns.prefix, "cluster's name in the columns of the tables")
      ->capture_default_str();
  command->add_option("--work", options->request.power_columns.work, "endings of the columns that count work")
      ->capture_default_str();
  command->add_option("--sensor", options->request.thermal_columns.sensor, "column of the temperature")
      ->capture_default_str();
  command->add_option("--cluster-power", options->request.thermal_columns.power, "column of the cluster's power")
      ->capture_default_str();
  command->add_option("--other-power", options->request.thermal_columns.other, "columns of other powers, or none")
      ->capture_default_str();
  command->add_option("--nodes", options->request.nodes, "nodes of the thermal network, 1 or 2")->capture_default_str();
  command->add_option("--known", options->request.known_s, "seconds of a test run whose temperature is known")
      ->capture_default_str();
  command->add_option("--base", options->request.base, "SoC file to complete");
  command->add_option("--cluster", options->request.cluster, "cluster for the fixed points; the first one by default");
  command->add_option("--variants", options->request.variants, "CSV of the network's variants, for the fixed points");
  command->add_option("--ambient", options->request.ambients,
                      "ambient temperatures for the fixed points, degrees Celsius");
  command->add_option("--plot", options->request.plot,
                      "SVG or PNG with measured and predicted temperature of test runs");
  command->add_option("-o,--output", options->output, "SoC file to write");
  add_common_options(*command, options->common,
                     "trimtab sustain identify --thermal run1.csv run2.csv --test run3.csv --power power.csv --base "
                     "board.toml -o targets/socs/board.toml");
  command->callback([options] {
    std::vector<std::string>& other = options->request.thermal_columns.other;
    if (other.size() == 1 && other[0] == "none") other.clear();
    options->request.seed = options->common.seed;
    run(*options);
  });
}

}  // namespace trimtab::cli
