#pragma once

namespace CLI {
class App;
}

namespace trimtab::cli {

struct Surroundings;

// One function per subcommand, each in the file of its name. It adds the subcommand with its options and its callback.
// The surroundings outlive the application.
// (Keep the list in the order in which `trimtab --help` should show it.)

void add_train(CLI::App& app, const Surroundings& around);
void add_eval(CLI::App& app, const Surroundings& around);
void add_fit(CLI::App& app, const Surroundings& around);
void add_inspect(CLI::App& app, const Surroundings& around);
void add_package(CLI::App& app, const Surroundings& around);
void add_validate(CLI::App& app);
void add_report(CLI::App& app);
void add_explain(CLI::App& app);
void add_data(CLI::App& app);
void add_taxonomy(CLI::App& app);
void add_scale(CLI::App& app, const Surroundings& around);
void add_characterize(CLI::App& app, const Surroundings& around);
void add_sustain(CLI::App& app, const Surroundings& around);
void add_variants(CLI::App& app, const Surroundings& around);
void add_assess(CLI::App& app, const Surroundings& around);
void add_study(CLI::App& app);
void add_trial(CLI::App& app);
void add_option_table(CLI::App& app);
void add_manual(CLI::App& app);
void add_completion(CLI::App& app);
void add_python_functions(CLI::App& app);
void add_operator_table(CLI::App& app);

}  // namespace trimtab::cli
