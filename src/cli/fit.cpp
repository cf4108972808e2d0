#include "cli/fit.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {

void add_fit(CLI::App& app) {
  auto command = std::make_shared<FitCommand>();
  CLI::App* fit = app.add_subcommand("fit", "turn a trained network into a verified program for a microcontroller");
  fit->add_option("model", command->model, "trained network, ONNX")->required();
  fit->add_option("--data", command->data,
                  "samples to measure on: cifar10:DIR, images:DIR, npy:X.npy,Y.npy or synthetic:shapes")
      ->required();
  fit->add_option("--train-data", command->train_data,
                  "samples to calibrate and train on (default: the training part of --data)");
  fit->add_option("--preprocessing", command->preprocessing,
                  "none, unit, imagenet, mobilenet, cifar10 or a TOML file (default: preprocessing.toml beside the "
                  "model, or none)");
  fit->add_option("--resize", command->source.resize, "pictures: shorter side before the centre crop");
  fit->add_option("--label-offset", command->source.label_offset,
                  "added to every label: 1 where output 0 is a background class");
  fit->add_flag("--unlabelled", command->unlabelled,
                "the labels are not the network's: measure only how often integers and float agree");
  fit->add_option("--limit", command->source.limit, "use at most so many samples of each part, spread evenly");
  fit->add_option(
         "--target", command->target,
         "microcontroller: a name of targets/ or a TOML file; host: only the integer program, for this machine")
      ->capture_default_str();
  fit->add_option("--flash", command->flash, "bound on flash, such as 64KB (default: what the target has)");
  fit->add_option("--ram", command->ram, "bound on RAM with the stack, such as 48KB (default: what the target has)");
  fit->add_option("--max-instructions", command->options.bounds.instructions,
                  "bound on the instructions that an inference executes; 0: none")
      ->check(CLI::NonNegativeNumber);
  fit->add_option(
         "--max-latency", command->options.bounds.latency_ms,
         "bound in milliseconds on an inference at the target's clock, held against the upper end of the estimate "
         "of cycles; where there are no timings of the core (cortex-m55), one cycle per instruction; 0: none")
      ->check(CLI::NonNegativeNumber);
  fit->add_option("--weight-bits", command->weight_bits,
                  "bits of every weight, 2 to 8 or 16 (default: 8); auto: searched, per layer (default with --search)");
  fit->add_option(
      "--activation-bits", command->activation_bits,
      "bits of every activation: 2, 4, 8 or 16 (default: 8); auto: searched, per layer (default with --search)");
  PlanSearchOptions& search = command->search_options.plan;
  fit->add_flag("--search", command->search, "find filters, weight bits and activation bits within the bounds");
  fit->add_option("--weights", command->weights, "search: bound on the packed weights alone, such as 26KB");
  fit->add_option("--memory", command->memory,
                  "search: bound on the packed weights and the working memory (arena) together, such as 66KB");
  fit->add_option("--widths", search.widths, "search: shares of the weights that networks of fewer filters keep")
      ->check(CLI::Range(0.01, 1.0))
      ->delimiter(',');
  fit->add_option("--trial-samples", search.recovery.samples,
                  "search: samples that recovery and short trainings use; 0: all")
      ->check(CLI::NonNegativeNumber);
  fit->add_option("--trial-epochs", search.first_round.epochs,
                  "search: epochs of the first round of short trainings; 0: only quantize")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  fit->add_option("--recovery-epochs", command->options.recovery_epochs,
                  "epochs of float training after filters were removed, by the plan or in a search (there at least 1)")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  fit->add_option("--finalists", search.finalists, "search: plans that are trained for all --epochs")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  fit->add_option("--validation-samples", command->search_options.validation_samples,
                  "search: samples held back from training to compare plans")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  fit->add_option("--threads-per-trial", command->threads_per_trial,
                  "search: threads of one trial, which its numbers depend on; as many trials run at once as --threads "
                  "allows")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  fit->add_option("--engine", command->engine, "search: how bits are distributed over the layers")
      ->check(CLI::IsMember({"knapsack", "nsga2"}))
      ->capture_default_str();
  fit->add_option("--importance", command->importance, "what rates the filters that go")
      ->check(CLI::IsMember({"taylor", "batch-norm", "l1"}))
      ->capture_default_str();
  fit->add_option("--teacher", command->teacher,
                  "ONNX network with the same inputs and classes that training distils from (default: the model)");
  fit->add_option("--plan", command->plan, "TOML file with the filters and bits of single layers");
  fit->add_option("--epochs", command->epochs, "epochs of training under the plan; 0: quantize without training")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  fit->add_option("--learning-rate", command->options.training.training.learning_rate,
                  "highest learning rate of that training")
      ->capture_default_str();
  add_bfloat16_flag(*fit, command->options.training.training.bfloat16);
  fit->add_option("--calibration", command->calibration, "how ranges are chosen")
      ->check(CLI::IsMember({"min-max", "percentile", "mse"}))
      ->capture_default_str();
  fit->add_option("--calibration-samples", command->options.calibration.samples,
                  "samples that ranges are chosen from; 0: all")
      ->capture_default_str();
  fit->add_option("--optimize", command->optimize, "prefer speed or size of the code")
      ->check(CLI::IsMember({"speed", "size"}))
      ->capture_default_str();
  fit->add_option("--verify", command->options.verify_samples,
                  "samples run on the emulated device and compared bit for bit")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  fit->add_option("-o,--out", command->out, "folder for the result")->required();
  add_common_options(*fit, command->common,
                     "trimtab fit model.onnx --data cifar10:cifar-10-batches-bin --target stm32f412 --flash 128KB "
                     "--weight-bits 4 --epochs 10 -o out/");
  fit->callback([command] { run_fit(*command); });
}

}  // namespace trimtab::cli
