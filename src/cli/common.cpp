#include "cli/common.h"

namespace trimtab::cli {

void add_common_options(CLI::App& command, CommonOptions& options, const std::string& example) {
  command.add_flag("--json", options.json, "print the result as JSON on standard output");
  command.add_option("--seed", options.seed, "seed of everything random")->capture_default_str();
  command.add_option("--threads", options.threads, "threads to use; 0 means all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.footer("Example:\n  " + example);
}

}  // namespace trimtab::cli
