#include "cli/command_line.h"
#include "cli/learning.h"
#include "study/ranks.h"

int main(int argc, char** argv) {
  using namespace trimtab;
  return cli::report_errors([&] {
    if (rank_count() > 1) cli::continue_in_learning_program();  // ranks talk to each other even where parsing fails
    return cli::parse_and_run(argc, argv);
  });
}
