#include "study/database.h"

#include <sqlite3.h>
#include <unistd.h>

#include <system_error>

#include "base/error.h"
#include "base/input_file.h"

namespace trimtab {
namespace {

constexpr int busy_milliseconds = 10000;
constexpr std::int64_t largest_file = std::int64_t{2} << 30;

std::vector<std::uint8_t> read_log(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? read_file(path, largest_file) : std::vector<std::uint8_t>{};
}

/// The file with its log, copied to a folder of our own. A log that stays as it is while the file is read belongs to
/// it, whatever parts of the log its owner has moved into the file meanwhile.
void copy_database(const std::filesystem::path& path, const std::filesystem::path& folder) {
  constexpr int tries = 10;
  const std::filesystem::path log = path.string() + "-wal";
  std::vector<std::uint8_t> before = read_log(log);
  for (int attempt = 0; attempt < tries; ++attempt) {
    write_file(folder / path.filename(), read_file(path, largest_file));
    std::vector<std::uint8_t> after = read_log(log);
    if (before == after) break;
    before = std::move(after);
  }
  if (!before.empty()) write_file(folder / log.filename(), before);
}

/// Whether a reader may write beside the file, as it has to in SQLite's WAL mode.
bool may_write_beside(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const std::filesystem::path shared = path.string() + "-shm";
  return ::access(folder.c_str(), W_OK) == 0 &&
         (!std::filesystem::exists(shared) || ::access(shared.c_str(), R_OK | W_OK) == 0);
}

}  // namespace

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path) {
  std::filesystem::path opened = path;
  if (std::filesystem::exists(path)) (void)InputFile(path);  // SQLite would wait for a pipe
  if (mode == Mode::read && !may_write_beside(path)) {
    copy_database(path, copy_.emplace().path());
    opened = copy_->path() / path.filename();
    mode = Mode::write;  // of the copy
  }
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(opened.c_str(), &database,
                      mode == Mode::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) fail(code);
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, busy_milliseconds);
}

void Database::fail(int code) const {
  const std::string text = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:  // a table that is not there
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
      throw bad_input("{} is damaged or no study ({}); move it away to start anew", path_.string(), text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw bad_input("{} is locked by another program; end that, or wait for it", path_.string());
    case SQLITE_FULL:
      throw failure("{} could not be written because the disk is full; make room, and the same command continues",
                    path_.string());
    case SQLITE_IOERR:
      throw failure("{} could not be read or written ({}); the disk may be full or failing", path_.string(), text);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      throw bad_input("{} cannot be opened: {}", path_.string(), text);
    default:
      throw failure("{}: {}", path_.string(), text);
  }
}

void Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

bool Database::is_sound() const {
  Query check = query("PRAGMA quick_check(1)");
  return check.next() && check.text(0) == "ok";
}

void Database::Query::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Query::Query(const Database& database, const std::string& sql) : database_(&database) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database.database_.get(), sql.c_str(), -1, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) database.fail(code);
}

Database::Query& Database::Query::bind(const std::string& text) {
  // SQLITE_TRANSIENT, a cast of -1: SQLite makes its own copy
  const int code =
      sqlite3_bind_text(statement_.get(), ++bound_, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) database_->fail(code);
  return *this;
}

Database::Query& Database::Query::bind(std::int64_t number) {
  const int code = sqlite3_bind_int64(statement_.get(), ++bound_, number);
  if (code != SQLITE_OK) database_->fail(code);
  return *this;
}

Database::Query& Database::Query::bind(double number) {
  const int code = sqlite3_bind_double(statement_.get(), ++bound_, number);
  if (code != SQLITE_OK) database_->fail(code);
  return *this;
}

bool Database::Query::next() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->fail(code);
  return false;
}

void Database::Query::run() {
  while (next()) {
  }
}

std::string Database::Query::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string{} : std::string(reinterpret_cast<const char*>(text), size);
}

std::int64_t Database::Query::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Database::Query::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

Transaction::~Transaction() {
  if (committed_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {  // SQLite has rolled back already, as it does when the disk is full
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  committed_ = true;
}

}  // namespace trimtab
