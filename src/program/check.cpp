#include "program/check.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "program/overflow.h"

namespace trimtab {
namespace {

constexpr std::int64_t most_elements = std::int64_t{1} << 28;
constexpr std::int32_t longest_side = std::numeric_limits<std::int16_t>::max();
constexpr std::int64_t most_bytes = std::int64_t{1} << 30;
constexpr std::size_t most_parts = 4096;   // values, steps
constexpr std::size_t most_points = 4096;  // operating points

bool is_grid(const ActivationGrid& grid) {
  return (grid.bits == 2 || grid.bits == 4 || grid.bits == 8 || grid.bits == 16) && std::isfinite(grid.scale) &&
         grid.scale > 0 && has_zero(grid);
}

bool same_image(const runtime::Image& a, const runtime::Image& b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels && a.pixel_stride == b.pixel_stride &&
         a.format.bits == b.format.bits && a.format.is_signed == b.format.is_signed;
}

class Check {
 public:
  Check(const Program& program, const std::string& source)
      : program_(program), source_(source), written_(program.buffers.size()) {}

  void values() const {
    if (program_.buffers.size() > most_parts || program_.steps.size() > most_parts) {
      throw bad_input("{} has {} values and {} steps; at most {} of each are taken", source_, program_.buffers.size(),
                      program_.steps.size(), most_parts);
    }
    std::int64_t bytes = 0;
    for (BufferId id = 0; id < std::ssize(program_.buffers); ++id) {
      check_buffer(id);
      bytes += buffer(id).bytes();
    }
    if (bytes > most_bytes) throw bad_input("{} has values of {} bytes; at most {}", source_, bytes, most_bytes);
    check_id(program_.input, "the input");
    check_id(program_.output, "the output");
    for (const Step& step : program_.steps) {
      const bool binary = std::holds_alternative<AdditionStep>(step.operation) ||
                          std::holds_alternative<MultiplicationStep>(step.operation);
      require(step.inputs.size() == (binary ? 2 : 1), step, "a wrong number of inputs");
      for (const BufferId input : step.inputs) check_id(input, "an input of step '" + step.name + "'");
      check_id(step.output, "the output of step '" + step.name + "'");
    }
  }

  void run() {
    values();
    check_preprocessing();
    check_alone(program_.input, "input");
    check_alone(program_.output, "output");
    check_parts(program_.input_parts, buffer(program_.input), "input");
    check_parts(program_.output_parts, buffer(program_.output), "output");
    check_points();
    check_levels();
    write(program_.input, whole(program_.input), "the input");
    for (const Step& step : program_.steps) {
      for (const BufferId input : step.inputs) {
        require(is_written(input), step, "an input that no step before it writes");
      }
      const auto* movement = std::get_if<MovementStep>(&step.operation);
      write(step.output, movement == nullptr ? whole(step.output) : movement->movement.box, "step '" + step.name + "'");
    }
    if (!is_written(program_.output)) throw bad_input("{} has an output that no step writes", source_);
    for (std::size_t k = 0; k < program_.points.size(); ++k) check_at(k);
  }

 private:
  const Buffer& buffer(BufferId id) const { return nth(program_.buffers, id); }

  void check_id(BufferId id, const std::string& where) const {
    if (id < 0 || id >= std::ssize(program_.buffers)) {
      throw bad_input("{} has {} values; {} is number {}", source_, program_.buffers.size(), where, id);
    }
  }

  [[noreturn]] void refuse_buffer(const Buffer& value, const std::string& what) const {
    throw bad_input("{}: value '{}' has {}", source_, value.name, what);
  }

  void check_buffer(BufferId id) const {
    const Buffer& value = buffer(id);
    for (const std::int32_t side : {value.height, value.width, value.channels}) {
      if (side < 1 || side > longest_side) {
        refuse_buffer(value, fmt::format("a side of {}; 1 to {} are possible", side, longest_side));
      }
    }
    if (!is_grid(value.grid)) {
      refuse_buffer(
          value, fmt::format("a grid of {} bits, scale {} and zero point {}; 2, 4, 8 or 16 bits, a positive scale and "
                             "an integer of at most 8 bits as zero point are possible",
                             value.grid.bits, value.grid.scale, value.grid.zero_point));
    }
    // Parents come later than their parts or earlier, but a chain never gets longer than there are values.
    const Buffer* owner = &value;
    for (std::size_t length = 0; owner->parent.has_value(); ++length) {
      check_id(*owner->parent, "the whole of value '" + value.name + "'");
      if (length > program_.buffers.size()) refuse_buffer(value, "itself as a part");
      const Buffer& whole = buffer(*owner->parent);
      const std::int64_t end = std::int64_t{owner->parent_channel} + owner->channels;
      if (owner->height != whole.height || owner->width != whole.width || !same_format(owner->grid, whole.grid) ||
          owner->parent_channel < 0 || end > whole.channels) {
        refuse_buffer(value, "a size or format that does not fit the concatenation it is a part of");
      }
      if (std::int64_t{owner->parent_channel} * owner->grid.bits % 8 != 0) {
        refuse_buffer(value, "a first channel in its concatenation that does not start at a byte");
      }
      owner = &whole;
    }
    const std::int64_t stride = runtime::pixel_bytes(owner->channels, owner->grid.bits);
    if (stride > longest_side)
      refuse_buffer(value, fmt::format("{} bytes per pixel; at most {}", stride, longest_side));
    if (std::int64_t{value.height} * value.width * stride > most_elements) refuse_buffer(value, "more than 256 MB");
  }

  void check_preprocessing() const {
    const auto channels = static_cast<std::size_t>(buffer(program_.input).channels);
    const auto finite = [](float x) { return std::isfinite(x); };
    for (const std::vector<float>* numbers : {&program_.preprocessing.mean, &program_.preprocessing.deviation}) {
      if ((!numbers->empty() && numbers->size() != channels) || !std::ranges::all_of(*numbers, finite)) {
        throw bad_input("{}: the preprocessing needs a finite number per channel of the input, which has {}", source_,
                        channels);
      }
    }
    if (std::ranges::count(program_.preprocessing.deviation, 0.0F) != 0) {
      throw bad_input("{}: the preprocessing divides by a deviation of 0", source_);
    }
  }

  /// A caller writes the input and reads the output pixel by pixel, without gaps between the pixels.
  void check_alone(BufferId id, const std::string& which) const {
    if (buffer(id).parent.has_value()) throw bad_input("{} has an {} that is a part of another value", source_, which);
  }

  /// Several inputs or outputs fill their vector and have its format.
  void check_parts(const std::vector<ProgramPart>& parts, const Buffer& whole, const std::string& which) const {
    if (parts.empty()) return;
    std::int64_t elements = 0;
    bool fits = whole.height == 1 && whole.width == 1 && parts.size() <= most_parts;
    for (const ProgramPart& part : parts) {
      const auto is_side = [](std::int64_t side) { return side >= 1 && side <= longest_side; };
      fits = fits && (part.shape.size() == 1 || part.shape.size() == 3) && std::ranges::all_of(part.shape, is_side) &&
             is_grid(part.grid) && same_format(part.grid, whole.grid);
      if (fits) elements += element_count(part.shape);
    }
    if (!fits || elements != whole.elements())
      throw bad_input("{} has several {}s that do not fit the vector they lie in", source_, which);
  }

  void check_points() const {
    if (program_.points.empty() || program_.points.size() > most_points) {
      throw bad_input("{} has {} operating points; 1 to {} are possible", source_, program_.points.size(), most_points);
    }
    const std::size_t levels = std::max<std::size_t>(program_.levels.size(), 1);
    const bool is_rate = program_.measure && std::string_view(info_of(*program_.measure).unit) == "%";
    const auto possible = [&](double x) { return !std::isnan(x) && (!is_rate || (x >= 0 && x <= 100)); };
    for (const ProgramPoint& point : program_.points) {
      check_plan(point.plan);
      if (!std::isfinite(point.energy_nj) || point.energy_nj < 0 ||
          (!point.quality.empty() && (point.quality.size() != levels || !program_.measure)) ||
          !std::ranges::all_of(point.quality, possible)) {
        throw bad_input("{} has an operating point with an impossible energy or measure", source_);
      }
    }
    for (const Step& step : program_.steps) {
      if (step.points.empty()) continue;
      require(step.points.size() == program_.points.size(), step, "numbers for another number of operating points");
      require(numbers_of(step.operation) == step.points.front(), step,
              "numbers that are not its first operating point's");
      const bool table =
          std::holds_alternative<LookupStep>(step.operation) || std::holds_alternative<SoftmaxStep>(step.operation);
      require(!table, step, "a table for several operating points");
    }
  }

  void check_plan(const Plan& plan) const {
    const bool several = program_.points.size() > 1;
    for (const LayerPlan& layer : plan.layers) {
      const int a = layer.activation_bits;
      if (layer.filters < 0 || layer.weight_bits < 2 || layer.weight_bits > 16 ||
          (a != 2 && a != 4 && a != 8 && a != 16 && !(several && a >= 2 && a <= 8))) {
        throw bad_input("{}: the plan of layer '{}' has {} filters, {} weight bits and {} activation bits", source_,
                        layer.layer, layer.filters, layer.weight_bits, a);
      }
    }
  }

  void check_levels() const {
    if (program_.levels.empty()) return;
    const Buffer& output = buffer(program_.output);
    for (const Level& level : program_.levels) {
      const auto is_class = [&](std::int64_t c) { return c >= 0 && c < std::ssize(level.classes); };
      if (std::ssize(level.class_of) != output.elements() || !std::ranges::all_of(level.class_of, is_class)) {
        throw bad_input("{}: level '{}' does not give every class of the output one of its own", source_, level.name);
      }
    }
  }

  /// Everything that the numbers of an operating point decide.
  void check_at(std::size_t point) {
    point_ = point;
    largest_.assign(program_.buffers.size(), 0);
    set_largest(program_.input, largest_magnitude(buffer(program_.input).grid));
    for (const Step& step : program_.steps) {
      Operation operation = numbered(step);
      std::visit([&](const auto& own) { check(step, own); }, operation);
    }
  }

  /// The step's operation with the numbers of the present point, without its weights where they need not be seen.
  Operation numbered(const Step& step) const {
    Operation operation = step.operation;
    if (!step.points.empty()) set_numbers(operation, step.points[point_]);
    return operation;
  }

  /// The largest magnitude that an input can have at the present point: of all that its outermost buffer holds.
  std::int64_t largest(const Step& step, std::size_t index = 0) const {
    return nth(largest_, place(step.inputs[index]).first);
  }
  /// The same, as the distance from a zero point that the step takes off.
  std::int64_t largest_around(const Step& step, std::int64_t zero, std::size_t index = 0) const {
    const ActivationGrid& grid = input(step, index).grid;
    return std::min(largest(step, index) + std::abs(zero),
                    std::max<std::int64_t>(grid.maximum() - zero, zero - grid.minimum()));
  }
  void set_largest(BufferId id, std::int64_t magnitude) {
    std::int64_t& own = nth(largest_, place(id).first);
    own = std::max(own, magnitude);
  }

  /// The outermost buffer that holds the value, and the value's first channel there.
  std::pair<BufferId, std::int64_t> place(BufferId id) const {
    std::int64_t channel = 0;
    for (; buffer(id).parent.has_value(); id = *buffer(id).parent) channel += buffer(id).parent_channel;
    return {id, channel};
  }

  runtime::Box whole(BufferId id) const {
    const runtime::Image image = image_of(program_, id);
    return {0, 0, 0, image.height, image.width, image.channels};
  }
  static bool lies_within(const runtime::Box& part, const runtime::Box& all) {
    const auto fits = [](int first, int length, int size) {
      return first >= 0 && length >= 1 && first + length <= size;
    };
    return fits(part.top, part.height, all.height) && fits(part.left, part.width, all.width) &&
           fits(part.first_channel, part.channels, all.channels);
  }
  /// How many elements two boxes have in common.
  static std::int64_t common(const runtime::Box& a, const runtime::Box& b) {
    const auto shared = [](int a_first, int a_length, int b_first, int b_length) {
      return std::int64_t{std::max(0, std::min(a_first + a_length, b_first + b_length) - std::max(a_first, b_first))};
    };
    return shared(a.top, a.height, b.top, b.height) * shared(a.left, a.width, b.left, b.width) *
           shared(a.first_channel, a.channels, b.first_channel, b.channels);
  }
  /// The part of a value as a part of its outermost buffer.
  runtime::Box in_owner(BufferId id, runtime::Box part) const {
    part.first_channel = static_cast<std::int16_t>(part.first_channel + place(id).second);
    return part;
  }
  void write(BufferId id, const runtime::Box& part, const std::string& where) {
    if (!lies_within(part, whole(id))) {
      throw bad_input("{}: {} writes beyond the edges of value '{}'", source_, where, buffer(id).name);
    }
    const runtime::Box box = in_owner(id, part);
    std::vector<runtime::Box>& written = nth(written_, place(id).first);
    if (std::ranges::any_of(written, [&](const runtime::Box& other) { return common(box, other) > 0; })) {
      throw bad_input("{}: {} writes value '{}', part of which is written before", source_, where, buffer(id).name);
    }
    written.push_back(box);
  }
  bool is_written(BufferId id) const {
    const runtime::Box box = in_owner(id, whole(id));
    std::int64_t elements = 0;
    for (const runtime::Box& other : nth(written_, place(id).first)) elements += common(box, other);
    return elements == buffer(id).elements();
  }

  [[noreturn]] void refuse(const Step& step, const std::string& what) const {
    throw bad_input("{}: step '{}' has {}", source_, step.name, what);
  }
  void require(bool holds, const Step& step, const char* what) const {
    if (!holds) refuse(step, what);
  }

  const Buffer& input(const Step& step, std::size_t index = 0) const { return buffer(step.inputs[index]); }
  const Buffer& output(const Step& step) const { return buffer(step.output); }

  void check_images(const Step& step, const runtime::Image& from, const runtime::Image& to) const {
    require(same_image(from, image_of(program_, step.inputs[0])) && same_image(to, image_of(program_, step.output)),
            step, "a description that does not fit its values");
  }

  /// Remembers the range as what the step's output can hold, too.
  void check_output_range(const Step& step, std::int32_t low, std::int32_t high) {
    const ActivationGrid& grid = output(step).grid;
    require(grid.minimum() <= low && low <= high && high <= grid.maximum(), step,
            "an output range outside of the output's grid");
    set_largest(step.output, std::max(std::abs(std::int64_t{low}), std::abs(std::int64_t{high})));
  }

  /// The zero point around which a step rounds its output.
  void check_zero(const Step& step, std::int32_t zero) const {
    const ActivationGrid& grid = output(step).grid;
    require(zero == 0 || (grid.minimum() <= zero && zero <= grid.maximum()), step,
            "a zero point outside of the output's grid");
  }

  /// `bound` is the largest magnitude before the shift.
  void check_shift(const Step& step, std::int64_t bound, int shift) const {
    require(shift >= 0 && shift <= 30, step, "a shift that is not within 0 to 30");
    require(fits_after_shift(bound, shift), step, "sums that could overflow 32 bits");
  }

  void check_window(const Step& step, const runtime::Window& w) const {
    const auto positive = {w.kernel_height,  w.kernel_width,  w.stride_rows,
                           w.stride_columns, w.dilation_rows, w.dilation_columns};
    require(std::ranges::all_of(positive, [](int x) { return x >= 1; }) && w.pad_top >= 0 && w.pad_left >= 0, step,
            "a window with a side, stride or dilation below 1 or a negative pad");
    const auto padded = [](std::int64_t outputs, std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
      return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
    };
    const std::int64_t rows = padded(output(step).height, w.kernel_height, w.stride_rows, w.dilation_rows);
    const std::int64_t columns = padded(output(step).width, w.kernel_width, w.stride_columns, w.dilation_columns);
    require(rows <= 65536 && columns <= 65536 && rows * columns * input(step).channels <= most_elements, step,
            "a window that reaches too far");
  }

  void check(const Step& step, const ConvolutionStep& s) {
    const runtime::Convolution& c = s.convolution;
    check_images(step, c.input, c.output);
    check_window(step, c.window);
    check_output_range(step, c.output_minimum, c.output_maximum);
    require((c.weight_bits >= 2 && c.weight_bits <= 8) || c.weight_bits == 16, step,
            "weights that do not have 2 to 8 or 16 bits");
    require(c.sum_shift == 0 || (c.weight_bits == 16 && c.sum_shift <= 40), step, "a wrong shift of its sums");
    require(c.groups >= 1 && input(step).channels % c.groups == 0 && output(step).channels % c.groups == 0, step,
            "groups that do not divide its channels");
    const auto outputs = static_cast<std::size_t>(output(step).channels);
    const std::int64_t filter_size =
        std::int64_t{c.window.kernel_height} * c.window.kernel_width * (input(step).channels / c.groups);
    require(std::ssize(s.weights) == filter_size * output(step).channels && s.bias.size() == outputs &&
                s.multiplier.size() == outputs &&
                (s.padding_value.empty() || std::ssize(s.padding_value) == input(step).channels),
            step, "a wrong number of constants");
    require(s.weight_code == WeightCode::integer || (s.weight_code == WeightCode::nested && c.weight_bits <= 8), step,
            "weights of an unknown code");
    check_zero(step, c.output_zero);
    require(s.weight_code == WeightCode::integer || c.output_zero == 0, step, "a zero point behind nested weights");
    const int limit = 1 << (stored_bits(s) - 1);
    require(std::ranges::all_of(s.weights, [&](std::int16_t weight) { return weight >= -limit && weight < limit; }),
            step, "a weight that its bits cannot hold");
    const std::vector<std::int64_t> sums = largest_sums(s, c.weight_bits, largest(step));
    for (std::size_t o = 0; o < outputs; ++o) {
      check_shift(step, largest_accumulator(sums[o], c.sum_shift, s.bias[o]), c.shift);
    }
  }

  void check(const Step& step, const MaxPoolStep& s) {
    check_images(step, s.pool.input, s.pool.output);
    check_window(step, s.pool.window);
    check_output_range(step, s.pool.output_minimum, s.pool.output_maximum);
    require(input(step).channels == output(step).channels && same_format(input(step).grid, output(step).grid), step,
            "an output unlike its input");
  }

  void check(const Step& step, const AveragePoolStep& s) {
    check_images(step, s.pool.input, s.pool.output);
    check_window(step, s.pool.window);
    check_output_range(step, s.pool.output_minimum, s.pool.output_maximum);
    require(input(step).channels == output(step).channels, step, "an output unlike its input");
    const std::int64_t count = std::int64_t{s.pool.window.kernel_height} * s.pool.window.kernel_width;
    require(std::ssize(s.multiplier) == (s.pool.fixed_divisor ? 1 : count), step, "a wrong number of constants");
    check_shift(step, count * largest_around(step, s.pool.input_zero), s.pool.shift);
    check_zero(step, s.pool.output_zero);
  }

  /// Output and first input of the same shape, the second too or a single pixel.
  void check_shapes(const Step& step) const {
    const Buffer& to = output(step);
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const Buffer& from = input(step, i);
      const bool same = from.height == to.height && from.width == to.width;
      const bool pixel = i == 1 && from.height == 1 && from.width == 1;
      require(from.channels == to.channels && (same || pixel), step, "values of different shapes");
    }
  }

  void check(const Step& step, const AdditionStep& s) {
    const runtime::Addition& a = s.addition;
    check_images(step, a.a, a.output);
    require(same_image(a.b, image_of(program_, step.inputs[1])), step, "a description that does not fit its values");
    check_shapes(step);
    check_output_range(step, a.output_minimum, a.output_maximum);
    require(a.shift >= 1 && a.shift <= 30, step, "a shift that is not within 1 to 30");
    require(a.offset == 0 || step.points.empty(), step, "zero points at several operating points");
    const std::int64_t bound =
        largest_addition(a.multiplier_a, a.multiplier_b, a.shift, largest(step), largest(step, 1)) +
        std::abs(std::int64_t{a.offset});
    check_shift(step, bound, 0);
  }

  void check(const Step& step, const MultiplicationStep& s) {
    const runtime::Multiplication& m = s.multiplication;
    check_images(step, m.a, m.output);
    require(same_image(m.b, image_of(program_, step.inputs[1])), step, "a description that does not fit its values");
    check_shapes(step);
    check_output_range(step, m.output_minimum, m.output_maximum);
    check_shift(step, largest_around(step, m.a_zero) * largest_around(step, m.b_zero, 1), m.shift);
    check_zero(step, m.output_zero);
  }

  void check(const Step& step, const LookupStep& s) {
    check_images(step, s.lookup.input, s.lookup.output);
    check_shapes(step);
    require(input(step).grid.bits <= 8, step, "a table for an input of more than 8 bits");
    require(std::ssize(s.table) == std::int64_t{1} << input(step).grid.bits, step, "a wrong number of constants");
    const auto number = [&](std::int16_t entry) { return s.number(entry); };
    const auto [low, high] = std::ranges::minmax(s.table, {}, number);
    check_output_range(step, number(low), number(high));
  }

  void check(const Step& step, const SoftmaxStep& s) {
    check_images(step, s.softmax.input, s.softmax.output);
    check_shapes(step);
    require(input(step).grid.bits <= 8, step, "a table for an input of more than 8 bits");
    require(std::ssize(s.table) == std::int64_t{1} << input(step).grid.bits, step, "a wrong number of constants");
    require(s.table.front() == runtime::softmax_one && std::ranges::max(s.table) == runtime::softmax_one, step,
            "powers that are not at most 1");
    check_output_range(step, s.softmax.output_minimum, s.softmax.output_maximum);
    check_shift(step, std::int64_t{1} << 16, s.softmax.shift);
    check_zero(step, s.softmax.output_zero);
  }

  void check(const Step& step, const RescaleStep& s) {
    check_images(step, s.rescale.input, s.rescale.output);
    check_shapes(step);
    check_output_range(step, s.rescale.output_minimum, s.rescale.output_maximum);
    if (s.rescale.multiplier == 0) {
      require(same_format(input(step).grid, output(step).grid), step, "a copy to another format");
    }
    check_shift(step, largest_around(step, s.rescale.input_zero), s.rescale.shift);
    check_zero(step, s.rescale.output_zero);
  }

  void check(const Step& step, const MovementStep& s) {
    const runtime::Movement& m = s.movement;
    check_images(step, m.input, m.output);
    require(same_format(input(step).grid, output(step).grid), step, "a copy to another format");
    require(std::ssize(s.rows) == m.box.height && std::ssize(s.columns) == m.box.width &&
                std::ssize(s.channels) == m.box.channels,
            step, "a wrong number of constants");
    std::int64_t pixel = 0;  // the largest that the tables come to together
    std::int64_t channel = 0;
    bool pads = false;
    for (const std::vector<std::uint32_t>* table : {&s.rows, &s.columns, &s.channels}) {
      std::uint32_t most_pixel = 0;
      std::uint32_t most_channel = 0;
      for (const std::uint32_t element : *table) {
        pads = pads || element == runtime::no_element;
        if (element == runtime::no_element) continue;
        most_pixel = std::max(most_pixel, element >> runtime::movement_channel_bits);
        most_channel = std::max(most_channel, element & ((1U << runtime::movement_channel_bits) - 1));
      }
      pixel += most_pixel;
      channel += most_channel;
    }
    require(pixel < std::int64_t{input(step).height} * input(step).width && channel < input(step).channels, step,
            "elements that its input does not have");
    const ActivationGrid& grid = output(step).grid;
    require(!pads || (m.padding >= grid.minimum() && m.padding <= grid.maximum()), step,
            "padding outside of the output's grid");
    set_largest(step.output, std::max(largest(step), pads ? std::abs(std::int64_t{m.padding}) : 0));
  }

  const Program& program_;
  const std::string& source_;
  std::vector<std::vector<runtime::Box>> written_;  // by outermost buffer: the parts that are written, all apart
  std::size_t point_ = 0;                           // the operating point that is checked
  std::vector<std::int64_t> largest_;               // by outermost buffer: magnitude of what has been written to it
};

}  // namespace

void check_program(const Program& program, const std::string& source) { Check(program, source).run(); }

void check_values(const Program& program, const std::string& source) { Check(program, source).values(); }

}  // namespace trimtab
