#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "cli/assess.h"
#include "cli/commands.h"
#include "cli/fit.h"
#include "study/dispatch.h"

namespace trimtab::cli {

// The other end of search/dispatch.h: what a search starts to run its trials. Not for people.
void add_trial(CLI::App& app) {
  auto descriptor = std::make_shared<int>(-1);
  CLI::App* trial = app.add_subcommand("trial", "run trials for a search (started by other commands)");
  trial->group("");  // hidden
  trial->add_option("SOCKET", *descriptor, "descriptor of the socket to the search")
      ->required()
      ->check(CLI::Range(3, 1 << 20));
  trial->callback([descriptor] {
    const std::map<std::string, TrialFactory> factories = {{"assess", make_assess_trials}, {"fit", make_fit_trials}};
    serve_trials(*descriptor, factories);
  });
}

}  // namespace trimtab::cli
