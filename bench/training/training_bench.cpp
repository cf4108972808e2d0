// Images per second of this project's training and evaluation (data from memory, augmented, averaged weights) beside
// those of a plain libtorch loop on one batch of random numbers. Both run in turn in one process; the ratio of the
// medians is printed as JSON.
//   bench_training [ROUNDS] [STEPS PER ROUND] [THREADS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"
#include "graph/networks.h"
#include "learn/evaluate.h"
#include "learn/train.h"
#include "plain_resnet8.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t batch_size = 128;
constexpr int warm_up = 3;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

trimtab::Dataset random_images(std::int64_t count) {
  trimtab::Dataset data;
  data.shape = {3, 32, 32};
  trimtab::Random random(1);
  for (std::int64_t i = 0; i < count * 3072; ++i) data.pixels.push_back(static_cast<std::uint8_t>(random.bits()));
  for (std::int64_t i = 0; i < count; ++i) data.labels.push_back(random.integer(0, 9));
  data.classes.resize(10);
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  const int steps = argc > 2 ? std::atoi(argv[2]) : 15;
  const trimtab::Graph graph = trimtab::make_network("resnet8", {3, 32, 32}, 10, 1);
  const trimtab::Dataset data = random_images((steps + warm_up) * batch_size);
  const trimtab::Preprocessing preprocessing{{128, 128, 128}, {64, 64, 64}};

  trimtab::TrainOptions options;
  options.epochs = 1;
  options.batch_size = batch_size;
  options.learning_rate = 0.01;
  options.threads = argc > 3 ? std::atoi(argv[3]) : 0;
  options.augmentation = {4, 4, true, 0, trimtab::Augmentation::Fill::mean};
  Clock::time_point begin;
  Clock::time_point end;
  options.after_step = [&](std::int64_t step) {
    if (step == warm_up) begin = Clock::now();
    end = Clock::now();
  };
  trimtab::EvaluateOptions evaluation;
  evaluation.batch_size = batch_size;
  evaluation.threads = options.threads;

  std::vector<double> own_training;
  std::vector<double> plain_training;
  std::vector<double> own_inference;
  std::vector<double> plain_inference;
  const auto images = static_cast<double>(steps * batch_size);
  static_cast<void>(
      trimtab::evaluate(graph, data.slice(0, batch_size), preprocessing, evaluation));  // sets the threads
  PlainResnet8 plain(batch_size);
  plain.train(warm_up);
  for (int round = 0; round < rounds; ++round) {
    static_cast<void>(trimtab::train(graph, data, {}, preprocessing, options));
    own_training.push_back(images / std::chrono::duration<double>(end - begin).count());
    plain_training.push_back(images / plain.train(steps));
    const Clock::time_point start = Clock::now();
    static_cast<void>(trimtab::evaluate(graph, data, preprocessing, evaluation));
    own_inference.push_back(static_cast<double>(data.size()) /
                            std::chrono::duration<double>(Clock::now() - start).count());
    plain_inference.push_back(images / plain.infer(steps));
  }
  const nlohmann::json result = {
      {"rounds", rounds},
      {"steps_per_round", steps},
      {"batch_size", batch_size},
      {"training_images_per_second", median(own_training)},
      {"plain_training_images_per_second", median(plain_training)},
      {"training_ratio", median(own_training) / median(plain_training)},
      {"inference_images_per_second", median(own_inference)},
      {"plain_inference_images_per_second", median(plain_inference)},
      {"inference_ratio", median(own_inference) / median(plain_inference)},
  };
  std::printf("%s\n", result.dump(2).c_str());
  return 0;
}
