#include "cli/command_line.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "base/boundary.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/surroundings.h"

namespace trimtab::cli {
namespace {

/// A closed standard file would be taken by the next file that is opened, and texts would go there.
void prepare_standard_files() {
  for (int file = 0; file < 3; ++file) {
    if (::fcntl(file, F_GETFD) >= 0) continue;
    const int null = ::open("/dev/null", file == 0 ? O_RDONLY : O_RDONLY | O_CLOEXEC);  // writing to it fails
    if (null >= 0 && null != file) ::close(null);
  }
  // A file at the limit of its size gets an error that names it.
  ::signal(SIGXFSZ, SIG_IGN);
}

int say(ExitCode code, const std::string& sentence) {
  fmt::print(stderr, "trimtab: {}\n", printable(sentence));
  return static_cast<int>(code);
}

}  // namespace

void add_commands(CLI::App& app, const Surroundings& around) {
  app.description("Trimtab fits trained ConvNets to edge devices.");
  app.name("trimtab");
  app.set_version_flag("--version", TRIMTAB_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  add_train(app, around);
  add_eval(app, around);
  add_fit(app, around);
  add_inspect(app, around);
  add_package(app, around);
  add_validate(app);
  add_report(app);
  add_explain(app);
  add_data(app);
  add_taxonomy(app);
  add_scale(app, around);
  add_characterize(app, around);
  add_sustain(app, around);
  add_variants(app, around);
  add_assess(app, around);
  add_study(app);
  add_trial(app);
  add_option_table(app);
  add_manual(app);
  add_completion(app);
  add_python_functions(app);
  add_operator_table(app);
}

int parse_and_run(int argc, char** argv) {
  CLI::App app;
  const Surroundings around = terminal();
  add_commands(app, around);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return say(ExitCode::bad_input, fmt::format("{}. See 'trimtab --help'.", error.what()));
  }
  return 0;
}

int report_errors(const std::function<int()>& body) {
  prepare_standard_files();
  try {
    const int code = body();
    // Output that did not arrive is a failure like any other.
    if (code == 0 && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)) {
      return say(ExitCode::failure, fmt::format("standard output could not be written: {}", std::strerror(errno)));
    }
    return code;
  } catch (...) {
    const Fault fault = describe_exception(std::current_exception());
    return say(fault.code, fault.sentence);
  }
}

}  // namespace trimtab::cli
