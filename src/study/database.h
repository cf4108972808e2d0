#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"

struct sqlite3;
struct sqlite3_stmt;

namespace trimtab {

/// One SQLite file. Every error of SQLite becomes one Error that names the file: (bad input) where it is damaged,
/// locked, no database, or cannot be opened; (failure) where the disk is full or fails.
class Database {
 public:
  enum class Mode { read, write };
  /// A reader of a database that is in SQLite's WAL mode writes beside it. Where this process may not do that,
  /// Mode::read therefore reads a copy.
  Database(const std::filesystem::path& path, Mode mode);

  /// Runs statements without parameters and results.
  void execute(const std::string& sql);

  /// A statement with its parameters; next() goes through its rows.
  class Query {
   public:
    Query& bind(const std::string& text);
    Query& bind(std::int64_t number);
    Query& bind(double number);
    /// Goes to the next row; false behind the last.
    bool next();
    /// For statements without rows.
    void run();
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double real(int column) const;

   private:
    friend class Database;
    Query(const Database& database, const std::string& sql);
    struct Finalize {
      void operator()(sqlite3_stmt* statement) const;
    };
    const Database* database_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bound_ = 0;
  };
  [[nodiscard]] Query query(const std::string& sql) const { return {*this, sql}; }

  /// Whether the file's structure is whole.
  [[nodiscard]] bool is_sound() const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail(int code) const;
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::optional<TemporaryDirectory> copy_;  ///< outlives the connection
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> database_;
};

/// Everything between its making and commit() happens, or nothing.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Transaction(Transaction&&) = delete;
  Transaction& operator=(Transaction&&) = delete;
  void commit();

 private:
  Database& database_;
  bool committed_ = false;
};

}  // namespace trimtab
