#include "plain_resnet8.h"

#include <torch/torch.h>

namespace {

namespace nn = torch::nn;
nn::Sequential unit(std::int64_t from, std::int64_t to, std::int64_t stride) {
  return nn::Sequential(nn::Conv2d(nn::Conv2dOptions(from, to, 3).stride(stride).padding(1).bias(false)),
                        nn::BatchNorm2d(to));
}

struct StackImpl : nn::Module {
  StackImpl(std::int64_t from, std::int64_t to, std::int64_t stride)
      : first(register_module("first", unit(from, to, stride))), second(register_module("second", unit(to, to, 1))) {
    if (stride != 1) {
      shortcut = register_module("shortcut", nn::Conv2d(nn::Conv2dOptions(from, to, 1).stride(stride).bias(false)));
    }
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = second->forward(torch::relu(first->forward(x)));
    return torch::relu(y + (shortcut.is_empty() ? x : shortcut->forward(x)));
  }
  nn::Sequential first;
  nn::Sequential second;
  nn::Conv2d shortcut{nullptr};
};
TORCH_MODULE(Stack);

struct NetImpl : nn::Module {
  NetImpl()
      : stem(register_module("stem", unit(3, 16, 1))),
        a(register_module("a", Stack(16, 16, 1))),
        b(register_module("b", Stack(16, 32, 2))),
        c(register_module("c", Stack(32, 64, 2))),
        head(register_module("head", nn::Linear(64, 10))) {}
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = c->forward(b->forward(a->forward(torch::relu(stem->forward(x)))));
    return head->forward(y.mean({2, 3}));
  }
  nn::Sequential stem;
  Stack a;
  Stack b;
  Stack c;
  nn::Linear head;
};
TORCH_MODULE(Net);

}  // namespace

struct PlainResnet8::State {
  explicit State(std::int64_t batch_size)
      : optimizer(net->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9).nesterov(true).weight_decay(5e-4)),
        input(torch::randn({batch_size, 3, 32, 32}).contiguous(torch::MemoryFormat::ChannelsLast)),
        labels(torch::randint(10, {batch_size}, torch::kInt64)) {
    const torch::NoGradGuard no_gradients;
    for (torch::Tensor& parameter : net->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
    }
  }
  Net net;
  torch::optim::SGD optimizer;
  torch::Tensor input;
  torch::Tensor labels;
};

PlainResnet8::PlainResnet8(std::int64_t batch_size) : state_(std::make_unique<State>(batch_size)) {}
PlainResnet8::~PlainResnet8() = default;

void PlainResnet8::train(int steps) {
  state_->net->train();
  for (int i = 0; i < steps; ++i) {
    state_->optimizer.zero_grad();
    torch::nn::functional::cross_entropy(state_->net->forward(state_->input), state_->labels).backward();
    state_->optimizer.step();
  }
}

void PlainResnet8::infer(int steps) {
  const torch::NoGradGuard no_gradients;
  state_->net->eval();
  for (int i = 0; i < steps; ++i) state_->net->forward(state_->input);
}
