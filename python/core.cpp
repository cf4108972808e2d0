#include <fmt/format.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/boundary.h"
#include "base/error.h"
#include "base/installation.h"
#include "base/json_text.h"
#include "cli/command_line.h"
#include "cli/surroundings.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/program_file.h"
#include "program/schedule.h"

// The module trimtab._core: the commands as one function, and programs as objects. The functions with names and types
// stand in trimtab/_commands.py, which `trimtab python-functions` makes.

namespace trimtab {
namespace {

namespace py = pybind11;

/// Work on a thread of its own, while this one, which Python calls its main thread, listens for Ctrl-C.
class Work {
 public:
  template <typename Body>
  explicit Work(Body body)
      : thread_([this, body = std::move(body)] {
          std::exception_ptr fault;
          try {
            body();
          } catch (...) {
            fault = std::current_exception();
          }
          const std::scoped_lock lock(mutex_);
          fault_ = fault;
          done_ = true;
          ended_.notify_one();
        }) {}
  ~Work() { thread_.join(); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  Work(Work&&) = delete;
  Work& operator=(Work&&) = delete;

  /// Waits a while. True where the work has ended; throws what it threw.
  bool has_ended() {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, std::chrono::milliseconds(50), [this] { return done_; });
    if (done_ && fault_) std::rethrow_exception(fault_);
    return done_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::exception_ptr fault_;
  bool done_ = false;
  std::thread thread_;  // last: it uses the others
};

void parse_and_deliver(std::vector<std::string> arguments, const cli::Surroundings& around) {
  CLI::App app;
  cli::add_commands(app, around);
  std::ranges::reverse(arguments);  // as CLI11 takes them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    throw bad_input("{}", error.what());
  }
}

/// Runs a command and returns its result as JSON text. `progress` may be None.
std::string run(const std::vector<std::string>& arguments, const py::object& progress) {
  std::atomic<bool> interrupted{false};
  std::string result = "{}";
  cli::Surroundings around;
  around.deliver = [&](const Result& delivered, bool /*json*/) { result = json_text(delivered.json); };
  around.interrupted = &interrupted;
  around.command_line = cli::command_line(arguments);
  around.trial_program = installed_or_built(TRIMTAB_LEARNING_PROGRAM);
  around.report = [&](const std::string& line) {
    if (interrupted) throw failure("interrupted; the same call continues");
    if (progress.is_none()) return;
    const py::gil_scoped_acquire held;
    progress(line);
  };
  std::optional<py::error_already_set> signal;
  {
    const py::gil_scoped_release released;
    Work work([&] { parse_and_deliver(arguments, around); });
    try {
      while (!work.has_ended()) {
        const py::gil_scoped_acquire held;
        if (!signal && PyErr_CheckSignals() != 0) {
          signal.emplace();
          interrupted = true;
        }
      }
    } catch (...) {
      if (!signal) throw;  // else the work ended because it was interrupted
    }
  }
  if (signal) throw *signal;
  return result;
}

py::tuple tuple_of(const Buffer& buffer, bool channels_first) {
  if (buffer.height == 1 && buffer.width == 1) return py::make_tuple(buffer.channels);
  return channels_first ? py::make_tuple(buffer.channels, buffer.height, buffer.width)
                        : py::make_tuple(buffer.height, buffer.width, buffer.channels);
}

std::vector<py::ssize_t> array_shape(std::int64_t samples, const py::tuple& shape) {
  std::vector<py::ssize_t> whole{samples};
  for (const py::handle size : shape) whole.push_back(size.cast<py::ssize_t>());
  return whole;
}

/// Samples of the shape {C, H, W} behind their number.
Dataset dataset_of(const py::array& samples, const Shape& shape) {
  const Shape given(samples.shape(), samples.shape() + samples.ndim());
  const std::int64_t count = given.empty() ? 0 : given.front();
  if (count == 0 || samples.size() != count * element_count(shape)) {
    throw bad_input("the samples are an array of {}; it must be {} behind their number", to_string(given),
                    to_string(shape));
  }
  Dataset data;
  data.shape = shape;
  if (samples.dtype().kind() == 'u') {
    const auto* begin = static_cast<const std::uint8_t*>(samples.data());
    data.pixels = {std::vector<std::uint8_t>(begin, begin + samples.size()), element_count(shape)};
  } else {
    const auto* begin = static_cast<const float*>(samples.data());
    data.features = {std::vector<float>(begin, begin + samples.size()), element_count(shape)};
  }
  return data;
}

/// A program with its schedule for this machine.
class HostProgram {
 public:
  explicit HostProgram(const std::string& path) : program_(load_program(path)) {}

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] const Buffer& input() const { return nth(program_.buffers, program_.input); }
  [[nodiscard]] const Buffer& output() const { return nth(program_.buffers, program_.output); }

  [[nodiscard]] py::array_t<std::int32_t> run(const py::array& samples, std::size_t point, int threads) const {
    if (point >= program_.points.size())
      throw bad_input("point is {}; the program has {} operating points, numbered from 0", point,
                      program_.points.size());
    const Dataset data = dataset_of(samples, {input().channels, input().height, input().width});
    py::array_t<std::int32_t> integers(array_shape(data.size(), tuple_of(output(), false)));
    const std::span<std::int32_t> outputs(integers.mutable_data(), static_cast<std::size_t>(integers.size()));
    const py::gil_scoped_release released;
    const ProgramRunner runner(program_, schedule(program_, Core::host), point);
    runner.run(convert_samples(program_, data), data.size(), outputs, std::max(threads, 1));
    return integers;
  }

  [[nodiscard]] py::array_t<float> dequantize(const py::array_t<std::int32_t>& integers) const {
    const std::int64_t elements = output().elements();
    if (integers.size() % elements != 0)
      throw bad_input("there are {} integers; an answer has {}", integers.size(), elements);
    const std::span<const std::int32_t> outputs(integers.data(), static_cast<std::size_t>(integers.size()));
    const std::vector<float> real = real_outputs(program_, outputs);
    py::array_t<float> array(array_shape(integers.size() / elements, tuple_of(output(), true)));
    std::ranges::copy(real, array.mutable_data());
    return array;
  }

 private:
  Program program_;
};

void raise(const Fault& fault) {
  const py::object error =
      py::module_::import("trimtab.errors").attr("error_of")(fault.sentence, static_cast<int>(fault.code));
  PyErr_SetObject(py::type::of(error).ptr(), error.ptr());
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.attr("version") = TRIMTAB_VERSION;
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const py::builtin_exception&) {
      throw;
    } catch (const py::error_already_set&) {
      throw;
    } catch (...) {
      raise(describe_exception(std::current_exception()));
    }
  });
  module.def(
      "run",
      [](const std::vector<std::string>& arguments, const py::object& progress) {
        return py::module_::import("json").attr("loads")(run(arguments, progress));
      },
      py::arg("arguments"), py::arg("progress"),
      "Runs a command of `trimtab` in this process and returns its result. Ctrl-C ends it with KeyboardInterrupt.");
  py::class_<HostProgram>(module, "Program", "A program in a file.")
      .def(py::init<const std::string&>(), py::arg("path"))
      .def_property_readonly("name", [](const HostProgram& self) { return self.program().name; })
      .def_property_readonly("input_shape", [](const HostProgram& self) { return tuple_of(self.input(), true); })
      .def_property_readonly("output_shape", [](const HostProgram& self) { return tuple_of(self.output(), true); })
      .def_property_readonly("points", [](const HostProgram& self) { return self.program().points.size(); })
      .def_property_readonly("weights_bytes", [](const HostProgram& self) { return weights_bytes(self.program()); })
      .def("run", &HostProgram::run, py::arg("samples"), py::arg("point"), py::arg("threads"))
      .def("dequantize", &HostProgram::dequantize, py::arg("integers"));
}

}  // namespace trimtab
