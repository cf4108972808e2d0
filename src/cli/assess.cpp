#include "cli/assess.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {

void add_assess(CLI::App& app) {
  auto command = std::make_shared<AssessCommand>();
  CLI::App* assess = app.add_subcommand(
      "assess", "map accuracy over memory at 2 to 16 bits, and how far 8 and 16 bits are from the optimum");
  assess->add_option("model", command->model, "trained network, ONNX")->required();
  assess->add_option("--data", command->data, "pixels to train and measure on: cifar10:DIR or synthetic:shapes")
      ->required();
  assess->add_option("--preprocessing", command->preprocessing,
                     "none, unit, imagenet, mobilenet, cifar10 or a TOML file (default: preprocessing.toml beside the "
                     "model, or none)");
  assess->add_option("--budgets", command->budgets, "bounds on weights and counted activations, such as 33KB,49KB")
      ->delimiter(',')
      ->capture_default_str();
  assess->add_option("--bits", command->bits, "bit-widths to map, such as 2-8,16")->capture_default_str();
  assess->add_option("--pruning", command->rules, "rules of pruning: uniform, importance")
      ->delimiter(',')
      ->capture_default_str();
  assess
      ->add_option("--rounds", command->rounds,
                   "RECOVERY+TRAINING[:KEEP] of every round: samples seen in float after pruning, samples seen at the "
                   "bits, and how many candidates of each budget get that far")
      ->delimiter(',')
      ->capture_default_str();
  assess->add_option("--repeats", command->options.repeats, "seeds with which the optima are measured at last")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  assess->add_option("--recovery-learning-rate", command->options.recovery_learning_rate, "highest, in float")
      ->capture_default_str();
  assess->add_option("--learning-rate", command->options.learning_rate, "highest, at the bits")->capture_default_str();
  assess->add_flag("--no-distillation", command->no_distillation, "learn from the labels alone, which is quicker");
  assess->add_option("--limit", command->limit, "use at most so many samples of each part")
      ->check(CLI::NonNegativeNumber);
  assess
      ->add_option("--threads-per-trial", command->threads_per_trial,
                   "results depend on it; 1 trains most networks in the least total time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  assess->add_option("--target", command->target, "microcontroller that the optima's plans are made for")
      ->capture_default_str();
  assess->add_flag("--retry-failed", command->retry_failed, "run trials again that failed");
  assess->add_option("-o,--out", command->out, "folder of the study; the same command continues it")->required();
  add_common_options(*assess, command->common,
                     "trimtab assess cifar10_quick.onnx --data cifar10:cifar-10-batches-bin --budgets 33KB,49KB,66KB "
                     "-o out/");
  assess->callback([command] { run_assess(*command); });
}

}  // namespace trimtab::cli
