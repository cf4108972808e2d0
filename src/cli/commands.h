#pragma once

namespace CLI {
class App;
}

namespace trimtab::cli {

// One function per subcommand, each in the file of its name. It adds the subcommand with its options and its callback.
// (Keep the list in the order in which `trimtab --help` should show it.)

void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_fit(CLI::App& app);
void add_inspect(CLI::App& app);
void add_package(CLI::App& app);
void add_validate(CLI::App& app);
void add_report(CLI::App& app);
void add_explain(CLI::App& app);
void add_data(CLI::App& app);
void add_taxonomy(CLI::App& app);
void add_scale(CLI::App& app);
void add_characterize(CLI::App& app);
void add_sustain(CLI::App& app);
void add_assess(CLI::App& app);
void add_study(CLI::App& app);
void add_trial(CLI::App& app);
void add_option_table(CLI::App& app);
void add_operator_table(CLI::App& app);

}  // namespace trimtab::cli
