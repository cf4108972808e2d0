#include "base/staging.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

TEST(StagingFolder, MovesFilesOnlyWhenAllAreWritten) {
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  {
    const StagingFolder staging(out);
    write_file(staging.path() / "result.json", "{}");
    EXPECT_FALSE(fs::exists(out / "result.json"));
    staging.commit();
  }
  EXPECT_EQ(read_text(out / "result.json"), "{}");
  EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 2);  // and .result-files
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(StagingFolder, LeavesNothingOfAnEarlierResult) {
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  make_directory(out / "study");
  write_file(out / "study" / "trial.txt", "kept");
  write_file(out / "notes.txt", "mine");
  {
    const StagingFolder staging(out);
    write_file(staging.path() / "result.json", "first");
    make_directory(staging.path() / "device");
    write_file(staging.path() / "device" / "program.h", "first");
    staging.commit();
  }
  {
    const StagingFolder staging(out);
    write_file(staging.path() / "result.json", "second");
    staging.commit();
  }
  EXPECT_EQ(read_text(out / "result.json"), "second");
  EXPECT_FALSE(fs::exists(out / "device"));
  EXPECT_EQ(read_text(out / "study" / "trial.txt"), "kept");
  EXPECT_EQ(read_text(out / "notes.txt"), "mine");
}

TEST(StagingFolder, RefusesASecondWriterByTheNameOfTheFirst) {
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  const StagingFolder first(out);
  try {
    const StagingFolder second(out);
    FAIL() << "a second writer";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_NE(std::string(error.what()).find("process " + std::to_string(::getpid())), std::string::npos)
        << error.what();
  }
}

TEST(StagingFolder, WorksInTheFolderWhereTheProcessStands) {
  const TemporaryDirectory folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  {
    const StagingFolder staging(".", {"device"});
    write_file(staging.path() / "result.json", "{}");
    staging.commit();
  }
  EXPECT_EQ(read_text("result.json"), "{}");
  EXPECT_EQ(std::distance(fs::directory_iterator("."), {}), 2);
  fs::current_path(before);
}

// A damaged list of files must not reach outside the folder.
TEST(StagingFolder, ItsListOfFilesStaysInside) {
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  make_directory(out);
  write_file(folder.path() / "precious", "mine");
  write_file(out / ".result-files", std::string("../precious\n..\n.\n\n") + (folder.path() / "precious").string());
  const StagingFolder staging(out);
  write_file(staging.path() / "result.json", "{}");
  staging.commit();
  EXPECT_EQ(read_text(folder.path() / "precious"), "mine");
  EXPECT_EQ(read_text(out / "result.json"), "{}");
}

TEST(StagingFolder, LeavesNothingWithoutACommit) {
  const TemporaryDirectory folder;
  const fs::path out = folder.path() / "out";
  {
    const StagingFolder staging(out);
    write_file(staging.path() / "result.json", "{}");
  }
  EXPECT_FALSE(fs::exists(out));
}

TEST(StagingFolder, KeepsAFolderThatWasThere) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "notes.txt", "mine");
  { const StagingFolder staging(folder.path()); }
  EXPECT_EQ(read_text(folder.path() / "notes.txt"), "mine");
}

TEST(StagingFolder, RemovesWhatAnEarlierResultLeft) {
  const TemporaryDirectory folder;
  make_directory(folder.path() / "device");
  write_file(folder.path() / "notes.txt", "mine");
  write_file(folder.path() / "summary.txt", "old");
  const StagingFolder staging(folder.path(), {"device"});
  write_file(staging.path() / "summary.txt", "new");
  staging.commit();
  EXPECT_FALSE(fs::exists(folder.path() / "device"));
  EXPECT_EQ(read_text(folder.path() / "summary.txt"), "new");
  EXPECT_EQ(read_text(folder.path() / "notes.txt"), "mine");
}

}  // namespace
}  // namespace trimtab
