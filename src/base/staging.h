#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// The lock of a folder that a command writes to. It ends with the process, however that ends.
class FolderLock {
 public:
  /// Makes the folder. Throws Error (bad input) where that cannot be, and, naming the process, where another command
  /// has the lock.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  FolderLock(FolderLock&&) = delete;
  FolderLock& operator=(FolderLock&&) = delete;

 private:
  int descriptor_ = -1;
};

/// The folder in which a command gathers its result, beside the folder OUT where it is to be. commit() swaps the two in
/// one system call, so that OUT holds the earlier result or this one at every moment, also where the process is killed.
/// OUT is locked meanwhile. Without commit() nothing of the result stays, nor a folder OUT that was not there before.
///
/// commit() keeps what is in OUT but belongs to no earlier result, such as a study and a user's own files. The file
/// .result-files in OUT names what belongs to the result.
class StagingFolder {
 public:
  /// `owned` names the files that a result may consist of, for an earlier result without .result-files. Throws Error
  /// (bad input) where the folder cannot be made, and where another command writes to OUT.
  explicit StagingFolder(std::filesystem::path out, std::vector<std::string> owned = {});
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;
  StagingFolder(StagingFolder&&) = delete;
  StagingFolder& operator=(StagingFolder&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Throws Error where the result cannot take its place.
  void commit() const;

 private:
  void replace_one_by_one(const std::vector<std::string>& names) const;

  bool was_there_;
  std::filesystem::path out_;  ///< canonical
  FolderLock lock_;
  std::vector<std::string> owned_;
  std::filesystem::path path_;
};

}  // namespace trimtab
