// Images per second, and processor time per image, of this project's training and evaluation (data from memory,
// augmented, averaged weights) beside those of a plain libtorch loop on one batch of random numbers. Both run in turn
// in one process. Prints JSON: medians of the speeds, and the least processor times. On a machine that others use, look
// at the processor time with one thread: what others do only adds to it.
//   bench_training [ROUNDS] [STEPS PER ROUND] [THREADS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
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

/// A moment: of the clock, and of the processor time of all threads.
struct Moment {
  Clock::time_point wall = Clock::now();
  std::clock_t processor = std::clock();
};

/// The times of many rounds of the same work.
struct Rounds {
  std::vector<double> images_per_second;
  std::vector<double> processor_us;  ///< per image

  void add(double images, const Moment& from, const Moment& to) {
    images_per_second.push_back(images / std::chrono::duration<double>(to.wall - from.wall).count());
    processor_us.push_back(1e6 * static_cast<double>(to.processor - from.processor) / CLOCKS_PER_SEC / images);
  }
};

constexpr std::int64_t batch_size = 128;
constexpr int warm_up = 3;

double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

trimtab::Dataset random_images(std::int64_t count) {
  trimtab::Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {3, 32, 32};
  trimtab::Random random(1);
  for (std::int64_t i = 0; i < count * 3072; ++i) values.push_back(static_cast<std::uint8_t>(random.bits()));
  for (std::int64_t i = 0; i < count; ++i) data.labels.push_back(random.integer(0, 9));
  data.classes.resize(10);
  data.pixels = {std::move(values), trimtab::element_count(data.shape)};
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
  Moment begin;
  Moment end;
  options.after_step = [&](std::int64_t step) {
    if (step == warm_up) begin = {};
    end = {};
  };
  trimtab::EvaluateOptions evaluation;
  evaluation.batch_size = batch_size;
  evaluation.threads = options.threads;

  Rounds training;
  Rounds plain_training;
  Rounds inference;
  Rounds plain_inference;
  const auto images = static_cast<double>(steps * batch_size);
  static_cast<void>(trimtab::evaluate(graph, data, preprocessing, evaluation));  // sets the threads
  PlainResnet8 plain(batch_size);
  plain.train(warm_up);
  for (int round = 0; round < rounds; ++round) {
    static_cast<void>(trimtab::train(graph, data, {}, preprocessing, options));
    training.add(images, begin, end);
    begin = {};
    plain.train(steps);
    plain_training.add(images, begin, {});
    begin = {};
    static_cast<void>(trimtab::evaluate(graph, data, preprocessing, evaluation));
    inference.add(static_cast<double>(data.size()), begin, {});
    begin = {};
    plain.infer(steps);
    plain_inference.add(images, begin, {});
  }
  const auto compare = [](const Rounds& own, const Rounds& other) {
    return nlohmann::json{
        {"images_per_second", median(own.images_per_second)},
        {"plain_images_per_second", median(other.images_per_second)},
        {"ratio", median(own.images_per_second) / median(other.images_per_second)},
        {"processor_us_per_image", least(own.processor_us)},
        {"plain_processor_us_per_image", least(other.processor_us)},
        {"processor_ratio", least(other.processor_us) / least(own.processor_us)},
    };
  };
  const nlohmann::json result = {{"rounds", rounds},
                                 {"steps_per_round", steps},
                                 {"batch_size", batch_size},
                                 {"threads", options.threads},
                                 {"training", compare(training, plain_training)},
                                 {"inference", compare(inference, plain_inference)}};
  std::printf("%s\n", result.dump(2).c_str());
  return 0;
}
