#include "framework/plan/freeze.h"

#include <filesystem>
#include <fstream>

#include "framework/observe/atomic_file.h"
#include "framework/plan/score.h"
#include "tests/framework/plan/worlds.h"

namespace qatlas::plan {
namespace {

namespace fs = std::filesystem;

class Frozen : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ =
        fs::temp_directory_path() /
        ("qatlas-frozen-" +
         std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".json");
    fs::remove(path_);
    table_ = testing::QatRuns("w4a4", .03, 7);
    for (const char* law : {"qat-unified", "qat-no-data"}) {
      const auto problem = testing::Pose(law, table_, "log-least-squares");
      ASSERT_TRUE(problem.ok()) << problem.status();
      const auto fit = fit::Fit(*problem);
      ASSERT_TRUE(fit.ok()) << fit.status();
      auto made = LawFromFit(*fit, {});
      ASSERT_TRUE(made.ok());
      inputs_.laws.push_back(*std::move(made));
    }
    for (const double n : {973.08e6, 2818.6e6}) {
      for (const double d : {100e9, 200e9}) {
        for (const double g : {32., 128.}) inputs_.points.push_back(testing::At(n, d, g));
      }
    }
    inputs_.rows = table_;
    inputs_.created = "2026-01-02T03:04:05Z";
    inputs_.provenance = {{"table", "runs.csv"}};
  }
  void TearDown() override { fs::remove(path_); }

  // Later runs at the first `count` points, from the truth times exp(shift).
  observe::Table Later(size_t count, double shift, uint64_t seed) {
    observe::Table later;
    for (size_t i = 0; i < count; ++i) {
      observe::Table::Row row;
      for (const auto& [name, value] : inputs_.points[i].numbers) row.emplace_back(name, value);
      EXPECT_TRUE(later.Append(row).ok());
    }
    const auto form = testing::Law("qat-unified");
    auto theta = testing::Preset(*form, "w4a4");
    theta[0] *= std::exp(shift);
    testing::AddTarget(&later, *form, theta, "delta", .03, seed);
    return later;
  }

  fs::path path_;
  observe::Table table_;
  FreezeInputs inputs_;
};

TEST_F(Frozen, IsReadBackNeverRewrittenAndTamperingShows) {
  const auto frozen = Freeze(inputs_);
  ASSERT_TRUE(frozen.ok()) << frozen.status();
  ASSERT_TRUE(WriteFrozen(path_, *frozen).ok());
  const auto back = ReadFrozen(path_);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, *frozen);
  const std::string hash = (*frozen)["sha256"];
  EXPECT_TRUE(ReadFrozen(path_, hash.substr(0, 12)).ok());
  EXPECT_EQ(ReadFrozen(path_, "0123456789ab").status().code(), absl::StatusCode::kDataLoss);

  const auto text = observe::ReadWholeFile(path_);
  inputs_.created = "later";
  const auto other = Freeze(inputs_);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(WriteFrozen(path_, *other).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*observe::ReadWholeFile(path_), *text);
  EXPECT_EQ(fs::status(path_).permissions() & fs::perms::owner_write, fs::perms::none);
  int left = 0;
  for (const auto& entry : fs::directory_iterator(path_.parent_path())) {
    if (entry.path().string().starts_with(path_.string())) ++left;
  }
  EXPECT_EQ(left, 1) << "no temporary file stays behind";

  nlohmann::json changed = *frozen;
  changed["laws"][0]["predictions"][0]["value"] = .5;
  fs::permissions(path_, fs::perms::owner_all);
  std::ofstream(path_) << changed.dump(2);
  EXPECT_EQ(ReadFrozen(path_).status().code(), absl::StatusCode::kDataLoss);
  std::ofstream(path_) << "{}";
  EXPECT_EQ(ReadFrozen(path_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Frozen, LaterRunsAreScored) {
  const auto frozen = Freeze(inputs_);
  ASSERT_TRUE(frozen.ok());
  ScoreOptions options;
  options.problem.loss = {fit::Space::kLog, fit::Shape::kSquare};
  options.compare.bootstrap = false;
  observe::Table later = Later(6, 0, 21);
  ASSERT_TRUE(later.AppendTable(table_.Take({0, 1})).ok());  // were in the fit
  const auto score = ScoreFrozen(*frozen, later, testing::Forms(), options);
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_EQ(score->runs.size(), 6u);
  EXPECT_EQ(score->not_found.size(), 2u);
  EXPECT_EQ(score->already_fitted, 2u);
  EXPECT_EQ(score->laws[0].name, "qat-unified");
  EXPECT_GE(score->laws[0].covered, 5);
  EXPECT_LT(score->laws[0].mean_relative_error, .06);
  EXPECT_GT(score->laws[1].rmse, score->laws[0].rmse) << "the rival without data does worse";
  EXPECT_LT(score->laws[0].coverage.low, 5.0 / 6);
  ASSERT_TRUE(score->still_first.has_value());
  EXPECT_TRUE(*score->still_first);
  EXPECT_EQ(score->refit->rows, 86);
  const nlohmann::json json = ToJson(*score);
  EXPECT_EQ(json["still_first"], true);
  EXPECT_EQ(json["runs"].size(), 6u);

  // Runs half as large again lie outside.
  const auto wrong = ScoreFrozen(*frozen, Later(8, std::log(1.5), 22), testing::Forms(), options);
  ASSERT_TRUE(wrong.ok());
  EXPECT_EQ(wrong->laws[0].covered, 0);
  EXPECT_LT(wrong->laws[0].bias, 0);
}

TEST_F(Frozen, IntervalsOfSingleRunsCoverAsManyAsTheySay) {
  const auto forecast = Predict(inputs_.laws[0], inputs_.points, .95);
  ASSERT_TRUE(forecast.ok()) << forecast.status();
  for (size_t i = 0; i < inputs_.points.size(); ++i) {
    EXPECT_LT(forecast->run[i].low, forecast->law[i].low) << "a run scatters about the law";
    EXPECT_GT(forecast->run[i].high, forecast->law[i].high);
  }
  // Truth, fit and later runs drawn anew: 60 data sets of 8 points.
  int inside = 0, all = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const observe::Table table = testing::QatRuns("w4a4", .03, 100 + seed);
    const auto problem = testing::Pose("qat-unified", table, "log-least-squares");
    ASSERT_TRUE(problem.ok());
    const auto fit = fit::Fit(*problem);
    ASSERT_TRUE(fit.ok());
    DrawOptions draws;
    draws.count = 500;
    const auto law = LawFromFit(*fit, draws);
    ASSERT_TRUE(law.ok());
    const auto made = Predict(*law, inputs_.points, .95);
    ASSERT_TRUE(made.ok());
    const observe::Table later = Later(8, 0, 1000 + seed);
    for (size_t i = 0; i < 8; ++i, ++all) {
      const double y = later.NumberAt(i, "delta");
      inside += y >= made->run[i].low && y <= made->run[i].high ? 1 : 0;
    }
  }
  EXPECT_NEAR(static_cast<double>(inside) / all, .95, .035);
}

TEST_F(Frozen, WhatCannotBeScoredIsNotFrozen) {
  FreezeInputs bare;
  auto laws = LawsFromPreset(testing::Laws(), testing::Forms(), "qat-unified:w4a4");
  ASSERT_TRUE(laws.ok());
  bare.laws = *laws;
  bare.points = inputs_.points;
  EXPECT_EQ(Freeze(bare).status().code(), absl::StatusCode::kFailedPrecondition);
  bare.laws = *LawsFromPreset(testing::Laws(), testing::Forms(), "qat-unified:w4a4", .047);
  EXPECT_TRUE(Freeze(bare).ok());
  bare.points.push_back(bare.points[0]);
  EXPECT_EQ(Freeze(bare).status().code(), absl::StatusCode::kInvalidArgument);
  bare.points.clear();
  EXPECT_FALSE(Freeze(bare).ok());
  const auto frozen = Freeze(inputs_);
  ASSERT_TRUE(frozen.ok());
  observe::Table elsewhere;
  ASSERT_TRUE(elsewhere.Append({{"N", 1e6}, {"D", 1e6}, {"G", 32.0}, {"delta", .1}}).ok());
  EXPECT_EQ(ScoreFrozen(*frozen, elsewhere, testing::Forms(), {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ScoreFrozen(*frozen, observe::Table(), testing::Forms(), {}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace qatlas::plan
