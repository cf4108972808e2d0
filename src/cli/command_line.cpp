#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>

#include "base/error.h"
#include "cli/commands.h"

namespace trimtab::cli {

int parse_and_run(int argc, char** argv) {
  CLI::App app("Trimtab fits trained ConvNets to edge devices.", "trimtab");
  app.set_version_flag("--version", TRIMTAB_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  add_train(app);
  add_eval(app);
  add_fit(app);
  add_inspect(app);
  add_package(app);
  add_data(app);
  add_taxonomy(app);
  add_scale(app);
  add_characterize(app);
  add_sustain(app);
  add_assess(app);
  add_study(app);
  add_trial(app);
  add_option_table(app);
  add_operator_table(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "trimtab: {}. See 'trimtab --help'.\n", error.what());
    return static_cast<int>(ExitCode::bad_input);
  }
  return 0;
}

int report_errors(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    fmt::print(stderr, "trimtab: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "trimtab: there is not enough memory\n");
    return static_cast<int>(ExitCode::failure);
  } catch (const std::exception& error) {
    fmt::print(stderr, "trimtab: {}\n", error.what());
    return static_cast<int>(ExitCode::failure);
  }
}

}  // namespace trimtab::cli
