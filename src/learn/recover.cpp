#include "learn/recover.h"

#include "learn/divided_input.h"

namespace trimtab {

TrainOptions recovery_options(const TrainOptions& training) {
  TrainOptions options = fine_tuning(2, 0.2, 0.995);
  options.seed = training.seed;
  options.threads = training.threads;
  options.device = training.device;
  options.bfloat16 = training.bfloat16;
  options.interrupted = training.interrupted;
  options.task = training.task;
  options.learning_rate = 0.02;
  options.distillation_weight = 0.5;
  return options;
}

TrainResult recover(const Graph& prepared, const std::shared_ptr<const Graph>& teacher, const Dataset& train_data,
                    const Dataset& test_data, const TrainOptions& options) {
  const float divisor = input_divisor(prepared, train_data);
  TrainOptions training = options;
  if (!train_data.is_pixels()) training.augmentation = {};
  training.teacher = teacher ? std::make_shared<const Graph>(for_divided_input(*teacher, divisor)) : nullptr;
  TrainResult result =
      train(for_divided_input(prepared, divisor), train_data, test_data, division_by(divisor, train_data), training);
  result.graph = for_divided_input(std::move(result.graph), 1 / divisor);
  return result;
}

}  // namespace trimtab
