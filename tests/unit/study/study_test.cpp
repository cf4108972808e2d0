#include "study/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "study/database.h"

namespace trimtab {
namespace {

using nlohmann::json;
using testing::HasSubstr;
namespace fs = std::filesystem;

const json settings = {{"network", "abc"}, {"data", "def"}};

TrialSpec spec_of(int bits, std::uint64_t seed = 1) { return {{{"bits", bits}}, seed}; }

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// Squares the bits, and counts how often it is asked.
class CountingRunner : public InProcessRunner {
 public:
  CountingRunner()
      : InProcessRunner([this](const TrialSpec& spec, const fs::path&) {
          ++calls;
          const int bits = spec.settings.at("bits");
          if (bits < 0) throw bad_input("bits are {}", bits);
          return json{{"top1", bits * bits}};
        }) {}
  int calls = 0;
};

TEST(study, equal_specs_have_equal_keys_whatever_the_order_of_their_members) {
  TrialSpec a;
  a.settings["bits"] = 4;
  a.settings["epochs"] = 2;
  TrialSpec b;
  b.settings["epochs"] = 2;
  b.settings["bits"] = 4;
  EXPECT_EQ(a.key(), b.key());
  EXPECT_EQ(a.folder_name(), b.folder_name());
  b.seed = 2;
  EXPECT_NE(a.key(), b.key());
  EXPECT_NE(a.folder_name(), b.folder_name());
}

TEST(study, results_come_in_the_order_of_specs_and_finished_trials_are_not_run_again) {
  const TemporaryDirectory folder;
  const std::vector<TrialSpec> specs = {spec_of(3), spec_of(2), spec_of(3), spec_of(5)};
  CountingRunner runner;
  {
    Study study(folder.path(), settings);
    const std::vector<Trial> trials = run_trials(study, specs, runner, {.stage = "squares"});
    ASSERT_EQ(trials.size(), 4U);
    EXPECT_EQ(trials[0].metrics.at("top1"), 9);
    EXPECT_EQ(trials[1].metrics.at("top1"), 4);
    EXPECT_EQ(trials[2].id, trials[0].id);
    EXPECT_EQ(trials[3].metrics.at("top1"), 25);
    EXPECT_EQ(trials[3].stage, "squares");
    EXPECT_EQ(runner.calls, 3);
  }
  Study study(folder.path(), settings);
  const std::vector<TrialSpec> more = {spec_of(7), spec_of(2)};
  const std::vector<Trial> trials = run_trials(study, more, runner, {});
  EXPECT_EQ(trials[0].metrics.at("top1"), 49);
  EXPECT_EQ(trials[1].metrics.at("top1"), 4);
  EXPECT_EQ(runner.calls, 4);
}

TEST(study, a_trial_that_was_running_waits_again) {
  const TemporaryDirectory folder;
  {
    Study study(folder.path(), settings);
    study.add(spec_of(4), "");
    study.start(spec_of(4), "here");
    EXPECT_EQ(study.find(spec_of(4))->state, TrialState::running);
    EXPECT_EQ(read_study(folder.path()).trials.at(0).state, TrialState::running);
  }
  const Study study(folder.path(), settings);
  EXPECT_EQ(study.find(spec_of(4))->state, TrialState::waiting);
  EXPECT_EQ(study.find(spec_of(4))->attempts, 1);
}

TEST(study, an_error_of_a_trial_is_its_failure_and_can_be_retried) {
  const TemporaryDirectory folder;
  Study study(folder.path(), settings);
  CountingRunner runner;
  const std::vector<TrialSpec> specs = {spec_of(-1), spec_of(2)};
  std::vector<Trial> trials = run_trials(study, specs, runner, {});
  EXPECT_EQ(trials[0].state, TrialState::failed);
  EXPECT_EQ(trials[0].reason, "bits are -1");
  EXPECT_EQ(trials[1].state, TrialState::done);
  trials = run_trials(study, specs, runner, {});
  EXPECT_EQ(runner.calls, 2);
  study.retry_failed();
  trials = run_trials(study, specs, runner, {});
  EXPECT_EQ(runner.calls, 3);
}

/// Every trial's process dies the first `deaths` times.
class DyingRunner : public TrialRunner {
 public:
  explicit DyingRunner(int deaths) : deaths_(deaths) {}
  void run(std::span<const TrialSpec> specs, std::span<const fs::path> folders, const Events& events) override {
    EXPECT_EQ(specs.size(), folders.size());
    ++runs;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      events.started(i, "runner");
      if (runs <= deaths_) {
        events.finished(i, {.metrics = {}, .reason = "killed by signal 9", .died = true});
      } else {
        events.finished(i, {.metrics = {{"top1", 1}}, .reason = {}});
      }
    }
  }
  int runs = 0;

 private:
  int deaths_;
};

TEST(study, a_trial_whose_process_dies_is_handed_out_again_a_few_times) {
  const TemporaryDirectory folder;
  Study study(folder.path(), settings);
  const std::vector<TrialSpec> first = {spec_of(1)};
  DyingRunner twice(2);
  Trial trial = run_trials(study, first, twice, {.stage = "", .max_deaths = 3}).at(0);
  EXPECT_EQ(trial.state, TrialState::done);
  EXPECT_EQ(trial.attempts, 3);
  EXPECT_EQ(trial.reason, "");
  DyingRunner always(100);
  const std::vector<TrialSpec> second = {spec_of(2)};
  trial = run_trials(study, second, always, {.stage = "", .max_deaths = 3}).at(0);
  EXPECT_EQ(trial.state, TrialState::failed);
  EXPECT_EQ(trial.reason, "killed by signal 9");
  EXPECT_EQ(always.runs, 3);
}

TEST(study, is_refused_with_other_settings_and_not_changed) {
  const TemporaryDirectory folder;
  {
    Study study(folder.path(), settings);
    study.add(spec_of(4), "");
  }
  const std::vector<std::uint8_t> before = read_file(folder.path() / "study.sqlite");
  json other = settings;
  other["data"] = "xyz";
  EXPECT_THAT(message_of([&] { Study(folder.path(), other); }), HasSubstr("data is \"def\" there and \"xyz\" here"));
  other = {{"network", "abc"}};
  EXPECT_THAT(message_of([&] { Study(folder.path(), other); }), HasSubstr("data"));
  EXPECT_EQ(read_file(folder.path() / "study.sqlite"), before);
}

TEST(study, has_one_owner_and_any_number_of_readers) {
  const TemporaryDirectory folder;
  {
    Study study(folder.path(), settings);
    study.put_note("cost", "memory_bytes");
    EXPECT_THAT(message_of([&] { Study(folder.path(), settings); }), HasSubstr("another process"));
    const StudyView view = read_study(folder.path());
    EXPECT_TRUE(view.owned);
    EXPECT_EQ(view.notes.at("cost"), "memory_bytes");
    EXPECT_EQ(view.settings, settings);
  }
  EXPECT_FALSE(read_study(folder.path()).owned);
}

TEST(study, a_locked_database_is_one_clear_error) {
  const TemporaryDirectory folder;
  { const Study study(folder.path(), settings); }
  Database other(folder.path() / "study.sqlite", Database::Mode::write);
  other.execute("PRAGMA busy_timeout = 0");
  const Transaction held(other);
  Database late(folder.path() / "study.sqlite", Database::Mode::write);
  late.execute("PRAGMA busy_timeout = 0");
  EXPECT_THAT(message_of([&] { late.execute("UPDATE trials SET state = 0"); }), HasSubstr("locked by another program"));
}

TEST(study, damaged_files_and_other_files_are_refused) {
  const TemporaryDirectory folder;
  const fs::path path = folder.path() / "study.sqlite";
  EXPECT_THAT(message_of([&] { (void)read_study(folder.path()); }), HasSubstr("holds no study"));
  write_file(path, std::string(5000, 'x'));
  EXPECT_THAT(message_of([&] { Study(folder.path(), settings); }), HasSubstr("damaged"));
  EXPECT_THAT(message_of([&] { (void)read_study(folder.path()); }), HasSubstr("damaged"));
  EXPECT_EQ(read_text(path), std::string(5000, 'x'));

  fs::remove(path);
  {
    Study study(folder.path(), settings);
    for (int i = 0; i < 200; ++i) study.add(spec_of(i), std::string(100, 'a'));
  }
  std::string bytes = read_text(path);
  ASSERT_GT(bytes.size(), 20000U);
  std::fill(bytes.begin() + 4096, bytes.begin() + 20000, '\x5a');
  write_file(path, bytes);
  EXPECT_THAT(message_of([&] { Study(folder.path(), settings); }), HasSubstr("damaged"));
}

TEST(study, a_full_disk_is_one_clear_error) {
  const TemporaryDirectory folder;
  Database database(folder.path() / "small.sqlite", Database::Mode::write);
  database.execute("PRAGMA max_page_count = 3; CREATE TABLE t (x TEXT)");
  EXPECT_THAT(message_of([&] {
                for (int i = 0; i < 100; ++i)
                  database.query("INSERT INTO t VALUES (?)").bind(std::string(1000, 'x')).run();
              }),
              HasSubstr("the disk is full"));
}

}  // namespace
}  // namespace trimtab
