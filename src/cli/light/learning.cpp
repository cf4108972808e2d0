#include "cli/learning.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/installation.h"
#include "base/process.h"
#include "cli/assess.h"
#include "cli/eval.h"
#include "cli/fit.h"
#include "cli/scale.h"
#include "cli/train.h"
#include "cli/trial.h"

namespace trimtab::cli {

void continue_in_learning_program() {
  std::vector<std::string> own = own_arguments();
  std::vector<char*> arguments;
  for (std::string& argument : own) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  std::error_code unreadable;
  const std::filesystem::path command = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  const std::filesystem::path program = installed_or_built(command.parent_path() / "trimtab-learn");
  ::execv(program.c_str(), arguments.data());
  throw failure("this command needs the program {}, which cannot be started: {}", program.string(),
                std::strerror(errno));
}

Result run_train(TrainCommand& /*command*/, const Surroundings& /*around*/) { continue_in_learning_program(); }
Result run_fit(FitCommand& /*command*/, const Surroundings& /*around*/) { continue_in_learning_program(); }
Result run_scale(ScaleCommand& /*command*/, const Surroundings& /*around*/) { continue_in_learning_program(); }
Result run_assess(AssessCommand& /*command*/, const Surroundings& /*around*/) { continue_in_learning_program(); }
Result evaluate_network(EvalOptions& /*options*/) { continue_in_learning_program(); }
void run_trials(int /*descriptor*/) { continue_in_learning_program(); }

}  // namespace trimtab::cli
