#include "base/staging.h"

#include <gtest/gtest.h>

#include <filesystem>

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
  EXPECT_FALSE(fs::exists(out / ".partial"));
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
