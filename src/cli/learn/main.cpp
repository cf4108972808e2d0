#include "base/cleaner.h"
#include "cli/command_line.h"
#include "study/dispatch.h"

int main(int argc, char** argv) {
  using namespace trimtab;
  return cli::report_errors([&] {
    cleaner::start();  // while the process is small
    RankSession ranks;
    if (!ranks.is_worker()) return cli::parse_and_run(argc, argv);
    ranks.work();
    return 0;
  });
}
