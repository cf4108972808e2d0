#include "cli/trial.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {

// The other end of study/dispatch.h: a search starts it to run its trials. Not for people.
void add_trial(CLI::App& app) {
  auto descriptor = std::make_shared<int>(-1);
  CLI::App* trial = app.add_subcommand("trial", "run trials for a search (started by other commands)");
  trial->group("");  // hidden
  trial->add_option("SOCKET", *descriptor, "descriptor of the socket to the search")
      ->required()
      ->check(CLI::Range(3, 1 << 20));
  trial->callback([descriptor] { run_trials(*descriptor); });
}

}  // namespace trimtab::cli
