#pragma once

namespace trimtab::cli {

/// Runs trials for the search at the other end of the socket. Needs libtorch: see learning.h.
void run_trials(int descriptor);

}  // namespace trimtab::cli
