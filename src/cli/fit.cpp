#include "cli/fit.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {
namespace {

void add_duty_options(CLI::App& fit, Bounds& bounds) {
  add_deadline_option(fit, bounds.duty.deadline_ms);
  add_period_option(fit, bounds.duty.period_ms);
  fit.add_option("--max-energy", bounds.energy_uj,
                 "bound on the microjoules of one inference, held against the upper end of the estimate at the "
                 "clock that the program runs at; 0 sets none")
      ->capture_default_str();
}

void add_bound_options(CLI::App& fit, FitCommand& command) {
  add_target_option(fit, command.target);
  add_name_option(fit, command.options.device_name);
  add_flash_option(fit, command.flash);
  add_ram_option(fit, command.ram);
  add_frontier_flag(fit, command.options.frontier);
  fit.add_option("--max-instructions", command.options.bounds.instructions,
                 "bound on the instructions of one inference; 0 sets none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  fit.add_option("--max-latency", command.options.bounds.latency_ms,
                 "bound on the milliseconds of one inference, held against the upper end of the estimated cycles (one "
                 "cycle per instruction where the core's timings are unknown); 0 sets none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_duty_options(fit, command.options.bounds);
  add_optimize_option(fit, command.optimize);
  add_input_option(fit, command.input)->capture_default_str();
  add_verify_option(fit, command.options.verify_samples);
  add_dump_passes_option(fit, command.options.dump_passes);
}

void add_plan_options(CLI::App& fit, FitCommand& command) {
  fit.add_option("--weight-bits", command.weight_bits,
                 "bits of every weight, 2 to 8 or 16; auto searches them for each layer")
      ->default_str("8; auto with --search");
  fit.add_option("--activation-bits", command.activation_bits,
                 "bits of every activation, 2, 4, 8 or 16; auto searches them for each layer")
      ->default_str("8; auto with --search");
  fit.add_option("--plan", command.plan, "TOML file with the filters and bits of single layers");
  fit.add_option("--importance", command.importance, "criterion that decides which filters are pruned")
      ->check(CLI::IsMember({"taylor", "batch-norm", "l1"}))
      ->capture_default_str();
  fit.add_option("--recovery-epochs", command.options.recovery_epochs,
                 "epochs of float training after filters are pruned; a search uses at least 1")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
}

void add_search_options(CLI::App& fit, FitCommand& command) {
  PlanSearchOptions& search = command.search_options.plan;
  fit.add_flag("--search", command.search, "find filters, weight bits and activation bits within the bounds");
  fit.add_option("--weights", command.weights, "search: bound on the packed weights, such as 26KB");
  fit.add_option("--memory", command.memory,
                 "search: bound on the packed weights and the working memory (arena) together, such as 66KB");
  fit.add_option("--widths", search.widths, "search: shares of the weights that pruned networks keep")
      ->check(CLI::Range(0.01, 1.0))
      ->delimiter(',')
      ->capture_default_str();
  fit.add_option("--trial-samples", search.recovery.samples,
                 "search: samples of recovery and of short trainings; 0 uses all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  fit.add_option("--trial-epochs", search.first_round.epochs,
                 "search: epochs of the first round of short trainings; 0 only quantizes")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  fit.add_option("--finalists", search.finalists, "search: number of plans that are trained for all --epochs")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  fit.add_option("--validation-samples", command.search_options.validation_samples,
                 "search: training samples that are held back to compare plans")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  fit.add_option("--engine", command.engine, "search: method that distributes bits over the layers")
      ->check(CLI::IsMember({"knapsack", "nsga2"}))
      ->capture_default_str();
  add_threads_per_trial_option(fit, command.threads_per_trial);
}

void add_training_options_of_fit(CLI::App& fit, FitCommand& command) {
  add_epochs_option(fit, command.epochs);
  add_learning_rate_option(fit, command.options.training.training.learning_rate);
  add_bfloat16_flag(fit, command.options.training.training.bfloat16);
  add_teacher_option(fit, command.teacher)->default_str("the model");
  fit.add_option("--calibration", command.calibration, "method that sets the ranges of the activations")
      ->check(CLI::IsMember({"min-max", "percentile", "mse"}))
      ->capture_default_str();
  add_calibration_samples_option(fit, command.options.calibration.samples);
}

}  // namespace

void add_fit(CLI::App& app, const Surroundings& around) {
  auto command = std::make_shared<FitCommand>();
  CLI::App* fit =
      app.add_subcommand("fit", "turn a trained network into a verified program for a microcontroller or a Cortex-A");
  add_model(*fit, command->model, command->choice)->required();
  add_data_option(*fit, command->data)->required();
  add_train_data_option(*fit, command->train_data)->default_str("the training part of --data");
  add_preprocessing_option(*fit, command->preprocessing)->default_str("preprocessing.toml beside the model, or none");
  add_resize_option(*fit, command->source.resize);
  add_label_offset_option(*fit, command->source.label_offset);
  add_limit_option(*fit, command->source.limit);
  add_unlabelled_flag(*fit, command->task.unlabelled);
  add_task_options(*fit, command->task);
  add_bound_options(*fit, *command);
  add_plan_options(*fit, *command);
  add_training_options_of_fit(*fit, *command);
  add_search_options(*fit, *command);
  add_out_option(*fit, command->out)->required();
  add_common_options(*fit, command->common,
                     "trimtab fit model.onnx --data cifar10:cifar-10-batches-bin --target stm32f412 --flash 128KB "
                     "--weight-bits 4 --epochs 10 -o out/");
  fit->callback([command, &around] { around.deliver(run_fit(*command, around), command->common.json); });
}

}  // namespace trimtab::cli
