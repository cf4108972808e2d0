#pragma once

#include <cstdint>
#include <memory>

/// The training that anybody would write with libtorch: ResNet-8 as modules, torch::optim::SGD, one batch of random
/// numbers, channels last. The measure for the project's own training.
class PlainResnet8 {
 public:
  explicit PlainResnet8(std::int64_t batch_size);
  ~PlainResnet8();
  PlainResnet8(const PlainResnet8&) = delete;
  PlainResnet8& operator=(const PlainResnet8&) = delete;
  PlainResnet8(PlainResnet8&&) = delete;
  PlainResnet8& operator=(PlainResnet8&&) = delete;

  /// Steps of training.
  void train(int steps);
  /// Forward passes without gradients.
  void infer(int steps);

 private:
  struct State;
  std::unique_ptr<State> state_;
};
