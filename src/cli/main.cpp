#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "cli/commands.h"
#include "study/dispatch.h"

int main(int argc, char** argv) {
  CLI::App app("Trimtab fits trained ConvNets to edge devices.", "trimtab");
  app.set_version_flag("--version", TRIMTAB_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);

  trimtab::cli::add_train(app);
  trimtab::cli::add_eval(app);
  trimtab::cli::add_fit(app);
  trimtab::cli::add_inspect(app);
  trimtab::cli::add_data(app);
  trimtab::cli::add_taxonomy(app);
  trimtab::cli::add_scale(app);
  trimtab::cli::add_characterize(app);
  trimtab::cli::add_sustain(app);
  trimtab::cli::add_assess(app);
  trimtab::cli::add_study(app);
  trimtab::cli::add_trial(app);

  try {
    trimtab::RankSession ranks;
    if (ranks.is_worker()) {
      ranks.work();
      return 0;
    }
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "trimtab: {}. See 'trimtab --help'.\n", error.what());
    return static_cast<int>(trimtab::ExitCode::bad_input);
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "trimtab: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "trimtab: there is not enough memory\n");
    return static_cast<int>(trimtab::ExitCode::failure);
  } catch (const std::exception& error) {
    fmt::print(stderr, "trimtab: {}\n", error.what());
    return static_cast<int>(trimtab::ExitCode::failure);
  }
  return 0;
}
