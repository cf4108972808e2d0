#include "cli/assess.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {

void add_assess(CLI::App& app, const Surroundings& around) {
  auto command = std::make_shared<AssessCommand>();
  CLI::App* assess = app.add_subcommand(
      "assess", "map accuracy over memory at 2 to 16 bits, and measure how far 8 and 16 bits are from the optimum");
  add_model(*assess, command->model, command->choice)->required();
  add_data_option(*assess, command->data)->required();
  add_preprocessing_option(*assess, command->preprocessing)
      ->default_str("preprocessing.toml beside the model, or none");
  add_limit_option(*assess, command->limit);
  add_task_options(*assess, command->task);
  assess->add_option("--budgets", command->budgets, "bounds on weights and counted activations, such as 33KB,49KB")
      ->delimiter(',')
      ->capture_default_str();
  assess->add_option("--bits", command->bits, "bit-widths of the map, such as 2-8,16")->capture_default_str();
  assess->add_option("--pruning", command->rules, "pruning rules: uniform, importance")
      ->delimiter(',')
      ->capture_default_str();
  assess
      ->add_option("--rounds", command->rounds,
                   "rounds RECOVERY+TRAINING[:KEEP]: samples of float training after pruning, samples of training at "
                   "the bits, and number of candidates of each budget that reach the round")
      ->delimiter(',')
      ->capture_default_str();
  assess->add_option("--repeats", command->options.repeats, "number of seeds that measure each optimum again")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  assess
      ->add_option("--recovery-learning-rate", command->options.recovery_learning_rate,
                   "highest learning rate of the float training after pruning")
      ->capture_default_str();
  add_learning_rate_option(*assess, command->options.learning_rate);
  assess->add_flag("--no-distillation", command->no_distillation, "train on the labels alone, which is quicker");
  add_threads_per_trial_option(*assess, command->threads_per_trial);
  add_target_option(*assess, command->target);
  assess->add_flag("--retry-failed", command->retry_failed, "run failed trials again");
  add_out_option(*assess, command->out)->required();
  add_common_options(*assess, command->common,
                     "trimtab assess cifar10_quick.onnx --data cifar10:cifar-10-batches-bin --budgets 33KB,49KB,66KB "
                     "-o out/");
  assess->callback([command, &around] { around.deliver(run_assess(*command, around), command->common.json); });
}

}  // namespace trimtab::cli
