#include "cli/trial.h"

#include <map>
#include <string>

#include "cli/learn/trials.h"

namespace trimtab::cli {

void run_trials(int descriptor) {
  const std::map<std::string, TrialFactory> factories = {{"assess", make_assess_trials}, {"fit", make_fit_trials}};
  serve_trials(descriptor, factories);
}

}  // namespace trimtab::cli
