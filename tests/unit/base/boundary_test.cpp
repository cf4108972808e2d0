#include "base/boundary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace trimtab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Call>
Fault fault_of(const Call& call) {
  try {
    call();
  } catch (...) {
    return describe_exception(std::current_exception());
  }
  return {ExitCode::success, "nothing was thrown"};
}

TEST(Boundary, KeepsTheProjectsOwnSentences) {
  const Fault fault = fault_of([] { throw bound_not_met("the flash of {} is too small", 3); });
  EXPECT_EQ(fault.code, ExitCode::bound_not_met);
  EXPECT_EQ(fault.sentence, "the flash of 3 is too small");
}

TEST(Boundary, NamesTheFileOfAFileSystemsError) {
  const Fault fault = fault_of([] { (void)std::filesystem::file_size("/no/such/file"); });
  EXPECT_EQ(fault.code, ExitCode::bad_input);
  EXPECT_EQ(fault.sentence, "/no/such/file: No such file or directory");
  const Fault full = fault_of([] {
    throw std::filesystem::filesystem_error("x", "/disk/file", std::make_error_code(std::errc::no_space_on_device));
  });
  EXPECT_EQ(full.code, ExitCode::failure);
}

TEST(Boundary, SaysThatMemoryIsLacking) {
  EXPECT_EQ(fault_of([] { throw std::bad_alloc(); }).sentence, "there is not enough memory");
  // libtorch's words
  EXPECT_EQ(fault_of([] {
              throw std::runtime_error(
                  "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                  "to allocate 102481920000 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10::");
            }).sentence,
            "there is not enough memory");
}

TEST(Boundary, OthersAreInternalAndOneSentence) {
  const Fault fault = fault_of([] {
    throw std::runtime_error(
        "stride should not be zero.\nException raised from pool at ../aten/src/ATen/native/Pool.h:90 (most recent call "
        "first):\nframe #0: c10::Error::Error(...)\nframe #1: more");
  });
  EXPECT_EQ(fault.code, ExitCode::failure);
  EXPECT_EQ(fault.sentence,
            "internal: stride should not be zero (std::runtime_error) at ../aten/src/ATen/native/Pool.h:90; this is a "
            "fault of trimtab, please report it with the command line");
  EXPECT_THAT(
      fault_of([] { (void)std::vector<int>(3).at(7); }).sentence,
      AllOf(HasSubstr("internal: "), HasSubstr("std::out_of_range"), HasSubstr("please report"), Not(HasSubstr("\n"))));
  EXPECT_THAT(fault_of([] { throw 5; }).sentence, HasSubstr("no known type"));
  EXPECT_LT(fault_of([] { throw std::runtime_error(std::string(100000, 'x')); }).sentence.size(), 600U);
}

TEST(Boundary, DamagedJsonIsBadInput) {
  const Fault fault = fault_of([] { throw std::runtime_error(nlohmann::json::parse("{\"a\": ").dump()); });
  EXPECT_EQ(fault.code, ExitCode::bad_input);
  EXPECT_THAT(fault.sentence, HasSubstr("JSON is damaged"));
}

TEST(Boundary, InternalFaultsNameFileAndLine) {
  const Error error = internal_fault("the arena has no room");
  EXPECT_EQ(error.code(), ExitCode::failure);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("boundary_test.cpp:"), HasSubstr("please report")));
}

}  // namespace
}  // namespace trimtab
