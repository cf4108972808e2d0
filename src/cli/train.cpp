#include "cli/train.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {
namespace {

void add_network_and_data_options(CLI::App& command, TrainCommand& options) {
  add_model(command, options.model, options.choice);
  command.add_option("--net", options.net,
                     "built-in network to train from scratch: cifar10_quick[:bn], resnet8[:WIDTH], resnet14[:WIDTH], "
                     "resnet20[:WIDTH], dscnn, mobilenet_v1[:ALPHA] or squeezenet");
  add_data_option(command, options.data)->required();
  command.add_option("--test-data", options.test_data, "samples to test on, described as for --data")
      ->default_str("the test part of --data, if it has one");
  add_preprocessing_option(command, options.preprocessing)->capture_default_str();
  add_shape_option(command, options.shape);
  add_limit_option(command, options.source.limit);
  add_task_options(command, options.task);
}

void add_augmentation_options(CLI::App& command, TrainCommand& options) {
  command
      .add_option("--crop", options.crop,
                  "largest random shift in pixels, N or ROWSxCOLUMNS; auto is 1/8 of the height of pictures")
      ->capture_default_str();
  command.add_option("--flip", options.flip, "mirror samples at random; auto mirrors pictures")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  command.add_option("--fill", options.fill, "value that a shift brings in: the mean, or zero before preprocessing")
      ->check(CLI::IsMember({"mean", "zero"}))
      ->capture_default_str();
  command
      .add_option("--cutout", options.training.augmentation.cutout,
                  "side in pixels of a square that is blanked; 0 blanks none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--mixup", options.training.mixup,
                  "parameter of the beta distribution that mixes pairs of samples; 0 mixes none")
      ->capture_default_str();
}

void add_optimizer_options(CLI::App& command, TrainCommand& options) {
  TrainOptions& t = options.training;
  add_epochs_option(command, t.epochs);
  add_batch_size_option(command, t.batch_size);
  add_learning_rate_option(command, t.learning_rate);
  command.add_option("--warmup-epochs", t.warmup_epochs, "epochs in which the learning rate rises")
      ->capture_default_str();
  command.add_option("--momentum", t.momentum, "Nesterov momentum")->capture_default_str();
  command.add_option("--weight-decay", t.weight_decay, "decay of weights, not of biases and BatchNormalization")
      ->capture_default_str();
  command.add_option("--label-smoothing", t.label_smoothing, "share of the target that is spread over all classes")
      ->capture_default_str();
  command
      .add_option("--average-decay", t.average_decay,
                  "decay of the weight average that is saved as the model; 0 saves the last weights")
      ->capture_default_str();
  add_teacher_option(command, options.teacher);
  command
      .add_option("--distillation-weight", t.distillation_weight, "weight of the teacher's answer against the labels")
      ->capture_default_str();
  command.add_option("--distillation-temperature", t.temperature, "temperature of the distillation")
      ->capture_default_str();
  add_bfloat16_flag(command, t.bfloat16);
  command.add_option("--checkpoint-seconds", t.checkpoint_seconds, "seconds between checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_device_option(command, t.device);
}

}  // namespace

void add_train(CLI::App& app, const Surroundings& around) {
  auto options = std::make_shared<TrainCommand>();
  CLI::App* command = app.add_subcommand(
      "train", "train a network, from scratch or further; the same command continues a run that was interrupted");
  add_network_and_data_options(*command, *options);
  add_augmentation_options(*command, *options);
  add_optimizer_options(*command, *options);
  add_out_option(*command, options->out)->required();
  add_common_options(*command, options->common,
                     "trimtab train --net resnet8 --data cifar10:cifar-10-batches-bin --epochs 30 -o out/resnet8");
  command->callback([options, &around] { around.deliver(run_train(*options, around), options->common.json); });
}

}  // namespace trimtab::cli
