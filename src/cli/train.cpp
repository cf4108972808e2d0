#include "cli/train.h"

#include <memory>

#include "cli/commands.h"

namespace trimtab::cli {
namespace {

void add_data_options(CLI::App& command, TrainCommand& options) {
  command.add_option("--net", options.net,
                     "a built-in network to train from scratch: cifar10_quick[:bn], resnet8[:WIDTH], "
                     "resnet14[:WIDTH], resnet20[:WIDTH], dscnn, mobilenet_v1[:ALPHA] or squeezenet");
  command.add_option("--model", options.model, "an ONNX file to train further");
  command.add_option("--data", options.data, "cifar10:PATH, images:DIR, npy:X.npy,Y.npy or synthetic:shapes")
      ->required();
  command.add_option("--test-data", options.test_data,
                     "what to test on; without it, the test part of --data where it has one");
  command
      .add_option("--preprocessing", options.preprocessing,
                  "none, unit, imagenet, mobilenet, cifar10, a TOML file, or auto: mean and deviation of the "
                  "training samples")
      ->capture_default_str();
  command.add_option("--shape", options.shape, "images: CxHxW to resize and crop to, for instance 3x96x96");
  command.add_option("--limit", options.source.limit, "at most so many samples; 0 means all")
      ->check(CLI::NonNegativeNumber);
  command.add_option("-o,--output", options.out, "folder for model.onnx, preprocessing.toml, result.json and log.csv")
      ->required();
}

void add_training_options(CLI::App& command, TrainCommand& options) {
  TrainOptions& t = options.training;
  command.add_option("--epochs", t.epochs, "passes over the training samples")->capture_default_str();
  command.add_option("--batch-size", t.batch_size, "samples per step")->capture_default_str();
  command.add_option("--learning-rate", t.learning_rate, "at its highest; falls as a cosine")->capture_default_str();
  command.add_option("--warmup-epochs", t.warmup_epochs, "epochs in which it rises")->capture_default_str();
  command.add_option("--momentum", t.momentum, "Nesterov's")->capture_default_str();
  command.add_option("--weight-decay", t.weight_decay, "of weights; not of biases and BatchNormalization")
      ->capture_default_str();
  command.add_option("--label-smoothing", t.label_smoothing, "share of the target spread over all classes")
      ->capture_default_str();
  command.add_option("--average-decay", t.average_decay, "of the moving average of the weights, the result; 0: none")
      ->capture_default_str();
  command.add_option("--crop", options.crop, "random shift in pixels, N or ROWSxCOLUMNS; auto: 1/8 of images' height")
      ->capture_default_str();
  command.add_option("--flip", options.flip, "random mirroring; auto: on for images")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  command.add_option("--fill", options.fill, "what comes in at the edges: the mean, or zero before preprocessing")
      ->check(CLI::IsMember({"mean", "zero"}))
      ->capture_default_str();
  command.add_option("--cutout", t.augmentation.cutout, "side of a square that is blanked; 0: none")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--mixup", t.mixup, "mix pairs of samples; parameter of the beta distribution; 0: none");
  command.add_option("--teacher", options.teacher, "an ONNX network to distil from; same input and classes");
  command.add_option("--distillation-weight", t.distillation_weight, "of the teacher against the labels")
      ->capture_default_str();
  command.add_option("--temperature", t.temperature, "of the distillation")->capture_default_str();
  add_bfloat16_flag(command, t.bfloat16);
  command.add_option("--checkpoint-seconds", t.checkpoint_seconds, "time between checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--device", t.device, "auto, cpu or cuda[:N]")->capture_default_str();
}

}  // namespace

void add_train(CLI::App& app) {
  auto options = std::make_shared<TrainCommand>();
  CLI::App* command = app.add_subcommand(
      "train", "train a network, from scratch or further; the same command continues a run that was interrupted");
  add_data_options(*command, *options);
  add_training_options(*command, *options);
  add_common_options(*command, options->common,
                     "trimtab train --net resnet8 --data cifar10:cifar-10-batches-bin --epochs 30 -o out/resnet8");
  command->callback([options] { run_train(*options); });
}

}  // namespace trimtab::cli
