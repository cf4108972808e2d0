#include "program/images.h"

namespace trimtab {

void fill_images(const Program& program, Step& step) {
  std::visit(
      [&](auto& operation) {
        auto& descriptor = descriptor_of(operation);
        descriptor.output = image_of(program, step.output);
        if constexpr (requires { descriptor.b; }) {
          descriptor.a = image_of(program, step.inputs.at(0));
          descriptor.b = image_of(program, step.inputs.at(1));
        } else {
          descriptor.input = image_of(program, step.inputs.at(0));
        }
      },
      step.operation);
}

}  // namespace trimtab
