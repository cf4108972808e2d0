#include "cli/scale.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {
namespace {

void add_sample_options(CLI::App& scale, ScaleCommand& command) {
  add_data_option(scale, command.data)->required();
  scale.add_option("--tune-data", command.tune_data, "samples to calibrate and to search with")
      ->default_str("every other sample of each class of --data");
  scale.add_option("--tune-limit", command.tune_limit, "use at most this many samples of --tune-data; 0 uses --limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_train_data_option(scale, command.train_data);
  scale.add_option("--train-limit", command.train_limit, "use at most this many samples of --train-data; 0 uses all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_preprocessing_option(scale, command.preprocessing)->default_str("preprocessing.toml beside the model, or none");
  add_resize_option(scale, command.source.resize);
  add_label_offset_option(scale, command.source.label_offset);
  add_limit_option(scale, command.source.limit);
  add_unlabelled_flag(scale, command.task.unlabelled);
  add_task_options(scale, command.task);
}

void add_level_options(CLI::App& scale, ScaleCommand& command) {
  scale
      .add_option("--taxonomy", command.taxonomy,
                  "levels of abstraction: a .toml or .csv file, or a list of ImageNet's wnids")
      ->default_str("the classes alone");
  add_level_sizes_option(scale, command.sizes);
  scale.add_option("--levels", command.options.levels, "levels to search, by name or number of classes")
      ->delimiter(',')
      ->default_str("all");
}

void add_energy_options(CLI::App& scale, ScaleCommand& command) {
  scale.add_option("--accelerator", command.accelerator, "energy table: a name of targets/accelerators or a TOML file")
      ->capture_default_str();
  scale.add_option("--weight-memory", command.weight_memory, "memory of the table that holds the weights")
      ->default_str("the table's own");
  scale.add_option("--activation-memory", command.activation_memory, "memory of the table that holds the activations")
      ->default_str("the table's own");
  scale.add_flag("--count-activations", command.options.count_activations,
                 "count the energy of reading and writing activations, too");
}

void add_search_options_of_scale(CLI::App& scale, ScaleCommand& command) {
  ScaleSearchOptions& search = command.options.search;
  scale.add_option("--weight-precisions", search.weight_bits, "bits of the weights that are searched")
      ->delimiter(',')
      ->check(CLI::Range(2, 8))
      ->capture_default_str();
  scale.add_option("--activation-precisions", search.activation_bits, "bits of the activations that are searched")
      ->delimiter(',')
      ->check(CLI::Range(2, 8))
      ->capture_default_str();
  scale
      .add_option("--search-samples", command.options.search_samples,
                  "tuning samples that the search measures on; 0 uses all")
      ->capture_default_str();
  scale.add_option("--points", command.options.points_per_level, "operating points of every level")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  scale.add_option("--uniform", command.uniform, "also measure these precisions in all layers, such as 8x8,6x6,4x4")
      ->delimiter(',');
  scale.add_option("--polish", search.polish, "measurements that NSGA-II adds for every level; 0 adds none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  scale
      .add_option(
          "--most-lost", search.most_lost,
          "end the search of a level where it has lost this much: points of a rate, hundredths of an area under "
          "a curve, percent of an error")
      ->default_str("12; 100 of an error, 10 of SQNR");
  scale
      .add_option("--truncation", command.options.truncation_bits,
                  "also compare the nested grid with the two's complement grid, both cut to these bits")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
}

void add_training_options_of_scale(CLI::App& scale, ScaleCommand& command) {
  add_epochs_option(scale, command.epochs);
  add_learning_rate_option(scale, command.options.training.training.learning_rate);
  add_teacher_option(scale, command.teacher)->default_str("the model");
  add_bfloat16_flag(scale, command.options.training.training.bfloat16);
  scale.add_option("--train-precision", command.train_precision,
                   "train at one precision alone, such as 4x4, to measure how good a network of one precision becomes");
  add_calibration_samples_option(scale, command.options.calibration.samples);
  scale
      .add_option("--rounding", command.rounding,
                  "rounding of the weights without training: learned minimises the output error over all "
                  "precisions, nearest rounds each weight to the nearest level")
      ->check(CLI::IsMember({"learned", "nearest"}))
      ->default_str("learned");
}

}  // namespace

void add_scale(CLI::App& app, const Surroundings& around) {
  auto command = std::make_shared<ScaleCommand>();
  CLI::App* sub = app.add_subcommand(
      "scale", "find operating points of one weight set, by measure, level of abstraction and energy");
  add_model(*sub, command->model, command->choice)->required();
  add_sample_options(*sub, *command);
  add_level_options(*sub, *command);
  add_energy_options(*sub, *command);
  add_search_options_of_scale(*sub, *command);
  add_training_options_of_scale(*sub, *command);
  add_target_option(*sub, command->target)->default_str("none");
  add_optimize_option(*sub, command->optimize);
  add_name_option(*sub, command->options.device_name);
  add_flash_option(*sub, command->flash);
  add_ram_option(*sub, command->ram);
  add_deadline_option(*sub, command->options.bounds.duty.deadline_ms);
  add_period_option(*sub, command->options.bounds.duty.period_ms);
  add_frontier_flag(*sub, command->options.frontier);
  add_verify_option(*sub, command->options.verify_samples);
  add_dump_passes_option(*sub, command->options.dump_passes);
  add_out_option(*sub, command->out)->required();
  add_common_options(*sub, command->common,
                     "trimtab scale squeezenet1.1.onnx --data images:imagenet --taxonomy synset_words.txt "
                     "--accelerator bitblade --preprocessing imagenet --resize 256 -o squeezenet-scale/");
  sub->callback([command, &around] { around.deliver(run_scale(*command, around), command->common.json); });
}

}  // namespace trimtab::cli
