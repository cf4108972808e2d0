// `trimtab validate` against boards in the emulator that run the shipped sources behind their serial ports, over
// pseudo-terminals and a relay that loses and damages bytes.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/npy.h"
#include "handed_over.h"
#include "support/pseudo_terminal.h"
#include "support/strict_warnings.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// The emulator in the background, until the end of this object's life.
class EmulatedBoard {
 public:
  EmulatedBoard(const std::string& machine, const fs::path& elf, int first_serial_ports, const std::string& port) {
    std::vector<std::string> command{"qemu-system-arm", "-M",   machine,    "-icount", "shift=7",
                                     "-display",        "none", "-monitor", "none"};
    for (int i = 0; i < first_serial_ports; ++i) command.insert(command.end(), {"-serial", "null"});
    command.insert(command.end(), {"-serial", port, "-kernel", elf.string()});
    std::vector<char*> words;
    for (std::string& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::execvp(words[0], words.data());
      ::_exit(127);
    }
  }
  ~EmulatedBoard() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  EmulatedBoard(const EmulatedBoard&) = delete;
  EmulatedBoard& operator=(const EmulatedBoard&) = delete;
  EmulatedBoard(EmulatedBoard&&) = delete;
  EmulatedBoard& operator=(EmulatedBoard&&) = delete;

 private:
  pid_t process_ = -1;
};

/// Carries bytes between two terminals both ways. Of each way it loses every so many bytes one and damages another.
class Relay {
 public:
  Relay(int one, int other, std::int64_t lost, std::int64_t damaged) : lost_(lost), damaged_(damaged) {
    EXPECT_EQ(::pipe(stop_.data()), 0);
    thread_ = std::thread([this, one, other] { carry(one, other); });
  }
  ~Relay() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  Relay(Relay&&) = delete;
  Relay& operator=(Relay&&) = delete;

  [[nodiscard]] std::int64_t faults() const { return faults_; }

 private:
  void carry(int one, int other) {
    std::array<std::int64_t, 2> carried{};
    const std::array<int, 2> ends{one, other};
    for (;;) {
      std::array<pollfd, 3> files{pollfd{one, POLLIN, 0}, pollfd{other, POLLIN, 0}, pollfd{stop_[0], POLLIN, 0}};
      if (::poll(files.data(), files.size(), -1) < 0 || files[2].revents != 0) return;
      for (std::size_t from = 0; from < 2; ++from) {
        if ((files[from].revents & POLLIN) == 0) continue;
        std::array<std::uint8_t, 512> bytes{};
        const ssize_t count = ::read(ends[from], bytes.data(), bytes.size());
        std::vector<std::uint8_t> passed;
        for (ssize_t i = 0; i < count; ++i) {
          const std::int64_t at = ++carried[from];
          const bool damage = at % damaged_ == 0;
          if (at % lost_ != 0)
            passed.push_back(static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(i)] ^ (damage ? 0x24 : 0)));
          if (damage || at % lost_ == 0) ++faults_;
        }
        for (std::size_t done = 0; done < passed.size();) {
          const ssize_t written = ::write(ends[1 - from], passed.data() + done, passed.size() - done);
          if (written <= 0) return;
          done += static_cast<std::size_t>(written);
        }
      }
    }
  }

  std::int64_t lost_;
  std::int64_t damaged_;
  std::atomic<std::int64_t> faults_ = 0;
  std::array<int, 2> stop_{};
  std::thread thread_;
};

/// A classifier of small pictures in ten classes.
Program classifier(std::uint64_t seed, int points) {
  ProgramBuilder builder(seed, points);
  builder.program.name = "classifier";
  builder.program.input = builder.add_buffer(24, 24, 3, {1, 8, false});
  BufferId value = builder.convolution(builder.program.input, square(8, 3, 2, 24), {1, 8, false}, 8);
  value = builder.max_pool(value, 2, 2, 0);
  ConvolutionShape linear;
  linear.kernel_height = builder.buffer(value).height;
  linear.kernel_width = builder.buffer(value).width;
  linear.outputs = 10;
  return builder.finish(builder.convolution(value, linear, {0.1F, 8, true}, 8));
}

struct BoardCase {
  std::string machine, source;
  int serial_ports_before;  ///< of the machine, that are not the one
  std::int64_t ram_bytes;
  std::vector<std::string> definitions;
  int points;
};

constexpr int pictures_given = 12;

#ifdef TRIMTAB_COMMAND

class Boards : public testing::TestWithParam<BoardCase> {
 protected:
  Boards() : handed_("stm32f412", Optimize::speed, classifier(7, GetParam().points)) {
    Random random(3);
    std::vector<std::uint8_t> pictures(std::size_t{pictures_given} * 3 * 24 * 24);
    std::vector<std::int64_t> labels(pictures_given);
    for (std::uint8_t& pixel : pictures) pixel = static_cast<std::uint8_t>(random.bits());
    for (std::size_t i = 0; i < pictures_given; ++i) labels[i] = static_cast<std::int64_t>(i) % 10;
    write_npy(handed_.path("x.npy"), {pictures_given, 3, 24, 24}, pictures);
    write_npy(handed_.path("y.npy"), {pictures_given}, labels);
  }

  /// The firmware, as its README says: the shipped makefile, and the C files with strict warnings.
  fs::path build() {
    const fs::path device = handed_.out() / "device";
    const std::vector<std::string>& definitions = GetParam().definitions;
    write_file(device / "Makefile",
               fmt::format("CXX := arm-none-eabi-g++\nCPPFLAGS := {}\nCXXFLAGS := {}\ninclude net.mk\nall: "
                           "$(NET_OBJECT)\n",
                           fmt::join(definitions, " "), fmt::join(handed_.core_flags(), " ")));
    execute({"make", "-s", "-C", device.string(), "all"});
    FirmwareSources firmware;
    firmware.sources = {device / "net.o"};
    for (const fs::path& source : {device / "net_board.c", device / "boards" / GetParam().source}) {
      std::vector<std::string> command{"arm-none-eabi-gcc", "-std=c99", "-Os", "-I" + device.string()};
      for (const auto& flags : {test::strict_warnings, handed_.core_flags(), definitions})
        command.insert(command.end(), flags.begin(), flags.end());
      firmware.sources.push_back(source.string() + ".o");
      command.insert(command.end(), {"-c", source.string(), "-o", firmware.sources.back().string()});
      execute(command);
    }
    Target board = handed_.target;
    board.emulated_board = GetParam().machine;
    board.ram_bytes.value = GetParam().ram_bytes;
    return build_firmware(firmware, board, Optimize::speed, handed_.path("board.elf")).elf;
  }

  [[nodiscard]] ProcessResult command(std::vector<std::string> words) const {
    words.insert(words.begin(), TRIMTAB_COMMAND);
    words.insert(words.end(),
                 {"--data", fmt::format("npy:{},{}", handed_.path("x.npy").string(), handed_.path("y.npy").string()),
                  "--point", std::to_string(GetParam().points - 1), "--json"});
    return run_process(words, "");
  }

  HandedOver handed_;
  PseudoTerminal to_command_;
  PseudoTerminal to_board_;
};

TEST_P(Boards, AnswerOverALineThatLosesBytes) {
  const fs::path elf = build();
  const EmulatedBoard board(GetParam().machine, elf, GetParam().serial_ports_before, to_board_.path());
  const Relay relay(to_command_.end(), to_board_.end(), 2503, 3301);
  const std::string out = handed_.out().string();
  write_file(handed_.out() / "result.json", R"({"command": "fit", "target": "stm32f412"})");
  const ProcessResult run = command({"validate", out, "--port", to_command_.path()});
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_GT(relay.faults(), 10);
  const auto json = nlohmann::json::parse(run.output);
  EXPECT_EQ(json, nlohmann::json::parse(read_text(handed_.out() / "validation.json")));
  EXPECT_EQ(json.at("samples"), pictures_given);
  EXPECT_EQ(json.at("differing_samples"), 0);
  EXPECT_EQ(json.at("differing_numbers"), 0);
  EXPECT_GT(json.at("repeated_requests"), 0);
  EXPECT_THAT(read_text(handed_.out() / "report.html"),
              testing::HasSubstr("ran on the board at " + to_command_.path()));
  const ProcessResult eval = command({"eval", out});
  ASSERT_EQ(eval.exit_code, 0) << eval.errors;
  EXPECT_EQ(json.at("top1"), nlohmann::json::parse(eval.output).at("top1"));

  // another network in the folder
  make_directory(handed_.path("other"));
  save_program(classifier(8, GetParam().points), handed_.path("other") / "program.bin");
  const ProcessResult refused = command({"validate", handed_.path("other").string(), "--port", to_command_.path()});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, testing::HasSubstr("runs the network "));

  if (GetParam().machine != "mps2-an386") {  // the emulated STM32F4 has no cycle counter
    EXPECT_FALSE(json.contains("cycles"));
    return;
  }
  // The board's counter counts instructions in the emulator: those that were measured, but for the profile's calls.
  const auto measured = static_cast<double>(handed_.measured.instructions());
  const auto counted =
      static_cast<double>(instructions_of_ticks(handed_.target, json.at("cycles_most").get<std::int64_t>()));
  EXPECT_NEAR(counted, measured, 100);
  EXPECT_GT(json.at("estimated_cycles").get<double>(), 0);
  double layers = 0;
  for (const auto& layer : json.at("layers")) {
    layers += layer.at("cycles").get<double>();
    EXPECT_TRUE(layer.contains("estimated_cycles") || layer.at("cycles") == 0);
  }
  EXPECT_NEAR(layers, json.at("cycles").get<double>(), 4);
}

class DamagedBoard : public Boards {};

TEST_P(DamagedBoard, IsToldWhereItDiffers) {
  // one bias of the last layer is another, as a fault of the flash would make it
  const fs::path source = handed_.out() / "device" / "net.cpp";
  std::string text = read_text(source);
  const std::size_t number = text.find_first_of("-0123456789", text.find("\n  ", text.rfind("int32_t bias_")));
  text.insert(number, "1000000+");
  write_file(source, text);
  const fs::path elf = build();
  const EmulatedBoard board(GetParam().machine, elf, GetParam().serial_ports_before, to_board_.path());
  const Relay relay(to_command_.end(), to_board_.end(), 1 << 30, 1 << 30);
  const ProcessResult run =
      command({"validate", handed_.out().string(), "--port", to_command_.path(), "--no-estimate"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.errors,
              testing::ContainsRegex("the board answers otherwise than this machine in [0-9]+ of 12 samples"));
  EXPECT_GT(nlohmann::json::parse(run.output).at("differing_numbers"), 0);
}

const BoardCase cmsdk_uart{"mps2-an386", "cmsdk_uart.c", 0, 262'144, {"-DTRIMTAB_BOARD_COUNTER", "-DNET_PROFILE"}, 1};
const BoardCase stm32f4_usart{"netduinoplus2", "stm32f4_usart.c", 2, 131'072, {"-DNET_PROFILE"}, 2};

INSTANTIATE_TEST_SUITE_P(Emulated, Boards, testing::Values(cmsdk_uart, stm32f4_usart),
                         [](const auto& test) { return test.param.source.substr(0, test.param.source.find('.')); });
INSTANTIATE_TEST_SUITE_P(Emulated, DamagedBoard, testing::Values(cmsdk_uart));

#endif

}  // namespace
}  // namespace trimtab
