#pragma once

#include <cstdlib>

namespace trimtab {

// The ranks in the environment's words: those that mpirun started. Needs no MPI.

/// The number in a variable of the environment, or `otherwise`.
[[nodiscard]] inline int number_in_environment(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

/// Number of ranks, 1 where mpirun did not start this program.
[[nodiscard]] inline int rank_count() { return number_in_environment("OMPI_COMM_WORLD_SIZE", 1); }

/// 0 where mpirun did not start this program.
[[nodiscard]] inline int rank_index() {
  return rank_count() > 1 ? number_in_environment("OMPI_COMM_WORLD_RANK", 0) : 0;
}

}  // namespace trimtab
