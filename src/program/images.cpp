#include "program/images.h"

namespace trimtab {

void fill_images(const Program& program, Step& step) {
  const auto image = [&](std::size_t index) { return image_of(program, step.inputs.at(index)); };
  const runtime::Image output = image_of(program, step.output);
  const auto unary = [&](auto& descriptor) {
    descriptor.input = image(0);
    descriptor.output = output;
  };
  const auto binary = [&](auto& descriptor) {
    descriptor.a = image(0);
    descriptor.b = image(1);
    descriptor.output = output;
  };
  std::visit(overloaded{[&](ConvolutionStep& s) { unary(s.convolution); }, [&](MaxPoolStep& s) { unary(s.pool); },
                        [&](AveragePoolStep& s) { unary(s.pool); }, [&](LookupStep& s) { unary(s.lookup); },
                        [&](RescaleStep& s) { unary(s.rescale); }, [&](AdditionStep& s) { binary(s.addition); },
                        [&](MultiplicationStep& s) { binary(s.multiplication); }},
             step.operation);
}

}  // namespace trimtab
