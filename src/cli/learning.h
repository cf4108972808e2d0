#pragma once

namespace trimtab::cli {

// The command consists of two programs. `trimtab` starts at once. It parses all arguments and runs the subcommands that
// need neither libtorch nor MPI, which take most of a second to load. `trimtab-learn` holds everything. The functions
// that need libtorch (run_train, run_fit, run_scale, run_assess, evaluate_network, run_trials) are defined twice. In
// learn/ they do the work. In light/ they replace the process by `trimtab-learn` with the same arguments, so that its
// number, its terminal and its signals stay as they are.

/// Replaces this process by `trimtab-learn`, which lies in lib/trimtab of the installation, else beside this program.
/// Throws Error (failure) where it is not there.
[[noreturn]] void continue_in_learning_program();

}  // namespace trimtab::cli
