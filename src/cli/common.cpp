#include "cli/common.h"

#include <fmt/format.h>

namespace trimtab::cli {

void add_common_options(CLI::App& command, CommonOptions& options, const std::string& example) {
  command.add_flag("--json", options.json, "print the result as JSON on standard output");
  command.add_option("--seed", options.seed, "seed of everything random")->capture_default_str();
  command.add_option("--threads", options.threads, "threads to use; 0 means all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.footer("Example:\n  " + example);
}

void print(const Result& result, bool json) { fmt::print("{}", json ? result.json.dump(2) + "\n" : result.text); }

void add_bfloat16_flag(CLI::App& command, bool& bfloat16) {
  command.add_flag(
      "--bfloat16", bfloat16,
      "train in bfloat16: faster on GPUs and processors that multiply in it (AMX, AVX-512 BF16), slower elsewhere");
}

}  // namespace trimtab::cli
