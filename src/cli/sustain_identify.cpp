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
  std::string out;
};

void run(const SustainIdentifyOptions& options, const Surroundings& around) {
  if (!options.out.empty() && options.request.base.empty())
    throw bad_input("-o needs --base, the file with the OPPs and trips to complete");
  thermal::Identification identified = identify(options.request);
  if (!options.out.empty()) {
    write_file(options.out, thermal::format_soc(identified.soc));
    identified.result.text += fmt::format("written to {}\n", options.out);
  }
  around.deliver(identified.result, options.common.json);
}

}  // namespace

void add_sustain_identify(CLI::App& sustain, const Surroundings& around) {
  const auto options = std::make_shared<SustainIdentifyOptions>();
  CLI::App* command =
      sustain.add_subcommand("identify", "identify the latency, power and thermal model of a board from measurements");
  command->add_option("--latency", options->request.latency,
                      "CSV tables with the columns program,mhz,latency_s, or NAME.runs.csv beside NAME.csv");
  command->add_option("--power", options->request.power,
                      "CSV table with a row for each steady workload: frequency, voltage, power, temperatures, rates");
  command->add_option("--thermal", options->request.thermal,
                      "CSV series of time, temperature and power that the thermal network is identified on");
  command->add_option("--test", options->request.test, "CSV series that the thermal network is tested on");
  add_prefix_option(*command, options->request.power_columns.prefix);
  command->add_option("--work", options->request.power_columns.work, "endings of the columns that count work")
      ->capture_default_str();
  command->add_option("--sensor", options->request.thermal_columns.sensor, "column with the temperature")
      ->capture_default_str();
  command->add_option("--cluster-power", options->request.thermal_columns.power, "column with the power of the cluster")
      ->capture_default_str();
  command->add_option("--other-power", options->request.thermal_columns.other, "columns with other powers, or none")
      ->capture_default_str();
  command->add_option("--nodes", options->request.nodes, "number of nodes of the thermal network, 1 or 2")
      ->capture_default_str();
  command
      ->add_option("--known", options->request.known_s,
                   "seconds at the beginning of a test run in which its temperature is known")
      ->capture_default_str();
  command->add_option("--base", options->request.base, "SoC file that the result completes");
  add_cluster_option(*command, options->request.cluster);
  add_variants_option(*command, options->request.variants);
  command->add_option("--fixed-points", options->request.ambients,
                      "tabulate the steady temperatures at these ambient temperatures in degrees Celsius");
  add_plot_option(*command, options->request.plot);
  add_out_option(*command, options->out, "FILE");
  add_common_options(*command, options->common,
                     "trimtab sustain identify --thermal run1.csv run2.csv --test run3.csv --power power.csv --base "
                     "board.toml -o targets/socs/board.toml");
  command->callback([options, &around] {
    std::vector<std::string>& other = options->request.thermal_columns.other;
    if (other.size() == 1 && other[0] == "none") other.clear();
    options->request.seed = options->common.seed;
    run(*options, around);
  });
}

}  // namespace trimtab::cli
