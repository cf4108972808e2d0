#include "study/study.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/progress.h"
#include "base/settings.h"
#include "study/database.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int schema_version = 1;
constexpr const char* file_name = "study.sqlite";
constexpr const char* lock_name = "study.lock";

constexpr const char* schema = R"(
CREATE TABLE trials (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  spec TEXT NOT NULL,
  seed TEXT NOT NULL,
  stage TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  metrics TEXT NOT NULL DEFAULT 'null',
  reason TEXT NOT NULL DEFAULT '',
  wall_s REAL NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '',
  folder TEXT NOT NULL,
  started_at INTEGER NOT NULL DEFAULT 0,
  finished_at INTEGER NOT NULL DEFAULT 0);
CREATE TABLE settings (value TEXT NOT NULL);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
)";

constexpr const char* columns =
    "id, spec, seed, stage, state, attempts, deaths, metrics, reason, wall_s, owner, folder, started_at, finished_at";

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

json parse(const std::string& text, const fs::path& path) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) throw bad_input("{} is damaged; move it away to start anew", path.string());
  return value;
}

std::string dump(const json& value) { return json_text(value); }

Trial trial_of(const Database::Query& row, const fs::path& path) {
  Trial trial;
  trial.id = row.integer(0);
  trial.spec.settings = parse(row.text(1), path);
  trial.spec.seed = std::strtoull(row.text(2).c_str(), nullptr, 10);
  trial.stage = row.text(3);
  const std::int64_t state = row.integer(4);
  if (state < 0 || state > static_cast<std::int64_t>(TrialState::failed))
    throw bad_input("{} is damaged; move it away to start anew", path.string());
  trial.state = static_cast<TrialState>(state);
  trial.attempts = static_cast<int>(row.integer(5));
  trial.deaths = static_cast<int>(row.integer(6));
  trial.metrics = parse(row.text(7), path);
  trial.reason = row.text(8);
  trial.wall_s = row.real(9);
  trial.owner = row.text(10);
  trial.folder = row.text(11);
  trial.started_at = row.integer(12);
  trial.finished_at = row.integer(13);
  return trial;
}

std::vector<Trial> all_trials(const Database& database) {
  std::vector<Trial> trials;
  for (auto row = database.query(fmt::format("SELECT {} FROM trials ORDER BY id", columns)); row.next();)
    trials.push_back(trial_of(row, database.path()));
  return trials;
}

void check_version(const Database& database) {
  auto row = database.query("PRAGMA user_version");
  const std::int64_t version = row.next() ? row.integer(0) : 0;
  if (version != schema_version)
    throw bad_input("{} is no study of this version (its format is {}, {} is needed); choose another place",
                    database.path().string(), version, schema_version);
}

bool is_empty(const Database& database) {
  auto tables = database.query("SELECT count(*) FROM sqlite_master");
  return tables.next() && tables.integer(0) == 0;
}

json stored_settings(const Database& database) {
  auto row = database.query("SELECT value FROM settings");
  if (!row.next()) throw bad_input("{} is damaged; move it away to start anew", database.path().string());
  return parse(row.text(0), database.path());
}

/// Held by the process that owns the study for as long as it lives; the kernel lets go of it however that ends. The
/// processes it starts do not inherit it.
class OwnerLock {
 public:
  explicit OwnerLock(const fs::path& out) : path_(out / lock_name) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw bad_input("{} cannot be opened: {}", path_.string(), std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      throw bad_input("{} is being worked on by another process; 'trimtab study {}' shows how far it is", out.string(),
                      out.string());
    }
  }
  ~OwnerLock() { ::close(descriptor_); }
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;
  OwnerLock(OwnerLock&&) = delete;
  OwnerLock& operator=(OwnerLock&&) = delete;

  [[nodiscard]] static bool is_held(const fs::path& out) {
    const int descriptor = ::open((out / lock_name).c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0;
    ::close(descriptor);
    return held;
  }

 private:
  fs::path path_;
  int descriptor_ = -1;
};

/// Whether a failure is the disk's rather than the trial's: no checkpoint fits any more.
bool is_full(const fs::path& out) {
  constexpr std::uintmax_t enough_bytes = 1 << 20;
  std::error_code error;
  const fs::space_info space = fs::space(out, error);
  return !error && space.available < enough_bytes;
}

}  // namespace

std::string TrialSpec::key() const { return dump({{"seed", seed}, {"settings", settings}}); }

std::string TrialSpec::folder_name() const {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a, twice mixed at the end
  for (const char c : key()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdU;
  return fmt::format("{:016x}", hash ^ (hash >> 33U));
}

std::string name_of(TrialState state) {
  constexpr const char* names[] = {"waiting", "running", "done", "failed"};
  return names[static_cast<std::size_t>(state)];
}

class Study::Implementation {
 public:
  Implementation(const fs::path& out, const json& settings)
      : out_(make(out)), lock_(out), database_(out / file_name, Database::Mode::write) {
    if (is_empty(database_)) {
      create(settings);
    } else {
      check_version(database_);
      if (!database_.is_sound())
        throw bad_input("{} is damaged; move it away to start anew", database_.path().string());
      check_same_settings(stored_settings(database_), settings, database_.path().string());
      check_same_settings(settings, stored_settings(database_), database_.path().string());
    }
    database_.execute("PRAGMA synchronous = FULL");
    database_.execute(fmt::format("UPDATE trials SET state = {} WHERE state = {}",
                                  static_cast<int>(TrialState::waiting), static_cast<int>(TrialState::running)));
  }

  [[nodiscard]] const fs::path& out() const { return out_; }
  [[nodiscard]] Database& database() { return database_; }
  [[nodiscard]] const Database& database() const { return database_; }

 private:
  static fs::path make(const fs::path& out) {
    make_directory(out);
    return out;
  }

  void create(const json& settings) {
    database_.execute("PRAGMA journal_mode = WAL");
    Transaction transaction(database_);
    database_.execute(schema);
    database_.query("INSERT INTO settings VALUES (?)").bind(dump(settings)).run();
    database_.execute(fmt::format("PRAGMA user_version = {}", schema_version));
    transaction.commit();
  }

  fs::path out_;
  OwnerLock lock_;
  Database database_;
};

Study::Study(const fs::path& out, const json& settings)
    : implementation_(std::make_unique<Implementation>(out, settings)) {}
Study::~Study() = default;
Study::Study(Study&&) noexcept = default;
Study& Study::operator=(Study&&) noexcept = default;

const fs::path& Study::out() const { return implementation_->out(); }

fs::path Study::folder_of(const TrialSpec& spec) const { return out() / "trials" / spec.folder_name(); }

Trial Study::add(const TrialSpec& spec, const std::string& stage) {
  implementation_->database()
      .query("INSERT OR IGNORE INTO trials (key, spec, seed, stage, folder) VALUES (?, ?, ?, ?, ?)")
      .bind(spec.key())
      .bind(dump(spec.settings))
      .bind(std::to_string(spec.seed))
      .bind(stage)
      .bind("trials/" + spec.folder_name())
      .run();
  return *find(spec);
}

std::optional<Trial> Study::find(const TrialSpec& spec) const {
  const Database& database = implementation_->database();
  auto row = database.query(fmt::format("SELECT {} FROM trials WHERE key = ?", columns));
  row.bind(spec.key());
  if (!row.next()) return std::nullopt;
  return trial_of(row, database.path());
}

std::vector<Trial> Study::trials() const { return all_trials(implementation_->database()); }

void Study::start(const TrialSpec& spec, const std::string& owner) {
  implementation_->database()
      .query("UPDATE trials SET state = ?, attempts = attempts + 1, owner = ?, started_at = ? WHERE key = ?")
      .bind(static_cast<std::int64_t>(TrialState::running))
      .bind(owner)
      .bind(now())
      .bind(spec.key())
      .run();
}

void Study::finish(const TrialSpec& spec, const TrialOutcome& outcome, int max_deaths) {
  const std::optional<Trial> trial = find(spec);
  if (!trial.has_value()) throw failure("a trial is finished that the study does not know");
  const int deaths = trial->deaths + (outcome.died ? 1 : 0);
  const TrialState state = outcome.died && deaths < max_deaths ? TrialState::waiting
                           : outcome.reason.empty()            ? TrialState::done
                                                               : TrialState::failed;
  implementation_->database()
      .query("UPDATE trials SET state = ?, deaths = ?, metrics = ?, reason = ?, wall_s = ?, finished_at = ? WHERE id=?")
      .bind(static_cast<std::int64_t>(state))
      .bind(static_cast<std::int64_t>(deaths))
      .bind(dump(state == TrialState::done ? outcome.metrics : json()))
      .bind(outcome.reason)
      .bind(outcome.wall_s)
      .bind(state == TrialState::waiting ? 0 : now())
      .bind(trial->id)
      .run();
}

void Study::retry_failed() {
  implementation_->database()
      .query("UPDATE trials SET state = ?, deaths = 0, reason = '', finished_at = 0 WHERE state = ?")
      .bind(static_cast<std::int64_t>(TrialState::waiting))
      .bind(static_cast<std::int64_t>(TrialState::failed))
      .run();
}

void Study::put_note(const std::string& name, const json& value) {
  implementation_->database().query("INSERT OR REPLACE INTO notes VALUES (?, ?)").bind(name).bind(dump(value)).run();
}

json Study::note(const std::string& name) const {
  const Database& database = implementation_->database();
  auto row = database.query("SELECT value FROM notes WHERE name = ?");
  row.bind(name);
  return row.next() ? parse(row.text(0), database.path()) : json();
}

StudyView read_study(const fs::path& out) {
  const fs::path path = out / file_name;
  if (!fs::exists(path)) throw bad_input("{} holds no study: there is no {} in it", out.string(), file_name);
  Database database(path, Database::Mode::read);
  database.execute("BEGIN");  // one state of all tables
  check_version(database);
  StudyView view;
  view.settings = stored_settings(database);
  view.trials = all_trials(database);
  view.notes = json::object();
  for (auto row = database.query("SELECT name, value FROM notes"); row.next();)
    view.notes[row.text(0)] = parse(row.text(1), path);
  database.execute("COMMIT");
  view.owned = OwnerLock::is_held(out);
  return view;
}

void InProcessRunner::run(std::span<const TrialSpec> specs, std::span<const fs::path> folders, const Events& events) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    events.started(i, fmt::format("process {}", ::getpid()));
    const auto start = std::chrono::steady_clock::now();
    TrialOutcome outcome;
    try {
      outcome.metrics = function_(specs[i], folders[i]);
    } catch (const Error& error) {
      outcome.reason = error.what();
    }
    outcome.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    events.finished(i, outcome);
  }
}

std::vector<Trial> run_trials(Study& study, std::span<const TrialSpec> specs, TrialRunner& runner,
                              const RunTrialsOptions& options) {
  const auto is_open = [](const Trial& trial) {
    return trial.state == TrialState::waiting || trial.state == TrialState::running;
  };
  std::vector<TrialSpec> open;
  std::set<std::string> keys;
  for (const TrialSpec& spec : specs) {
    if (keys.insert(spec.key()).second && is_open(study.add(spec, options.stage))) open.push_back(spec);
  }
  Progress progress(options.stage, static_cast<std::int64_t>(open.size()));
  std::int64_t done = 0;
  while (!open.empty()) {  // again for those whose processes died
    std::vector<fs::path> folders;
    folders.reserve(open.size());
    for (const TrialSpec& spec : open) folders.push_back(study.folder_of(spec));
    runner.run(open, folders,
               {[&](std::size_t i, const std::string& owner) { study.start(open[i], owner); },
                [&](std::size_t i, const TrialOutcome& outcome) {
                  if (!outcome.reason.empty() && !outcome.died && is_full(study.out()))
                    throw failure("{}; make room on the disk of {}, and the same command continues", outcome.reason,
                                  study.out().string());
                  study.finish(open[i], outcome, options.max_deaths);
                  if (!outcome.died) progress.update(++done);
                }});
    std::erase_if(open, [&](const TrialSpec& spec) { return !is_open(*study.find(spec)); });
  }
  std::vector<Trial> trials;
  trials.reserve(specs.size());
  for (const TrialSpec& spec : specs) trials.push_back(*study.find(spec));
  return trials;
}

}  // namespace trimtab
