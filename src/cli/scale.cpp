#include "cli/scale.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {

void add_scale(CLI::App& app) {
  auto command = std::make_shared<ScaleCommand>();
  CLI::App* sub =
      app.add_subcommand("scale", "find operating points of one weight set, by level of abstraction and energy");
  sub->add_option("MODEL", command->model, "ONNX file of the trained network")->required()->check(CLI::ExistingFile);
  sub->add_option("--data", command->data, "samples to measure with; without --tune-data every other one tunes")
      ->required();
  sub->add_option("--tune-data", command->tune_data, "samples to calibrate and to search with");
  sub->add_option("--tune-limit", command->tune_limit, "at most so many samples to tune with; 0: --limit");
  sub->add_option("--taxonomy", command->taxonomy,
                  "levels of abstraction: .toml, .csv, or a list of ImageNet's wnids; default: the classes only");
  sub->add_option("--level-sizes", command->sizes, "most classes of the levels made from wnids")
      ->delimiter(',')
      ->capture_default_str();
  sub->add_option("--levels", command->options.levels, "search these levels only, by name or number of classes")
      ->delimiter(',');
  sub->add_option("--target", command->target, "energy table: a name of targets/accelerators or a .toml file")
      ->capture_default_str();
  sub->add_option("--weight-memory", command->weight_memory, "the table's memory that weights come from");
  sub->add_option("--activation-memory", command->activation_memory, "the table's memory that activations use");
  sub->add_flag("--count-activations", command->options.count_activations, "activations' traffic counts, too");
  sub->add_option("--weight-bits", command->options.search.weight_bits, "precisions of weights to search")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
  sub->add_option("--activation-bits", command->options.search.activation_bits, "precisions of activations to search")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
  sub->add_option("--search-samples", command->options.search_samples, "tuning samples the search measures on; 0: all")
      ->capture_default_str();
  sub->add_option("--points", command->options.points_per_level, "operating points of every level")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  sub->add_option("--uniform", command->uniform, "also measure these precisions, the same in all layers: 8x8,6x6,4x4")
      ->delimiter(',');
  sub->add_option("--polish", command->options.search.polish,
                  "at most so many more measurements for every level, by NSGA-II; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  sub->add_option("--most-lost", command->options.search.most_lost_percent,
                  "end the search of a level where it has lost so many points")
      ->capture_default_str();
  sub->add_option("--epochs", command->epochs, "fine-tune for all precisions; 0: without training")
      ->capture_default_str();
  sub->add_option("--train-data", command->train_data, "samples to fine-tune with");
  sub->add_option("--train-limit", command->train_limit, "fine-tune with at most so many samples; 0: all");
  sub->add_option("--learning-rate", command->options.training.training.learning_rate, "highest, of fine-tuning")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_bfloat16_flag(*sub, command->options.training.training.bfloat16);
  sub->add_option("--train-precision", command->train_precision,
                  "fine-tune at one precision alone, such as 4x4: what a network of its own reaches");
  sub->add_option("--calibrate", command->options.calibration.samples, "samples that find the activations' grids")
      ->capture_default_str();
  sub->add_option("--rounding", command->rounding,
                  "without --epochs: stored digits of the least output error over all precisions, or the nearest "
                  "[learned]")
      ->check(CLI::IsMember({"learned", "nearest"}));
  sub->add_option("--truncation", command->options.truncation_bits,
                  "also compare dropping to these bits on the nested and the two's complement grid")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
  sub->add_option("--device", command->device,
                  "microcontroller to emit the program for, and to verify every point on in the emulator");
  sub->add_option("--flash", command->flash, "most flash that the image may take, such as 128KB (the device's own)");
  sub->add_option("--ram", command->ram, "most RAM, stack included, that the image may take (the device's own)");
  sub->add_option("--verify", command->options.verify_samples, "samples to verify on the device")
      ->capture_default_str();
  sub->add_option("--preprocessing", command->preprocessing, "see docs/data.md");
  sub->add_option("--resize", command->source.resize, "pictures: shorter side before the crop");
  sub->add_option("--label-offset", command->source.label_offset, "added to every label");
  sub->add_option("--limit", command->source.limit, "at most so many samples of the data");
  sub->add_option("-o,--output", command->out, "folder of the result")->required();
  add_common_options(*sub, command->common,
                     "trimtab scale squeezenet1.1.onnx --data images:imagenet --taxonomy synset_words.txt --target "
                     "bitblade --preprocessing imagenet --resize 256 -o squeezenet-scale/");
  sub->callback([command] { run_scale(*command); });
}

}  // namespace trimtab::cli
